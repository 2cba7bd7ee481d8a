"""How OpenBSD and NetBSD tell about the machine they run on; one reader, because both keep it in the same places.

The boot messages as a file and `sysctl` with a time limit, returned as text and never interpreted here
(`metanode.fingerprint.parsers.openbsd` does that).
"""

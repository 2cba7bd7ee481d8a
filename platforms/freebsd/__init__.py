"""How FreeBSD tells about the machine it runs on.

The boot messages as a file and commands of the base system with a time limit, returned as text and
never interpreted here (`metanode.fingerprint.parsers.freebsd` does that).
"""

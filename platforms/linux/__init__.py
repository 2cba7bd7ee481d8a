"""How Linux tells about the machine it runs on.

Readers only: files below a root directory and commands with a time limit, returned as text
and never interpreted here (`metanode.fingerprint.parsers` does that).  Imports the standard
library alone.  Read `dump` first: it lists every source.
"""

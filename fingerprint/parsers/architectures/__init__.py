"""/proc/cpuinfo by architecture, and the tables of processor names.

`metanode.fingerprint.parsers.cpuinfo` splits the file and loads only the module that the file is of,
because a resting miner must stay small.  Each module has one function `read(lines)`.
"""

"""What tests of a node or a plugin need, shipped for third parties too.

May import `core` and trio.  Read `clock` first: time and chance that a test controls.
"""

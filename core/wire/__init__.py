"""Bytes between nodes, sans-IO: the caller owns the socket, this package owns the rules.

Imports the standard library, `core.model` and nothing that waits.
Read `frames` first (how a stream is cut into frames), then `hello` (who is at the other end).
"""

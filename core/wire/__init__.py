"""Bytes between nodes, sans-IO: the caller owns the socket, this package owns the rules.

Imports the standard library, `core.model`, `core.crypto` and nothing that waits.
Read `frames` first (how a stream is cut into frames), then `lanes` (what goes first), `hello` (who is at the
other end), `noise` (the handshakes) and `secure` (a whole encrypted connection).
"""

"""What transports share.

For all: `admission` (who may try), `session` (hello, lanes and goodbye on channels that are encrypted already).
For those on UDP: `link` (datagrams in and out), `lossy_net` (a network in memory for tests), and QUIC on trio:
`engine` (aioquic, and the only file that reaches into it), `endpoint` (one socket, all its connections),
`connection` and `stream` (what a caller holds), `certificate`.

May import `core`.  aioquic and what it brings need Rust: only `engine`, `endpoint`, `connection`, `stream` and
`certificate` import them, so nobody else may import those but a plugin that was asked for.
Read `link` first, then `endpoint`.
"""

"""Encrypted connections over UDP: QUIC by aioquic's sans-IO core, on trio.

May import `core` and its role's `_shared`, where the QUIC driver stands: aioquic is loaded only when this plugin is.
Read `connection` first (one connection), then `transport` (the role object).
"""

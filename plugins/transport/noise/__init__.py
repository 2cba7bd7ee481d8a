"""Encrypted connections over TCP: Noise_XX and Noise_IK with PyNaCl alone, no TLS, no certificates, no clock.

May import `core` and its role's `_shared`.  The rules are in `core.wire.secure`, sans-IO; here are sockets, deadlines
and limits.
Read `connection` first (one connection), then `transport` (the role object), `_shared/admission` (who may try).
"""

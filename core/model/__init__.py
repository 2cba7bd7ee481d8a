"""The pure layer: what every node, miner and verifier agrees on, byte by byte.

Imports the standard library and itself only; no clock, randomness, files or sockets.
Read `codec` first (how values become bytes), then `hashing` (how bytes become ids),
then `envelope`, `header`, `block` and `state_map` (what a chain is made of).
"""

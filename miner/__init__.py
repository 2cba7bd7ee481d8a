"""The miner: measures this machine, answers challenges, tells its owner in plain words what came of it.

Synchronous and small: the standard library, `core.model|crypto|wire|light`, `fingerprint` and `platforms` only,
never trio.  Read `loop.py` first (what one round does), then `node.py` (what is asked of a node) and `store.py`
(what survives a crash or a node that is away).
"""

"""What every node shares: it knows roles, never an implementation.

Imports nothing here, so that a miner which needs `core.model` never loads trio.
Read `model/` for the rules, `roles.py` and `hooks.py` for the seams, `kernel.py` for the life of a node.
"""

"""storage.memory: the chain in dicts, gone with the process; for tests and throw-away nodes.

May import `metanode.core` and `plugins/storage/_shared`.  Read `store.py`.
"""

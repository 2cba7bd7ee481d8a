"""storage.sqlite: the chain in one SQLite file.

WAL mode, `synchronous=FULL`, one writer with group commit, read-only connections beside it,
read-only SQL views for people.  May import `metanode.core` and `plugins/storage/_shared`.
Read `schema.py` first (what is on disk), then `database.py` (the blocking half) and `store.py`
(the role object on trio).
"""

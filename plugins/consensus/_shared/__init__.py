"""What every consensus engine needs and none may do differently.

`chain` builds, checks and stores blocks on top of the head; `headers` remembers the recent
headers that rules may look back to; `wal` is the write-ahead log a vote enters before anyone sees it.
"""

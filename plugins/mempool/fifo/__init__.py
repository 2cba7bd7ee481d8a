"""mempool.fifo: the pool of a node whose proposer sees every envelope in the clear.

Fee order under nonce order for kinds that pay, an unpredictable order for kinds that do not;
every queue bounded.  May import `metanode.core`.  Read `pool.py` first: it is pure and holds
every rule; `mempool.py` is the driver around it.
"""

"""Transport: ways to reach other nodes over authenticated, ordered, bounded streams of frames.

Contract: `metanode.core.roles.Transport` and `Connection`.  `memory` joins nodes of one process.
"""

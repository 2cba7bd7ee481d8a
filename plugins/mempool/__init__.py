"""Mempool: signed envelopes that wait for a block.

Contract: `metanode.core.roles.Mempool`; its conformance suite is `metanode.core.testing.contracts.mempool`.
"""

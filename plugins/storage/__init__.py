"""Storage: durable blocks, state entries, pending envelopes and the read-only views.

Contract: `metanode.core.roles.Storage`; its conformance suite is `metanode.core.testing.contracts.storage`.
`sqlite` is what a node runs on, `memory` is for tests and throw-away nodes, `_shared` holds what both need.
"""

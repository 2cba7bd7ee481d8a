"""Replies that carry the node's signature: a miner can tell them from those of whoever sits between."""

from __future__ import annotations

from metanode.core.identity import Identity
from metanode.core.light.signed_reply import NODE_HEADER, SIGNATURE_HEADER, reply_digest


class ReplySigner:
    """Signs reply bodies with the node key: Ed25519 over H(attest, genesis_hash || body)."""

    def __init__(self, identity: Identity, genesis_hash: bytes) -> None:
        self._key = identity.node
        self._genesis_hash = genesis_hash
        self._name = identity.node.public_key.hex()

    def headers(self, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the two headers that go with exactly these body bytes."""
        signature = self._key.sign(reply_digest(self._genesis_hash, body))
        return (NODE_HEADER, self._name), (SIGNATURE_HEADER, signature.hex())

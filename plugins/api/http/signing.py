"""Replies that carry the node's signature: a miner can tell them from those of whoever sits between."""

from __future__ import annotations

from metanode.core.identity import Identity
from metanode.core.light.signed_reply import NODE_HEADER, SIGNATURE_HEADER, reply_digest


class ReplySigner:
    """Signs replies with the node key: Ed25519 over `reply_digest`."""

    def __init__(self, identity: Identity, genesis_hash: bytes) -> None:
        self._key = identity.node
        self._genesis_hash = genesis_hash
        self._name = identity.node.public_key.hex()

    def headers(self, target: str, request: bytes, body: bytes) -> tuple[tuple[str, str], ...]:
        """Return the two headers that go with exactly this reply body to exactly this request.

        :param target: method and request target, a space between.
        """
        signature = self._key.sign(reply_digest(self._genesis_hash, target, request, body))
        return (NODE_HEADER, self._name), (SIGNATURE_HEADER, signature.hex())

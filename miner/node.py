"""What a miner asks of a node: its genesis, challenges, and submissions with signed replies."""

from __future__ import annotations

import json
from typing import Any

from metanode.core.light.http_client import HttpClient
from metanode.core.light.signed_reply import check_signed
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, genesis_from_json

PASSING = frozenset(
    {"UNREACHABLE", "TIMEOUT", "NOT_READY", "RATE_LIMITED", "POOL_FULL", "INTERNAL", "TOO_MANY_CONNECTIONS", "KIND_CAP"}
)
"""Codes that a later try may not meet again; every other refusal is final for what was sent."""


class Node:
    """One node, trusted only for what it signs.

    :param genesis_hash: the chain that replies must belong to.
    :param node_key: the key that must have signed, None until one was seen.
    """

    def __init__(self, http: HttpClient, genesis: Genesis, node_key: bytes | None) -> None:
        self._http = http
        self.genesis = genesis
        self.node_key = node_key

    def challenge(self, machine_key: bytes) -> dict[str, Any]:
        """Ask for a challenge and what the node knows of this machine."""
        return self._signed("/v1/attest/challenge", {"machine_key": machine_key.hex()})

    def submit(self, part: str, data: bytes) -> dict[str, Any]:
        """Submit a `commit`, `reveal` or `envelope`."""
        return self._signed("/v1/attest/submit", {part: data.hex()})

    def transaction(self, envelope_id: str) -> dict[str, Any]:
        """Return what the node knows of an envelope.  Not signed: it only says when to go on."""
        view: dict[str, Any] = self._http.get(f"/v1/tx/{envelope_id}").require()
        return view

    def balance(self, account: str) -> dict[str, Any]:
        """Return an account's view, for display."""
        view: dict[str, Any] = self._http.get(f"/v1/accounts/{account}").require()
        return view

    def _signed(self, path: str, value: dict[str, str]) -> dict[str, Any]:
        reply = self._http.post(path, value)
        if reply.status >= 400:
            reply.require()
        self.node_key = check_signed(reply, self.genesis.hash, self.node_key)
        answer: dict[str, Any] = reply.json()
        return answer


def fetch_genesis(http: HttpClient, known_hash: str) -> Genesis:
    """Return the node's genesis.

    :param known_hash: the chain this miner belongs to, as hex; "" on its first contact.
    :raises MetanodeError: BAD_REPLY when the genesis does not give its own hash, WRONG_CHAIN when the node
        follows another chain than before.
    """
    answer = http.get("/v1/genesis").require()
    try:
        genesis = genesis_from_json(json.dumps(answer["genesis"]))
    except (KeyError, TypeError) as error:
        raise MetanodeError("BAD_REPLY", f"{http.url} answers /v1/genesis without a genesis") from error
    if known_hash and genesis.hash.hex() != known_hash:
        raise MetanodeError(
            "WRONG_CHAIN",
            f"{http.url} follows chain {genesis.hash.hex()[:16]}..., this miner belongs to {known_hash[:16]}...",
            "the node used before, or another --dir for another chain",
        )
    return genesis

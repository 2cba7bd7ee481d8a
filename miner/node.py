"""What a miner asks of a node: its genesis, challenges, and submissions with signed replies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from metanode.core.light.http_client import HttpClient, Reply
from metanode.core.light.signed_reply import check_signed
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.core.model.hashing import H

PASSING = frozenset(
    {
        "UNREACHABLE",
        "TIMEOUT",
        "NOT_READY",
        "RATE_LIMITED",
        "POOL_FULL",
        "INTERNAL",
        "TOO_MANY_CONNECTIONS",
        "REQUEST_TIMEOUT",
        "KIND_CAP",
        "SPONSOR_CAP",
    }
)
"""Codes that a later try may not meet again; every other refusal is final for what was sent."""

NONCE_BYTES = 16
"""What a request for a challenge carries so that no earlier answer fits it."""

_CHALLENGE = {"challenge": str, "header_hash": str, "height": int, "time_ms": int, "registered": bool}
_SUBMITTED = {"status": str}
_ATTESTED = {"id": str, "counted": bool, "interval": int, "epoch": int, "weight": int, "class": str, "checks": list}
_CHECK = {"name": str, "verdict": str, "reason": str, "numbers": dict}


class Node:
    """One node, trusted only for what it signs.

    :param genesis: the chain that replies must belong to.
    :param node_key: the key that must have signed, None until one was seen.
    :param random_bytes: gives that many random bytes.
    """

    def __init__(
        self,
        http: HttpClient,
        genesis: Genesis,
        node_key: bytes | None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._http = http
        self._random_bytes = random_bytes
        self.genesis = genesis
        self.node_key = node_key

    def challenge(self, machine_key: bytes) -> dict[str, Any]:
        """Ask for a challenge and what the node knows of this machine."""
        asked = {"machine_key": machine_key.hex(), "nonce": self._random_bytes(NONCE_BYTES).hex()}
        answer = self._signed("/v1/attest/challenge", asked, _CHALLENGE)
        if answer["registered"]:
            _require(answer, {"owner": str}, self._http.url)
        return answer

    def submit(self, part: str, data: bytes) -> dict[str, Any]:
        """Submit a `commit`, `reveal` or `envelope`."""
        answer = self._signed("/v1/attest/submit", {part: data.hex()}, _SUBMITTED)
        if part == "envelope":
            _require(answer, _ATTESTED, self._http.url)
            if answer["id"] != H("tx", data).hex():
                raise MetanodeError("BAD_REPLY", f"{self._http.url} answered for another attestation than this one")
            for check in answer["checks"]:
                _require(check, _CHECK, self._http.url)
        elif answer["status"] != "final":
            _require(answer, {"id": str}, self._http.url)
        return answer

    def transaction(self, envelope_id: str) -> dict[str, Any]:
        """Return what the node knows of an envelope.  Not signed: it only says when to go on."""
        view = _require(self._http.get(f"/v1/tx/{envelope_id}").require(), _SUBMITTED, self._http.url)
        if view["status"] == "final":
            _require(view.get("receipt"), {"code": str}, self._http.url)
        return view

    def balance(self, account: str) -> int:
        """Return an account's balance in micro-units, for display."""
        view = _require(self._http.get(f"/v1/accounts/{account}").require(), {"balance": dict}, self._http.url)
        micro: int = _require(view["balance"], {"micro": int}, self._http.url)["micro"]
        return micro

    def _signed(self, path: str, value: dict[str, str], fields: Mapping[str, type]) -> dict[str, Any]:
        reply = self._http.post(path, value)
        try:
            answer = reply.require()
        except MetanodeError as refusal:
            if reply.status >= 400 and refusal.code not in PASSING:
                self._require_word(reply, refusal)
            raise
        self.node_key = check_signed(reply, self.genesis.hash, self.node_key)
        return _require(answer, fields, self._http.url)

    def _require_word(self, reply: Reply, refusal: MetanodeError) -> None:
        """Check that the node itself refused: only it may do so for good, anyone may say that it has no time.

        What a node refuses before it read the request whole, or after the time for an answer, it cannot sign.

        :raises MetanodeError: UNREACHABLE, so that what was refused is tried again.
        """
        try:
            check_signed(reply, self.genesis.hash, self.node_key)
        except MetanodeError as error:
            raise MetanodeError(
                "UNREACHABLE",
                f"{self._http.url} refused with {refusal.code}, but {error.message}",
                "a refusal signed by the node",
            ) from error


def fetch_genesis(http: HttpClient, known_hash: str) -> Genesis:
    """Return the node's genesis.

    :param known_hash: the chain this miner belongs to, as hex; "" on its first contact.
    :raises MetanodeError: BAD_REPLY when what the node answers is no genesis, WRONG_CHAIN when the node
        follows another chain than before.
    """
    answer = _require(http.get("/v1/genesis").require(), {"genesis": dict}, http.url)
    try:
        genesis = genesis_from_json(json.dumps(answer["genesis"]))
    except MetanodeError as error:
        raise MetanodeError("BAD_REPLY", f"the genesis of {http.url}: {error.message}", error.expected) from error
    if known_hash and genesis.hash.hex() != known_hash:
        raise MetanodeError(
            "WRONG_CHAIN",
            f"{http.url} follows chain {genesis.hash.hex()[:16]}..., this miner belongs to {known_hash[:16]}...",
            "the node used before, or another --dir for another chain",
        )
    return genesis


def _require(answer: Any, fields: Mapping[str, type], url: str) -> dict[str, Any]:
    """Return the answer if it is an object with these fields; a node of another version may leave some out."""
    table: dict[str, Any] = answer if isinstance(answer, dict) else {}
    for name, kind in fields.items():
        if not isinstance(table.get(name), kind):
            raise MetanodeError(
                "BAD_REPLY", f"{url} answered without a usable {name!r}", "a node whose version fits this miner's"
            )
    return table

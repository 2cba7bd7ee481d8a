"""What the verbs ask of a running node, over its HTTP API."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from metanode.core.crypto.keys import KeyPair
from metanode.core.light.http_client import HttpClient
from metanode.core.model import kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.platforms.terminal import HelpFormatter

DEFAULT_NODE = "http://127.0.0.1:8645"
ID_DIGITS = 64
POLL_S = 0.25
VALID_BLOCKS = 1000
"""How many blocks ahead a transaction stays valid, at most; fewer where the chain allows fewer."""


def add_node_option(parser: argparse.ArgumentParser) -> None:
    """Add `--node`."""
    parser.add_argument(
        "--node",
        metavar="URL",
        default=os.environ.get("METANODE_NODE", DEFAULT_NODE),
        help=f"the node to ask (default: $METANODE_NODE or {DEFAULT_NODE})",
    )


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, *examples: str
) -> argparse.ArgumentParser:
    """Add a command of a verb, with its sentence and its examples in the help."""
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[:1].upper()}{summary[1:]}.",
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples),
        formatter_class=HelpFormatter,
    )


def checked_id(text: str, what: str = "transaction") -> str:
    """Return an envelope id in lower case.

    :raises MetanodeError: BAD_HEX; checked here, for the text becomes part of a path.
    """
    if len(text) != ID_DIGITS or not set(text.lower()) <= set("0123456789abcdef"):
        raise MetanodeError("BAD_HEX", f"{text[:80]!r} is no {what} id", f"{ID_DIGITS} hex digits")
    return text.lower()


class NodeApi:
    """The read and submit routes of one node; every refusal is raised as the node gave it."""

    def __init__(self, url: str) -> None:
        self._http = HttpClient(url)

    def genesis(self) -> Genesis:
        """Return the node's genesis, checked against the hash it claims."""
        answer = self._http.get("/v1/genesis").require()
        try:
            genesis = genesis_from_json(json.dumps(answer["genesis"]))
            claimed = answer["genesis_hash"]
        except (KeyError, TypeError) as error:
            raise MetanodeError("BAD_REPLY", f"{self._http.url} answers /v1/genesis without a genesis") from error
        if genesis.hash.hex() != claimed:
            raise MetanodeError("BAD_REPLY", "the node's genesis does not give the genesis hash it claims")
        return genesis

    def head(self) -> dict[str, Any]:
        """Return the newest block's height, hash and time."""
        head: dict[str, Any] = self._http.get("/v1/head").require()
        return head

    def account(self, account: bytes) -> dict[str, Any]:
        """Return an account's balance and nonces."""
        view: dict[str, Any] = self._http.get(f"/v1/accounts/{to_bech32m(account)}").require()
        return view

    def transaction(self, envelope_id: str) -> dict[str, Any]:
        """Return what the node knows of an envelope; status `unknown` when nothing.

        :raises MetanodeError: BAD_HEX, not an envelope id.
        """
        view: dict[str, Any] = self._http.get(f"/v1/tx/{checked_id(envelope_id)}").require()
        return view

    def proof(self, envelope_id: str) -> bytes:
        """Return the proof bundle of a final envelope.

        :raises MetanodeError: BAD_HEX, not an envelope id; NOT_FOUND, in no block.
        """
        reply = self._http.get(f"/v1/tx/{checked_id(envelope_id)}/proof")
        if reply.status != 200:
            reply.require()
        return reply.body

    def machine(self, text: str) -> dict[str, Any]:
        """Return a machine on record by its account, key or index.

        :raises MetanodeError: BAD_ADDRESS, none of these; MACHINE_UNKNOWN.
        """
        if not text.isascii() or not text.isalnum():  # the text becomes part of a path
            raise MetanodeError("BAD_ADDRESS", f"{text[:80]!r} is no machine", "mn1..., a key in hex, or an index")
        view: dict[str, Any] = self._http.get(f"/v1/miners/{text}").require()
        return view

    def header_hash(self, height: int) -> bytes:
        """Return the hash of the header at a height of at least 1; raises NOT_FOUND where the node has none."""
        block = self._http.get(f"/v1/blocks/{height}").require()
        return bytes.fromhex(block["header_hash"])

    def get(self, path: str) -> Any:
        """GET any other route."""
        return self._http.get(path).require()

    def submit(self, envelopes: Sequence[Envelope]) -> list[dict[str, Any]]:
        """Submit envelopes; raises the first refusal."""
        if len(envelopes) == 1:
            return [self._http.post("/v1/tx", {"envelope": envelopes[0].raw.hex()}).require()]
        answer: dict[str, Any] = self._http.post("/v1/tx", {"envelopes": [e.raw.hex() for e in envelopes]}).require()
        results: list[dict[str, Any]] = answer["results"]
        return results

    def envelope(
        self, key: KeyPair, genesis: Genesis, kind: int, body: bytes, *, fee: int | None = None
    ) -> Envelope:
        """Build and sign an envelope that fits the sender's state on this node.

        :param fee: micro-units; the chain's minimum when None.
        """
        view = self.account(key.account)
        return build_envelope(
            chain_id=genesis.chain_id,
            kind=kind,
            sender=key.account,
            nonce=view["next_nonce"],
            fee=genesis.params.min_fee if fee is None else fee,
            valid_until=self.head()["height"] + min(VALID_BLOCKS, genesis.params.max_valid),
            body=body,
            public_key=b"" if view["public_key"] else key.public_key,
            sign=key.sign,
            genesis_hash=genesis.hash,
        )

    def transfer(
        self, key: KeyPair, genesis: Genesis, to: bytes, amount: int, *, fee: int | None, memo: bytes
    ) -> Envelope:
        """Build and sign a transfer that fits the sender's state on this node."""
        return self.envelope(key, genesis, kinds.TRANSFER, Transfer(to, amount, memo).encode(), fee=fee)

    def wait_final(self, envelope_id: str, timeout_s: float) -> dict[str, Any]:
        """Return the transaction once it is final.

        :raises MetanodeError: TIMEOUT when it is not within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            view = self.transaction(envelope_id)
            if view["status"] == "final":
                return view
            if time.monotonic() > deadline:
                raise MetanodeError(
                    "TIMEOUT",
                    f"transaction {envelope_id} is still {view['status']} after {timeout_s:g} s",
                    "`metanode tx show` of this id later; sending again could pay twice",
                )
            time.sleep(POLL_S)

"""Routes about blocks and envelopes: what is final, what waits, and the proof of either."""

from __future__ import annotations

from functools import partial
from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route
from metanode.core.model import merkle
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import amount_json
from metanode.core.model.bundle import Bundle, ReceiptItem
from metanode.core.model.envelope import Envelope, decode_envelope
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.header import decode_header
from metanode.core.model.kinds import KIND_NAMES
from metanode.core.model.receipt import decode_receipt
from metanode.core.roles import BlockRecord
from metanode.plugins.api._shared.fields import code_name, flag, hash_of, ok
from metanode.plugins.api.http.validator_sets import validator_set

HEIGHT_DIGITS_MAX = 19
"""Digits of a height that are read as a number."""


class ChainRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("GET", "/v1/blocks/{height}", self.block, "a block by height or `latest`; ?raw=1 for its bytes"),
            Route("GET", "/v1/tx/{id}", self.envelope, "where an envelope stands: pending, final or unknown"),
            Route("GET", "/v1/tx/{id}/proof", self.proof, "the proof bundle of a final envelope's receipt"),
        )

    async def block(self, request: Request) -> Response:
        """Decoded, or as the bytes that others hash and verify."""
        height = self._height(request.params["height"])
        record = await self._record(height)
        shown = _raw if flag(request.query, "raw") else _decoded
        # Decoding a full block takes longer than other requests should wait.
        return ok(**await self._context.workers.run(partial(shown, record)))

    async def envelope(self, request: Request) -> Response:
        """The pool is asked first: what leaves it was made durable before."""
        envelope_id = hash_of(request.params["id"], "id")
        shown = {"id": envelope_id.hex()}
        waiting = self._context.roles.mempool.pending(envelope_id)
        if waiting is not None:
            return ok(**shown, status="pending", envelope=_envelope(waiting))
        found = await self._context.roles.storage.find_envelope(envelope_id)
        if found is None:
            return ok(**shown, status="unknown")
        height, index = found
        record = await self._record(height)
        receipt = decode_receipt(record.receipts[index])
        start, end = record.block.offsets[index : index + 2]
        return ok(
            **shown,
            status="final",
            height=height,
            index=index,
            header_hash=record.header_hash.hex(),
            confirmations=self._context.roles.consensus.head.height - height + 1,
            receipt={
                "code": code_name(receipt.code),
                "fee": amount_json(receipt.fee),
                "events": [[_plain(value) for value in event] for event in receipt.events],
            },
            envelope=_envelope(decode_envelope(record.block.body[start:end])),
        )

    async def proof(self, request: Request) -> Response:
        """Canonical bytes that `metanode verify` checks without this node."""
        envelope_id = hash_of(request.params["id"], "id")
        found = await self._context.roles.storage.find_envelope(envelope_id)
        if found is None:
            waiting = self._context.roles.mempool.pending(envelope_id) is not None
            state = "still waits for a block" if waiting else "is in no block"
            raise Rejection("NOT_FOUND", f"envelope {envelope_id.hex()} {state}", "the id of a final envelope")
        height, index = found
        record = await self._record(height)
        certifying = validator_set(self._context, decode_header(record.block.header).validator_set_hash)
        work = partial(receipt_bundle, self._context.genesis.hash, certifying, record, index)
        bundle = await self._context.workers.run(work)
        return Response(200, bundle.encode(), content_type="application/cbor")

    def _height(self, text: str) -> int:
        newest = self._context.roles.consensus.head.height
        if text == "latest":
            height = newest
        elif text.isascii() and text.isdigit() and len(text) <= HEIGHT_DIGITS_MAX:
            height = int(text)
        else:
            raise Rejection("BAD_REQUEST", f"height {text[:40]!r}", "a whole number, or latest")
        if not 1 <= height <= newest:
            known = f"a height from 1 to {newest}" if newest else "the first block"
            raise Rejection("NOT_FOUND", f"no block {height}", known)
        return height

    async def _record(self, height: int) -> BlockRecord:
        record = await self._context.roles.storage.block(height)
        if record is None:
            raise MetanodeError("NOT_FOUND", f"block {height} is not kept by this node", "a node that keeps all blocks")
        return record


def receipt_bundle(genesis_hash: bytes, certifying: bytes, record: BlockRecord, index: int) -> Bundle:
    """Return the proof of one envelope and its receipt.  Works on one block alone, so any thread may.

    :param certifying: canonical bytes of the validator set that certified the block.
    """
    receipts = list(record.receipts)
    # A receipt names its envelope, so the ids need no hashing.
    ids = [decode_receipt(receipt).id for receipt in receipts]
    start, end = record.block.offsets[index : index + 2]
    item = ReceiptItem(
        envelope=record.block.body[start:end],
        receipt=receipts[index],
        index=index,
        count=len(ids),
        tx_path=tuple(merkle.prove(ids, index)),
        receipt_path=tuple(merkle.prove(receipts, index)),
    )
    return Bundle(genesis_hash, record.block.header, record.certificate, certifying, (item,))


def _envelope(envelope: Envelope) -> dict[str, Any]:
    return {
        "kind": envelope.kind,
        "kind_name": KIND_NAMES.get(envelope.kind, f"kind_{envelope.kind}"),
        "sender": to_bech32m(envelope.sender),
        "nonce": envelope.nonce,
        "fee": amount_json(envelope.fee),
        "valid_until": envelope.valid_until,
    }


def _plain(value: int | bytes) -> int | str:
    return value.hex() if isinstance(value, bytes) else value


def _raw(record: BlockRecord) -> dict[str, Any]:
    return {
        "header_hash": record.header_hash.hex(),
        "block": record.block.encode().hex(),
        "certificate": record.certificate.hex(),
        "receipts": [receipt.hex() for receipt in record.receipts],
    }


def _decoded(record: BlockRecord) -> dict[str, Any]:
    header = decode_header(record.block.header)
    receipts = [decode_receipt(receipt) for receipt in record.receipts]
    return {
        "header_hash": record.header_hash.hex(),
        "header": {
            "version": header.version,
            "chain_id": header.chain_id,
            "height": header.height,
            "time_ms": header.time_ms,
            "proposer_index": header.proposer_index,
            "prev_hash": header.prev_hash.hex(),
            "tx_root": header.roots.tx.hex(),
            "receipts_root": header.roots.receipts.hex(),
            "state_root": header.roots.state.hex(),
            "validator_set_hash": header.validator_set_hash.hex(),
            "next_validator_set_hash": header.next_validator_set_hash.hex(),
            "params_hash": header.params_hash.hex(),
            "vrf_proof": header.vrf_proof.hex(),
        },
        "envelopes": [
            {"id": receipt.id.hex(), "code": code_name(receipt.code), "fee": amount_json(receipt.fee)}
            for receipt in receipts
        ],
        "body_bytes": len(record.block.body),
    }

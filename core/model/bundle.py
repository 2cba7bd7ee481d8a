"""A proof bundle: one canonical file from which a stranger checks a fact of a chain.

It holds a header, the certificate and validator set that make the header final, and items:
receipts of envelopes and entries of the state, each with its path.  This module only says how
a bundle is written; `metanode.core.light.bundle` says whether it proves anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import (
    BUNDLE_BYTES_MAX,
    CERTIFICATE_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    HASH_BYTES,
    HEADER_BYTES_MAX,
    LIST_ITEMS_MAX,
    RECEIPT_BYTES_MAX,
    STATE_PATH_BITS,
    VALIDATOR_SET_BYTES_MAX,
)
from metanode.core.model.state_map import StateProof

VERSION = 1
ITEM_RECEIPT = 1
ITEM_STATE = 2
ITEMS_MAX = 256
"""Most items in one bundle."""
LIST_PATH_MAX = (LIST_ITEMS_MAX - 1).bit_length()
"""Longest path in a list tree."""


@dataclass(frozen=True)
class ReceiptItem:
    """An envelope, what it did, and where both stand in the block."""

    envelope: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    index: int
    """Place in the block, from 0, of `count` envelopes."""
    count: int
    tx_path: tuple[bytes, ...] = field(repr=False)
    """Path of the envelope's id below roots.tx."""
    receipt_path: tuple[bytes, ...] = field(repr=False)
    """Path of the receipt below roots.receipts."""


@dataclass(frozen=True)
class StateItem:
    """What one key of the state holds after the block, be it nothing."""

    key: bytes
    value: bytes | None
    proof: StateProof = field(repr=False)


Item: TypeAlias = "ReceiptItem | StateItem"


@dataclass(frozen=True)
class Bundle:
    """Everything a check needs except what its reader trusts already."""

    genesis_hash: bytes
    header: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    validator_set: bytes = field(repr=False)
    items: tuple[Item, ...]

    def encode(self) -> bytes:
        """Return CBOR {0 v, 1 genesis_hash, 2 header, 3 certificate, 4 validator set, 5 items}."""
        return codec.encode(
            {
                0: VERSION,
                1: self.genesis_hash,
                2: self.header,
                3: self.certificate,
                4: self.validator_set,
                5: [_encodable(item) for item in self.items],
            }
        )


def decode_bundle(data: bytes) -> Bundle:
    """Decode a bundle and check its shape; the objects inside stay opaque.

    :raises Rejection: TOO_LARGE, BAD_VERSION or BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    if len(data) > BUNDLE_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"bundle of {len(data)} bytes", f"at most {BUNDLE_BYTES_MAX} bytes")
    fields = codec.read_map(data, range(6), "bundle", bytes_max=BUNDLE_BYTES_MAX)
    version = codec.expect_uint(fields[0], "bundle.v")
    if version != VERSION:
        raise Rejection("BAD_VERSION", f"bundle version {version}", f"version {VERSION}")
    return Bundle(
        genesis_hash=codec.expect_bytes(fields[1], "bundle.genesis_hash", size=HASH_BYTES),
        header=codec.expect_bytes(fields[2], "bundle.header", maximum=HEADER_BYTES_MAX),
        certificate=codec.expect_bytes(fields[3], "bundle.certificate", maximum=CERTIFICATE_BYTES_MAX),
        validator_set=codec.expect_bytes(fields[4], "bundle.validator_set", maximum=VALIDATOR_SET_BYTES_MAX),
        items=tuple(_item(item) for item in codec.expect_list(fields[5], "bundle.items", maximum=ITEMS_MAX)),
    )


def _encodable(item: Item) -> codec.Encodable:
    if isinstance(item, ReceiptItem):
        return [
            ITEM_RECEIPT, item.envelope, item.receipt, item.index, item.count, item.tx_path, item.receipt_path
        ]  # fmt: skip
    present = item.value is not None
    leaf = item.proof.leaf or ()
    return [ITEM_STATE, item.key, item.value or b"", int(present), item.proof.siblings, leaf, item.proof.count]


def _item(value: codec.Value) -> Item:
    parts = codec.expect_list(value, "bundle.item", size=7)
    number = codec.expect_uint(parts[0], "bundle.item.type")
    if number == ITEM_RECEIPT:
        return ReceiptItem(
            envelope=codec.expect_bytes(parts[1], "bundle.receipt.envelope", maximum=ENVELOPE_BYTES_MAX),
            receipt=codec.expect_bytes(parts[2], "bundle.receipt.receipt", maximum=RECEIPT_BYTES_MAX),
            index=codec.expect_uint(parts[3], "bundle.receipt.index"),
            count=codec.expect_uint(parts[4], "bundle.receipt.count", minimum=1, maximum=LIST_ITEMS_MAX),
            tx_path=_hashes(parts[5], "bundle.receipt.tx_path", LIST_PATH_MAX),
            receipt_path=_hashes(parts[6], "bundle.receipt.receipt_path", LIST_PATH_MAX),
        )
    if number == ITEM_STATE:
        value_bytes = codec.expect_bytes(parts[2], "bundle.state.value")
        present = codec.expect_uint(parts[3], "bundle.state.present", maximum=1)
        if value_bytes and not present:
            raise Rejection("BAD_SHAPE", "bundle.state has a value that is not present", "an empty value")
        leaf = _hashes(parts[5], "bundle.state.leaf", 2)
        if len(leaf) == 1:
            raise Rejection("BAD_SHAPE", "bundle.state.leaf has one hash", "[] or [path, value hash]")
        return StateItem(
            key=codec.expect_bytes(parts[1], "bundle.state.key"),
            value=value_bytes if present else None,
            proof=StateProof(
                siblings=_hashes(parts[4], "bundle.state.siblings", STATE_PATH_BITS),
                leaf=(leaf[0], leaf[1]) if leaf else None,
                count=codec.expect_uint(parts[6], "bundle.state.count"),
            ),
        )
    raise Rejection("BAD_SHAPE", f"bundle item of type {number}", f"{ITEM_RECEIPT} (receipt) or {ITEM_STATE} (state)")


def _hashes(value: codec.Value, what: str, maximum: int) -> tuple[bytes, ...]:
    items = codec.expect_list(value, what, maximum=maximum)
    return tuple(codec.expect_bytes(item, what, size=HASH_BYTES) for item in items)

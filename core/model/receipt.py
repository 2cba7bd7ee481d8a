"""Receipts: what an envelope did, as numbers only, one per envelope in block order."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import HASH_BYTES, RECEIPT_BYTES_MAX, RECEIPT_EVENTS_MAX

OK = 0
"""Receipt code of success; any other is a `number` of ERROR_CODES."""
CODE_MAX = 0xFFFF
"""Largest receipt code: an error number is a u16."""


class EventNumber(enum.IntEnum):
    """First element of a receipt's event; the values that follow it are listed behind each."""

    TRANSFERRED = 1  # from, to, amount
    MACHINE_COMMITTED = 2  # commit
    MACHINE_REGISTERED = 3  # machine index, machine account, owner, weight
    MACHINE_DISPLACED = 4  # machine index of the record that lost its binding tag
    ATTEST_COUNTED = 5  # machine index, interval
    ATTEST_LATE = 6  # machine index, interval
    MACHINE_UNBOUND = 7  # machine index
    MACHINE_HANDED_OVER = 8  # machine index, new owner, the first epoch that is the new owner's
    PROPOSED = 9  # proposal id, type
    APPROVED = 10  # proposal id, approvals now
    BONDED = 11  # account, amount, its whole bond now
    UNBONDED = 12  # account, its bond
    SLASHED = 13  # account, amount that went to the treasury, height of the two votes


Event = tuple["int | bytes", ...]
"""(event number, values...)."""


@dataclass(frozen=True)
class Receipt:
    """The outcome of one envelope."""

    id: bytes
    """The envelope's id, 32 bytes."""
    code: int
    """0 for success, else the error number that the body failed with (u16)."""
    fee: int
    """Micro-units paid, also by a failed body."""
    events: tuple[Event, ...] = ()
    """What changed, in order; empty after a failure."""

    def encode(self) -> bytes:
        """Return CBOR [id, code, fee, events]."""
        return codec.encode([self.id, self.code, self.fee, [list(event) for event in self.events]])


def decode_receipt(data: bytes) -> Receipt:
    """Decode a receipt.

    :raises Rejection: TOO_LARGE, or BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    if len(data) > RECEIPT_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"receipt of {len(data)} bytes", f"at most {RECEIPT_BYTES_MAX} bytes")
    parts = codec.expect_list(codec.decode(data), "receipt", size=4)
    code = codec.expect_uint(parts[1], "receipt.code", maximum=CODE_MAX)
    items = codec.expect_list(parts[3], "receipt.events", maximum=RECEIPT_EVENTS_MAX)
    events = tuple(_event(item) for item in items)
    if code != OK and events:
        raise Rejection("BAD_SHAPE", f"receipt with code {code} and {len(events)} events", "no events after a failure")
    return Receipt(
        id=codec.expect_bytes(parts[0], "receipt.id", size=HASH_BYTES),
        code=code,
        fee=codec.expect_uint(parts[2], "receipt.fee"),
        events=events,
    )


def _event(item: codec.Value) -> Event:
    values = codec.expect_list(item, "receipt.event")
    if not values or not isinstance(values[0], int):
        raise Rejection("BAD_SHAPE", "receipt.event without a number", "[event number, values...]")
    event: list[int | bytes] = []
    for value in values:
        if not isinstance(value, (int, bytes)):
            raise Rejection("BAD_SHAPE", f"receipt.event holds a {type(value).__name__}", "unsigned integers and bytes")
        event.append(value)
    return tuple(event)

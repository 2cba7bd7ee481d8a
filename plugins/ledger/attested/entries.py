"""What stands in the state: one immutable type per table, each value a CBOR array of its fields in order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

from metanode.core.model import codec

_E = TypeVar("_E", bound="Entry")

ACCOUNTS_REMEMBERED = 4096
"""Accounts kept decoded, about 1 MiB: a transfer's sender is read when it is checked, placed and executed."""


class Entry:
    """Base of the types below."""

    def encode(self) -> bytes:
        """Return the value that the state holds."""
        return codec.encode(list(vars(self).values()))

    @classmethod
    def decode(cls: type[_E], data: bytes) -> _E:
        """Read a value of the state back; the types of its items are vouched for by the state's root."""
        items = codec.expect_list(codec.decode(data), cls.__name__)
        return cls(*cast("list[Any]", items))


@dataclass(frozen=True)
class Account(Entry):
    """Table 1: [balance, nonce, public key or empty]."""

    balance: int = 0
    nonce: int = 0
    """The nonce its next envelope must carry."""
    public_key: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Account:
        """Read a value of the state back, or remember it."""
        return _account(data)

    @staticmethod
    def balance_in(value: bytes) -> int:
        """Return the balance of an encoded account without reading the rest."""
        return codec.peek_uint(value, 1)  # behind the head of the array of three


@lru_cache(ACCOUNTS_REMEMBERED)
def _account(data: bytes) -> Account:
    balance, nonce, public_key = cast("list[Any]", codec.decode(data))
    return Account(balance, nonce, public_key)


@dataclass(frozen=True)
class Machine(Entry):
    """Table 2: one machine record, the fields below in order."""

    machine_key: bytes
    owner: bytes
    """The account that is paid."""
    sponsor: bytes
    """The account whose commit the record opened."""
    binding_tag: bytes
    inventory_digest: bytes
    family: str
    arch: str
    klass: str
    base_multiplier: int
    """What the hardware is worth, in billionths."""
    weight: int
    """What this chain's policy pays for it, in billionths; before decay."""
    record_height: int
    displaced: int = 0
    """1: an earlier commit took its binding tag; its weight counts as 0."""
    reward_total: int = 0
    """Micro-units."""


@dataclass(frozen=True)
class Tag(Entry):
    """Table 4: who holds a binding tag, and the place of the commit that won it."""

    index: int
    commit_height: int
    commit_position: int

    @property
    def commit_place(self) -> tuple[int, int]:
        """Where the commit stands; the lower one owns the tag."""
        return self.commit_height, self.commit_position


@dataclass(frozen=True)
class Counters(Entry):
    """Table 5: what a machine attested lately; the replay keys of its attestations.

    Bitmaps are integers here and least-significant-byte-first byte strings without trailing
    zero bytes in the state.
    """

    epoch: int = 0
    bits: int = 0
    """Intervals of `epoch` that counted."""
    prev_bits: int = 0
    """The same for the epoch settled before it: `epoch` - 1, or further back when epochs were skipped."""
    late_mark: int = 0
    """1 + the epoch of the block that held its last late attestation; 0 when there was none."""
    late_interval: int = 0
    """The interval that one was for."""
    last_interval: int = 0
    """The highest interval attested, late ones included."""

    def encode(self) -> bytes:
        """Return the value that the state holds."""
        bitmaps = [bits.to_bytes((bits.bit_length() + 7) // 8, "little") for bits in (self.bits, self.prev_bits)]
        return codec.encode([self.epoch, *bitmaps, self.late_mark, self.late_interval, self.last_interval])

    @classmethod
    def decode(cls, data: bytes) -> Counters:
        """Read a value of the state back."""
        epoch, bits, prev_bits, *late = cast("list[Any]", codec.decode(data))
        return cls(epoch, int.from_bytes(bits, "little"), int.from_bytes(prev_bits, "little"), *late)


@dataclass(frozen=True)
class Seal(Entry):
    """Table 11: a machine commit that waits for its reveal."""

    height: int
    position: int
    """Place of the commit's envelope in its block."""
    sponsor: bytes


@dataclass(frozen=True)
class Settlement(Entry):
    """Global 6: an elapsed epoch whose machines are being credited, some in each block."""

    epoch: int
    pot: int
    """What the epoch pays, micro-units."""
    paid: int
    """What it has paid so far."""
    total_weight: int
    """Sum over machines of decayed weight times intervals counted."""
    next_index: int
    """The next machine to credit."""
    end_index: int
    """Machines on record when it began."""


@dataclass(frozen=True)
class SponsorCount(Entry):
    """Table 32: how many machines a sponsor committed in its newest epoch."""

    epoch: int
    commits: int


@dataclass(frozen=True)
class Number(Entry):
    """Globals 1 to 5 and table 3: one number."""

    value: int

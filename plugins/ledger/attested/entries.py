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
    """The account that is paid, see `payee`."""
    sponsor: bytes
    """The account whose commit the record opened."""
    binding_tag: bytes
    inventory_digest: bytes
    family: str
    arch: str
    klass: str
    model: str
    """Name of its processor model: what is calibrated."""
    base_multiplier: int
    """What the hardware is worth, in billionths."""
    weight: int
    """Its share of a pot by this chain's policy, in billionths; before decay."""
    payable: int
    """What of `weight` is paid at once; the rest is escrowed until its model is calibrated."""
    measured: int
    """The rotating checks that its record measured, see `rotation.to_bits`: what its attestations owe."""
    record_height: int
    displaced: int = 0
    """1: an earlier commit took its binding tag; its weight counts as 0."""
    retired: int = 0
    """1 + the epoch in which its owner unbound it, the first in which its tag is free; 0 while it is in use."""
    heir: bytes = b""
    """The account that it was handed over to last, or nothing."""
    heir_epoch: int = 0
    """The first epoch that is paid to `heir`."""
    reward_total: int = 0
    """Micro-units paid out."""

    def payee(self, epoch: int) -> bytes:
        """Return the account that is paid for an epoch."""
        return self.heir if self.heir and epoch >= self.heir_epoch else self.owner

    def freed(self, epoch: int) -> bool:
        """Return whether its binding tag may be bound again in a block of an epoch."""
        return 0 < self.retired <= epoch


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
    flags: int = 0
    """What the attestations behind `bits` showed, see `scoring.attest_flags`; OR-ed."""
    prev_flags: int = 0
    """The same for `prev_bits`."""

    def encode(self) -> bytes:
        """Return the value that the state holds."""
        bitmaps = [bits.to_bytes((bits.bit_length() + 7) // 8, "little") for bits in (self.bits, self.prev_bits)]
        rest = (self.late_mark, self.late_interval, self.last_interval, self.flags, self.prev_flags)
        return codec.encode([self.epoch, *bitmaps, *rest])

    @classmethod
    def decode(cls, data: bytes) -> Counters:
        """Read a value of the state back."""
        epoch, bits, prev_bits, *rest = cast("list[Any]", codec.decode(data))
        return cls(epoch, int.from_bytes(bits, "little"), int.from_bytes(prev_bits, "little"), *rest)


@dataclass(frozen=True)
class Stake(Entry):
    """Table 6: a bonded account and the keys it validates with, or would."""

    consensus_key: bytes
    vrf_key: bytes
    bls_key: bytes
    bls_proof: bytes
    bond: int
    """Micro-units; part of the supply until they are paid back."""
    admitted: int = 0
    """1: the members gave it a seat."""
    jailed: int = 0
    """1: it voted twice; it has no seat until members admit it again."""
    leaving: int = 0
    """1: its owner withdraws it."""
    release: int = 0
    """The epoch from which on it is paid back; 0 while it may still have a seat."""

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Its keys, which lead to it."""
        named = (self.consensus_key, self.vrf_key, self.bls_key)
        return tuple(key for key in named if key)

    @staticmethod
    def bond_in(value: bytes) -> int:
        """Return the bond of an encoded stake."""
        return Stake.decode(value).bond


@dataclass(frozen=True)
class Holder(Entry):
    """Table 35: whose key it is."""

    account: bytes


@dataclass(frozen=True)
class Punished(Entry):
    """Table 12: a double vote that was punished, kept as long as evidence of its height counts."""

    account: bytes
    vote_height: int
    height: int
    """The block that held the evidence."""


@dataclass(frozen=True)
class NextSet(Entry):
    """Table 7: the validator set that acts at the next height."""

    encoded: bytes


@dataclass(frozen=True)
class PastSet(Entry):
    """Table 36: a set that acts no more, kept as long as headers that it certified are believed."""

    encoded: bytes
    last_height: int
    """The last height that it certified: the header that names its successor."""
    epoch: int
    """The epoch of that height."""


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
class Rotation(Entry):
    """Global 7: what the checks of an epoch are drawn by."""

    epoch: int
    beta: bytes
    """VRF output of the parent of the epoch's first block, 64 bytes."""


@dataclass(frozen=True)
class Buckets(Entry):
    """Global 8 and table 10: amounts held back, by bucket of epochs, see `escrow`; global 9: heights by epoch."""

    amounts: tuple[tuple[int, int], ...] = ()
    """(bucket, micro-units) by rising bucket."""

    @property
    def total(self) -> int:
        """The sum, micro-units."""
        return sum(amount for _, amount in self.amounts)

    def encode(self) -> bytes:
        """Return the value that the state holds: the pairs in one row."""
        return codec.encode([number for pair in self.amounts for number in pair])

    @classmethod
    def decode(cls, data: bytes) -> Buckets:
        """Read a value of the state back."""
        numbers = cast("list[int]", codec.decode(data))
        return cls(tuple(zip(numbers[::2], numbers[1::2], strict=True)))


@dataclass(frozen=True)
class Proposal(Entry):
    """Table 13: what members of the validator set propose, checked and waiting for approvals."""

    type: int
    subject: str
    """What it is about; of a calibration, the model."""
    effect: bytes
    """What adopting it writes."""
    approvals: tuple[bytes, ...]
    """Accounts by rising id, the sender's among them."""
    sender: bytes
    height: int
    epoch: int

    @classmethod
    def decode(cls, data: bytes) -> Proposal:
        """Read a value of the state back."""
        kind, subject, effect, approvals, *rest = cast("list[Any]", codec.decode(data))
        return cls(kind, subject, effect, tuple(approvals), *rest)


@dataclass(frozen=True)
class Calibrated(Entry):
    """Table 34: a model that the validators accepted reports of."""

    height: int
    """The settlement block from which on it counts."""
    ranges: bytes
    """What its machines measured: see `fingerprint.calibration`."""


@dataclass(frozen=True)
class Number(Entry):
    """Globals 1 to 5, tables 3 and 33: one number."""

    value: int

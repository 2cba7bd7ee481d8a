"""The sign-guard: what one consensus key has signed, and so what it may still sign.

Never two values for one (height, round, type); no vote in a round that was given up; no round-change
that forgets a commit.  Pure: the log keeps the entries on disk before anything is sent, this decides.
A key without a guard signs nothing (protocol.md section 4).

    start     [1, consensus key, floor]                                      nothing at or below the floor is signed
    vote      [2, height, round, type, hash, prepared round, message]        signed, with the bytes that are sent
    prepared  [3, height, round, hash, prepares, block]                      the lock

A log record is an array of entries: they become durable together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.limits import BLOCK_WIRE_BYTES_MAX
from metanode.core.model.vote import NOT_PREPARED, VoteType
from metanode.plugins.consensus.qbft.messages import MESSAGE_BYTES_MAX, decode_votes, encode_votes
from metanode.plugins.consensus.qbft.votes import Prepared

ENTRIES_BYTES_MAX = MESSAGE_BYTES_MAX + BLOCK_WIRE_BYTES_MAX + 65_536
"""Largest record: a lock with its block, and the vote that relies on it."""

_START, _VOTE, _PREPARED = 1, 2, 3


@dataclass(frozen=True)
class SignedEntry:
    """One thing that was signed."""

    height: int
    round: int
    type: VoteType
    hash: bytes
    prepared_round: int
    message: bytes = field(repr=False)
    """The whole message as it was, or will be, sent."""

    def encodable(self) -> codec.Encodable:
        """Return the entry as the log keeps it."""
        return [_VOTE, self.height, self.round, int(self.type), self.hash, self.prepared_round, self.message]


@dataclass(frozen=True)
class LockEntry:
    """A prepared value and its block."""

    height: int
    prepared: Prepared
    block: bytes = field(repr=False)

    def encodable(self) -> codec.Encodable:
        """Return the entry as the log keeps it."""
        prepared = self.prepared
        return [_PREPARED, self.height, prepared.round, prepared.hash, encode_votes(prepared.votes), self.block]


class SignGuard:
    """The memory of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._floor: int | None = None
        self._signed: dict[tuple[int, int, VoteType], SignedEntry] = {}
        self.lock: LockEntry | None = None
        """The newest lock that was written down."""

    @property
    def floor(self) -> int | None:
        """Nothing at or below this height is signed; None: nothing at all, the guard is missing."""
        return self._floor

    @property
    def signed_up_to(self) -> int:
        """The highest height at which something was, or may have been, signed."""
        return max([self._floor or 0, *(entry.height for entry in self._signed.values())])

    def start(self, floor: int) -> None:
        """Allow signing above `floor`."""
        self._floor = floor

    def known(self, height: int, round_number: int, kind: VoteType) -> SignedEntry | None:
        """Return what was signed there."""
        return self._signed.get((height, round_number, kind))

    def signed_at(self, height: int) -> list[SignedEntry]:
        """Return everything signed at a height, by round and type."""
        return [entry for _, entry in sorted(self._signed.items()) if entry.height == height]

    def refusal(self, height: int, round_number: int, kind: VoteType, hash32: bytes, prepared_round: int) -> str:
        """Return why this may not be signed, empty when it may.  What was signed already is not asked here."""
        if self._floor is None:
            return "this key's sign-guard is missing: what it signed is unknown"
        if height <= self._floor:
            return f"the sign-guard allows heights above {self._floor} only"
        if (height, round_number, kind) in self._signed:
            return f"another value was signed at height {height}, round {round_number}, type {kind.name.lower()}"
        mine = self.signed_at(height)
        left = max((entry.round for entry in mine if entry.type is VoteType.ROUND_CHANGE), default=0)
        if round_number < left:
            return f"round {round_number} was given up for round {left}"
        committed = max((entry.round for entry in mine if entry.type is VoteType.COMMIT), default=-1)
        if kind is VoteType.ROUND_CHANGE and committed >= 0 and not committed <= prepared_round < NOT_PREPARED:
            return f"a round-change may not forget the commit of round {committed}"
        return ""

    def remember(self, entry: SignedEntry | LockEntry) -> None:
        """Note an entry that is, or is about to be, on disk."""
        if isinstance(entry, LockEntry):
            self.lock = entry
        else:
            self._signed[entry.height, entry.round, entry.type] = entry

    def settle(self, height: int) -> None:
        """A block is final at `height`: nothing there or below will be signed again."""
        if self._floor is not None:
            self._floor = max(self._floor, height)
        self._signed = {place: entry for place, entry in self._signed.items() if entry.height > height}
        if self.lock is not None and self.lock.height <= height:
            self.lock = None

    def restore(self, records: Iterable[bytes], where: str) -> None:
        """Take back what a log holds.

        :raises StorageError: WAL_CORRUPT, an entry that is none, or another key's.
        """
        highest = 0
        for record in records:
            try:
                entries = codec.expect_list(codec.decode(record, bytes_max=ENTRIES_BYTES_MAX), "record")
                for entry in entries:
                    highest = max(highest, self._restore_entry(entry, where))
            except MetanodeError as error:
                if isinstance(error, StorageError):
                    raise
                raise StorageError("WAL_CORRUPT", f"{where} holds a record that cannot be read: {error}") from error
        if self._floor is not None:
            self.settle(max(self._floor, highest - 1))

    def _restore_entry(self, entry: codec.Value, where: str) -> int:
        match entry:
            case [1, bytes(key), int(floor)]:
                if key != self._key:
                    raise StorageError("WAL_CORRUPT", f"{where} belongs to another consensus key, {key.hex()}")
                self._floor = max(floor, self._floor or 0)
                return 0
            case [2, int(height), int(round_number), int(kind), bytes(hash32), int(prepared_round), bytes(message)] if (
                kind in tuple(VoteType)
            ):
                self.remember(SignedEntry(height, round_number, VoteType(kind), hash32, prepared_round, message))
                return height
            case [3, int(height), int(round_number), bytes(hash32), bytes(votes), bytes(block)]:
                self.remember(LockEntry(height, Prepared(round_number, hash32, decode_votes(votes)), block))
                return height
        raise StorageError("WAL_CORRUPT", f"{where} holds an entry of no known kind")

    def snapshot(self) -> list[bytes]:
        """Return records that say all that still matters: what the log is compacted to, and what is exported."""
        if self._floor is None:
            return []
        kept: list[SignedEntry | LockEntry] = [entry for _, entry in sorted(self._signed.items())]
        if self.lock is not None:
            kept.append(self.lock)
        return [start_record(self._key, self._floor), *(record([entry]) for entry in kept)]


def start_record(key: bytes, floor: int) -> bytes:
    """Return the record that begins a guard."""
    return codec.encode([[_START, key, floor]])


def record(entries: Sequence[SignedEntry | LockEntry]) -> bytes:
    """Return the record of entries that become durable together."""
    return codec.encode([entry.encodable() for entry in entries])

"""The votes of one height: each validator counts once per round and type; a second, different vote is evidence.

Pure and persistent: `add` gives a new book and leaves the old one as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from metanode.core.model.vote import NOT_PREPARED, Vote, VoteType, quorum
from metanode.plugins.consensus.qbft.messages import SignedVote

ROUNDS_AHEAD_MAX = 8
"""Votes of rounds further ahead than this are not kept; of round-changes each validator's newest is."""
ROUNDS_BEHIND_MAX = 64
"""Commits of rounds further behind than this are not kept: one late quorum may still decide."""


def faulty_max(validators: int) -> int:
    """Return f, how many of n validators may lie: any two quorums then share an honest one."""
    return (validators - 1) // 3


class Evidence(NamedTuple):
    """Two votes of one validator that exclude each other."""

    validator: int
    first: Vote
    second: Vote


@dataclass(frozen=True)
class Prepared:
    """A value that a quorum prepared in one round, and the votes that prove it."""

    round: int
    hash: bytes
    votes: tuple[SignedVote, ...] = field(repr=False)


@dataclass(frozen=True)
class VoteBook:
    """Who voted for what.  The driver has checked the signatures."""

    size: int
    """Members of the set."""
    counted: Mapping[tuple[int, VoteType], Mapping[int, Vote]] = field(default_factory=dict)
    """Votes by (round, type), then by validator."""
    newest: Mapping[int, Vote] = field(default_factory=dict)
    """Each validator's round-change of the highest round."""
    proofs: Mapping[tuple[int, int], tuple[SignedVote, ...]] = field(default_factory=dict)
    """The prepares that came with round-changes, by (round, validator)."""

    def add(
        self, signed: SignedVote, current_round: int, prepares: tuple[SignedVote, ...] = ()
    ) -> tuple[VoteBook, Evidence | None]:
        """Count a vote, unless it is known, too far away, or contradicts one that is counted.

        :param prepares: what proves the prepared value of a round-change.
        """
        vote, who = signed.vote, signed.validator
        place, book = (vote.round, vote.type), self
        if vote.type is VoteType.ROUND_CHANGE and (who not in self.newest or self.newest[who].round < vote.round):
            proofs = {**self.proofs, (vote.round, who): prepares} if prepares else self.proofs
            book = replace(self, newest={**self.newest, who: vote}, proofs=proofs)
        if not current_round - ROUNDS_BEHIND_MAX <= vote.round <= current_round + ROUNDS_AHEAD_MAX:
            return book._without_stale_proofs(current_round), None
        row = self.counted.get(place, {})
        known = row.get(who)
        if known is None:
            proofs = {**book.proofs, (vote.round, who): prepares} if prepares else book.proofs
            return replace(book, counted={**self.counted, place: {**row, who: vote}}, proofs=proofs), None
        if (known.hash, known.prepared_round) == (vote.hash, vote.prepared_round):
            return book, None
        return self, Evidence(who, known, vote)

    def entering(self, round_number: int) -> VoteBook:
        """Forget what a validator in this round can no longer use; fill in round-changes kept as the newest alone."""
        kept = {
            (when, kind): row
            for (when, kind), row in self.counted.items()
            if when >= round_number or (kind is VoteType.COMMIT and when >= round_number - ROUNDS_BEHIND_MAX)
        }
        place = (round_number, VoteType.ROUND_CHANGE)
        late = {who: vote for who, vote in self.newest.items() if vote.round == round_number}
        if late:
            kept[place] = {**late, **kept.get(place, {})}
        return replace(self, counted=kept)._without_stale_proofs(round_number)

    def _without_stale_proofs(self, current_round: int) -> VoteBook:
        """Keep the prepares of round-changes that still stand in the book."""
        proofs = {
            (when, who): votes
            for (when, who), votes in self.proofs.items()
            if when >= current_round and (who in self.of(when, VoteType.ROUND_CHANGE) or self.newest[who].round == when)
        }
        return self if len(proofs) == len(self.proofs) else replace(self, proofs=proofs)

    def of(self, round_number: int, kind: VoteType) -> Mapping[int, Vote]:
        """Return the votes of one round and type by validator."""
        return self.counted.get((round_number, kind), {})

    def for_hash(self, round_number: int, kind: VoteType, hash32: bytes) -> tuple[SignedVote, ...]:
        """Return the votes for one value, in set order."""
        row = self.of(round_number, kind)
        return tuple(SignedVote(who, row[who]) for who in sorted(row) if row[who].hash == hash32)

    def decided(self) -> tuple[int, bytes] | None:
        """Return the (round, hash) that a quorum committed to, None as long as there is none."""
        for round_number in sorted({when for when, kind in self.counted if kind is VoteType.COMMIT}):
            hashes = [vote.hash for vote in self.of(round_number, VoteType.COMMIT).values()]
            for hash32 in sorted(set(hashes)):
                if hashes.count(hash32) >= quorum(self.size):
                    return round_number, hash32
        return None

    def rounds_above(self, round_number: int) -> list[int]:
        """Return the newest round of each validator that has left `round_number` behind, rising."""
        return sorted(vote.round for vote in self.newest.values() if vote.round > round_number)


def highest_prepared(round_changes: Mapping[int, Vote] | tuple[SignedVote, ...]) -> tuple[int, bytes] | None:
    """Return the highest (prepared round, hash) among round-changes, None when all are null.

    Source: QBFT, arXiv 2002.03613, Algorithm 4, HighestPrepared.
    """
    votes = round_changes.values() if isinstance(round_changes, Mapping) else [item.vote for item in round_changes]
    named = [(vote.prepared_round, vote.hash) for vote in votes if vote.prepared_round != NOT_PREPARED]
    return max(named, default=None)

"""What validators say to each other about one block: proposals and ballots, as bytes and as values.

    proposal  [0, validator, vote, block, round-changes, prepares]
    ballot    [1, validator, vote, prepares]

`validator` is the sender's place in the set of that height; a vote is `core.model.vote`'s canonical
bytes; round-changes and prepares are arrays of [validator, vote].  A pure codec: shape and bounds are
checked here, signatures in `checking`, meaning in `machine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import BLOCK_WIRE_BYTES_MAX, VALIDATORS_MAX
from metanode.core.model.vote import Vote, VoteType, decode_vote

VOTE_BYTES_MAX = 160
"""A vote, its validator and framing."""
JUSTIFICATION_VOTES_MAX = 2 * VALIDATORS_MAX
"""Round-changes and prepares of one proposal."""
MESSAGE_BYTES_MAX = BLOCK_WIRE_BYTES_MAX + JUSTIFICATION_VOTES_MAX * VOTE_BYTES_MAX + 1_024
"""Largest message: a full block and the votes that justify it."""

_PROPOSAL, _BALLOT = 0, 1


@dataclass(frozen=True)
class SignedVote:
    """A vote and who cast it."""

    validator: int
    """Place in the set of the vote's height."""
    vote: Vote


@dataclass(frozen=True)
class Proposal:
    """A block for (height, round), and what makes it right to propose it there."""

    validator: int
    vote: Vote
    """Of type propose; its hash is the block's header hash."""
    block: bytes = field(repr=False)
    """The encoded block."""
    round_changes: tuple[SignedVote, ...] = ()
    """A quorum for this round; none in round 0."""
    prepares: tuple[SignedVote, ...] = ()
    """A quorum for the highest prepared value among the round-changes; none when all are null."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode(
            [
                _PROPOSAL,
                self.validator,
                self.vote.encode(),
                self.block,
                _write_votes(self.round_changes),
                _write_votes(self.prepares),
            ]
        )


@dataclass(frozen=True)
class Ballot:
    """A prepare, commit or round-change."""

    validator: int
    vote: Vote
    prepares: tuple[SignedVote, ...] = ()
    """In a round-change that names a prepared value: the quorum that prepared it."""

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return codec.encode([_BALLOT, self.validator, self.vote.encode(), _write_votes(self.prepares)])


Message: TypeAlias = "Proposal | Ballot"


def decode_message(data: bytes) -> Message:
    """Decode a message and check its shape; no signature is checked here.

    :raises Rejection: BAD_SHAPE, or TOO_LARGE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    match codec.decode(data, bytes_max=MESSAGE_BYTES_MAX):
        case [0, validator, vote, block, round_changes, prepares]:
            proposal = Proposal(
                validator=_index(validator),
                vote=_vote(vote),
                block=codec.expect_bytes(block, "proposal.block", maximum=BLOCK_WIRE_BYTES_MAX),
                round_changes=_read_votes(round_changes, "proposal.round_changes", VoteType.ROUND_CHANGE),
                prepares=_read_votes(prepares, "proposal.prepares", VoteType.PREPARE),
            )
            if proposal.vote.type is not VoteType.PROPOSE:
                raise Rejection("BAD_SHAPE", f"a proposal holds a vote of type {int(proposal.vote.type)}", "type 0")
            return proposal
        case [1, validator, vote, prepares]:
            ballot = Ballot(_index(validator), _vote(vote), _read_votes(prepares, "ballot.prepares", VoteType.PREPARE))
            if ballot.vote.type is VoteType.PROPOSE:
                raise Rejection("BAD_SHAPE", "a ballot holds a vote of type 0", "types 1 to 3")
            if ballot.prepares and ballot.vote.type is not VoteType.ROUND_CHANGE:
                raise Rejection("BAD_SHAPE", "prepares stand beside a vote that is no round-change", "an empty array")
            return ballot
    raise Rejection("BAD_SHAPE", "bytes that are no consensus message", "a proposal or a ballot")


def encode_votes(votes: Sequence[SignedVote]) -> bytes:
    """Return the canonical bytes of a list of votes: what the log keeps of a prepared certificate."""
    return codec.encode(_write_votes(votes))


def decode_votes(data: bytes) -> tuple[SignedVote, ...]:
    """Decode what `encode_votes` gives for prepares.

    :raises MetanodeError: anything else.
    """
    return _read_votes(codec.decode(data), "votes", VoteType.PREPARE)


def _write_votes(votes: Sequence[SignedVote]) -> list[list[int | bytes]]:
    return [[signed.validator, signed.vote.encode()] for signed in votes]


def _read_votes(value: codec.Value, what: str, wanted: VoteType) -> tuple[SignedVote, ...]:
    votes: list[SignedVote] = []
    for item in codec.expect_list(value, what, maximum=VALIDATORS_MAX):
        validator, raw = codec.expect_list(item, f"an item of {what}", size=2)
        signed = SignedVote(_index(validator), _vote(raw))
        if signed.vote.type is not wanted:
            raise Rejection("BAD_SHAPE", f"{what} holds a vote of type {int(signed.vote.type)}", f"type {int(wanted)}")
        votes.append(signed)
    return tuple(votes)


def _index(value: codec.Value) -> int:
    return codec.expect_uint(value, "validator", maximum=VALIDATORS_MAX - 1)


def _vote(value: codec.Value) -> Vote:
    return decode_vote(codec.expect_bytes(value, "vote", maximum=VOTE_BYTES_MAX))

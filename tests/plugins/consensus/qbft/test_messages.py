"""The bytes validators exchange: every message survives its encoding; what is malformed is refused by name."""

from __future__ import annotations

import pytest

from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import BLOCK_WIRE_BYTES_MAX, UINT_MAX, VALIDATORS_MAX
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, U32_MAX, Vote, VoteType
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX
from metanode.plugins.consensus.qbft.messages import (
    MESSAGE_BYTES_MAX,
    VOTE_BYTES_MAX,
    Ballot,
    Proposal,
    SignedVote,
    decode_message,
    decode_votes,
    encode_votes,
)

HASH = b"\x05" * 32


def vote(kind: VoteType, *, round_number: int = 3, prepared: int = 0, hash32: bytes = HASH) -> Vote:
    """A vote of height 9."""
    return Vote(9, round_number, kind, hash32, prepared, b"\x07" * 64)


PREPARES = tuple(SignedVote(who, vote(VoteType.PREPARE, round_number=2)) for who in range(3))
CHANGES = tuple(SignedVote(who, vote(VoteType.ROUND_CHANGE, prepared=2)) for who in range(3))
NULL = Ballot(1, vote(VoteType.ROUND_CHANGE, prepared=NOT_PREPARED, hash32=NO_HASH))


@pytest.mark.parametrize(
    "message",
    [
        Proposal(2, vote(VoteType.PROPOSE), b"block", CHANGES, PREPARES),
        Proposal(0, vote(VoteType.PROPOSE, round_number=0), b"block"),
        Ballot(99, vote(VoteType.PREPARE)),
        Ballot(0, vote(VoteType.COMMIT)),
        Ballot(3, vote(VoteType.ROUND_CHANGE, prepared=2), PREPARES),
        NULL,
    ],
    ids=["later proposal", "first proposal", "prepare", "commit", "locked round-change", "null round-change"],
)
def test_a_message_survives_its_encoding(message: Proposal | Ballot) -> None:
    """Values in, bytes out, the same values back; nothing shorter or longer is a message."""
    raw = message.encode()
    assert decode_message(raw) == message
    for wrong in (raw[:-1], raw + b"\x00", b""):
        with pytest.raises(MetanodeError):
            decode_message(wrong)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([2, 0, b""], "no consensus message"),
        ([0, 0, vote(VoteType.COMMIT).encode(), b"", [], []], "a proposal holds a vote of type 2"),
        ([1, 0, vote(VoteType.PROPOSE).encode(), []], "a ballot holds a vote of type 0"),
        ([1, 0, vote(VoteType.COMMIT).encode(), [[0, PREPARES[0].vote.encode()]]], "no round-change"),
        ([1, VALIDATORS_MAX, vote(VoteType.COMMIT).encode(), []], "validator is 100"),
        ([1, 0, NULL.vote.encode(), [[0, vote(VoteType.COMMIT).encode()]]], "vote of type 2"),
        ([1, 0, NULL.vote.encode(), [[0, PREPARES[0].vote.encode()]] * (VALIDATORS_MAX + 1)], "101 items"),
        ([1, 0, bytes(VOTE_BYTES_MAX + 1), []], "at most"),
        ([0, 0, vote(VoteType.PROPOSE).encode(), 7, [], []], "proposal.block"),
        ([1, 0, vote(VoteType.COMMIT).encode()], "no consensus message"),
    ],
)
def test_a_message_of_another_shape_is_refused(value: codec.Encodable, words: str) -> None:
    """With a code and words that say where."""
    with pytest.raises(MetanodeError) as caught:
        decode_message(codec.encode(value))
    assert caught.value.code == "BAD_SHAPE"
    assert words in f"{caught.value.message} {caught.value.expected}"


def test_the_largest_message_fits_its_bound_and_a_frame() -> None:
    """A full block and the votes of a full set, all numbers at their largest."""
    widest = Vote(UINT_MAX, U32_MAX, VoteType.ROUND_CHANGE, HASH, U32_MAX - 1, b"\x07" * 64)
    assert len(codec.encode([VALIDATORS_MAX - 1, widest.encode()])) <= VOTE_BYTES_MAX
    changes = tuple(SignedVote(who, widest) for who in range(VALIDATORS_MAX))
    prepare = Vote(UINT_MAX, U32_MAX, VoteType.PREPARE, HASH, 0, b"\x07" * 64)
    prepares = tuple(SignedVote(who, prepare) for who in range(VALIDATORS_MAX))
    propose = Vote(UINT_MAX, U32_MAX, VoteType.PROPOSE, HASH, 0, b"\x07" * 64)
    raw = Proposal(99, propose, bytes(BLOCK_WIRE_BYTES_MAX), changes, prepares).encode()
    assert len(raw) <= MESSAGE_BYTES_MAX < PAYLOAD_BYTES_MAX
    assert decode_message(raw).encode() == raw


def test_a_list_of_prepares_survives_its_encoding() -> None:
    """What the log keeps of a lock."""
    assert decode_votes(encode_votes(PREPARES)) == PREPARES

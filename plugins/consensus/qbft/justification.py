"""When a proposal or round-change may be believed: the predicates of QBFT, over votes whose signatures were checked.

Source: QBFT, arXiv 2002.03613, Algorithm 4 (JustifyRoundChange, JustifyPrePrepare).
"""

from __future__ import annotations

from collections.abc import Iterable

from metanode.core.model.vote import NOT_PREPARED, Vote, VoteType, quorum
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.votes import highest_prepared


def is_quorum(votes: Iterable[SignedVote], size: int) -> bool:
    """Tell whether these are votes of enough different members of a set of `size`."""
    voters = [signed.validator for signed in votes]
    return len(set(voters)) == len(voters) >= quorum(size) and all(who < size for who in voters)


def proves_prepared(
    votes: tuple[SignedVote, ...], size: int, height: int, prepared_round: int, prepared_hash: bytes
) -> bool:
    """Tell whether a quorum prepared this value in this round."""
    wanted = (VoteType.PREPARE, height, prepared_round, prepared_hash)
    return is_quorum(votes, size) and all(
        (signed.vote.type, signed.vote.height, signed.vote.round, signed.vote.hash) == wanted for signed in votes
    )


def round_change_is_justified(vote: Vote, prepares: tuple[SignedVote, ...], size: int) -> bool:
    """Tell whether a round-change proves the prepared value it names, from a round before its own."""
    if vote.prepared_round == NOT_PREPARED:
        return not prepares
    return vote.prepared_round < vote.round and proves_prepared(
        prepares, size, vote.height, vote.prepared_round, vote.hash
    )


def proposal_is_justified(
    vote: Vote, round_changes: tuple[SignedVote, ...], prepares: tuple[SignedVote, ...], size: int
) -> bool:
    """Tell whether a proposal may stand in its round; whether the block is valid is another question.

    Round 0 needs nothing.  Later a quorum of round-changes for exactly this round must stand with it, and
    when any of them names a prepared value, the proposal is the one of the highest round, with its prepares.
    """
    if vote.round == 0:
        return not round_changes and not prepares
    if not is_quorum(round_changes, size):
        return False
    if any((signed.vote.height, signed.vote.round) != (vote.height, vote.round) for signed in round_changes):
        return False
    highest = highest_prepared(round_changes)
    if highest is None:
        return not prepares
    prepared_round, prepared_hash = highest
    return (
        prepared_round < vote.round
        and prepared_hash == vote.hash
        and proves_prepared(prepares, size, vote.height, prepared_round, prepared_hash)
    )

"""Whether a message is by those it names: every signature in it, in one batch, before the machine hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from metanode.core.model import ed25519
from metanode.core.model.errors import Rejection
from metanode.core.model.validators import Validator
from metanode.plugins.consensus._shared.whole import whole_block_hash
from metanode.plugins.consensus.qbft.messages import Message, Proposal, SignedVote


def check_message(message: Message, validators: Sequence[Validator], genesis_hash: bytes) -> None:
    """Check all signatures of a message, and that a proposal's vote names its block.

    :param validators: the set of the message's height.
    :raises Rejection: INVALID_SIGNATURE, or BAD_SHAPE for someone outside the set, votes of another height or a
        block under another's hash.
    """
    votes = [SignedVote(message.validator, message.vote), *message.prepares]
    if isinstance(message, Proposal):
        votes += message.round_changes
        if whole_block_hash(message.block) != message.vote.hash:
            raise Rejection("BAD_SHAPE", "a proposal's vote names another block than the one it carries")
    for signed in votes:
        if signed.validator >= len(validators):
            raise Rejection("BAD_SHAPE", f"validator {signed.validator} is outside a set of {len(validators)}")
        if signed.vote.height != message.vote.height:
            raise Rejection("BAD_SHAPE", f"a vote for {signed.vote.height} in a message for {message.vote.height}")
    verdicts = ed25519.verify_many(
        [
            (validators[signed.validator].consensus_key, signed.vote.digest(genesis_hash), signed.vote.signature)
            for signed in votes
        ]
    )
    if not all(verdicts):
        wrong = votes[verdicts.index(False)].validator
        raise Rejection("INVALID_SIGNATURE", f"a vote in the name of validator {wrong} is not by its key")

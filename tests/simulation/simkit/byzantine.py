"""Validators that lie: they hold real keys, run the real machine, and keep no rule that suits them not to."""

from __future__ import annotations

from dataclasses import replace

from simkit.blocks import Final
from simkit.node import SimNode

from metanode.core.model.errors import MetanodeError
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Vote, VoteType, vote_digest
from metanode.plugins.consensus.qbft.guard import SignGuard
from metanode.plugins.consensus.qbft.messages import Ballot, Proposal, decode_message
from metanode.plugins.consensus.qbft.voter import Send


class NoGuard(SignGuard):
    """Signs anything, remembers nothing."""

    def refusal(self, height: int, round_number: int, kind: VoteType, hash32: bytes, prepared_round: int) -> str:
        """Refuse nothing."""
        return ""


class Liar(SimNode):
    """Equivocates, withholds, forgets locks, proposes out of turn, sends bad proofs and stale votes, lies in sync."""

    def new_guard(self) -> SignGuard:
        """A guard in name only: amnesia after every crash."""
        guard = NoGuard(self.key.public_key)
        guard.start(0)
        return guard

    def send(self, action: Send) -> None:
        """Send each node what may hurt it most."""
        message = decode_message(action.data)
        chance = self.world.chance
        sent = self.__dict__.setdefault("sent", [])
        sent.append(action.data)
        del sent[:-50]
        for other in self.world.nodes:
            if other is self:
                continue
            dice = chance.random()
            if dice < 0.15:
                continue  # withheld
            if dice < 0.45:
                self.deliver_to(other, self._twisted(message))
            if dice < 0.85:
                self.deliver_to(other, action.data)
            if dice > 0.95:
                self.deliver_to(other, chance.choice(sent))  # stale

    def hear(self, peer: bytes, data: bytes) -> None:
        """Back every proposal that is heard, whatever was backed before; propose out of turn."""
        super().hear(peer, data)
        if not self.up:
            return
        try:
            message = decode_message(data)
        except MetanodeError:
            return
        vote = message.vote
        if isinstance(message, Proposal):
            for kind in (VoteType.PREPARE, VoteType.COMMIT):
                self._tell_all(Ballot(self.index, self._vote(vote.height, vote.round, kind, vote.hash)).encode())
        if vote.height == self.chain.height + 1 and self.world.chance.random() < 0.1:
            block = self.chain.build(self.index, self.now_ms, self.world.chance)
            fresh = self._vote(vote.height, vote.round, VoteType.PROPOSE, self.world.hash_of(block))
            # Null round-changes of its own, or those of a true proposal: neither justifies this block.
            proofs = message.round_changes if isinstance(message, Proposal) else ()
            self._tell_all(Proposal(self.index, fresh, block, proofs, ()).encode())

    def answer(self, first: int) -> list[Final]:
        """Blocks nobody decided, under certificates for others."""
        true = super().answer(first)
        if not true or self.world.chance.random() < 0.5:
            return true
        made_up = self.chain.build(self.index, self.now_ms, self.world.chance)
        return [replace(true[0], block=made_up)]

    def _tell_all(self, data: bytes) -> None:
        for other in self.world.nodes:
            if other is not self and self.world.chance.random() < 0.7:
                self.deliver_to(other, data)

    def _vote(self, height: int, round_number: int, kind: VoteType, hash32: bytes, prepared_round: int = 0) -> Vote:
        digest = vote_digest(self.world.genesis_hash, height, round_number, kind, hash32, prepared_round)
        return Vote(height, round_number, kind, hash32, prepared_round, self.key.sign(digest))

    def _twisted(self, message: Proposal | Ballot) -> bytes:
        """Another message for the same place."""
        vote = message.vote
        if isinstance(message, Proposal):
            late_ms = self.world.chance.choice((0, 20_000))  # too old to be valid
            block = self.chain.build(self.index, self.now_ms - late_ms, self.world.chance)
            other = self._vote(vote.height, vote.round, VoteType.PROPOSE, self.world.hash_of(block))
            return replace(message, vote=other, block=block, prepares=()).encode()
        if vote.type is VoteType.ROUND_CHANGE:
            if self.world.chance.random() < 0.5:  # forgets its lock
                null = self._vote(vote.height, vote.round, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED)
                return Ballot(self.index, null).encode()
            claim = self._vote(
                vote.height, vote.round + 1, VoteType.ROUND_CHANGE, self.world.chance.randbytes(32), vote.round
            )
            return Ballot(self.index, claim, message.prepares).encode()
        other = self._vote(vote.height, vote.round, vote.type, self.world.chance.randbytes(32))
        return Ballot(self.index, other).encode()

"""What can happen to a validator at one height, and what the machine asks its driver to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from metanode.core.model.vote import Certificate, Vote, VoteType
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.votes import Evidence, Prepared


@dataclass(frozen=True)
class Candidate:
    """A proposal without its block."""

    vote: Vote
    round_changes: tuple[SignedVote, ...] = ()
    prepares: tuple[SignedVote, ...] = ()

    @property
    def fresh(self) -> bool:
        """Whether the proposer chose the value: nothing was prepared before, as far as its quorum knows."""
        return not self.prepares


@dataclass(frozen=True)
class BlockDue:
    """By the empty-block policy the next block should be made now."""

    height: int


@dataclass(frozen=True)
class TimerExpired:
    """The timer of this round has run out."""

    height: int
    round: int


@dataclass(frozen=True)
class BlockBuilt:
    """The driver assembled what `BuildBlock` asked for."""

    height: int
    round: int
    hash: bytes


@dataclass(frozen=True)
class BlockChecked:
    """The driver's answer to `CheckBlock`."""

    height: int
    round: int
    hash: bytes
    valid: bool


@dataclass(frozen=True)
class ProposalReceived:
    """A proposal arrived; its signatures hold and its hash is that of its block."""

    validator: int
    candidate: Candidate


@dataclass(frozen=True)
class VoteReceived:
    """A vote arrived; its signature and those of its prepares hold."""

    signed: SignedVote
    prepares: tuple[SignedVote, ...] = ()


@dataclass(frozen=True)
class Recovered:
    """After a restart: the last round that was spoken in, and the lock."""

    round: int
    prepared: Prepared | None


Event = BlockDue | TimerExpired | BlockBuilt | BlockChecked | ProposalReceived | VoteReceived | Recovered


@dataclass(frozen=True)
class StartTimer:
    """Tell me with `TimerExpired` once this much time has passed; replaces the timer before."""

    height: int
    round: int
    ms: int


@dataclass(frozen=True)
class BuildBlock:
    """Assemble a block on top of the head."""

    height: int
    round: int


@dataclass(frozen=True)
class CheckBlock:
    """Say whether this block is valid; one that is not at hand has to be fetched from those who prepared it."""

    height: int
    round: int
    hash: bytes
    leader: int | None
    """A fresh proposal must be by this validator and of this time; None: neither is asked."""


@dataclass(frozen=True)
class Propose:
    """Sign and send a proposal."""

    height: int
    round: int
    hash: bytes
    round_changes: tuple[SignedVote, ...] = field(default=(), repr=False)
    prepares: tuple[SignedVote, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class PersistPrepared:
    """Write the lock and its block to the log: the commit that follows relies on it."""

    height: int
    prepared: Prepared


@dataclass(frozen=True)
class CastVote:
    """Sign and send a prepare, commit or round-change, on disk first."""

    height: int
    round: int
    type: VoteType
    hash: bytes
    prepared_round: int = 0
    prepares: tuple[SignedVote, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Decide:
    """The block is final."""

    certificate: Certificate


@dataclass(frozen=True)
class Accuse:
    """A validator contradicted itself."""

    evidence: Evidence


Effect = StartTimer | BuildBlock | CheckBlock | Propose | PersistPrepared | CastVote | Decide | Accuse

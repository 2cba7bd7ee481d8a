"""The decisions of a lone validator, as a pure step.

QBFT (arXiv 2002.03613) at N = 1: the validator leads every height in round 0, its own prepare is
the quorum of prepares and its own commit the quorum of commits, so no round ever changes.  What
remains is the order that makes a crash harmless: the block and the promise to commit it are on disk
before the commit is signed, and a block once promised is the only one ever signed at its height.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Phase(Enum):
    """Where the current height stands."""

    WAITING = "waiting for the next block to be due"
    BUILDING = "building the block"
    PROMISED = "writing the promise to the log"
    STORING = "storing the certified block"


@dataclass(frozen=True)
class State:
    """The validator's mind: the height being worked on, and the one hash it may sign there."""

    height: int
    phase: Phase = Phase.WAITING
    promised: bytes | None = None


@dataclass(frozen=True)
class ProposalDue:
    """Time has come for a block at the current height."""


@dataclass(frozen=True)
class ProposalBuilt:
    """The driver assembled the block that `BuildProposal` asked for."""

    height: int
    header_hash: bytes


@dataclass(frozen=True)
class PromisePersisted:
    """The log holds the promise for this hash; a crash can no longer forget it."""

    height: int
    header_hash: bytes


@dataclass(frozen=True)
class BlockStored:
    """Storage holds the block and its certificate."""

    height: int


@dataclass(frozen=True)
class PromiseRecovered:
    """After a restart the log holds a promise for a height that storage lacks."""

    height: int
    header_hash: bytes


Event = ProposalDue | ProposalBuilt | PromisePersisted | BlockStored | PromiseRecovered


@dataclass(frozen=True)
class BuildProposal:
    """Assemble a block for this height."""

    height: int


@dataclass(frozen=True)
class PersistPromise:
    """Write the block and the promise to commit it to the log, and sync."""

    height: int
    header_hash: bytes


@dataclass(frozen=True)
class CertifyAndStore:
    """Sign the commit, form the certificate of one, store the block."""

    height: int
    header_hash: bytes


Effect = BuildProposal | PersistPromise | CertifyAndStore


def step(state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
    """Return the next state and the effects to run, in order.

    An event that does not fit the state changes nothing.  `PersistPromise` always comes before the
    `CertifyAndStore` that relies on it.

    Source: QBFT, arXiv 2002.03613, algorithms 2 and 3, with quorum(1) = 1 and leader(h, 0) = self.
    """
    match state.phase, event:
        case Phase.WAITING, ProposalDue():  # Algorithm 2, line 2: start of an instance led by this process
            return replace(state, phase=Phase.BUILDING), (BuildProposal(state.height),)
        case Phase.WAITING, PromiseRecovered(height, header_hash) if height == state.height:
            # Nothing else may be signed here, and what was promised may already be known: finish it.
            promised = State(height, Phase.STORING, header_hash)
            return promised, (CertifyAndStore(height, header_hash),)
        case Phase.BUILDING, ProposalBuilt(height, header_hash) if height == state.height:
            promised = State(height, Phase.PROMISED, header_hash)
            return promised, (PersistPromise(height, header_hash),)
        case Phase.PROMISED, PromisePersisted(height, header_hash) if (height, header_hash) == (
            state.height,
            state.promised,
        ):
            # Algorithm 2, lines 6-11: own prepare is a quorum, own commit is a quorum.
            return replace(state, phase=Phase.STORING), (CertifyAndStore(height, header_hash),)
        case Phase.STORING, BlockStored(height) if height == state.height:
            return State(height + 1), ()
        case _:
            return state, ()

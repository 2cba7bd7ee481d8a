"""One validator without I/O: bytes from peers in, actions in order out.

Joins the machine, the sign-guard and the codec.  Whoever runs the actions one by one, in order, keeps
the promise that what is said is on disk first: a `Send` stands behind the `Persist` it relies on.  The
driver runs them on trio, the simulation on a virtual disk and net; both run this code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from metanode.core.model.errors import MetanodeError
from metanode.core.model.validators import Validator
from metanode.core.model.vote import Certificate, Vote, VoteType, vote_digest
from metanode.plugins.consensus._shared.whole import whole_block_hash
from metanode.plugins.consensus.qbft import machine
from metanode.plugins.consensus.qbft.checking import check_message
from metanode.plugins.consensus.qbft.events import (
    Accuse,
    BuildBlock,
    Candidate,
    CastVote,
    CheckBlock,
    Decide,
    Event,
    PersistPrepared,
    ProposalReceived,
    Propose,
    Recovered,
    StartTimer,
    VoteReceived,
)
from metanode.plugins.consensus.qbft.guard import LockEntry, SignedEntry, SignGuard, record
from metanode.plugins.consensus.qbft.messages import Ballot, Message, Proposal, SignedVote, decode_message

EARLY_MESSAGES_MAX = 64
"""Messages of the next height that are kept, for each peer."""


@dataclass(frozen=True)
class Persist:
    """Append to the log and sync."""

    record: bytes = field(repr=False)


@dataclass(frozen=True)
class Send:
    """Give these bytes to every peer."""

    type: VoteType
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Check:
    """Say with `BlockChecked` whether the block is valid on top of the head."""

    height: int
    round: int
    hash: bytes
    block: bytes = field(repr=False)
    leader: int | None


@dataclass(frozen=True)
class Fetch:
    """Ask peers for a proposed block; give it to `supply`."""

    height: int
    hash: bytes


@dataclass(frozen=True)
class Finalize:
    """Store the block under its certificate, then `begin` the next height; None: it must be fetched."""

    certificate: Certificate
    block: bytes | None = field(repr=False)


@dataclass(frozen=True)
class PeerBehind:
    """This peer speaks of a height that is final here: tell it."""

    peer: bytes


@dataclass(frozen=True)
class PeerAhead:
    """This peer speaks of a height above the next: what is final below it can be had from it."""

    peer: bytes
    height: int


Action = Persist | Send | Check | Fetch | Finalize | PeerBehind | PeerAhead | StartTimer | BuildBlock | Accuse


class Voter:
    """A validator's side of every height, one after the other."""

    def __init__(
        self, genesis_hash: bytes, public_key: bytes, sign: Callable[[bytes], bytes], block_ms: int, guard: SignGuard
    ) -> None:
        self._genesis_hash = genesis_hash
        self._public_key = public_key
        self._sign = sign
        self._block_ms = block_ms
        self._guard = guard
        self._state = machine.begin(0, (), None, b"", block_ms)
        self._blocks: dict[bytes, bytes] = {}
        self._wanted: dict[bytes, CheckBlock] = {}
        self._early: dict[bytes, deque[bytes]] = {}
        self._actions: list[Action] = []
        self._own: deque[Event] = deque()
        self.refused = ""
        """Why the guard last refused to sign, empty since the last vote."""

    @property
    def state(self) -> machine.State:
        """The machine's mind."""
        return self._state

    def block(self, hash32: bytes) -> bytes | None:
        """Return a proposed block of this height."""
        return self._blocks.get(hash32)

    def said(self) -> list[Send]:
        """Return what a peer that comes now has missed: this node's votes of the current round, and its commits."""
        state = self._state
        entries = self._guard.signed_at(state.height)
        current = [entry for entry in entries if entry.round == state.round or entry.type is VoteType.COMMIT]
        return [Send(entry.type, entry.message) for entry in current]

    def begin(self, height: int, validators: tuple[Validator, ...], beta: bytes) -> list[Action]:
        """Start the height above a new head; says again what was said there before a restart."""
        keys = [validator.consensus_key for validator in validators]
        me = keys.index(self._public_key) if self._public_key in keys else None
        self._guard.settle(height - 1)
        self._state = machine.begin(height, validators, me, beta, self._block_ms)
        self._blocks, self._wanted, self.refused = {}, {}, ""
        said = self._guard.signed_at(height)
        if said and me is not None:
            self._say_again(said)
        early, self._early = self._early, {}
        for peer, messages in early.items():
            for data in messages:
                self._receive(peer, data)
        return self._taken()

    def receive(self, peer: bytes, data: bytes) -> list[Action]:
        """Hear a peer.

        :raises MetanodeError: bytes that no honest peer sends.
        """
        message = decode_message(data)
        height = message.vote.height
        if height == self._state.height:
            if self._state.book.of(message.vote.round, message.vote.type).get(message.validator) == message.vote:
                return []  # the same bytes again: not worth their signatures
            check_message(message, self._state.validators, self._genesis_hash)
            self._hear(message)
        elif height < self._state.height:
            self._actions.append(PeerBehind(peer))
        else:
            self._early.setdefault(peer, deque(maxlen=EARLY_MESSAGES_MAX)).append(data)
            # A height beyond the next cannot be voted on before those below it are had.
            self._actions.append(PeerAhead(peer, height))
        return self._taken()

    def feed(self, event: Event) -> list[Action]:
        """Tell the machine what happened on this side."""
        self._run(event)
        return self._taken()

    def supply(self, block: bytes) -> list[Action]:
        """Take a block that `Fetch` asked for, or that was built here.

        :raises MetanodeError: no block, or one whose body is another's.
        """
        hash32 = whole_block_hash(block)
        self._blocks[hash32] = block
        wanted = self._wanted.pop(hash32, None)
        if wanted is not None:
            self._actions.append(Check(wanted.height, wanted.round, hash32, block, wanted.leader))
        return self._taken()

    def _receive(self, peer: bytes, data: bytes) -> None:
        message = decode_message(data)
        if message.vote.height != self._state.height:
            if message.vote.height > self._state.height:
                self._early.setdefault(peer, deque(maxlen=EARLY_MESSAGES_MAX)).append(data)
            return
        try:
            check_message(message, self._state.validators, self._genesis_hash)
        except MetanodeError:
            return  # kept unchecked, since its set was not known then; nobody is left to be told
        self._hear(message)

    def _hear(self, message: Message) -> None:
        if isinstance(message, Proposal):
            if message.vote.round < self._state.round:
                return
            before = self._state.candidates
            self._keep_blocks(message)
            self._run(_heard(message))
            if self._state.candidates is before:
                self._forget_blocks()
        else:
            self._run(_heard(message))

    def _keep_blocks(self, message: Proposal) -> None:
        self._blocks[message.vote.hash] = message.block

    def _forget_blocks(self) -> None:
        """Keep the blocks of candidates, of the lock and of commits: the bound on what proposers can store here."""
        state = self._state
        kept = {candidate.vote.hash for candidate in state.candidates.values()}
        kept |= {state.accepted or b"", state.prepared.hash if state.prepared else b""}
        kept |= {
            row.hash
            for (_, kind), votes in state.book.counted.items()
            if kind is VoteType.COMMIT
            for row in votes.values()
        }
        self._blocks = {hash32: block for hash32, block in self._blocks.items() if hash32 in kept}

    def _say_again(self, said: list[SignedEntry]) -> None:
        """After a restart: the round that was reached, the lock, and the identical bytes of that round."""
        reached = max(entry.round for entry in said)
        lock = self._guard.lock
        prepared = None
        if lock is not None and lock.height == self._state.height:
            prepared = lock.prepared
            self._blocks[prepared.hash] = lock.block
        self._run(Recovered(reached, prepared))
        for entry in said:
            if entry.round == reached or entry.type is VoteType.COMMIT:
                self._actions.append(Send(entry.type, entry.message))
                self._hear(decode_message(entry.message))

    def _run(self, event: Event) -> None:
        self._own.append(event)
        while self._own:
            round_before = self._state.round
            self._state, effects = machine.step(self._state, self._own.popleft())
            lock: LockEntry | None = None
            for effect in effects:
                match effect:
                    case PersistPrepared(height, prepared):
                        lock = LockEntry(height, prepared, self._blocks[prepared.hash])
                    case CastVote():
                        self._cast(effect, lock)
                        lock = None
                    case Propose():
                        self._propose(effect)
                    case CheckBlock(height, round_number, hash32, by):
                        block = self._blocks.get(hash32)
                        if block is None:
                            self._wanted[hash32] = effect
                            self._actions.append(Fetch(height, hash32))
                        else:
                            self._actions.append(Check(height, round_number, hash32, block, by))
                    case Decide(certificate):
                        self._actions.append(Finalize(certificate, self._blocks.get(certificate.header_hash)))
                    case StartTimer() | BuildBlock() | Accuse():
                        self._actions.append(effect)
            if self._state.round != round_before:
                self._forget_blocks()

    def _cast(self, effect: CastVote, lock: LockEntry | None) -> None:
        def message(vote: Vote) -> Message:
            assert self._state.me is not None
            return Ballot(self._state.me, vote, effect.prepares)

        self._sign_and_send(effect.height, effect.round, effect.type, effect.hash, effect.prepared_round, message, lock)

    def _propose(self, effect: Propose) -> None:
        def message(vote: Vote) -> Message:
            assert self._state.me is not None
            return Proposal(self._state.me, vote, self._blocks[effect.hash], effect.round_changes, effect.prepares)

        self._sign_and_send(effect.height, effect.round, VoteType.PROPOSE, effect.hash, 0, message, None)

    def _sign_and_send(
        self,
        height: int,
        round_number: int,
        kind: VoteType,
        hash32: bytes,
        prepared_round: int,
        message: Callable[[Vote], Message],
        lock: LockEntry | None,
    ) -> None:
        """Sign what the guard allows, write it down, send it, and count it here like any other."""
        known = self._guard.known(height, round_number, kind)
        if known is not None and (known.hash, known.prepared_round) == (hash32, prepared_round):
            self._actions.append(Send(kind, known.message))
            self._own.append(_heard(decode_message(known.message)))
            return
        self.refused = self._guard.refusal(height, round_number, kind, hash32, prepared_round)
        if self.refused:
            return
        digest = vote_digest(self._genesis_hash, height, round_number, kind, hash32, prepared_round)
        said = message(Vote(height, round_number, kind, hash32, prepared_round, self._sign(digest)))
        entry = SignedEntry(height, round_number, kind, hash32, prepared_round, said.encode())
        entries: list[SignedEntry | LockEntry] = [entry] if lock is None else [lock, entry]
        for item in entries:
            self._guard.remember(item)
        self._actions += [Persist(record(entries)), Send(kind, entry.message)]
        self._own.append(_heard(said))

    def _taken(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions


def _heard(message: Message) -> Event:
    if isinstance(message, Proposal):
        return ProposalReceived(message.validator, Candidate(message.vote, message.round_changes, message.prepares))
    return VoteReceived(SignedVote(message.validator, message.vote), message.prepares)

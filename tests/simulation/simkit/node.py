"""A simulated validator: the production `Voter`, with schedule, links and disk in place of trio, sockets and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simkit.blocks import Final, ToyChain

from metanode.core.crypto.keys import KeyPair
from metanode.core.model.errors import MetanodeError
from metanode.plugins.consensus.qbft.events import (
    Accuse,
    BlockBuilt,
    BlockChecked,
    BlockDue,
    BuildBlock,
    StartTimer,
    TimerExpired,
)
from metanode.plugins.consensus.qbft.guard import SignGuard, start_record
from metanode.plugins.consensus.qbft.messages import decode_message
from metanode.plugins.consensus.qbft.voter import (
    Action,
    Check,
    Fetch,
    Finalize,
    PeerAhead,
    PeerBehind,
    Persist,
    Send,
    Voter,
)

if TYPE_CHECKING:
    from simkit.world import World

SYNC_BLOCKS_MAX = 8
RETRY_MS = 1_000


class Crashed(Exception):
    """The power went between two actions."""


class SimNode:
    """One validator; `disk` and `chain` outlive a crash, the rest does not."""

    def __init__(self, world: World, index: int, key: KeyPair) -> None:
        self.world = world
        self.index = index
        self.key = key
        self.chain = ToyChain(world.genesis_hash, world.validators)
        self.disk: list[bytes] = [start_record(key.public_key, 0)]
        self.skew_ms = 0
        self.life = 0
        """Counts crashes: what was scheduled in an earlier life does not happen."""
        self.up = False
        self.voter: Voter
        self.timer = 0

    # -- life --

    def new_guard(self) -> SignGuard:
        """The guard that a start finds on disk."""
        guard = SignGuard(self.key.public_key)
        guard.restore(self.disk, f"disk {self.index}")
        return guard

    def start(self) -> None:
        """Begin, or begin again with what is on disk."""
        self.up, self.life = True, self.life + 1
        world = self.world
        world.note(self.index, None, "starts")
        self.voter = Voter(world.genesis_hash, self.key.public_key, self.key.sign, world.block_ms, self.new_guard())
        self._guarded(self._begin)
        self._tell_height()

    def crash(self) -> None:
        """Lose everything that is not on disk."""
        self.up, self.life = False, self.life + 1
        self.world.note(self.index, None, "crashes")
        self.world.schedule.after(self.world.chance.randint(1, 8_000), self._restart)

    def _restart(self) -> None:
        if not self.up:
            self.start()

    def later(self, ms: int, what: Callable[[], None]) -> None:
        """Do something in this life, if it lasts."""
        life = self.life

        def happens() -> None:
            if self.up and self.life == life:
                self._guarded(what)

        self.world.schedule.after(ms, happens)

    def _guarded(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Crashed:
            self.crash()

    # -- the driver --

    def _begin(self) -> None:
        height = self.chain.height + 1
        self.timer += 1
        self.run(self.voter.begin(height, self.chain.validators, self.chain.beta))
        due = BlockDue(height)
        self.later(self.world.block_ms, lambda: self.run(self.voter.feed(due)))

    def run(self, actions: list[Action]) -> None:
        """Run actions in order; the power may go between any two."""
        for action in actions:
            self.world.maybe_crash(self)
            match action:
                case Persist(data):
                    self.persist(data)
                case Send():
                    self.send(action)
                case StartTimer(height, round_number, ms):
                    self._start_timer(ms, TimerExpired(height, round_number))
                case BuildBlock(height, round_number):
                    self.later(self.world.chance.randint(0, 30), lambda h=height, r=round_number: self._build(h, r))
                case Check():
                    self.later(self.world.chance.randint(0, 30), lambda check=action: self._check(check))
                case Fetch(height, hash32):
                    self._fetch(height, hash32)
                case Finalize(certificate, block):
                    if block is None:
                        self._ask_all()
                    else:
                        self._store(self.chain.append(block, certificate))
                case PeerBehind(peer):
                    self._tell_height(int.from_bytes(peer, "big"))
                case PeerAhead(peer, _):
                    self._ask(int.from_bytes(peer, "big"))
                case Accuse(evidence):
                    self.world.accused(self, evidence)

    def persist(self, data: bytes) -> None:
        """Append to the disk; a power cut in the middle tears the record, which a start then leaves out."""
        if self.world.chance.random() < self.world.torn:
            raise Crashed
        self.disk.append(data)

    def send(self, action: Send) -> None:
        """Give a message to everyone."""
        self.world.said(self, action.data)
        for other in self.world.nodes:
            if other is not self:
                self.deliver_to(other, action.data)

    def deliver_to(self, other: SimNode, data: bytes) -> None:
        """Put one message on the link to one node."""
        peer = self.index.to_bytes(1, "big")
        self.world.links.send(self.index, other.index, lambda: other.hear(peer, data))

    def hear(self, peer: bytes, data: bytes) -> None:
        """A message arrives."""
        if not self.up:
            return
        if self.world.trace is not None:
            vote = decode_message(data).vote
            words = f"{vote.type.name.lower()} {vote.height}/{vote.round} {vote.hash.hex()[:6]}"
            self.world.note(int.from_bytes(peer, "big"), self.index, words)
        try:
            actions = self.voter.receive(peer, data)
        except MetanodeError:
            return
        self._guarded(lambda: self.run(actions))

    def _start_timer(self, ms: int, event: TimerExpired) -> None:
        self.timer += 1
        timer = self.timer
        self.later(ms, lambda: self.run(self.voter.feed(event)) if timer == self.timer else None)

    def _build(self, height: int, round_number: int) -> None:
        state = self.voter.state
        if (height, round_number) != (state.height, state.round) or state.me is None:
            return
        block = self.chain.build(state.me, self.now_ms, self.world.chance)
        actions = self.voter.supply(block)
        hash32 = self.world.hash_of(block)
        self.run(actions + self.voter.feed(BlockBuilt(height, round_number, hash32)))

    def _check(self, check: Check) -> None:
        if check.height != self.chain.height + 1:
            return
        valid = self.chain.is_valid(check.block, check.leader, self.now_ms)
        self.run(self.voter.feed(BlockChecked(check.height, check.round, check.hash, valid)))

    @property
    def now_ms(self) -> int:
        """This node's clock."""
        return self.world.schedule.now_ms + self.skew_ms

    # -- sync --

    def _store(self, final: Final) -> None:
        self.world.finalized(self, self.chain.height, final)
        self._begin()

    def _tell_height(self, to: int | None = None) -> None:
        height, me = self.chain.height, self.index
        for other in self.world.nodes:
            if other is not self and to in (None, other.index):
                self.world.links.send(me, other.index, lambda other=other: other.told_height(me, height))

    def told_height(self, source: int, height: int) -> None:
        """A peer says how far it is."""
        if self.up and height > self.chain.height:
            self._ask(source)

    def _ask(self, source: int) -> None:
        first, me = self.chain.height + 1, self.index
        other = self.world.nodes[source]
        self.world.links.send(me, source, lambda: other.asked(me, first))

    def _ask_all(self) -> None:
        for other in self.world.nodes:
            if other is not self:
                self._ask(other.index)
        height = self.chain.height
        self.later(RETRY_MS, lambda: self._ask_all() if self.chain.height == height else None)

    def asked(self, source: int, first: int) -> None:
        """A peer wants blocks."""
        if self.up:
            blocks = self.answer(first)
            other = self.world.nodes[source]
            self.world.links.send(self.index, source, lambda: other.answered(blocks))

    def answer(self, first: int) -> list[Final]:
        """What this node says is final from `first`."""
        return self.chain.blocks[first - 1 : first - 1 + SYNC_BLOCKS_MAX]

    def answered(self, blocks: list[Final]) -> None:
        """Blocks arrive; each must prove itself."""
        if not self.up:
            return
        grown = False
        for final in blocks:
            try:
                stored = self.chain.append_synced(final)
            except MetanodeError:
                break
            self.world.finalized(self, self.chain.height, stored)
            grown = True
        if grown:
            self._guarded(self._begin)

    def _fetch(self, height: int, hash32: bytes) -> None:
        me = self.index
        for other in self.world.nodes:
            if other is not self:
                self.world.links.send(me, other.index, lambda other=other: other.fetched(me, hash32))

    def fetched(self, source: int, hash32: bytes) -> None:
        """A peer wants a proposed block."""
        block = self.voter.block(hash32) if self.up else None
        if block is not None:
            other = self.world.nodes[source]
            self.world.links.send(self.index, source, lambda: other.supplied(block))

    def supplied(self, block: bytes) -> None:
        """A proposed block arrives."""
        if self.up:
            actions = self.voter.supply(block)
            self._guarded(lambda: self.run(actions))

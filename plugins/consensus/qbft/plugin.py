"""The driver of a validator: feeds what arrives to the voter and runs its actions in order.  No rules of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial

import trio

from metanode.core.bus import EnvelopeAdmitted
from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.validators import decode_set
from metanode.core.model.vote import Certificate, VoteType
from metanode.core.peers import PeerChanged
from metanode.core.roles import Consensus, Head, Peers
from metanode.core.wire.frames import Lane
from metanode.plugins.consensus._shared.accusing import Accuser
from metanode.plugins.consensus._shared.blocks import Blocks
from metanode.plugins.consensus._shared.chain import Chain
from metanode.plugins.consensus._shared.due import due_in_ms
from metanode.plugins.consensus._shared.sharing import share
from metanode.plugins.consensus._shared.wal import WriteAheadLog
from metanode.plugins.consensus._shared.whole import whole_block_hash
from metanode.plugins.consensus.qbft import guard_log
from metanode.plugins.consensus.qbft.catchup import CatchUp
from metanode.plugins.consensus.qbft.events import (
    Accuse,
    BlockBuilt,
    BlockChecked,
    BlockDue,
    BuildBlock,
    Event,
    StartTimer,
    TimerExpired,
)
from metanode.plugins.consensus.qbft.guard import SignGuard
from metanode.plugins.consensus.qbft.machine import Phase
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
from metanode.plugins.consensus.qbft.words import waiting

INBOX_MAX = 256
"""Payloads that wait for the driver; beyond it the peers' own queues fill."""


@hookimpl
def provide_consensus(context: PluginContext) -> Consensus:
    """Answer the hook with the engine of many validators."""
    return QbftConsensus(context, context.peers)


class QbftConsensus:
    """One node's part in the agreement on every block."""

    def __init__(self, context: PluginContext, peers: Peers) -> None:
        roles, params = context.roles, context.genesis.params
        self._context = context
        self._peers = peers
        self._chain = Chain(context.genesis, roles.storage, roles.ledger, roles.mempool, context.bus, context.log)
        self._blocks = Blocks(context, self._chain)
        self._accuser = Accuser(context, self._chain)
        key = context.identity.consensus
        self._guard = SignGuard(key.public_key)
        self._log = None if context.data_dir is None else WriteAheadLog(context.data_dir / guard_log.DIRECTORY)
        self._voter = Voter(context.genesis.hash, key.public_key, key.sign, params.block_ms, self._guard)
        self._catch_up = CatchUp(context, peers, self._chain, self._blocks, self._voter)
        self._inbox_send, self._inbox = trio.open_memory_channel[tuple[Lane, bytes, bytes]](INBOX_MAX)
        self._due_at: float | None = None
        self._timer: tuple[float, TimerExpired] | None = None
        self._pool_waits = False

    @property
    def head(self) -> Head:
        """The newest final block."""
        return self._chain.head

    def status(self) -> Mapping[str, int | str]:
        """Return height, round and what is waited for, in words and as a stable cause."""
        state = self._voter.state
        refused = self._voter.refused
        if state.me is not None and self._guard.floor is None:
            refused = "the sign-guard of this key is missing; `metanode guard init --above HEIGHT` makes one"
        peers, behind = len(self._peers.connected()), self._catch_up.behind
        cause, words = waiting(state, refused=refused, peers=peers, behind=behind)
        return {
            "height": state.height,
            "round": state.round,
            "waiting": words,
            "cause": cause,
            "validators": len(state.validators),
            "peers": peers,
        }

    async def wait_for_height(self, height: int) -> Head:
        """Return once `height` is final."""
        return await self._chain.wait_for_height(height)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover, then take part until cancelled."""
        await self._chain.recover()
        await self._context.roles.mempool.recover(self._chain.head)
        try:
            await self._open_guard()
            async with trio.open_nursery() as nursery:
                for lane in (Lane.VOTES, Lane.BLOCKS, Lane.SYNC):
                    nursery.start_soon(self._listen, lane, self._peers.subscribe(lane))
                nursery.start_soon(self._watch_pool)
                nursery.start_soon(self._watch_peers)
                nursery.start_soon(share, self._context, self._peers)
                nursery.start_soon(self._accuser.run)
                await self._perform(self._begin())
                task_status.started()
                await self._drive()
        finally:
            if self._log is not None:
                self._log.close()

    # -- the loop --

    async def _drive(self) -> None:
        while True:
            arrived = None
            with trio.move_on_at(self._next_deadline()):
                arrived = await self._inbox.receive()
            if arrived is not None:
                await self._hear(*arrived)
            await self._pass_deadlines()

    def _next_deadline(self) -> float:
        deadlines = [self._catch_up.deadline]
        if self._due_at is not None:
            deadlines.append(self._due_at)
        if self._timer is not None:
            deadlines.append(self._timer[0])
        return min(deadlines)

    async def _pass_deadlines(self) -> None:
        now = trio.current_time()
        if self._due_at is not None and self._due_at <= now:
            self._due_at = None
            await self._feed(BlockDue(self._voter.state.height))
        if self._timer is not None and self._timer[0] <= now:
            expired, self._timer = self._timer[1], None
            await self._feed(expired)
        if self._catch_up.deadline <= now:
            self._catch_up.tell_and_ask()

    async def _hear(self, lane: Lane, peer: bytes, payload: bytes) -> None:
        if lane is Lane.CONTROL:  # this node's own word: a peer came, or the pool filled
            if peer:
                self._welcome(peer)
            return
        try:
            if lane is Lane.SYNC:
                before = self._chain.head.height
                actions = await self._catch_up.hear(peer, payload)
                if self._chain.head.height > before:
                    actions = self._begin()
            else:
                actions = self._voter.receive(peer, payload)
        except StorageError:
            raise
        except MetanodeError as error:
            if error.code == "SAFETY_FAULT":
                raise
            self._context.log.info("peer %s: %s", peer.hex()[:16], error)
            return
        await self._perform(actions)

    async def _listen(self, lane: Lane, payloads: trio.abc.ReceiveChannel[tuple[bytes, bytes]]) -> None:
        async for peer, payload in payloads:
            await self._inbox_send.send((lane, peer, payload))

    async def _watch_pool(self) -> None:
        """An envelope that waits makes the next block due sooner."""
        async with self._context.bus.subscribe(EnvelopeAdmitted, capacity=1) as admitted:
            async for _ in admitted:
                if not self._pool_waits and self._due_at is not None:
                    self._set_due()
                    await self._inbox_send.send((Lane.CONTROL, b"", b""))

    async def _watch_peers(self) -> None:
        """A peer that comes late, or comes back, is told what it missed, so that no round is lost for it."""
        async with self._context.bus.subscribe(PeerChanged) as changes:
            async for change in changes:
                if change.connected:
                    await self._inbox_send.send((Lane.CONTROL, change.peer, b""))

    def _welcome(self, peer: bytes) -> None:
        for message in self._voter.said():
            self._peers.send(peer, _lane(message), message.data)
        self._catch_up.tell(peer)

    # -- the voter's actions --

    async def _feed(self, event: Event) -> None:
        await self._perform(self._voter.feed(event))

    async def _perform(self, actions: list[Action]) -> None:
        """Run actions one by one: what an action gives rise to comes after those already asked for."""
        queue = deque(actions)
        while queue:
            match queue.popleft():
                case Persist(data):
                    if self._log is not None:
                        await self._context.workers.run(partial(self._log.append, data))
                case Send() as message:
                    self._peers.broadcast(_lane(message), message.data)
                case StartTimer(height, round_number, ms):
                    self._timer = (trio.current_time() + ms / 1000, TimerExpired(height, round_number))
                case BuildBlock(height, round_number):
                    queue += await self._build(height, round_number)
                case Check() as check:
                    queue += await self._check(check)
                case Fetch(height, hash32):
                    self._catch_up.fetch(height, hash32)
                case Finalize(certificate, block):
                    queue = deque(await self._finalize(certificate, block))
                case PeerBehind(peer):
                    self._catch_up.tell(peer)
                case PeerAhead(peer, height):
                    self._catch_up.heard_of(peer, height - 1)
                case Accuse(evidence):
                    accused = self._voter.state.validators[evidence.validator]
                    self._accuser.note(accused.consensus_key, evidence.first, evidence.second)

    async def _build(self, height: int, round_number: int) -> list[Action]:
        me = self._voter.state.me
        assert me is not None, "only a validator builds"
        block = await self._blocks.build(me)
        actions = self._voter.supply(block)
        return actions + self._voter.feed(BlockBuilt(height, round_number, whole_block_hash(block)))

    async def _check(self, check: Check) -> list[Action]:
        fault = await self._blocks.fault(check.block, check.leader)
        if fault:
            self._context.log.warning("refused block height=%d round=%d: %s", check.height, check.round, fault)
        return self._voter.feed(BlockChecked(check.height, check.round, check.hash, not fault))

    async def _finalize(self, certificate: Certificate, block: bytes | None) -> list[Action]:
        if block is None:
            self._catch_up.lacks(certificate.height)
            return []
        await self._blocks.store(block, certificate)
        actions = self._begin()
        if self._log is not None:
            await self._context.workers.run(partial(self._log.compact, self._guard.snapshot()))
        return actions

    def _begin(self) -> list[Action]:
        """Start the height above the head."""
        head = self._chain.head
        self._timer = None
        actions = self._voter.begin(head.height + 1, decode_set(self._chain.validator_set), head.beta)
        self._catch_up.advanced()
        self._set_due()
        return actions

    def _set_due(self) -> None:
        self._pool_waits = self._context.roles.mempool.stats()["entries"] > 0
        now_ms, head = self._context.clock.now_ms(), self._chain.head
        wait_ms = due_in_ms(self._context.genesis.params, now_ms, head.time_ms, waiting=self._pool_waits)
        if self._voter.state.phase is Phase.IDLE:
            self._due_at = trio.current_time() + wait_ms / 1000

    async def _open_guard(self) -> None:
        """Read what this key signed; a node without a home starts anew each time."""
        if self._log is None:
            self._guard.start(self._chain.head.height)
            return
        records = await self._context.workers.run(self._log.open)
        self._guard.restore(records, str(self._log.path))
        if self._guard.floor is None:
            self._context.log.warning("%s holds no sign-guard: this node does not vote", self._log.path)


def _lane(message: Send) -> Lane:
    return Lane.BLOCKS if message.type is VoteType.PROPOSE else Lane.VOTES

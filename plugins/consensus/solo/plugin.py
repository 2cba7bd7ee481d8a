"""The driver of the lone validator: waits, feeds events to the machine, runs its effects.  No rules of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model import ecvrf, leader
from metanode.core.model.block import Block, decode_block
from metanode.core.model.codec import decode, encode
from metanode.core.model.errors import SettingsError, StorageError
from metanode.core.model.header import decode_header, header_hash
from metanode.core.model.validators import decode_set
from metanode.core.model.vote import Certificate, VoteType, vote_digest
from metanode.core.roles import Consensus, Head
from metanode.plugins.consensus._shared.chain import Chain, Proposal
from metanode.plugins.consensus._shared.due import due_in_ms
from metanode.plugins.consensus._shared.wal import RECORD_BYTES_MAX, WriteAheadLog
from metanode.plugins.consensus.solo import machine

CLOCK_AHEAD_MS_MAX = 2_000
"""A head further ahead of the wall clock than this is reported as unhealthy (protocol.md section 3, time)."""

RECORD_PROMISE = 1


@hookimpl
def provide_consensus(context: PluginContext) -> Consensus:
    """Answer the hook with the lone validator's engine."""
    return SoloConsensus(context)


class SoloConsensus:
    """Makes a block when one is due, promises it on disk, certifies it alone, stores it."""

    def __init__(self, context: PluginContext) -> None:
        roles = context.roles
        self._context = context
        self._params = context.genesis.params
        self._workers = context.workers
        self._chain = Chain(context.genesis, roles.storage, roles.ledger, roles.mempool, context.bus, context.log)
        self._wal = None if context.data_dir is None else WriteAheadLog(context.data_dir / "wal")
        self._state = machine.State(height=1)
        self._proposal: Proposal | None = None
        self._last_promise = b""
        self._clock_wrong = False
        self._events: deque[machine.Event] = deque()

    @property
    def head(self) -> Head:
        """The newest final block."""
        return self._chain.head

    def status(self) -> Mapping[str, int | str]:
        """Return height, round and what is waited for, in words."""
        return {"height": self._state.height, "round": 0, "waiting": self._state.phase.value}

    async def wait_for_height(self, height: int) -> Head:
        """Return once `height` is final."""
        return await self._chain.wait_for_height(height)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Recover, then make blocks until cancelled."""
        await self._chain.recover()
        self._require_own_set()
        await self._context.roles.mempool.recover(self._chain.head)
        self._state = machine.State(height=self._chain.head.height + 1)
        try:
            await self._recover_promise()
            await self._drain()
            task_status.started()
            while True:
                await self._wait_until_due()
                self._events.append(machine.ProposalDue())
                await self._drain()
        finally:
            if self._wal is not None:
                self._wal.close()

    async def _drain(self) -> None:
        while self._events:
            self._state, effects = machine.step(self._state, self._events.popleft())
            for effect in effects:
                match effect:
                    case machine.BuildProposal(height):
                        await self._build(height)
                    case machine.PersistPromise(height, promised):
                        await self._promise(height, promised)
                    case machine.CertifyAndStore(height, promised):
                        await self._certify_and_store(height, promised)

    async def _wait_until_due(self) -> None:
        """A block is due one block time after the last when envelopes wait, else when an empty one is due."""
        clock = self._context.clock
        parent_ms = self._chain.head.time_ms
        self._report_clock(clock.now_ms(), parent_ms)
        with trio.move_on_after(due_in_ms(self._params, clock.now_ms(), parent_ms, waiting=False) / 1000):
            await self._context.roles.mempool.wait_for_envelopes()
        await trio.sleep(due_in_ms(self._params, clock.now_ms(), parent_ms, waiting=True) / 1000)

    def _report_clock(self, now_ms: int, parent_ms: int) -> None:
        """Say when the head is ahead of the clock: time never goes back, so slots and epochs stand still."""
        ahead_s = (parent_ms - now_ms) // 1000
        if ahead_s * 1000 > CLOCK_AHEAD_MS_MAX:
            words = f"the newest block is {ahead_s} s ahead of this machine's clock; epochs wait for it"
            if not self._clock_wrong:
                self._context.log.warning(words)
            self._context.health.report("consensus.clock", False, words)
        elif self._clock_wrong:
            self._context.health.report("consensus.clock", True, "")
        self._clock_wrong = ahead_s * 1000 > CLOCK_AHEAD_MS_MAX

    async def _build(self, height: int) -> None:
        candidates = self._context.roles.mempool.select(
            count_max=self._params.block_envelopes_max, bytes_max=self._params.block_bytes_max
        )
        fields = self._chain.fields(self._context.clock.now_ms(), proposer_index=0)
        alpha = leader.alpha(self._chain.head.beta, height)
        proof = ecvrf.prove(self._context.identity.vrf.seed, alpha)
        proposal = await self._workers.run(partial(self._chain.assemble, fields, candidates, proof))
        self._proposal = proposal
        self._events.append(machine.ProposalBuilt(height, proposal.header_hash))

    async def _promise(self, height: int, promised: bytes) -> None:
        if self._wal is not None:
            assert self._proposal is not None, "a promise is made for a block that was built"
            record = self._last_promise = encode(
                [RECORD_PROMISE, self._context.identity.consensus.public_key, promised, self._proposal.block.encode()]
            )
            await self._workers.run(partial(self._wal.append, record))
        self._events.append(machine.PromisePersisted(height, promised))

    async def _certify_and_store(self, height: int, promised: bytes) -> None:
        proposal = self._proposal
        assert proposal is not None, "only a block at hand is certified"
        assert proposal.header_hash == promised, "only the promised block is certified"
        digest = vote_digest(self._context.genesis.hash, height, 0, VoteType.COMMIT, promised)
        signature = self._context.identity.consensus.sign(digest)
        certificate = Certificate.build(height, 0, promised, {0: signature}, 1)
        # Shielded: a stop that arrives now waits for the disk, so the next start finds either all of it or none.
        with trio.CancelScope(shield=True):
            await self._chain.commit(proposal, certificate)
        self._proposal = None
        if self._wal is not None:
            # The last promise stays: it is what keeps a restored backup from being signed over.
            await self._workers.run(partial(self._wal.compact, [self._last_promise]))
        self._events.append(machine.BlockStored(height))

    async def _recover_promise(self) -> None:
        """Finish the block that the log promised and storage lacks, byte for byte."""
        if self._wal is None:
            return
        records = await self._workers.run(self._wal.open)
        head = self._chain.head
        guard_above = self._context.settings["guard_above"]
        if not records:
            if head.height > guard_above:
                raise StorageError(
                    "WAL_CORRUPT",
                    f"{self._wal.path} holds no promise although the chain stands at {head.height}: "
                    "what this key signed is unknown",
                    f"the log of this home, or guard_above = {head.height} in [plugins.consensus.solo] if no other "
                    "node ever signed with this key above that height",
                )
            return
        self._last_promise = records[-1]
        # One promise a height, heights rising: only the last one can be ahead of storage.
        key, promised, block = _read_promise(records[-1], str(self._wal.path))
        if key != self._context.identity.consensus.public_key:
            raise StorageError("WAL_CORRUPT", f"{self._wal.path} belongs to another consensus key, {key.hex()}")
        height = decode_header(block.header).height
        if height <= max(head.height, guard_above):
            return
        if height > head.height + 1:
            raise StorageError(
                "STORAGE_CORRUPT",
                f"the consensus log promises block {height} but storage ends at {head.height}: blocks are lost",
                f"the newest backup of this home; to go on without them, guard_above = {height} "
                "in [plugins.consensus.solo], which signs other blocks at the lost heights",
            )
        self._proposal = await self._workers.run(partial(self._chain.check, block))
        self._context.log.info("finishing promised block height=%d hash=%s", height, promised.hex())
        self._events.append(machine.PromiseRecovered(height, promised))

    def _require_own_set(self) -> None:
        validators = decode_set(self._chain.validator_set)
        own = self._context.identity.consensus.public_key
        if [validator.consensus_key for validator in validators] != [own]:
            raise SettingsError(
                "BAD_SETTING",
                f"consensus.solo needs a validator set of this node's key alone, the chain's set has {len(validators)}",
                "a home made by `metanode init`, with its own keys and genesis",
            )


def _read_promise(raw: bytes, path: str) -> tuple[bytes, bytes, Block]:
    match decode(raw, bytes_max=RECORD_BYTES_MAX):
        case [int(kind), bytes(key), bytes(promised), bytes(encoded)] if kind == RECORD_PROMISE:
            block = decode_block(encoded)
            if header_hash(block.header) == promised:
                return key, promised, block
    raise StorageError("WAL_CORRUPT", f"{path} holds a record that is no promise")

"""The node as a subject: what it said over HTTP and in its log, and what a start makes of a state."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import trio
import trio.testing

from metanode.core import crypto, kernel, loading
from metanode.core.home import Home
from metanode.core.kernel import Node
from metanode.core.model.block import Block
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.header import decode_header, header_hash
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.workers import InlineWorkers
from metanode.plugins.consensus._shared import wal
from metanode.plugins.consensus.solo import plugin as solo
from metanode.plugins.storage.sqlite.store import SqliteStorage
from powercut.disk import Disk, State, write_tree
from powercut.recording import Op, Record

LOG = "data/consensus.solo/wal/wal.log"
ROLES = {"storage": "sqlite", "ledger": "attested", "mempool": "fifo", "consensus": "solo"}
_BODY = re.compile(rb'\{.*\}', re.DOTALL)


@dataclass
class NodeFacts:
    """What the world, or the node itself, may rely on."""

    acknowledged: set[str] = field(default_factory=set)
    """Ids of envelopes that were answered as accepted or final."""
    blocks: dict[int, str] = field(default_factory=dict)
    """Block hash by height: promised in the synced log, or told as final."""


@dataclass(frozen=True)
class NodeOutcome:
    """What a start found."""

    error: str = ""
    blocks: tuple[str, ...] = ()
    final: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()


class NodeSubject:
    """A home that `metanode run` works in."""

    def __init__(self, home: Path, scratch: Path) -> None:
        """:param scratch: a directory in RAM for the states."""
        crypto.install()
        logging.disable(logging.CRITICAL)
        place = Home(home)
        self.genesis = place.genesis()
        self.identity = place.identity()
        self._scratch = scratch / "home"
        self.settings = Settings.from_mapping({"node": {"blocked_ms": 0}, "roles": ROLES})
        _load_once()

    def ignored(self, path: str) -> bool:
        """SQLite makes its -shm anew after a crash; the lock's text and run/ are for people."""
        return path.endswith(("-shm", ".lock")) or path == "run" or path.startswith("run/")

    def fresh(self) -> NodeFacts:
        """Nothing said."""
        return NodeFacts()

    def observe(self, facts: NodeFacts, record: Record, disk: Disk) -> None:
        """Take acknowledgements and final blocks from answers, promises from the synced log."""
        if record.op is Op.SEND:
            self._answered(facts, record.data)
        elif record.op is Op.SYNC and disk.fds[record.fd][0] is disk.find(LOG):
            self._promised(facts, bytes(disk.fds[record.fd][0].data))

    def _answered(self, facts: NodeFacts, data: bytes) -> None:
        found = _BODY.search(data)
        try:
            answer = json.loads(found.group()) if found else None
        except ValueError:
            return  # a log line or a part of a longer answer; the workload asks for short ones
        if not isinstance(answer, dict):
            return
        for one in (answer, *answer.get("results", ())):
            if one.get("ok") and one.get("status") in ("pending", "final"):
                facts.acknowledged.add(one["id"])
        if answer.get("height") and "header_hash" in answer:
            self._told(facts, answer["height"], answer["header_hash"])

    def _promised(self, facts: NodeFacts, data: bytes) -> None:
        for record in read_log(data):
            _, promised, block = solo._read_promise(record, "recorded")
            self._told(facts, decode_header(block.header).height, promised.hex())

    def _told(self, facts: NodeFacts, height: int, told: str) -> None:
        assert facts.blocks.setdefault(height, told) == told, f"two blocks at height {height}"

    def recover(self, state: State) -> NodeOutcome:
        """Start the node's critical roles on the state and read what they hold."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        write_tree(self._scratch, {path: data for path, data in state.files.items() if path.startswith("data")})
        try:
            return trio.run(self._start, clock=trio.testing.MockClock(autojump_threshold=0))
        except (MetanodeError, AssertionError) as error:
            return NodeOutcome(error=error.line() if isinstance(error, MetanodeError) else f"not whole: {error}")

    async def _start(self) -> NodeOutcome:
        opened = Node.open(
            self.settings,
            clock=VirtualClock(),
            randomness=SeededRandomness(1),
            workers=InlineWorkers(),
            home=self._scratch,
            genesis=self.genesis,
            identity=self.identity,
        )
        async with opened as node:
            return await read_node(node, self.genesis.hash)

    def violation(self, outcome: NodeOutcome, facts: NodeFacts) -> str | None:
        """Hold the outcome against what was said."""
        if outcome.error:
            return f"does not start: {outcome.error}"
        for height, told in facts.blocks.items():
            if height > len(outcome.blocks):
                return f"block {height} was promised or told and is gone"
            if outcome.blocks[height - 1] != told:
                return f"another block {height} than the promised one"
        gone = facts.acknowledged - outcome.final - outcome.pending
        return f"acknowledged and gone: {sorted(gone)[:3]}" if gone else None


async def read_node(node: Node, genesis_hash: bytes) -> NodeOutcome:
    """Read the whole chain of a started node, checking that it hangs together."""
    storage, head = node.roles.storage, node.roles.consensus.head
    headers = await storage.headers(1, head.height) if head.height else []
    assert [height for height, _, _ in headers] == list(range(1, head.height + 1)), "heights have a gap"
    told = [genesis_hash]
    for height, raw, _ in headers:
        parent, own = _links(raw)
        assert parent == told[-1], f"block {height} does not follow its parent"
        told.append(own)
    places: dict[bytes, tuple[int, int]] = {}
    for height in range(1, head.height + 1):
        record = await storage.block(height)
        assert record is not None, f"block {height} is missing"
        for position, envelope_id in enumerate(_ids(record.block)):
            assert envelope_id not in places, "an envelope stands in two blocks"
            places[envelope_id] = (height, position)
    assert isinstance(storage, SqliteStorage)
    index = await storage._read(lambda reader: reader.execute("SELECT id, height, position FROM envelopes").fetchall())
    assert {row[0]: (row[1], row[2]) for row in index} == places, "the index of ids is wrong"
    pending = {envelope_id for envelope_id, _ in await storage.load_pending()}
    assert not pending & places.keys(), "an envelope is final and waits"
    supply = dict(node.roles.ledger.supply(head.state))
    assert supply.pop("supply") == sum(supply.values()), f"the supply does not sum: {supply}"
    return NodeOutcome(
        blocks=tuple(value.hex() for value in told[1:]),
        final=frozenset(envelope_id.hex() for envelope_id in places),
        pending=frozenset(envelope_id.hex() for envelope_id in pending if node.roles.mempool.pending(envelope_id)),
    )


@lru_cache(maxsize=4096)
def _links(header: bytes) -> tuple[bytes, bytes]:
    return decode_header(header).prev_hash, header_hash(header)


@lru_cache(maxsize=4096)
def _ids(block: Block) -> tuple[bytes, ...]:
    return tuple(decode_envelope(raw).id for raw in block.envelope_bytes())


def read_log(data: bytes) -> list[bytes]:
    """Return the whole records of a consensus log."""
    records: list[bytes] = []
    position, salt = wal.START_BYTES, data[len(wal.MAGIC) : wal.MARK_AT]
    while True:
        record, position = wal._read(data, position, salt)
        if record is None:
            return records
        records.append(record)


def _load_once() -> None:
    """Look for plugins once, not at each of ten thousand starts; what a start does with the disk stays as it is."""
    loaded: list[loading.Loaded] = []

    def cached(settings: Settings, **given: Any) -> loading.Loaded:
        if not loaded:
            loaded.append(loading.load(settings, **given))
        return loaded[0]

    setattr(kernel, "load", cached)  # noqa: B010 - a name that the kernel imported for itself

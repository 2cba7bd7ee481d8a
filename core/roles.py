"""One small Protocol per role, and the values that cross between roles.

A role object is what a plugin's `provide_<role>` or `register_<role>` hook returns.
The kernel fills single roles in the order storage, ledger, mempool, consensus, starts
their `run`, and closes them in reverse.  Batches, not items, cross a role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import trio

    from metanode.core.model.block import Block
    from metanode.core.model.envelope import Envelope
    from metanode.core.model.errors import MetanodeError
    from metanode.core.model.header import Header
    from metanode.core.model.kinds import KindRegistry
    from metanode.core.model.receipt import Receipt
    from metanode.core.model.state_map import StateMap
    from metanode.core.model.vote import Certificate

SINGLE_ROLES = ("storage", "ledger", "mempool", "consensus")
"""Exactly one plugin fills each; filled in this order, closed in reverse; fail closed."""
MANY_ROLES = ("transport", "api")
"""Any number of plugins; a failing one is restarted, then quarantined."""


class Service(Protocol):
    """What the kernel can run: every role object is one."""

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Do the role's background work until cancelled.

        Calls `task_status.started()` once it is ready to serve; the kernel waits for that
        up to the manifest's `start_timeout_s`.  Cleans up in `finally`, shielded and bounded.
        """


class Ancestors(Protocol):
    """The finalised headers behind a head, at least as far back as `Params.look_back_ms` from its time.

    A lookup, not a rule: what is older may be known or not, so the ledger measures the age itself.
    """

    def at(self, height: int) -> tuple[bytes, int] | None:
        """Return (header_hash, time_ms) of `height`, genesis as 0; None if it is not kept."""


@dataclass(frozen=True)
class Head:
    """The newest finalised block and the state after it.  Height 0 is genesis: no header, no certificate."""

    height: int
    header_hash: bytes
    time_ms: int
    beta: bytes
    """VRF output of this header (64 bytes); beta_0 at genesis."""
    state: StateMap
    header: Header | None
    certificate: Certificate | None
    ancestors: Ancestors = field(repr=False)


@dataclass(frozen=True)
class BlockFields:
    """What a block being executed knows of itself beyond its parent and envelopes."""

    height: int
    time_ms: int
    proposer_index: int


@dataclass(frozen=True)
class Row:
    """One row for the read-only views; replaces the row with the same key.

    `table` is one of wallets, attestations, transfers, epochs, miners; columns per table
    are listed in `VIEW_COLUMNS`, the first `VIEW_KEYS[table]` of them form the key.
    """

    table: str
    values: tuple[int | str | None, ...]


VIEW_COLUMNS: dict[str, tuple[str, ...]] = {
    "wallets": ("account", "balance", "nonce", "updated_height"),
    "attestations": ("machine", "interval", "epoch", "height", "envelope_id", "counted"),
    "transfers": ("envelope_id", "position", "height", "kind", "sender", "receiver", "amount", "fee", "code"),
    "epochs": ("epoch", "settled_height", "pot", "paid", "machines", "total_weight"),
    "miners": (
        "machine",
        "machine_index",
        "owner",
        "sponsor",
        "device_family",
        "device_arch",
        "class",
        "weight",
        "registered_height",
        "last_interval",
        "reward_total",
    ),
}
VIEW_KEYS: dict[str, int] = {"wallets": 1, "attestations": 2, "transfers": 2, "epochs": 1, "miners": 1}
"""Accounts and machines are bech32m text, ids are hex, amounts micro-units.  `kind` is transfer, reward,
escrow, bond, unbond or slash.  A transfer's key never comes twice: an envelope stands in a chain once."""


@dataclass(frozen=True)
class LedgerEvent:
    """Something the ledger did in a block, told on the bus after the block is durable.

    `name` is e.g. transfer_applied, machine_registered, attestation_counted, epoch_settled, reward_paid.
    """

    name: str
    height: int
    data: Mapping[str, int | str]


@dataclass(frozen=True)
class Dropped:
    """A candidate that may not stand in the block at its position, and why."""

    envelope: Envelope
    error: MetanodeError


@dataclass(frozen=True)
class Execution:
    """What a block does to its parent's state.  All lists are in block order."""

    state: StateMap
    changes: Sequence[tuple[bytes, bytes | None]]
    """State entries written (value) or removed (None), by rising key."""
    included: Sequence[Envelope]
    dropped: Sequence[Dropped]
    receipts: Sequence[Receipt]
    rows: Sequence[Row]
    events: Sequence[LedgerEvent]
    validator_set: bytes
    """The canonical set that acts at the next height."""
    params_hash: bytes


@dataclass(frozen=True)
class AccountView:
    """An account as the state holds it; all zero and no key when it is unknown."""

    account: bytes
    balance: int
    nonce: int
    public_key: bytes


class Ledger(Service, Protocol):
    """The rules of money and machines: pure functions from a parent state.  Holds no chain state itself."""

    @property
    def kinds(self) -> KindRegistry:
        """The kinds of envelope these rules know; a pool takes lane and noncelessness from here."""

    def genesis_state(self) -> StateMap:
        """Return the state before block 1."""

    def genesis_validator_set(self) -> bytes:
        """Return the canonical set that certifies block 1."""

    def validator_set(self, state: StateMap) -> bytes:
        """Return the canonical set that certifies the block on top of `state`."""

    def execute(self, parent: Head, fields: BlockFields, envelopes: Sequence[Envelope], *, assemble: bool) -> Execution:
        """Apply envelopes in order on top of the parent's state.

        With `assemble` (a proposer building a block) an envelope that would make the block
        invalid is left out and reported in `dropped`; without it (checking a block) it raises.

        :raises InvalidBlock: an envelope may not stand where it stands (never with `assemble`),
            or the supply does not sum.
        """

    def check(self, head: Head, envelopes: Sequence[Envelope]) -> list[MetanodeError | None]:
        """Check envelopes for admission on top of `head`, each alone, cheapest check first.

        Verifies signatures in one batch and remembers the verdicts by (id, key), so that
        `execute` need not repeat them.  Runs in a worker thread: touches no shared state but that cache.
        A nonce up to `NONCE_AHEAD_MAX` ahead is not an error here.
        """

    def account(self, state: StateMap, account: bytes) -> AccountView:
        """Read one account."""

    def supply(self, state: StateMap) -> Mapping[str, int]:
        """Return the supply and its parts (accounts, bonded, pot, treasury, ...) in micro-units."""


@dataclass(frozen=True)
class Admission:
    """The pool's answer for one envelope: accepted when `error` is None, durable once returned."""

    id: bytes | None
    error: MetanodeError | None
    known: bool = False
    """The same bytes were already pending: accepted again without effect."""


class Mempool(Service, Protocol):
    """Envelopes that wait for a block."""

    async def submit(self, raw: Sequence[bytes], *, source: str) -> list[Admission]:
        """Decode, check and queue a batch; answers in order.  What is accepted survives a crash.

        :param source: who submits (address or plugin name), for the per-source limit.
        """

    async def recover(self, head: Head) -> None:
        """Reload what was pending before a restart, on top of `head`.  Consensus calls this once."""

    def advance(self, head: Head, included: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        """A block became final: forget these ids, drop what can no longer be included."""

    def select(self, *, count_max: int, bytes_max: int) -> list[Envelope]:
        """Return envelopes for the next block: lanes in order, nonces rising per sender, best fee first."""

    def pending(self, envelope_id: bytes) -> Envelope | None:
        """Return a waiting envelope by id."""

    def next_nonce(self, account: bytes) -> int:
        """Return the nonce the account's next envelope should carry, pending ones counted."""

    async def wait_for_envelopes(self) -> None:
        """Return when at least one envelope is waiting."""

    def stats(self) -> Mapping[str, int]:
        """Return counts and bytes per lane, for health and metrics."""


@dataclass(frozen=True)
class BlockRecord:
    """A finalised block as storage keeps it: opaque bytes and offsets, never re-encoded."""

    block: Block
    header_hash: bytes
    certificate: bytes
    receipts: Sequence[bytes]


@dataclass(frozen=True)
class BlockCommit:
    """Everything one block changes; stored in one atomic, durable step or not at all."""

    record: BlockRecord
    envelope_ids: Sequence[bytes]
    changes: Sequence[tuple[bytes, bytes | None]]
    rows: Sequence[Row]
    drop_pending: Sequence[bytes]
    """Ids of pending envelopes that are now included or can never be."""
    next_set: bytes = b""
    """The validator set that acts from the next height on, where the block changes it."""


@dataclass(frozen=True)
class Snapshot:
    """A chain from one of its blocks on, for a node that will not see those before."""

    commit: BlockCommit
    """That block; `changes` is the whole state after it, `rows` what the views say of that state."""
    ancestors: Sequence[tuple[bytes, int]]
    """(header hash, time in ms) of the blocks right before it, rising, as far as rules look back."""


class Storage(Service, Protocol):
    """Durable blocks, state entries, pending envelopes and the views."""

    async def open(self, genesis_hash: bytes) -> None:
        """Open and check the data.  A fresh store remembers the genesis hash.

        :raises StorageError: damaged, locked, of another version or another genesis.
        """

    async def put_genesis(self, entries: Sequence[tuple[bytes, bytes]], rows: Sequence[Row]) -> None:
        """Write the state before block 1.  No effect when it already stands."""

    async def load_state(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return (head height, all state entries by rising key); (0, []) when fresh."""

    async def commit(self, commit: BlockCommit) -> None:
        """Make one block durable.  Heights rise by one.

        :raises StorageError: the height is not the next one, or the disk refuses.
        """

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Begin the chain at this block instead of genesis: durable whole, or not at all.

        :raises StorageError: BAD_HEADER when there is a block already, or the disk refuses.
        """

    async def origin(self) -> tuple[int, list[tuple[bytes, int]]]:
        """Return the height of the first block kept and the `Snapshot.ancestors` before it; (1, []) from genesis on."""

    async def set_changes(self, after: int) -> list[tuple[int, bytes]]:
        """Return (height, set) of the blocks above `after` that changed the set, rising; at most SET_CHANGES_MAX."""

    async def block(self, height: int) -> BlockRecord | None:
        """Read a block by height."""

    async def headers(self, first: int, last: int) -> list[tuple[int, bytes, bytes]]:
        """Return (height, header bytes, certificate bytes) for a closed range, rising; at most HEADERS_PER_READ_MAX."""

    async def find_height(self, header_hash: bytes) -> int | None:
        """Return the height of a header hash."""

    async def find_envelope(self, envelope_id: bytes) -> tuple[int, int] | None:
        """Return (height, index in block) of an included envelope."""

    async def save_pending(self, envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        """Make (id, bytes) durable before they are acknowledged; group-committed."""

    async def drop_pending(self, ids: Sequence[bytes]) -> None:
        """Forget pending envelopes that will never be included."""

    async def load_pending(self) -> list[tuple[bytes, bytes]]:
        """Return pending (id, bytes) in the order they were saved."""

    async def rows(
        self, table: str, *, where: Mapping[str, int | str], limit: int, offset: int
    ) -> list[dict[str, Any]]:
        """Read a view, newest first (by height columns, else by key); `where` compares columns for equality."""

    async def health(self) -> Mapping[str, bool | int | float]:
        """Return at least `db_rw` (a write just worked) and `backup_age_hours` (-1: never)."""


class Consensus(Service, Protocol):
    """Agreement on the next block."""

    @property
    def head(self) -> Head:
        """The newest finalised block."""

    def status(self) -> Mapping[str, int | str]:
        """Return height, round and what is waited for, in words."""

    async def wait_for_height(self, height: int) -> Head:
        """Return once `height` is final."""


class Connection(Protocol):
    """An authenticated, ordered, bounded stream of frames to one peer."""

    @property
    def peer(self) -> bytes:
        """The peer's node key (32 bytes)."""

    async def send(self, lane: int, payload: bytes) -> None:
        """Queue one message; waits when the lane is full.

        :raises PeerError: closed by either side.
        """

    def send_nowait(self, lane: int, payload: bytes) -> bool:
        """Queue one message if there is room for it; False when the lane is full or the connection closed."""

    async def receive(self) -> tuple[int, bytes]:
        """Return the next (lane, payload).  One task at a time.

        :raises PeerError: closed by either side, or the peer broke a rule.
        """

    async def aclose(self, code: str = "") -> None:
        """Send what is queued, as far as that takes no long time, and close both directions.

        :param code: why, the name of a `core.wire.secure.CloseReason`, told to the other end.
        """


class Transport(Service, Protocol):
    """A way to reach other nodes."""

    async def connect(self, address: str) -> Connection:
        """Open a connection to `TRANSPORT:PLACE#NODEKEY` (`core.wire.address`); the key may be left out.

        :raises PeerError: unreachable, or the peer is not who it must be.
        """

    async def accept(self) -> Connection:
        """Return the next connection that a peer opened."""


class Peers(Protocol):
    """The nodes this one is joined to, and a lane to all or one of them.  Part of every node, filled by no plugin.

    Sending never waits: each peer has a bounded queue per lane, and what does not fit is lost: the oldest vote,
    in other lanes the new payload.  Lanes are those of `core.wire.frames.Lane`.
    """

    def connected(self) -> tuple[bytes, ...]:
        """Return the node keys of the peers that can be reached now."""

    def broadcast(self, lane: int, payload: bytes) -> None:
        """Queue one payload for every connected peer."""

    def send(self, peer: bytes, lane: int, payload: bytes) -> bool:
        """Queue one payload for one peer; False when it is not connected or its queue is full."""

    def subscribe(self, lane: int) -> trio.abc.ReceiveChannel[tuple[bytes, bytes]]:
        """Return what arrives on a lane from now on: (node key of the peer, payload); bounded."""


class Api(Service, Protocol):
    """A listener for programs and people."""

    @property
    def addresses(self) -> Sequence[str]:
        """The URLs it serves once started."""


@dataclass
class Roles:
    """The role objects of a running node; the kernel fills them in order."""

    _single: dict[str, Any] = field(default_factory=dict)
    _many: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def storage(self) -> Storage:
        """The one storage."""
        storage: Storage = self._single["storage"]
        return storage

    @property
    def ledger(self) -> Ledger:
        """The one ledger."""
        ledger: Ledger = self._single["ledger"]
        return ledger

    @property
    def mempool(self) -> Mempool:
        """The one mempool."""
        mempool: Mempool = self._single["mempool"]
        return mempool

    @property
    def consensus(self) -> Consensus:
        """The one consensus."""
        consensus: Consensus = self._single["consensus"]
        return consensus

    def many(self, role: str) -> Mapping[str, Any]:
        """Role objects of a many-role by plugin name; empty when none is configured."""
        return self._many.get(role, {})

    def fill(self, role: str, name: str, provided: Any) -> None:
        """Record a role object.  Only the kernel calls this."""
        if role in SINGLE_ROLES:
            self._single[role] = provided
        else:
            self._many.setdefault(role, {})[name] = provided

    def empty(self, role: str, name: str) -> None:
        """Forget a role object that stopped.  Only the kernel calls this."""
        if role in SINGLE_ROLES:
            self._single.pop(role, None)
        else:
            self._many.get(role, {}).pop(name, None)

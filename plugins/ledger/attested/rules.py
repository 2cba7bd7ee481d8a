"""What the rules of one chain are made of, fixed by its genesis, and where a block stands in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from metanode.core.model.bodies import KINDS
from metanode.core.model.errors import SettingsError
from metanode.core.model.genesis import Genesis, Params
from metanode.core.model.kinds import KindRegistry
from metanode.core.model.receipt import Event
from metanode.core.roles import Ancestors, BlockFields, Head, LedgerEvent, Row
from metanode.fingerprint.multipliers import Table, load_table
from metanode.fingerprint.scoring import Policy, scoring_name
from metanode.plugins.ledger.attested.schedule import Schedule


@dataclass(frozen=True)
class Rules:
    """Everything about a chain that never changes."""

    genesis: Genesis
    genesis_hash: bytes
    params: Params
    schedule: Schedule
    policy: Policy
    """How machines are scored."""
    table: Table
    """What hardware is worth; read once, so that no block can meet another file."""
    kinds: KindRegistry


def rules_of(genesis: Genesis) -> Rules:
    """Return the rules that a genesis fixes.

    :raises SettingsError: this software scores machines otherwise than the chain does, or its table is damaged.
    """
    table = load_table()
    own = scoring_name(table)
    if genesis.params.scoring != own:
        raise SettingsError(
            "BAD_SETTING",
            f"this chain scores machines by {genesis.params.scoring}, this software by {own}",
            "the release of metanode whose scoring the genesis names",
        )
    registry = KindRegistry()
    for kind in KINDS:
        registry.register(kind)
    params = genesis.params
    return Rules(
        genesis=genesis,
        genesis_hash=genesis.hash,
        params=params,
        schedule=Schedule.of(genesis),
        policy=Policy.of(params),
        table=table,
        kinds=registry,
    )


@dataclass(frozen=True)
class Place:
    """Where a block stands: what rules may know besides the state."""

    rules: Rules
    height: int
    time_ms: int
    parent_ms: int
    """The parent's time: what looking back is measured from."""
    epoch: int
    ancestors: Ancestors = field(repr=False)


def place_of(rules: Rules, parent: Head, fields: BlockFields) -> Place:
    """Return the place of a block on top of `parent`."""
    epoch = rules.schedule.epoch(fields.time_ms)
    return Place(rules, fields.height, fields.time_ms, parent.time_ms, epoch, parent.ancestors)


def next_place(rules: Rules, head: Head) -> Place:
    """Return the earliest place that the next block can have: what admission and previews judge by."""
    return place_of(rules, head, BlockFields(head.height + 1, head.time_ms + 1, 0))


@dataclass
class Journal:
    """What a block tells the views and the bus, in the order in which it happened."""

    height: int
    rows: list[Row] = field(default_factory=list)
    events: list[LedgerEvent] = field(default_factory=list)

    def row(self, table: str, *values: int | str | None) -> None:
        """Add a row of a view."""
        self.rows.append(Row(table, values))

    def event(self, name: str, **data: int | str) -> None:
        """Add an event for the bus."""
        self.events.append(LedgerEvent(name, self.height, data))


class Slip(NamedTuple):
    """An envelope at its position: what the rules of a kind are given beside its body."""

    id: bytes
    sender: bytes
    fee: int
    position: int
    """Index in the block."""
    place: Place
    journal: Journal


Events = tuple[Event, ...]
"""What an applied body leaves in its receipt."""

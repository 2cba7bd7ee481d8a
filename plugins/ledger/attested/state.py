"""Typed reading of a state, and an overlay that gathers what a block changes.

Entries are decoded once and encoded once per block, however often a block touches them.
"""

from __future__ import annotations

from typing import TypeVar, cast

from metanode.core.model import codec
from metanode.core.model.genesis import Genesis
from metanode.core.model.state_map import StateMap
from metanode.plugins.ledger.attested import tables
from metanode.plugins.ledger.attested.entries import (
    Account,
    Counters,
    Entry,
    Machine,
    Number,
    Seal,
    Settlement,
    SponsorCount,
    Tag,
)
from metanode.plugins.ledger.attested.tables import Global

_E = TypeVar("_E", bound=Entry)
_NO_ACCOUNT = Account()
_NO_COUNTERS = Counters()
_ZERO = Number(0)


class LedgerState:
    """A parent's state under the changes of one block.  Reading it alone changes nothing."""

    def __init__(self, base: StateMap) -> None:
        self.base = base
        self._entries: dict[bytes, Entry | None] = {}
        self._written: set[bytes] = set()

    def account(self, account: bytes) -> Account:
        """Return an account; an unknown one is empty."""
        return self._read(tables.account_key(account), Account) or _NO_ACCOUNT

    def put_account(self, account: bytes, entry: Account) -> None:
        """Write an account."""
        self._write(tables.account_key(account), entry)

    def credit(self, account: bytes, amount: int) -> None:
        """Add to a balance.  No sum can leave 64 bits: the supply does not."""
        before = self.account(account)
        self.put_account(account, Account(before.balance + amount, before.nonce, before.public_key))

    def machine(self, index: int) -> Machine:
        """Return the record of a machine that exists."""
        machine = self._read(tables.machine_key(index), Machine)
        assert machine is not None, f"machine {index} is counted, so it has a record"
        return machine

    def put_machine(self, index: int, entry: Machine) -> None:
        """Write a machine's record."""
        self._write(tables.machine_key(index), entry)

    def machine_index(self, account: bytes) -> int | None:
        """Return the index of the machine whose key has this account id."""
        number = self._read(tables.machine_index_key(account), Number)
        return None if number is None else number.value

    def put_machine_index(self, account: bytes, index: int) -> None:
        """Let a machine's account lead to its index."""
        self._write(tables.machine_index_key(account), Number(index))

    def tag(self, binding_tag: bytes) -> Tag | None:
        """Return who holds a binding tag."""
        return self._read(tables.tag_key(binding_tag), Tag)

    def put_tag(self, binding_tag: bytes, entry: Tag) -> None:
        """Give a binding tag to a machine."""
        self._write(tables.tag_key(binding_tag), entry)

    def counters(self, index: int) -> Counters:
        """Return a machine's counters; all zero before its first attestation."""
        return self._read(tables.counters_key(index), Counters) or _NO_COUNTERS

    def has_counters(self, index: int) -> bool:
        """Return whether a machine has ever attested."""
        return self._read(tables.counters_key(index), Counters) is not None

    def put_counters(self, index: int, entry: Counters) -> None:
        """Write a machine's counters."""
        self._write(tables.counters_key(index), entry)

    def seal(self, commit: bytes) -> Seal | None:
        """Return the commit that waits under this hash."""
        return self._read(tables.seal_key(commit), Seal)

    def put_seal(self, commit: bytes, entry: Seal | None) -> None:
        """Write a commit, or forget it."""
        self._write(tables.seal_key(commit), entry)

    def sponsor_count(self, account: bytes) -> SponsorCount | None:
        """Return how many machines a sponsor committed lately."""
        return self._read(tables.sponsor_key(account), SponsorCount)

    def put_sponsor_count(self, account: bytes, entry: SponsorCount) -> None:
        """Write a sponsor's count."""
        self._write(tables.sponsor_key(account), entry)

    def number(self, entry: Global) -> int:
        """Return one of the globals CARRIED to MACHINES."""
        return (self._read(tables.global_key(entry), Number) or _ZERO).value

    def put_number(self, entry: Global, value: int) -> None:
        """Write one of the globals CARRIED to MACHINES."""
        self._write(tables.global_key(entry), Number(value))

    def settlement(self) -> Settlement | None:
        """Return the settlement in progress."""
        return self._read(tables.global_key(Global.SETTLEMENT), Settlement)

    def put_settlement(self, entry: Settlement | None) -> None:
        """Write the settlement in progress, or end it."""
        self._write(tables.global_key(Global.SETTLEMENT), entry)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return what differs from the base, by rising key; None removes."""
        changes: list[tuple[bytes, bytes | None]] = []
        for key in sorted(self._written):
            entry = self._entries[key]
            value = None if entry is None else entry.encode()
            if value != self.base.get(key):
                changes.append((key, value))
        return changes

    def _read(self, key: bytes, kind: type[_E]) -> _E | None:
        if key in self._entries:
            # A key belongs to one table, and a table holds one type.
            return cast("_E | None", self._entries[key])
        value = self.base.get(key)
        entry = None if value is None else kind.decode(value)
        self._entries[key] = entry
        return entry

    def _write(self, key: bytes, entry: Entry | None) -> None:
        self._entries[key] = entry
        self._written.add(key)


def genesis_state(genesis: Genesis) -> StateMap:
    """Return the state before block 1."""
    state = LedgerState(StateMap.empty())
    for account, balance in genesis.accounts:
        state.put_account(account, Account(balance))
    for entry in (Global.CARRIED, Global.FEES, Global.MACHINES):
        state.put_number(entry, 0)
    state.put_number(Global.TREASURY, genesis.treasury)
    state.put_number(Global.SUPPLY, genesis.supply)
    written = [(key, value) for key, value in state.changes() if value is not None]
    written.append((tables.VALIDATOR_SET_KEY, codec.encode([genesis.validators])))
    written.append((tables.PARAMS_KEY, codec.encode([genesis.params.encode()])))
    return StateMap.from_entries(written)

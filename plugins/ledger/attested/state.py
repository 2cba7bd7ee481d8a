"""Typed reading of a state, and an overlay that gathers what a block changes.

Entries are decoded once and encoded once per block, however often a block touches them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar, cast

from metanode.core.model import codec
from metanode.core.model.genesis import Genesis
from metanode.core.model.limits import VALIDATOR_SET_BYTES_MAX
from metanode.core.model.state_map import StateMap
from metanode.core.model.state_tables import Table
from metanode.core.model.validators import Validator, decode_set
from metanode.plugins.ledger.attested import tables
from metanode.plugins.ledger.attested.entries import (
    Account,
    Buckets,
    Calibrated,
    Counters,
    Entry,
    Holder,
    Machine,
    NextSet,
    Number,
    PastSet,
    Proposal,
    Punished,
    Rotation,
    Seal,
    Settlement,
    SponsorCount,
    Stake,
    Tag,
)
from metanode.plugins.ledger.attested.tables import Global

_E = TypeVar("_E", bound=Entry)
_NO_ACCOUNT = Account()
_NO_COUNTERS = Counters()
_ZERO = Number(0)
_NOTHING = Buckets()


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

    def rotation(self) -> Rotation | None:
        """Return what checks are drawn by; None before block 1."""
        return self._read(tables.global_key(Global.ROTATION), Rotation)

    def put_rotation(self, entry: Rotation) -> None:
        """Write what the checks of an epoch are drawn by."""
        self._write(tables.global_key(Global.ROTATION), entry)

    def escrow(self) -> Buckets:
        """Return all that is escrowed."""
        return self._read(tables.global_key(Global.ESCROW), Buckets) or _NOTHING

    def put_escrow(self, entry: Buckets) -> None:
        """Write all that is escrowed."""
        self._write(tables.global_key(Global.ESCROW), entry if entry.amounts else None)

    def claims(self, index: int) -> Buckets:
        """Return what is escrowed for a machine; buckets that have run out may still be listed."""
        return self._read(tables.escrow_key(index), Buckets) or _NOTHING

    def put_claims(self, index: int, entry: Buckets) -> None:
        """Write what is escrowed for a machine."""
        self._write(tables.escrow_key(index), entry if entry.amounts else None)

    def twins(self, sponsor: bytes, inventory_digest: bytes) -> int:
        """Return how many machines of one inventory a sponsor has on record."""
        return (self._read(tables.twins_key(sponsor, inventory_digest), Number) or _ZERO).value

    def put_twins(self, sponsor: bytes, inventory_digest: bytes, count: int) -> None:
        """Write how many machines of one inventory a sponsor has on record."""
        self._write(tables.twins_key(sponsor, inventory_digest), Number(count) if count else None)

    def proposal(self, proposal: bytes) -> Proposal | None:
        """Return an open proposal."""
        return self._read(tables.proposal_key(proposal), Proposal)

    def put_proposal(self, proposal: bytes, entry: Proposal | None) -> None:
        """Write a proposal, or end it."""
        self._write(tables.proposal_key(proposal), entry)

    def proposals(self) -> list[tuple[bytes, Proposal]]:
        """Return (id, proposal) of all that are open, by rising id; few, see `govern`."""
        return self._all(Table.PROPOSAL, Proposal)

    def stake(self, account: bytes) -> Stake | None:
        """Return what an account bonded."""
        return self._read(tables.stake_key(account), Stake)

    def put_stake(self, account: bytes, entry: Stake | None) -> None:
        """Write what an account bonded, or end it."""
        self._write(tables.stake_key(account), entry)

    def stakes(self) -> list[tuple[bytes, Stake]]:
        """Return (account, stake) of all that are bonded, by rising account; read once an epoch."""
        return self._all(Table.STAKE, Stake)

    def stake_holder(self, key: bytes) -> bytes | None:
        """Return the account that bonded for a validator's key."""
        holder = self._read(tables.stake_holder_key(key), Holder)
        return None if holder is None else holder.account

    def put_stake_holder(self, key: bytes, account: bytes | None) -> None:
        """Let a key lead to an account, or to none."""
        self._write(tables.stake_holder_key(key), None if account is None else Holder(account))

    def punished(self, ident: bytes) -> Punished | None:
        """Return whether a double vote was punished."""
        return self._read(tables.evidence_key(ident), Punished)

    def put_punished(self, ident: bytes, entry: Punished | None) -> None:
        """Remember a punished double vote, or forget it."""
        self._write(tables.evidence_key(ident), entry)

    def all_punished(self) -> list[tuple[bytes, Punished]]:
        """Return (id, mark) of the double votes that evidence could still be brought of."""
        return self._all(Table.EVIDENCE, Punished)

    def epoch_starts(self) -> Buckets:
        """Return (epoch, its first height) of the epochs that evidence reaches back to."""
        return self._read(tables.global_key(Global.EPOCHS), Buckets) or _NOTHING

    def put_epoch_starts(self, entry: Buckets) -> None:
        """Write them."""
        self._write(tables.global_key(Global.EPOCHS), entry)

    def calibrated(self, model: str) -> Calibrated | None:
        """Return what is known of a model once it is calibrated."""
        return self._read(tables.calibrated_key(model), Calibrated)

    def put_calibrated(self, model: str, entry: Calibrated) -> None:
        """Calibrate a model."""
        self._write(tables.calibrated_key(model), entry)

    def validators(self) -> tuple[Validator, ...]:
        """Return the members of the set that certifies this block; a change made in it counts from the next on."""
        return validators_of(self.base.get(tables.VALIDATOR_SET_KEY))

    def next_set(self) -> bytes:
        """Return the canonical set that acts at the next height."""
        entry = self._read(tables.VALIDATOR_SET_KEY, NextSet)
        assert entry is not None, "genesis wrote a set"
        return entry.encoded

    def put_next_set(self, encoded: bytes) -> None:
        """Write the set that acts at the next height."""
        self._write(tables.VALIDATOR_SET_KEY, NextSet(encoded))

    def past_set(self, set_hash: bytes) -> PastSet | None:
        """Return a set that acts no more."""
        return self._read(tables.past_set_key(set_hash), PastSet)

    def put_past_set(self, set_hash: bytes, entry: PastSet | None) -> None:
        """Keep a set that acts no more, or forget it."""
        self._write(tables.past_set_key(set_hash), entry)

    def past_sets(self) -> list[tuple[bytes, PastSet]]:
        """Return (hash, set) of those that are kept, by rising hash."""
        return self._all(Table.PAST_SET, PastSet)

    def changes(self) -> list[tuple[bytes, bytes | None]]:
        """Return what differs from the base, by rising key; None removes."""
        changes: list[tuple[bytes, bytes | None]] = []
        for key in sorted(self._written):
            entry = self._entries[key]
            value = None if entry is None else entry.encode()
            if value != self.base.get(key):
                changes.append((key, value))
        return changes

    def _all(self, table: Table, kind: type[_E]) -> list[tuple[bytes, _E]]:
        """Return (id, entry) of a small table, by rising id."""
        prefix = bytes((table,))
        keys = {key for key, _ in self.base.items_with_prefix(prefix)}
        keys.update(key for key in self._written if key.startswith(prefix))
        found = [(key[1:], self._read(key, kind)) for key in sorted(keys)]
        return [(ident, entry) for ident, entry in found if entry is not None]

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


@lru_cache(maxsize=4)  # the set stays the same for many blocks
def validators_of(value: bytes | None) -> tuple[Validator, ...]:
    """Return the members in a value of table 7; none where there is no such entry."""
    if value is None:
        return ()
    (raw,) = codec.expect_list(codec.decode(value, bytes_max=VALIDATOR_SET_BYTES_MAX), "state set", size=1)
    return decode_set(codec.expect_bytes(raw, "state set"))


def genesis_state(genesis: Genesis) -> StateMap:
    """Return the state before block 1."""
    state = LedgerState(StateMap.empty())
    for account, balance in genesis.accounts:
        state.put_account(account, Account(balance))
    for entry in (Global.CARRIED, Global.FEES, Global.MACHINES):
        state.put_number(entry, 0)
    state.put_number(Global.TREASURY, genesis.treasury)
    state.put_number(Global.SUPPLY, genesis.supply)
    state.put_next_set(genesis.validators)
    for member in decode_set(genesis.validators):
        stake = Stake(member.consensus_key, member.vrf_key, member.bls, b"", member.bond, admitted=1)
        state.put_stake(member.account, stake)
        for key in stake.keys:
            state.put_stake_holder(key, member.account)
    written = [(key, value) for key, value in state.changes() if value is not None]
    written.append((tables.PARAMS_KEY, codec.encode([genesis.params.encode()])))
    return StateMap.from_entries(written)

"""Rows of the views that follow from changed state entries: wallets and miners."""

from __future__ import annotations

from collections.abc import Sequence

from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.state_tables import Table
from metanode.core.roles import Row
from metanode.plugins.ledger.attested.rules import Rules
from metanode.plugins.ledger.attested.state import LedgerState


def rows_of_changes(
    rules: Rules, state: LedgerState, changes: Sequence[tuple[bytes, bytes | None]], parent_height: int, height: int
) -> list[Row]:
    """Return rows for every account and machine a block changed, accounts first, by rising id.

    Block 1 adds the accounts of genesis: there is no block before it that could tell them.
    """
    accounts = {key[1:]: height for key, _ in changes if key[0] == Table.ACCOUNT}
    if parent_height == 0:
        accounts = {**dict.fromkeys((account for account, _ in rules.genesis.accounts), 0), **accounts}
    rows = []
    for account in sorted(accounts):
        entry = state.account(account)
        rows.append(Row("wallets", (to_bech32m(account), entry.balance, entry.nonce, accounts[account])))
    indexes = {int.from_bytes(key[1:], "big") for key, _ in changes if key[0] in (Table.MACHINE, Table.COUNTERS)}
    rows += [_miner_row(state, index) for index in sorted(indexes)]
    return rows


def _miner_row(state: LedgerState, index: int) -> Row:
    machine = state.machine(index)
    return Row(
        "miners",
        (
            to_bech32m(account_id(machine.machine_key)),
            index,
            to_bech32m(machine.heir or machine.owner),
            to_bech32m(machine.sponsor),
            machine.family,
            machine.arch,
            machine.klass,
            0 if machine.displaced or machine.retired else machine.weight,
            machine.record_height,
            state.counters(index).last_interval if state.has_counters(index) else None,
            machine.reward_total,
        ),
    )

"""The supply and its parts, and the check that no block creates or loses a micro-unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metanode.core.model.errors import InvalidBlock
from metanode.core.model.state_map import StateMap
from metanode.core.model.state_tables import Table
from metanode.plugins.ledger.attested.entries import Account, Stake
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.tables import Global

_ACCOUNT, _STAKE = bytes((Table.ACCOUNT,)), bytes((Table.STAKE,))


def supply_parts(base: StateMap) -> dict[str, int]:
    """Return the supply and what it consists of, micro-units, read from the whole state."""
    accounts = sum(Account.balance_in(value) for _, value in base.items_with_prefix(_ACCOUNT))
    bonded = sum(Stake.bond_in(value) for _, value in base.items_with_prefix(_STAKE))
    supply = LedgerState(base).number(Global.SUPPLY)
    return {"supply": supply, "accounts": accounts, "bonded": bonded, **_other_parts(base)}


def check_supply(base: StateMap, after: StateMap, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
    """Check that what a block did to the parts is what it did to the supply.

    Sums changes only, which is the whole check when the parent's parts sum: genesis does so by
    construction, every later state by this check.

    :raises InvalidBlock: SUPPLY_BROKEN.
    """
    moved = sum(_balance(value) - _balance(base.get(key)) for key, value in changes if key.startswith(_ACCOUNT))
    moved += sum(_bond(value) - _bond(base.get(key)) for key, value in changes if key.startswith(_STAKE))
    moved += sum(_other_parts(after).values()) - sum(_other_parts(base).values())
    minted = LedgerState(after).number(Global.SUPPLY) - LedgerState(base).number(Global.SUPPLY)
    if moved != minted:
        raise InvalidBlock("SUPPLY_BROKEN", f"the parts changed by {moved} micro-units, the supply by {minted}")


def is_whole(parts: Mapping[str, int]) -> bool:
    """Return whether the parts of `supply_parts` sum to the supply."""
    return parts["supply"] == sum(amount for name, amount in parts.items() if name != "supply")


def _other_parts(base: StateMap) -> dict[str, int]:
    state = LedgerState(base)
    running = state.settlement()
    return {
        "escrow": state.escrow().total,
        "pot": state.number(Global.CARRIED),
        "settling": 0 if running is None else running.pot - running.paid,
        "fees": state.number(Global.FEES),
        "treasury": state.number(Global.TREASURY),
    }


def _bond(value: bytes | None) -> int:
    return 0 if value is None else Stake.bond_in(value)


def _balance(value: bytes | None) -> int:
    return 0 if value is None else Account.balance_in(value)

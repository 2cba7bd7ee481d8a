"""The ledger role: the rules of one chain behind the Protocol that the node knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis
from metanode.core.model.kinds import KindRegistry
from metanode.core.model.state_map import StateMap
from metanode.core.roles import AccountView, BlockFields, Execution, Head
from metanode.plugins.ledger.attested import admission, execute, tables
from metanode.plugins.ledger.attested.entries import Account
from metanode.plugins.ledger.attested.rules import rules_of
from metanode.plugins.ledger.attested.state import LedgerState, genesis_state
from metanode.plugins.ledger.attested.supply import supply_parts
from metanode.plugins.ledger.attested.verdicts import VERDICTS_MAX, Verdicts


class AttestedLedger:
    """Rules of a genesis and the verdicts remembered under it; no chain state."""

    def __init__(self, genesis: Genesis, *, verdicts_max: int = VERDICTS_MAX) -> None:
        self.rules = rules_of(genesis)
        self.verdicts = Verdicts(genesis.hash, verdicts_max)
        self._genesis_state = genesis_state(genesis)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """There is no background work: the rules act when asked."""
        task_status.started()
        await trio.sleep_forever()

    @property
    def kinds(self) -> KindRegistry:
        """The kinds of envelope these rules know."""
        return self.rules.kinds

    def genesis_state(self) -> StateMap:
        """Return the state before block 1."""
        return self._genesis_state

    def genesis_validator_set(self) -> bytes:
        """Return the canonical set that certifies block 1."""
        return self.rules.genesis.validators

    def validator_set(self, state: StateMap) -> bytes:
        """Return the canonical set that certifies the block on top of `state`."""
        return LedgerState(state).next_set()

    def execute(self, parent: Head, fields: BlockFields, envelopes: Sequence[Envelope], *, assemble: bool) -> Execution:
        """See `roles.Ledger.execute`; what is only early is left out of `dropped` too, to stay in the pool."""
        return execute.execute(self.rules, self.verdicts, parent, fields, envelopes, assemble=assemble)

    def check(self, head: Head, envelopes: Sequence[Envelope]) -> list[MetanodeError | None]:
        """See `roles.Ledger.check`."""
        return admission.check(self.rules, self.verdicts, head, envelopes)

    def account(self, state: StateMap, account: bytes) -> AccountView:
        """Read one account."""
        value = state.get(tables.account_key(account))
        entry = Account() if value is None else Account.decode(value)
        return AccountView(account, entry.balance, entry.nonce, entry.public_key)

    def supply(self, state: StateMap) -> Mapping[str, int]:
        """Return `supply` and its parts accounts, bonded, escrow, pot, settling, fees and treasury, micro-units."""
        return supply_parts(state)

"""Entries, the overlay, the verdicts, and the supply check."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metanode.core.model import codec
from metanode.core.model.errors import InvalidBlock
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import decode_set
from metanode.plugins.ledger.attested import entries, tables
from metanode.plugins.ledger.attested.entries import Account, Counters, Machine, Number, Seal, Settlement, Tag
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import check_supply, supply_parts
from metanode.plugins.ledger.attested.tables import Global
from metanode.plugins.ledger.attested.verdicts import Lru, Verdicts

UINT = st.integers(0, 2**64 - 1)
TEXT = st.text("ab")
BITS = st.integers(0, 2**200 - 1)
B20, B32 = st.binary(min_size=20, max_size=20), st.binary(min_size=32, max_size=32)
ENTRIES = st.one_of(
    st.builds(Account, UINT, UINT, st.one_of(st.just(b""), B32)),
    st.builds(Machine, B32, B20, B20, B32, B32, TEXT, TEXT, TEXT, TEXT, UINT, UINT, UINT, UINT, UINT),
    st.builds(Tag, UINT, UINT, UINT),
    st.builds(Counters, UINT, BITS, BITS, UINT, UINT, UINT),
    st.builds(Seal, UINT, UINT, B20),
    st.builds(Settlement, UINT, UINT, UINT, UINT, UINT, UINT),
    st.builds(entries.SponsorCount, UINT, UINT),
    st.builds(Number, UINT),
    st.builds(entries.Stake, B32, B32, st.binary(), st.binary(), UINT, UINT, UINT, UINT, UINT),
    st.builds(entries.Holder, B20),
    st.builds(entries.Punished, B20, UINT, UINT),
    st.builds(entries.NextSet, B32),
    st.builds(entries.PastSet, B32, UINT, UINT),
)


@settings(derandomize=True)
@given(ENTRIES)
def test_an_entry_comes_back_from_its_bytes(entry: entries.Entry) -> None:
    """Every value is one canonical CBOR array."""
    raw = entry.encode()
    assert type(entry).decode(raw) == entry
    assert codec.encode(codec.decode(raw)) == raw


def test_keys_begin_with_their_table() -> None:
    """Numbers as docs/wire_format.md lists them; indexes are 8 bytes, so they sort."""
    assert tables.account_key(b"a" * 20) == b"\x01" + b"a" * 20
    assert tables.machine_key(258) == b"\x02\0\0\0\0\0\0\x01\x02"
    assert tables.global_key(Global.SUPPLY) == b"\x09\x04"
    assert (tables.VALIDATOR_SET_KEY, tables.PARAMS_KEY) == (b"\x07", b"\x08")
    assert tables.sponsor_key(b"")[0] >= 32, "tables of a plugin's own start at 32"


def test_an_overlay_tells_only_what_differs() -> None:
    """Writing what stands there already is no change; removing is None."""
    base = LedgerState(StateMap.empty())
    base.put_account(b"a" * 20, Account(5))
    base.put_seal(b"s" * 32, Seal(1, 2, b"p" * 20))
    state = LedgerState(StateMap.from_entries([(key, value) for key, value in base.changes() if value is not None]))
    state.put_account(b"a" * 20, Account(5))
    assert state.changes() == []
    state.credit(b"a" * 20, 1)
    state.credit(b"b" * 20, 2)
    state.put_seal(b"s" * 32, None)
    assert state.seal(b"s" * 32) is None
    assert [(key[0], value is None) for key, value in state.changes()] == [(1, False), (1, False), (11, True)]


def test_genesis_holds_its_set_and_parameters(new_chain: Any) -> None:
    """Provable by anyone who has the state root."""
    chain = new_chain(treasury=7)
    state = chain.ledger.genesis_state()
    assert codec.decode(state.get(b"\x07")) == [chain.genesis.validators]
    assert codec.decode(state.get(b"\x08")) == [chain.genesis.params.encode()]
    parts = {"supply": chain.genesis.supply, "accounts": 3 * 10**9, "bonded": 10**9, "treasury": 7, "escrow": 0}
    assert chain.genesis.supply == 4 * 10**9 + 7
    assert supply_parts(state) == {**parts, "pot": 0, "fees": 0, "settling": 0}


def test_money_from_nowhere_breaks_the_supply(chain: Any, kit: Any) -> None:
    """The check sees a balance that rose without a cause, in any part."""
    base = chain.head.state
    for spoil in (
        lambda state: state.credit(kit.alice.account, 1),
        lambda state: state.put_number(Global.CARRIED, 1),
        lambda state: state.put_number(Global.SUPPLY, 0),
        lambda state: state.put_settlement(Settlement(0, 5, 1, 1, 0, 1)),
    ):
        state = LedgerState(base)
        spoil(state)
        changes = state.changes()
        with pytest.raises(InvalidBlock) as caught:
            check_supply(base, base.update(dict(changes)), changes)
        assert caught.value.code == "SUPPLY_BROKEN"


def test_a_bond_from_nowhere_breaks_the_supply(chain: Any) -> None:
    """What is bonded is part of the supply, read from the bonds on chain; the set only copies it."""
    base = chain.head.state
    (member,) = decode_set(chain.genesis.validators)
    assert supply_parts(base)["bonded"] == member.bond
    for bond, minted in ((member.bond + 1, 0), (member.bond - 1, 0), (member.bond + 1, 1)):
        state = LedgerState(base)
        stake = state.stake(member.account)
        assert stake is not None
        state.put_stake(member.account, replace(stake, bond=bond))
        state.put_number(Global.SUPPLY, chain.genesis.supply + minted)
        changes = state.changes()
        after = base.update(dict(changes))
        if minted:
            check_supply(base, after, changes)
        else:
            with pytest.raises(InvalidBlock, match="SUPPLY_BROKEN"):
                check_supply(base, after, changes)


def test_verdicts_are_forgotten_in_order_of_use() -> None:
    """The bound holds; what was used lately stays."""
    lru: Lru[int, int] = Lru(2)
    lru.put(1, 1)
    lru.put(2, 2)
    assert lru.get(1) == 1
    lru.put(3, 3)
    assert (len(lru), lru.get(2), lru.get(1), lru.get(3)) == (2, None, 1, 3)


def test_a_block_larger_than_the_memory_is_verified_all_the_same(chain: Any, kit: Any) -> None:
    """Evictions cost time, never a verdict."""
    chain.ledger.verdicts = Verdicts(chain.genesis.hash, 2)
    batch = [chain.transfer(kit.alice, kit.bob.account, 1, nonce=nonce) for nonce in range(6)]
    assert chain.ledger.check(chain.head, batch) == [None] * 6
    assert chain.codes(*batch) == [0] * 6


def test_verdicts_are_shared_between_threads(chain: Any, kit: Any) -> None:
    """Admission runs beside the block loop."""
    batch = [chain.transfer(kit.alice, kit.bob.account, 1, nonce=nonce) for nonce in range(20)]
    answers: list[list[Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(chain.ledger.check(chain.head, batch))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[None] * 20] * 4


@settings(derandomize=True, max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_record_can_break_the_ledger(chain: Any, kit: Any, data: st.DataObject) -> None:
    """Whatever a machine claims, the block stands with a receipt: refusals are the only exceptions."""
    machine = kit.box(1)
    raw = machine.inventory.encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    inventory = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    record = replace(chain.record(machine, 0), inventory=inventory, samples=data.draw(st.binary(max_size=12)))
    body = chain.reveal_body(machine, record)
    first = chain.ledger.execute(chain.head, chain.fields(1), [chain.commit(body)], assemble=False)
    other = type(chain)()
    other.append(first, other.fields(1))
    done = other.ledger.execute(other.head, other.fields(1), [other.reveal(body)], assemble=False)
    assert len(done.receipts) == 1


def test_the_rules_need_no_trio() -> None:
    """Whoever replays blocks needs no event loop."""
    code = (
        "import sys, metanode.plugins.ledger.attested.execute, metanode.plugins.ledger.attested.admission; "
        "print(*sorted({'trio', 'pluggy', 'socket'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []

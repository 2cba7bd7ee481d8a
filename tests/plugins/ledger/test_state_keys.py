"""Where entries of the state stand and how they are spelled: what proofs and other implementations rely on."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model.state_map import StateMap
from metanode.plugins.ledger.attested import tables
from metanode.plugins.ledger.attested.entries import (
    Account,
    Buckets,
    Calibrated,
    Counters,
    Entry,
    Machine,
    Number,
    Proposal,
    Rotation,
    Seal,
    Settlement,
    SponsorCount,
    Tag,
)
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import is_whole
from metanode.plugins.ledger.attested.tables import Global


def test_a_key_is_the_number_of_its_table_and_an_id() -> None:
    """Byte for byte; a machine's index takes eight bytes, the highest first."""
    account, tag = b"a" * 20, b"t" * 32
    assert tables.account_key(account) == b"\x01" + account
    assert tables.machine_key(258) == b"\x02\0\0\0\0\0\0\x01\x02"
    assert tables.machine_index_key(account) == b"\x03" + account
    assert tables.tag_key(tag) == b"\x04" + tag
    assert tables.counters_key(258) == b"\x05\0\0\0\0\0\0\x01\x02"
    assert tables.VALIDATOR_SET_KEY == b"\x07"
    assert tables.PARAMS_KEY == b"\x08"
    assert tables.seal_key(tag) == b"\x0b" + tag
    assert tables.sponsor_key(account) == b"\x20" + account
    assert tables.escrow_key(258) == b"\x0a\0\0\0\0\0\0\x01\x02"
    assert tables.proposal_key(tag) == b"\x0d" + tag
    assert tables.twins_key(account, tag) == b"\x21" + account + tag
    assert tables.calibrated_key("ppc pvr 8003") == b"\x22ppc pvr 8003"


def test_the_numbers_of_the_whole_chain_keep_their_ids() -> None:
    """Behind the table's number 9."""
    assert [tables.global_key(entry) for entry in Global][:8] == [bytes((9, number)) for number in range(1, 9)]
    assert [entry.name for entry in Global][:8] == [
        "CARRIED", "TREASURY", "FEES", "SUPPLY", "MACHINES", "SETTLEMENT", "ROTATION", "ESCROW",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "spelled"),
    [
        (Counters(), "880040400000000000"),
        (Counters(1, 0b1, 0xFF, 2, 3, 4, 5, 6), "8801410141ff0203040506"),
        (Counters(0, 0x100, 0x1FF, 0, 0, 0), "880042000142ff010000000000"),
        (Account(), "83000040"),
        (Account(24, 1, b"key"), "83181801436b6579"),
        (Number(0), "8100"),
        (Seal(1, 2, b"s"), "8301024173"),
        (Tag(1, 2, 3), "83010203"),
        (SponsorCount(1, 2), "820102"),
        (Settlement(1, 2, 3, 4, 5, 6), "86010203040506"),
        (Rotation(1, b"b"), "82014162"),
        (Buckets(), "80"),
        (Buckets(((1, 2), (3, 4))), "8401020304"),
        (Calibrated(1, b"r"), "82014172"),
        (Proposal(1, "m", b"e", (b"a", b"b"), b"a", 2, 3), "8701616d4165824161416241610203"),
        (
            Machine(b"k", b"o", b"s", b"t", b"d", "f", "a", "c", "m", 1, 2, 3, 4, 5, 6, 7, b"h", 8, 9),
            "93416b416f417341744164616661616163616d0102030405060741680809",
        ),
    ],
)
def test_an_entry_has_one_spelling(entry: Entry, spelled: str) -> None:
    """The state's root is over these bytes: bitmaps have no zero byte at their end, an empty one no byte at all."""
    assert entry.encode().hex() == spelled
    assert type(entry).decode(bytes.fromhex(spelled)) == entry


def test_what_is_not_there_counts_as_zero() -> None:
    """Reading changes nothing."""
    state = LedgerState(StateMap.empty())
    assert [state.number(entry) for entry in list(Global)[:5]] == [0] * 5
    assert (state.escrow(), state.claims(0), state.twins(b"a" * 20, b"t" * 32)) == (Buckets(), Buckets(), 0)
    assert (state.rotation(), state.calibrated("m"), state.proposals()) == (None, None, [])
    assert state.account(b"a" * 20) == Account(0, 0, b"")
    assert state.counters(0) == Counters(0, 0, 0, 0, 0, 0)
    assert not state.has_counters(0)
    assert state.changes() == []


def test_genesis_writes_its_zeros(chain: Any) -> None:
    """Other implementations hash the same entries."""
    for entry in (Global.CARRIED, Global.FEES, Global.MACHINES):
        assert chain.head.state.get(tables.global_key(entry)) == bytes.fromhex("8100")
    assert chain.head.state.get(tables.global_key(Global.SETTLEMENT)) is None


def test_parts_that_do_not_sum_are_told() -> None:
    """`supply` against all the rest."""
    assert is_whole({"supply": 6, "accounts": 1, "pot": 2, "fees": 3})
    assert not is_whole({"supply": 6, "accounts": 1, "pot": 2, "fees": 4})

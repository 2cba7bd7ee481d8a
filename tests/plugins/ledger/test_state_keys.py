"""Where entries of the state stand: the keys that proofs and other implementations name."""

from __future__ import annotations

from metanode.plugins.ledger.attested import tables
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


def test_the_numbers_of_the_whole_chain_keep_their_ids() -> None:
    """Behind the table's number 9."""
    assert [tables.global_key(entry) for entry in Global][:6] == [bytes((9, number)) for number in range(1, 7)]
    assert [entry.name for entry in Global][:6] == ["CARRIED", "TREASURY", "FEES", "SUPPLY", "MACHINES", "SETTLEMENT"]

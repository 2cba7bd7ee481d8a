"""Transfers: what they move, and what a failed one leaves behind."""

from __future__ import annotations

from typing import Any

from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.receipt import EventNumber
from metanode.core.testing.contracts.ledger import RICH, key_pair

POOR = key_pair(40)


def test_a_transfer_tells_its_receipt_views_and_the_bus(chain: Any, kit: Any) -> None:
    """One event in the receipt, one row per view touched, one event on the bus."""
    done = chain.block(chain.transfer(kit.alice, kit.bob.account, 7))
    assert done.receipts[0].events == ((EventNumber.TRANSFERRED, kit.alice.account, kit.bob.account, 7),)
    (row,) = [row.values for row in done.rows if row.table == "transfers"]
    assert row[1:4] == (0, 1, "transfer")
    assert row[6:] == (7, 100, 0)
    assert [event.name for event in done.events] == ["transfer_applied"]


def test_the_whole_balance_can_be_sent(chain: Any, kit: Any) -> None:
    """Amount plus fee may be exactly what is there."""
    assert chain.codes(chain.transfer(kit.alice, kit.bob.account, RICH - 100)) == [0]
    assert chain.state.account(kit.alice.account).balance == 0


def test_a_transfer_beyond_the_balance_costs_its_fee_and_nonce(chain: Any, kit: Any) -> None:
    """The fee can be paid, the amount cannot: a receipt with the code, nothing moved."""
    envelope = chain.transfer(kit.alice, kit.bob.account, RICH - 99)
    assert chain.door(envelope) == "INSUFFICIENT_FUNDS"
    done = chain.block(envelope)
    assert done.receipts[0].code == ERROR_CODES["INSUFFICIENT_FUNDS"].number
    assert done.receipts[0].events == ()
    alice = chain.state.account(kit.alice.account)
    assert (alice.balance, alice.nonce) == (RICH - 100, 1)
    assert chain.state.account(kit.bob.account).balance == RICH
    assert [row.values[8] for row in done.rows if row.table == "transfers"] == [done.receipts[0].code]


def test_a_transfer_to_oneself_fails(chain: Any, kit: Any) -> None:
    """It would be a way to buy history for a fee."""
    envelope = chain.transfer(kit.alice, kit.alice.account, 5)
    assert chain.door(envelope) == "SELF_TRANSFER"
    assert chain.codes(envelope) == [ERROR_CODES["SELF_TRANSFER"].number]
    assert chain.state.account(kit.alice.account).balance == RICH - 100


def test_coins_received_in_a_block_can_be_spent_later_in_it(chain: Any, kit: Any) -> None:
    """Envelopes act in order; the account's first envelope shows its key."""
    fund = chain.transfer(kit.alice, POOR.account, 1_000)
    spend = chain.transfer(POOR, kit.bob.account, 900)
    assert chain.door(spend) == "INSUFFICIENT_FUNDS"
    assert chain.codes(fund, spend) == [0, 0]
    assert chain.state.account(POOR.account).public_key == POOR.public_key


def test_fees_gather_for_the_epoch_s_pot(chain: Any, kit: Any) -> None:
    """Nobody is paid a fee at once."""
    chain.block(chain.transfer(kit.alice, kit.bob.account, 1, fee=250), chain.transfer(kit.bob, kit.alice.account, 1))
    assert chain.ledger.supply(chain.head.state)["fees"] == 350


def test_block_1_tells_the_views_about_genesis_accounts(chain: Any, kit: Any) -> None:
    """There is no block before it that could."""
    rows = [row.values for row in chain.block().rows if row.table == "wallets"]
    assert [row[1:] for row in rows] == [(RICH, 0, 0)] * 3
    assert not [row for row in chain.block().rows if row.table == "wallets"]

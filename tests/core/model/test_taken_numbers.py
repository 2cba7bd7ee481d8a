"""Numbers on the wire that are taken for ever."""

from __future__ import annotations

import pytest

from metanode.core.model.errors import MetanodeError, PluginError
from metanode.core.model.kinds import KIND_NAMES, PLUGIN_KIND_MIN, Kind, KindRegistry, Lane
from metanode.core.model.limits import RECEIPT_BYTES_MAX
from metanode.core.model.receipt import CODE_MAX, OK, EventNumber, decode_receipt
from metanode.core.model.state_tables import Table

PUBLISHED = (
    "transfer", "machine_commit", "machine_reveal", "attest", "machine_unbind", "bond", "unbond", "govern", "evidence",
    "seal", "seal_reveal", "attest_foreign", "transfer_foreign", "record", "logblock_root", "anchor_receipt",
)  # fmt: skip
"""Names of the kinds from number 1 on."""


def test_a_published_kind_keeps_its_number() -> None:
    """Old envelopes must mean the same to new nodes."""
    assert list(KIND_NAMES.items())[: len(PUBLISHED)] == list(enumerate(PUBLISHED, 1))


def test_plugins_choose_from_thirty_two_on() -> None:
    """What lies between the taken numbers and theirs is kept for later rules."""
    assert PLUGIN_KIND_MIN == 32
    for number in (0, len(KIND_NAMES) + 1, 31):
        with pytest.raises(PluginError, match="not a free number"):
            KindRegistry().register(Kind(number, "own", False, Lane.TRANSACTION, bytes))
    registry = KindRegistry()
    registry.register(Kind(32, "own", False, Lane.TRANSACTION, bytes))
    assert registry.get(32).name == "own"


def test_a_second_kind_of_the_same_number_or_name_is_refused() -> None:
    """Either alone would make an envelope mean two things."""
    registry = KindRegistry()
    registry.register(Kind(40, "own", False, Lane.TRANSACTION, bytes))
    for number, name in ((40, "other"), (41, "own")):
        with pytest.raises(PluginError, match="clashes with 40"):
            registry.register(Kind(number, name, False, Lane.TRANSACTION, bytes))
    registry.register(Kind(39, "other", True, Lane.CONSENSUS, bytes))
    assert [kind.number for kind in registry.all()] == [39, 40]


def test_a_published_event_keeps_its_number() -> None:
    """Receipts of old blocks are read by new programs."""
    assert [(event.name, event.value) for event in EventNumber][:10] == [
        ("TRANSFERRED", 1), ("MACHINE_COMMITTED", 2), ("MACHINE_REGISTERED", 3), ("MACHINE_DISPLACED", 4),
        ("ATTEST_COUNTED", 5), ("ATTEST_LATE", 6), ("MACHINE_UNBOUND", 7), ("MACHINE_HANDED_OVER", 8),
        ("PROPOSED", 9), ("APPROVED", 10),
    ]  # fmt: skip
    assert (OK, CODE_MAX) == (0, 65_535)


def test_a_receipt_of_the_largest_size_is_looked_at_and_a_longer_is_not() -> None:
    """These are no receipts, and refused as such until they are too long to read."""
    for size, code in ((RECEIPT_BYTES_MAX, "NOT_CANONICAL"), (RECEIPT_BYTES_MAX + 1, "TOO_LARGE")):
        with pytest.raises(MetanodeError) as caught:
            decode_receipt(bytes(size))
        assert caught.value.code == code


def test_a_published_table_of_the_state_keeps_its_number() -> None:
    """Proofs of old states name it in their keys."""
    published = {
        "ACCOUNT": 1, "MACHINE": 2, "MACHINE_KEY": 3, "BINDING_TAG": 4, "COUNTERS": 5, "VALIDATOR_SET": 7, "PARAMS": 8,
        "GLOBAL": 9, "ESCROW": 10, "SEAL": 11, "PROPOSAL": 13, "SPONSOR": 32, "TWINS": 33, "CALIBRATED": 34,
    }  # fmt: skip
    assert {table.name: table.value for table in Table if table.name in published} == published

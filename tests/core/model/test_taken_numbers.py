"""Numbers on the wire that are taken for ever."""

from __future__ import annotations

import pytest

from metanode.core.model.errors import PluginError
from metanode.core.model.kinds import KIND_NAMES, PLUGIN_KIND_MIN, Kind, KindRegistry, Lane

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

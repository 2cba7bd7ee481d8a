"""The registry of kinds: numbers are promises, so nothing may share or steal one."""

from __future__ import annotations

import pytest

from metanode.core.model.bodies import KINDS
from metanode.core.model.errors import PluginError, Rejection
from metanode.core.model.kinds import KIND_NAMES, PLUGIN_KIND_MIN, Kind, KindRegistry, Lane


def kind(number: int = PLUGIN_KIND_MIN, name: str = "own", nonceless: bool = False, lane: Lane | None = None) -> Kind:
    """Return a kind of a plugin."""
    return Kind(number, name, nonceless, lane or (Lane.ATTESTATION if nonceless else Lane.TRANSACTION), bytes)


def test_the_built_kinds_register_under_their_kept_names() -> None:
    """What this version builds fits the table of taken numbers, and comes back by number."""
    registry = KindRegistry()
    for each in reversed(KINDS):
        registry.register(each)
    assert registry.all() == KINDS
    assert [registry.get(each.number) for each in KINDS] == list(KINDS)
    assert [each.name for each in KINDS] == [KIND_NAMES[number] for number in range(1, 10)]


def test_no_two_kept_kinds_share_a_name() -> None:
    """A name leads to one number, and plugins' own numbers start behind all kept ones."""
    assert len(set(KIND_NAMES.values())) == len(KIND_NAMES)
    assert max(KIND_NAMES) < PLUGIN_KIND_MIN


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """The message helps whoever asked: what is known, and the name of a kept number."""
    registry = KindRegistry()
    with pytest.raises(Rejection, match=r"UNKNOWN_KIND: kind 9 \(evidence\)") as caught:
        registry.get(9)
    assert caught.value.expected == "one of: none"
    registry.register(kind(40, "own"))
    with pytest.raises(Rejection, match="UNKNOWN_KIND") as caught:
        registry.get(41)
    assert caught.value.expected == "one of: 40 own"


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (kind(32, "other"), "clashes"),
        (kind(33, "own"), "clashes"),
        (kind(1, "move"), "is named move"),
        (kind(0, "zero"), "not a free number"),
        (kind(17, "early"), "not a free number"),
        (kind(34, "split", nonceless=False, lane=Lane.CONSENSUS), "lane"),
        (kind(35, "free", nonceless=True, lane=Lane.TRANSACTION), "lane"),
    ],
)
def test_a_plugin_cannot_take_what_is_not_its_own(second: Kind, says: str) -> None:
    """A clash is a broken plugin, named at start, not a surprise in a block."""
    registry = KindRegistry()
    registry.register(kind(32, "own"))
    with pytest.raises(PluginError, match=says) as caught:
        registry.register(second)
    assert caught.value.code == "PLUGIN_BROKEN"
    assert len(registry.all()) == 1

"""The health registry: one newest line per part."""

import pytest

from metanode.core.health import ROWS_MAX, HealthRegistry, HealthRow


def test_the_newest_report_replaces_the_older() -> None:
    """Health is about now."""
    health = HealthRegistry()
    health.report("storage.sqlite", False, "the disk is full")
    assert not health.ok
    health.report("storage.sqlite", True)
    assert health.ok
    assert health.snapshot() == {"storage.sqlite": HealthRow(True, "")}


def test_a_snapshot_is_sorted_and_a_copy() -> None:
    """Equal states print equally, and a reader cannot change them."""
    health = HealthRegistry()
    health.report("b", True)
    health.report("a", True)
    snapshot = health.snapshot()
    assert list(snapshot) == ["a", "b"]
    snapshot.clear()
    assert list(health.snapshot()) == ["a", "b"]


def test_a_forgotten_part_no_longer_counts() -> None:
    """A part that is gone for good must not keep the node unhealthy."""
    health = HealthRegistry()
    health.report("a", False)
    health.forget("a")
    health.forget("a")
    assert health.ok


def test_names_are_bounded() -> None:
    """A plugin that makes a name per request is found out."""
    health = HealthRegistry()
    for number in range(ROWS_MAX):
        health.report(f"row {number}", True)
    health.report("row 0", False)
    with pytest.raises(RuntimeError, match="fixed set of names"):
        health.report("one more", True)

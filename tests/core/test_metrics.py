"""Counters, gauges and their text."""

import pytest

from metanode.core import metrics as metrics_module
from metanode.core.metrics import MetricRegistry


def test_the_exposition_lists_families_with_help_type_and_labels() -> None:
    """The text is what collectors of the Prometheus format read."""
    metrics = MetricRegistry()
    metrics.counter("failures_total", "Failures", plugin="b.b").add(2)
    metrics.counter("failures_total", "Failures", plugin="a.a").add()
    metrics.gauge("height_blocks", 'Height\nof the "chain"').set(7)
    assert metrics.exposition() == (
        "# HELP failures_total Failures\n"
        "# TYPE failures_total counter\n"
        'failures_total{plugin="a.a"} 1\n'
        'failures_total{plugin="b.b"} 2\n'
        '# HELP height_blocks Height\\nof the "chain"\n'
        "# TYPE height_blocks gauge\n"
        "height_blocks 7\n"
    )


def test_label_values_are_escaped() -> None:
    """A label cannot break out of its quotes."""
    metrics = MetricRegistry()
    metrics.gauge("x", "x", label='a"b\\c\nd').set(1)
    assert 'x{label="a\\"b\\\\c\\nd"} 1\n' in metrics.exposition()


def test_an_empty_registry_is_an_empty_text() -> None:
    """Nothing measured, nothing said."""
    assert MetricRegistry().exposition() == ""


def test_asking_again_gives_the_same_metric() -> None:
    """A restarted plugin goes on counting."""
    metrics = MetricRegistry()
    metrics.counter("n_total", "n").add()
    metrics.counter("n_total", "n").add()
    assert metrics.counter("n_total", "n").value == 2


def test_a_counter_never_falls() -> None:
    """That is what makes a rate of it meaningful."""
    with pytest.raises(ValueError, match="cannot fall"):
        MetricRegistry().counter("n_total", "n").add(-1)


def test_names_and_kinds_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed name, another kind under one name, or series without end are mistakes."""
    metrics = MetricRegistry()
    with pytest.raises(ValueError, match="metric name"):
        metrics.gauge("Height", "h")
    metrics.gauge("height", "h")
    with pytest.raises(ValueError, match="is a gauge"):
        metrics.counter("height", "h")
    monkeypatch.setattr(metrics_module, "SERIES_MAX", 1)
    with pytest.raises(ValueError, match="one too many"):
        metrics.gauge("height", "h", label="x")

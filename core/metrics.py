"""Counters and gauges of a node, and their text exposition.

Format: Prometheus text exposition 0.0.4, which every common collector reads.
"""

from __future__ import annotations

import re

SERIES_MAX = 2000
"""Series (name and labels) of one node; a label with unbounded values would eat its memory."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What an HTTP answer with `exposition()` declares."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Counter:
    """A number that only rises.  Add from trio's thread."""

    def __init__(self) -> None:
        self.value: int | float = 0

    def add(self, amount: int | float = 1) -> None:
        """Add a non-negative amount."""
        if amount < 0:
            raise ValueError(f"a counter cannot fall by {-amount}")
        self.value += amount


class Gauge:
    """A number that is what it is now."""

    def __init__(self) -> None:
        self.value: int | float = 0

    def set(self, value: int | float) -> None:
        """Replace the value."""
        self.value = value


class MetricRegistry:
    """Every metric of a node.  Asking twice for one name and labels gives the same object."""

    def __init__(self) -> None:
        self._families: dict[str, tuple[str, str]] = {}
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], Counter | Gauge] = {}

    def counter(self, name: str, help: str, **labels: str) -> Counter:
        """Return the counter `name`; by custom its name ends in `_total`.

        :raises ValueError: the name is malformed or taken by a gauge.
        """
        found = self._metric(name, help, "counter", labels)
        assert isinstance(found, Counter)
        return found

    def gauge(self, name: str, help: str, **labels: str) -> Gauge:
        """Return the gauge `name`; by custom its name ends in its unit.

        :raises ValueError: the name is malformed or taken by a counter.
        """
        found = self._metric(name, help, "gauge", labels)
        assert isinstance(found, Gauge)
        return found

    def _metric(self, name: str, help: str, kind: str, labels: dict[str, str]) -> Counter | Gauge:
        if not _NAME.fullmatch(name):
            raise ValueError(f"metric name {name!r} is not lower-case letters, digits and underscores")
        if self._families.setdefault(name, (kind, help))[0] != kind:
            raise ValueError(f"metric {name} is a {self._families[name][0]}, not a {kind}")
        key = (name, tuple(sorted(labels.items())))
        if key not in self._series:
            if len(self._series) >= SERIES_MAX:
                raise ValueError(f"{SERIES_MAX} series already; {name} with {labels} is one too many")
            self._series[key] = Counter() if kind == "counter" else Gauge()
        return self._series[key]

    def exposition(self) -> str:
        """Return every metric as text, sorted, so that equal values are equal text."""
        lines: list[str] = []
        written = ""
        for (name, labels), metric in sorted(self._series.items(), key=lambda item: item[0]):
            if name != written:
                kind, help = self._families[name]
                lines += [f"# HELP {name} {_escape(help)}", f"# TYPE {name} {kind}"]
                written = name
            shown = ",".join(f'{key}="{_escape(value, quotes=True)}"' for key, value in labels)
            lines.append(f"{name}{{{shown}}} {metric.value}" if shown else f"{name} {metric.value}")
        return "\n".join(lines) + "\n" if lines else ""


def _escape(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text

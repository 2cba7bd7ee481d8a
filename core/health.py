"""What works and what does not, in one line each: the source of `/health` and of `metanode plugins`."""

from __future__ import annotations

from typing import NamedTuple

ROWS_MAX = 256
"""Names that may report; a plugin that invents names cannot grow the registry without end."""


class HealthRow(NamedTuple):
    """The newest report under one name."""

    ok: bool
    detail: str


class HealthRegistry:
    """The newest report of every part.  The kernel reports each plugin under `<role>.<name>`;
    a plugin adds rows of its own as `<role>.<name>.<part>`.  Safe from any thread.
    """

    def __init__(self) -> None:
        self._rows: dict[str, HealthRow] = {}

    def report(self, name: str, ok: bool, detail: str = "") -> None:
        """Replace the report under `name`.

        :raises RuntimeError: more than ROWS_MAX names.
        """
        if name not in self._rows and len(self._rows) >= ROWS_MAX:
            raise RuntimeError(f"health has {ROWS_MAX} rows already; reports need a fixed set of names")
        self._rows[name] = HealthRow(ok, detail)

    def forget(self, name: str) -> None:
        """Remove the report under `name`, if any."""
        self._rows.pop(name, None)

    def snapshot(self) -> dict[str, HealthRow]:
        """Return every newest report by name, sorted."""
        return dict(sorted(self._rows.copy().items()))

    @property
    def ok(self) -> bool:
        """True while every newest report is good."""
        return all(row.ok for row in self._rows.copy().values())

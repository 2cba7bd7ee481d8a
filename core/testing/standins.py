"""Stand-ins for roles: inline plugins that do nothing but write down what the kernel does with them.

A test of one plugin, or of the kernel, needs the other roles to be there, not to work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Any

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.kernel import Node
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness, VirtualClock

RunBody = Callable[[trio.TaskStatus[None]], Awaitable[None]]


class StandInRole:
    """A role object that starts, waits and stops.

    :param journal: gets `open`, `start` and `stop` lines with the plugin's name.
    :param body: what `run` does instead of waiting.
    """

    def __init__(self, name: str, journal: list[str], body: RunBody | None = None) -> None:
        self.name = name
        self.addresses: tuple[str, ...] = ()
        self._journal = journal
        self._body = body

    async def open(self, genesis_hash: bytes) -> None:
        """Note it."""
        self._journal.append(f"open {self.name}")

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Note start and stop; in between wait, or do what the test asked for."""
        self._journal.append(f"start {self.name}")
        try:
            if self._body is not None:
                await self._body(task_status)
            else:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._journal.append(f"stop {self.name}")


def stand_in(
    role: str,
    name: str = "standin",
    *,
    journal: list[str] | None = None,
    body: RunBody | None = None,
    hooks: dict[str, Callable[..., Any]] | None = None,
    **manifest: Any,
) -> ModuleType:
    """Return an inline plugin that fills `role` with a `StandInRole`.

    :param hooks: further hook implementations by name, or others in place of the usual one.
    :param manifest: further manifest keys.
    """
    notes = [] if journal is None else journal
    full_name = f"{role}.{name}"
    verb = "provide" if role in SINGLE_ROLES else "register"

    def make(context: PluginContext) -> StandInRole:
        notes.append(f"{verb} {full_name}")
        return StandInRole(full_name, notes, body)

    plugin = ModuleType(f"standin_{role}_{name}")
    vars(plugin)["MANIFEST"] = {"name": full_name, "role": role, "summary": "a stand-in", **manifest}
    for hook, function in {f"{verb}_{role}": make, **(hooks or {})}.items():
        setattr(plugin, hook, hookimpl(function))
    return plugin


def stand_ins(*plugins: ModuleType, journal: list[str] | None = None) -> list[ModuleType]:
    """Return `plugins` and a stand-in for every single role that none of them fills."""
    filled = {vars(plugin)["MANIFEST"]["role"] for plugin in plugins}
    return [*(stand_in(role, journal=journal) for role in SINGLE_ROLES if role not in filled), *plugins]


def bare_settings(**node: Any) -> Settings:
    """Return settings whose single roles are stand-ins; `node` goes into the `[node]` table."""
    return Settings.from_mapping({"node": node, "roles": dict.fromkeys(SINGLE_ROLES, "standin")})


def open_bare_node(
    *plugins: ModuleType, journal: list[str] | None = None, settings: Settings | None = None, **keywords: Any
) -> AbstractAsyncContextManager[Node]:
    """Open a node of `plugins` and stand-ins, under trio's (virtual) time and one seed."""
    return Node.open(
        settings or bare_settings(),
        plugins=stand_ins(*plugins, journal=journal),
        clock=VirtualClock(),
        randomness=SeededRandomness(1),
        **keywords,
    )

"""Who is at work: context variables that a task passes on to its children and its worker threads."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token

PLUGIN: ContextVar[str] = ContextVar("metanode_plugin", default="")
"""Full name of the plugin whose code runs; empty for the kernel and for the program around a node."""
REQUEST: ContextVar[str] = ContextVar("metanode_request", default="")
"""Id of the request being answered; every log line written meanwhile carries it."""
OWNS_PROCESS: ContextVar[bool] = ContextVar("metanode_owns_process", default=False)
"""Whether the program around the node handles SIGINT: then a KeyboardInterrupt is not the user's."""
BEFORE_CHANGE: ContextVar[Callable[[], None] | None] = ContextVar("metanode_before_change", default=None)
"""Called before `at_work` changes `PLUGIN`: who measures the work of plugins closes the account of the old one."""


class at_work:
    """Within the block the named plugin is at work."""

    __slots__ = ("_plugin", "_token")

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin

    def __enter__(self) -> None:
        if (before := BEFORE_CHANGE.get()) is not None:
            before()
        self._token: Token[str] = PLUGIN.set(self._plugin)

    def __exit__(self, *_: object) -> None:
        if (before := BEFORE_CHANGE.get()) is not None:
            before()
        PLUGIN.reset(self._token)

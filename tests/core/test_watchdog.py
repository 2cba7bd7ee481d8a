"""The watchdog names the plugin that keeps everybody else waiting."""

from __future__ import annotations

import threading
from types import FrameType

import trio
from trio.testing import wait_all_tasks_blocked

from metanode.core.bus import BlockFinalized
from metanode.core.health import HealthRegistry
from metanode.core.hooks import PluginContext
from metanode.core.kernel import Node
from metanode.core.testing.standins import bare_settings, stand_in, stand_ins
from metanode.core.watchdog import Watchdog, blame


class Reports:
    """Collects what a watchdog reports; each wait is ended by a report, never by time."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.blocked = threading.Event()
        self.answering = threading.Event()

    def __call__(self, plugin: str, line: str) -> None:
        self.lines.append((plugin, line))
        (self.blocked if line else self.answering).set()


async def test_a_blockage_is_reported_once_and_its_end_too() -> None:
    """With whose code is on the stack, and where."""
    reports = Reports()
    watchdog = Watchdog({__name__: "api.slow"}, blocked_ms=10, report=reports)
    watchdog.start()
    try:
        assert reports.blocked.wait(timeout=60), "nothing was reported"
        await trio.to_thread.run_sync(reports.answering.wait, 60)
    finally:
        watchdog.stop()
    (plugin, line), end = reports.lines[:2]
    assert plugin == "api.slow"
    assert line.startswith("the event loop has been blocked for ")
    assert "by api.slow in test_a_blockage_is_reported_once_and_its_end_too (" in line
    assert end == ("", "")


async def test_stopping_ends_the_thread_at_any_moment() -> None:
    """Also while it is about to ask, when the loop cannot answer because it waits for the thread."""
    reports = Reports()
    watchdog = Watchdog({}, blocked_ms=60_000, report=reports)
    clear = watchdog._answered.clear
    asking = threading.Event()

    def clear_late() -> None:
        asking.set()
        watchdog._stopped.wait(timeout=60)
        clear()

    watchdog._answered.clear = clear_late  # type: ignore[method-assign]  # holds the thread just before its question
    watchdog.start()
    await trio.to_thread.run_sync(asking.wait, 60)
    watchdog.stop()
    assert reports.lines == []


async def test_a_loop_that_answers_is_left_alone() -> None:
    """Waiting is not blocking."""
    reports = Reports()
    watchdog = Watchdog({}, blocked_ms=60_000, report=reports)
    watchdog.start()
    await trio.to_thread.run_sync(watchdog._answered.wait, 60)
    watchdog.stop()
    assert reports.lines == []


def frame_of(module: str, called: object = None) -> FrameType:
    """Return a frame whose code claims to be in `module`, called by whoever calls this."""
    code = "import sys\ndef inner(then): return then() if then else sys._getframe()"
    space: dict[str, object] = {"__name__": module}
    exec(code, space)
    frame = space["inner"](called)  # type: ignore[operator]  # it is the function defined above
    assert isinstance(frame, FrameType)
    return frame


def test_the_outermost_plugin_on_the_stack_is_blamed() -> None:
    """It called the one that is slow: it is the one to ask.  Kernel and libraries are not plugins."""
    modules = {"metanode.plugins.api.http": "api.http", "metanode.plugins.storage.sqlite": "storage.sqlite"}

    def library() -> FrameType:
        return frame_of("json.decoder")

    def storage() -> FrameType:
        return frame_of("metanode.plugins.storage.sqlite.store", library)

    frame = frame_of("metanode.plugins.api.http.plugin", storage)
    plugin, place = blame(frame, modules)
    assert plugin == "api.http"
    assert place.startswith("inner (<string>:2")


def test_code_outside_any_plugin_is_named_by_its_place() -> None:
    """A prefix is a whole module name: `api.http2` is not `api.http`."""
    plugin, place = blame(frame_of("metanode.plugins.api.http2"), {"metanode.plugins.api.http": "api.http"})
    assert (plugin, place) == ("", "inner (<string>:2)")
    assert blame(None, {}) == ("", "")


class WatchedHealth(HealthRegistry):
    """Tells when the loop's row is bad."""

    def __init__(self) -> None:
        super().__init__()
        self.detail = ""
        self.bad = threading.Event()

    def report(self, name: str, ok: bool, detail: str = "") -> None:
        super().report(name, ok, detail)
        if name == "loop" and not ok:
            self.detail = detail
            self.bad.set()


async def test_a_node_reports_a_hook_that_blocks() -> None:
    """In health, under `loop`, with the plugin's name; the hook here waits until that has happened."""
    health = WatchedHealth()

    def block(context: PluginContext, height: int, header_hash: bytes) -> None:
        assert health.bad.wait(timeout=60), "nothing was reported"

    plugin = stand_in("api", hooks={"on_block_finalized": block})
    plugin.__name__ = __name__  # where `block` is
    async with Node.open(bare_settings(blocked_ms=20), plugins=stand_ins(plugin)) as node:
        node.health.report = health.report  # type: ignore[method-assign]  # the test listens in
        node.bus.publish(BlockFinalized(1, bytes(32), 1, 0))
        await wait_all_tasks_blocked()
    assert "by api.standin in block (" in health.detail

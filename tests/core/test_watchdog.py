"""The watchdog names the plugin that keeps everybody else waiting."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import trio
from trio.testing import wait_all_tasks_blocked

from metanode.core.bus import BlockFinalized
from metanode.core.health import HealthRegistry
from metanode.core.hooks import PluginContext
from metanode.core.kernel import Node
from metanode.core.testing.standins import bare_settings, stand_in, stand_ins
from metanode.core.watchdog import Watchdog
from metanode.platforms.process import Place, StackDump, blame, left_dumps, read_dump


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
    watchdog = Watchdog({__file__: "api.slow"}, blocked_ms=10, report=reports)
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


PLACES = {"/p/api/http": "api.http", "/p/storage/sqlite": "storage.sqlite", "/p/single.py": "api.single"}


def stack(*files: str) -> list[Place]:
    """A stack whose innermost frame is in the first file."""
    return [Place(file, "7", "work") for file in files]


def test_the_outermost_plugin_on_the_stack_is_blamed() -> None:
    """It called the one that is slow: it is the one to ask.  Kernel and libraries are not plugins."""
    files = ("/lib/json.py", "/p/storage/sqlite/store.py", "/p/api/http/plugin.py", "/core/kernel.py")
    found = blame(stack(*files), PLACES)
    assert found == ("api.http", "work (/p/api/http/plugin.py:7)")
    assert blame(stack("/lib/json.py", "/p/single.py"), PLACES)[0] == "api.single"


def test_code_outside_any_plugin_is_named_by_its_place() -> None:
    """A folder is a whole name: `http2` is not `http`."""
    assert blame(stack("/p/api/http2/plugin.py", "/x.py"), PLACES) == ("", "work (/p/api/http2/plugin.py:7)")
    assert blame([], {}) == ("", "")


async def test_c_code_that_keeps_the_interpreter_lock_is_named_afterwards(tmp_path: Path) -> None:
    """No Python thread can look meanwhile: a signal handler in C writes the stack down."""
    reports = Reports()
    watchdog = Watchdog({__file__: "api.greedy"}, blocked_ms=100, report=reports, dump=StackDump(tmp_path))
    watchdog.start()
    try:
        await trio.to_thread.run_sync(watchdog._answered.wait, 60)
        ctypes.PyDLL(None).usleep(1_800_000)  # a PyDLL does not release the lock
        await trio.to_thread.run_sync(reports.answering.wait, 60)
    finally:
        watchdog.stop()
    plugin, line = reports.lines[0]
    assert plugin == "api.greedy"
    assert "by api.greedy in test_c_code_that_keeps_the_interpreter_lock_is_named_afterwards (" in line
    assert os.listdir(tmp_path) == [], "the file is gone with the watchdog"


def test_a_process_that_ended_while_blocked_is_told_of_once(tmp_path: Path) -> None:
    """Its dump names the plugin; that of a living process is its own."""
    text = f"{json.dumps(PLACES)}\nStack (most recent call first):\n"
    text += '  File "/lib/x.py", line 3 in sleep\n  File "/p/single.py", line 9 in run\n'
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / f"stacks.{int(dead.stdout)}.txt").write_text(text)
    (tmp_path / f"stacks.{os.getpid()}.txt").write_text(text)
    assert read_dump(tmp_path, int(dead.stdout)) == ("api.single", "run (/p/single.py:9)")
    assert left_dumps(tmp_path) == [("api.single", "run (/p/single.py:9)")]
    assert left_dumps(tmp_path) == []
    assert (tmp_path / f"stacks.{os.getpid()}.txt").exists()
    assert read_dump(tmp_path, 0) == ("", "")


def test_a_process_that_was_stopped_as_a_whole_has_nobody_to_blame(tmp_path: Path) -> None:
    """Its loop stood where it waits for input."""
    text = f'{json.dumps(PLACES)}\n  File "/trio/io.py", line 3 in get_events\n  File "/p/single.py", line 9 in f\n'
    (tmp_path / "stacks.7.txt").write_text(text)
    assert read_dump(tmp_path, 7) == ("", "")


async def test_python_code_that_blocks_is_noted_without_a_dump(tmp_path: Path) -> None:
    """Its frames move, and reading them from a signal handler can end the process: the watching thread puts it off."""
    reports = Reports()
    watchdog = Watchdog({__file__: "api.slow"}, blocked_ms=100, report=reports, dump=StackDump(tmp_path))
    watchdog.start()
    try:
        assert reports.blocked.wait(timeout=60), "nothing was reported"
        assert read_dump(tmp_path, os.getpid())[0] == "api.slow"
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        await trio.to_thread.run_sync(reports.answering.wait, 60)
    finally:
        watchdog.stop()
    assert len(reports.lines) >= 2
    assert "by api.slow in test_python_code_that_blocks_is_noted_without_a_dump (" in reports.lines[0][1]


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
    plugin.__file__ = __file__  # where `block` is
    async with Node.open(bare_settings(blocked_ms=20), plugins=stand_ins(plugin)) as node:
        node.health.report = health.report  # type: ignore[method-assign]  # the test listens in
        node.bus.publish(BlockFinalized(1, bytes(32), 1, 0))
        await wait_all_tasks_blocked()
    assert "by api.standin in block (" in health.detail

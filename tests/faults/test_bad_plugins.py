"""Bad plugins in a real node process: each is named, counted and stopped, and the node lives on or fails closed.

Every plugin here is a single file, loaded by `metanode run --plugins-dir` into a home of `metanode init`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from metanode.core.home import Home

WAIT_S = 40.0
METANODE = [sys.executable, "-m", "metanode.core.cli"]
HEAD = """# /// metanode
# name = "{role}.{name}"
# role = "{role}"
# summary = "a bad plugin"
# start_timeout_s = 2
# ram_mib = 1
# ///
from __future__ import annotations
import ctypes, re, sys, threading, time
import trio
from metanode.core.bus import BlockFinalized
from metanode.core.hooks import hookimpl
from metanode.core.http import Route, json_response
"""
API = """
class Bad:
    addresses = ()
    def __init__(self, context):
        self.context = context
    async def run(self, *, task_status):
{body}
@hookimpl
def register_api(context):
    return Bad(context)
"""
STORAGE = """
from metanode.plugins.storage.memory.store import MemoryStorage
class Bad(MemoryStorage):
    async def run(self, *, task_status):
{body}
@hookimpl
def provide_storage(context):
    return Bad()
"""

pytestmark = pytest.mark.faults


def body(text: str, frame: str = API) -> str:
    """Put the body of `run` into a plugin."""
    return frame.format(body="\n".join(" " * 8 + line for line in text.strip("\n").splitlines()))


class BadNode:
    """A home with plugins of its own, and the process that runs it."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = Home(tmp_path / "home")
        self.plugins = tmp_path / "plugins"
        self.log = tmp_path / "node.log"
        self.plugins.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.verb("init", "--network", "devnet", "--port", "0")
        # Small budgets of faults, so that a test need not wait for large ones.
        self.settings('name = "metanode"', 'name = "metanode"\nblocked_ms = 1000\nfailures_max = 1\nstop_timeout_s = 2')

    def settings(self, old: str, new: str) -> None:
        """Change the settings file."""
        text = self.home.settings_file.read_text()
        assert old in text
        self.home.settings_file.write_text(text.replace(old, new))

    def add(self, source: str, *, name: str = "bad", role: str = "api") -> None:
        """Install and select a plugin."""
        (self.plugins / f"{name}.py").write_text(HEAD.format(role=role, name=name) + source)
        if role == "api":
            self.settings('api = ["http"', f'api = ["http", "{name}"')
        else:
            self.settings('storage = "sqlite"', f'storage = "{name}"')

    def verb(self, *words: str) -> Any:
        """Run a verb to its end and return its answer."""
        command = [*METANODE, *words, "--home", str(self.home.path), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S).stdout)

    def spawn(self, *words: str) -> None:
        """Start `metanode run`."""
        command = [*METANODE, "run", "--home", str(self.home.path), "--plugins-dir", str(self.plugins), *words]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def start(self, *words: str) -> None:
        """Start it and return once it serves."""
        self.spawn(*words)
        self.until(lambda: self.running().get("addresses"), "serve")

    def running(self) -> dict[str, Any]:
        """What the process says of itself."""
        return self.home.read_running() or {}

    def until(self, holds: Callable[[], Any], what: str, *, alive: bool = True) -> Any:
        """Poll until something holds."""
        assert self.process is not None
        deadline = time.monotonic() + WAIT_S
        while not (value := holds()):
            assert time.monotonic() < deadline, f"it did not {what}: {self.text()[-3000:]}"
            assert not alive or self.process.poll() is None, f"it ended before it did {what}: {self.text()[-3000:]}"
            time.sleep(0.02)
        return value

    def until_state(self, state: str, name: str = "api.bad") -> str:
        """Wait until a plugin is in a state; returns the detail."""

        def detail() -> str | None:
            row = self.running().get("plugins", {}).get(name, {})
            return f"{row['detail']} " if row.get("state") == state else None

        found: str = self.until(detail, f"have {name} {state}")
        return found

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text()

    def get(self, path: str) -> tuple[int, str]:
        """Ask the node."""
        try:
            with urllib.request.urlopen(self.running()["addresses"][0] + path, timeout=WAIT_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def rows(self) -> list[dict[str, Any]]:
        """What `metanode plugins` lists."""
        rows: list[dict[str, Any]] = self.verb("plugins", "--plugins-dir", str(self.plugins))["plugins"]
        return rows

    def row(self) -> dict[str, Any]:
        """The row of api.bad."""
        return next(row for row in self.rows() if row["name"] == "api.bad")

    def until_noted(self, said: str) -> None:
        """Wait until /health says it of a part; an answer serves for a second."""
        self.until(lambda: said in "\n".join(json.loads(self.get("/health")[1]).get("notes", [])), f"note {said}")

    def metric(self, series: str) -> float:
        """The value of a series of /metrics, 0 when it is not there."""
        lines = self.get("/metrics")[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series), 0.0)

    def ended(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self.process is not None
        return self.process.wait(WAIT_S)

    def stop(self) -> int:
        """Ask it to end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BadNode]:
    """A fresh home; whatever runs at the end is killed."""
    bad = BadNode(tmp_path)
    yield bad
    if bad.process is not None and bad.process.poll() is None:
        bad.process.kill()
        bad.process.wait()


class Case(NamedTuple):
    """A plugin that can be spared and what must be said of it."""

    source: str
    said: str
    """Stands in the log, in /health and in `metanode plugins`."""
    series: str
    count: int = 1
    """The least value of the series."""


HOOKS = """
@hookimpl
def on_block_finalized(context, height, header_hash):
    {}
"""
SPARED = {
    "blocks the loop in Python": Case(
        body("task_status.started()\nwhile True:\n    await trio.sleep(0.1)\n    time.sleep(1.6)"),
        "by api.bad in run (", 'plugin_faults_total{kind="blocked",plugin="api.bad"}', 2,
    ),
    "blocks the loop in C that keeps the interpreter lock": Case(
        body("task_status.started()\nwhile True:\n    await trio.sleep(0.1)\n    ctypes.PyDLL(None).usleep(2_800_000)"),
        "by api.bad in run (", 'plugin_faults_total{kind="blocked",plugin="api.bad"}', 2,
    ),
    "blocks the loop in a hook": Case(
        HOOKS.format("time.sleep(1.6)"),
        "by api.bad in on_block_finalized (", 'plugin_faults_total{kind="blocked",plugin="api.bad"}', 2,
    ),
    "leaks memory": Case(
        body(
            "task_status.started()\nself.kept = []\nwhile True:\n    await trio.sleep(0.02)\n"
            "    self.kept.append(b'x' * (1 << 20))"
        ),
        "MiB while api.bad was at work", 'plugin_faults_total{kind="memory",plugin="api.bad"}', 2,
    ),
    "leaks memory in a child task": Case(
        body(
            "task_status.started()\nself.kept = []\nasync def child():\n    while True:\n"
            "        await trio.sleep(0.02)\n        self.kept.append(b'x' * (1 << 20))\n"
            "async with trio.open_nursery() as nursery:\n    nursery.start_soon(child)"
        ),
        "MiB while api.bad was at work", 'plugin_faults_total{kind="memory",plugin="api.bad"}', 2,
    ),
    "floods the bus": Case(
        body(
            "task_status.started()\nwhile True:\n    await trio.sleep(0)\n    for height in range(1000):\n"
            "        self.context.bus.publish(BlockFinalized(height, bytes(32), 0, 0))"
        ),
        "api.bad floods the bus", 'plugin_faults_total{kind="flood",plugin="api.bad"}', 2,
    ),
    "never starts and refuses to be cancelled": Case(
        body("with trio.CancelScope(shield=True):\n    await trio.sleep_forever()"),
        "PLUGIN_TIMEOUT: api.bad did not start and cannot be cancelled within 2 s",
        'plugin_quarantines_total{plugin="api.bad"}',
    ),
}
BROKEN = {
    "never starts": Case(
        body("await trio.sleep_forever()"),
        "PLUGIN_TIMEOUT: api.bad did not start within 2 s", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "dies every second": Case(
        body("task_status.started()\nawait trio.sleep(1)\nraise OSError('gone')"),
        "OSError: gone (bad.py:", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "raises SystemExit": Case(
        body("task_status.started()\nsys.exit(3)"),
        "SystemExit: 3 (bad.py:", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "raises KeyboardInterrupt in a nursery": Case(
        body(
            "async def child():\n    raise KeyboardInterrupt\nasync with trio.open_nursery() as nursery:\n"
            "    task_status.started()\n    nursery.start_soon(trio.sleep_forever)\n    nursery.start_soon(child)"
        ),
        "KeyboardInterrupt: (bad.py:", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "raises an exception of its own that is no Exception": Case(
        "class Odd(BaseException): pass\n" + body("raise Odd('odd')"),
        "Odd: odd (bad.py:", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "raises a cancellation out of its scope": Case(
        body(
            "task_status.started()\nkept = []\nwith trio.CancelScope() as scope:\n    scope.cancel()\n"
            "    try:\n        await trio.sleep(1)\n    except trio.Cancelled as error:\n        kept.append(error)\n"
            "raise kept[0]"
        ),
        "api.bad raised a cancellation that was not its own", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "starts threads that raise": Case(
        body(
            "task_status.started()\ndef work():\n    raise OSError('no such device')\nwhile True:\n"
            "    threading.Thread(target=work).start()\n    await trio.sleep(0.2)"
        ),
        "a thread of api.bad failed: OSError: no such device (bad.py:",
        'plugin_faults_total{kind="thread",plugin="api.bad"}', 2,
    ),
    "raises on import": Case(
        "1 / 0\n",
        "api.bad failed in import: ZeroDivisionError: division by zero (bad.py:",
        'plugin_quarantines_total{plugin="api.bad"}',
    ),
    "ends the process on import": Case(
        "sys.exit(0)\n", "api.bad failed in import: SystemExit: 0 (bad.py:",
        'plugin_quarantines_total{plugin="api.bad"}',
    ),
    "raises in register_api": Case(
        "@hookimpl\ndef register_api(context):\n    raise KeyboardInterrupt\n",
        "api.bad failed in register_api: KeyboardInterrupt: (bad.py:", 'plugin_restarts_total{plugin="api.bad"}',
    ),
    "returns no role object": Case(
        "@hookimpl\ndef register_api(context):\n    return 7\n",
        "AttributeError: 'int' object has no attribute 'run'", 'plugin_restarts_total{plugin="api.bad"}',
    ),
}


@pytest.mark.parametrize("case", SPARED.values(), ids=SPARED.keys())
def test_a_plugin_that_can_be_spared_is_named_counted_and_quarantined(node: BadNode, case: Case) -> None:
    """The others are served before and after, and the node ends as it was asked to."""
    node.add(case.source)
    node.start()
    assert case.said in node.until_state("quarantined")
    assert case.said in node.text()
    assert node.row()["state"] == "quarantined"
    assert case.said in node.row()["summary"]
    node.until_noted(case.said)
    assert node.metric(case.series) >= case.count
    assert node.metric('plugin_quarantines_total{plugin="api.bad"}') == 1
    status, head = node.get("/v1/head")
    assert status == 200
    height = json.loads(head)["height"]
    node.until(lambda: json.loads(node.get("/v1/head")[1])["height"] > height, "make blocks")
    assert node.stop() == (1 if "shield=True" in case.source else 0)
    assert "Traceback" not in node.text()


def test_many_broken_plugins_together_are_each_named_counted_and_quarantined(node: BadNode) -> None:
    """Everything that can be raised, wherever: the node serves and makes blocks all the while."""
    named = {f"bad{number}": case for number, case in enumerate(BROKEN.values())}
    for name, case in named.items():
        node.add(case.source, name=name)
    node.start()
    height = json.loads(node.get("/v1/head")[1])["height"]
    states = {name: node.until_state("quarantined", f"api.{name}") for name in named}
    rows = {row["name"]: row for row in node.rows()}
    for name, case in named.items():
        said = case.said.replace("api.bad", f"api.{name}").replace("bad.py", f"{name}.py")
        assert said in states[name]
        assert said in node.text()
        node.until_noted(f"api.{name}: quarantined {states[name].strip()}")
        row = rows[f"api.{name}"]
        assert (row["state"], row["summary"]) == ("quarantined", states[name].strip())
        assert node.metric(case.series.replace("api.bad", f"api.{name}")) >= case.count
        assert node.metric(f'plugin_quarantines_total{{plugin="api.{name}"}}') == 1
    node.until(lambda: json.loads(node.get("/v1/head")[1])["height"] > height, "make blocks")
    assert {rows[name]["state"] for name in ("storage.sqlite", "consensus.solo", "api.http")} == {"running"}
    assert node.stop() == 0
    assert "Traceback" not in node.text()


def test_a_flood_leaves_memory_bounded_and_tells_who_lost_events(node: BadNode) -> None:
    """A client of /v1/events is told `lagged`; what it lost is counted for the publisher."""
    node.settings("failures_max = 1", "failures_max = 100")
    node.add(SPARED["floods the bus"].source)
    node.start()
    with urllib.request.urlopen(node.running()["addresses"][0] + "/v1/events", timeout=WAIT_S) as stream:
        while b"lagged" not in stream.readline():
            pass
        before = node.until(lambda: node.metric("process_resident_bytes"), "sample memory")
        node.until(lambda: node.metric('bus_events_total{plugin="api.bad"}') > 500_000, "count the events")
        assert node.metric('bus_dropped_total{plugin="api.bad"}') > 100_000
        assert node.metric("process_resident_bytes") - before < 32 << 20
    node.until_noted("api.bad floods the bus")
    assert node.stop() == 0


def test_hooks_that_raise_are_named_and_counted_and_go_no_further(node: BadNode) -> None:
    """A route answers 500 with the plugin's name, whatever its handler raises; blocks go on."""
    node.add(
        "KINDS = {'a': SystemExit, 'b': KeyboardInterrupt, 'c': OSError}\n"
        "async def answer(request):\n    raise KINDS[request.path[-1]]\n"
        "@hookimpl\ndef register_routes(context):\n"
        "    return [Route('GET', f'/bad/{name}', answer, 'bad') for name in 'abc']\n"
        + HOOKS.format("raise SystemExit('no')")
    )
    node.add("@hookimpl\ndef register_routes(context):\n    return [42]\n", name="noroute")
    node.add("@hookimpl\ndef register_routes(context):\n    raise KeyboardInterrupt\n", name="nohook")
    node.start()
    for name in "abc":
        status, reply = node.get(f"/bad/{name}")
        assert (status, json.loads(reply)["code"]) == (500, "INTERNAL")
        assert "plugin api.bad failed to answer request" in reply
    answering = [line for line in node.text().splitlines() if "/bad/" in line or "failed to answer" in line]
    assert len(answering) == 6
    assert all("request=" in line for line in answering)
    node.until(lambda: node.metric('hook_failures_total{plugin="api.bad"}') >= 5, "count")
    assert "api.bad failed in on_block_finalized: " in node.text()
    node.until_noted("SystemExit: no (bad.py:")
    for name, cause in (("noroute", "TypeError: int is no Route"), ("nohook", "KeyboardInterrupt")):
        node.until_noted(f"api.{name}.routes: PLUGIN_BROKEN: api.{name} failed in register_routes: {cause}")
        assert node.metric(f'hook_failures_total{{plugin="api.{name}"}}') == 1
    assert node.running()["plugins"]["api.http"]["state"] == "running"
    assert node.stop() == 0


def test_a_quarantined_plugin_is_called_no_more(node: BadNode) -> None:
    """Its routes answer NOT_READY with its name; its hooks are left alone."""
    node.add(
        "async def answer(request):\n    return json_response({})\n"
        "@hookimpl\ndef register_routes(context):\n    return [Route('GET', '/bad', answer, 'bad')]\n"
        + HOOKS.format("time.sleep(1.6)")
    )
    node.start()
    assert node.get("/bad")[0] == 200
    node.until_state("quarantined")
    status, reply = node.get("/bad")
    assert (status, json.loads(reply)["message"]) == (503, "api.bad is quarantined")
    blocked = node.metric('plugin_faults_total{kind="blocked",plugin="api.bad"}')
    height = json.loads(node.get("/v1/head")[1])["height"]
    node.until(lambda: json.loads(node.get("/v1/head")[1])["height"] > height + 2, "make blocks")
    assert node.metric('plugin_faults_total{kind="blocked",plugin="api.bad"}') == blocked


@pytest.mark.parametrize("work", ["time.sleep(1000)", "re.match('(a+)+$', 'a' * 64 + 'b')"], ids=["Python", "C"])
def test_a_plugin_that_never_gives_the_loop_back_is_named_from_outside(node: BadNode, work: str) -> None:
    """`metanode plugins` tells although the node cannot; after the kill the next run's log does."""
    node.add(body(f"task_status.started()\nawait trio.sleep(1)\n{work}"))
    node.start()
    row = node.until(lambda: row if (row := node.row())["state"] == "blocking" else None, "block")
    assert row["summary"].startswith("nothing else runs while it is in run (")
    assert "bad.py:" in row["summary"]
    if work.startswith("time"):  # the watchdog's thread can speak while it lasts
        node.until(lambda: "by api.bad in run (" in node.text(), "log")
    assert node.process is not None
    node.process.kill()
    node.process.wait()
    node.settings(', "bad"', "")
    node.start()
    assert "a run before this one ended while api.bad blocked it in run (" in node.text()
    assert node.stop() == 0
    assert not list((node.home.path / "run").iterdir())


def test_an_import_that_never_ends_is_named(node: BadNode) -> None:
    """Before any plugin has started."""
    node.add("time.sleep(1000)\n")
    node.spawn()
    node.until(lambda: "by api.bad in <module> (" in node.text(), "log")


SINGLE = {
    "dies": (
        body("task_status.started()\nawait trio.sleep(1)\nraise OSError('gone')", STORAGE), "OSError: gone (bad.py:",
    ),
    "raises SystemExit": (
        body("task_status.started()\nawait trio.sleep(1)\nsys.exit(0)", STORAGE), "SystemExit: 0 (bad.py:",
    ),
    "raises KeyboardInterrupt in a nursery": (
        body(
            "async def child():\n    raise KeyboardInterrupt\ntask_status.started()\nawait trio.sleep(1)\n"
            "async with trio.open_nursery() as nursery:\n    nursery.start_soon(child)", STORAGE,
        ),
        "KeyboardInterrupt: (bad.py:",
    ),
    "blocks the loop": (
        body("task_status.started()\nwhile True:\n    await trio.sleep(0.1)\n    time.sleep(1.6)", STORAGE),
        "by storage.bad in run (",
    ),
    "starts threads that raise": (
        body(
            "task_status.started()\ndef work():\n    raise OSError('no such device')\nwhile True:\n"
            "    await trio.sleep(0.3)\n    threading.Thread(target=work).start()", STORAGE,
        ),
        "a thread of storage.bad failed: OSError: no such device (bad.py:",
    ),
    "returns from run": (body("task_status.started()\nawait trio.sleep(1)", STORAGE), "storage.bad returned from run"),
}


@pytest.mark.parametrize(("source", "said"), SINGLE.values(), ids=SINGLE.keys())
def test_a_single_role_fails_closed(node: BadNode, source: str, said: str) -> None:
    """The node stops by itself, every other plugin in order, exit code 1, one line with plugin and cause."""
    node.add(source, role="storage")
    node.start()
    assert node.ended() == 1
    lines = node.text().splitlines()
    assert lines[-1].startswith("error ROLE_FAILED: storage.bad stopped: ")
    assert said in lines[-1]
    assert sum("ROLE_FAILED" in line for line in lines) == 1
    assert [line for line in lines if "consensus.solo stopped" in line]
    assert "Traceback" not in node.text()
    assert not node.home.running_file.exists()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("1 / 0\n", "error PLUGIN_BROKEN: storage.bad failed in import: ZeroDivisionError: division by zero (bad.py:"),
        (
            "@hookimpl\ndef provide_storage(context):\n    sys.exit(0)\n",
            "error PLUGIN_BROKEN: storage.bad failed in provide_storage: SystemExit: 0 (bad.py:",
        ),
        (body("await trio.sleep_forever()", STORAGE), "error PLUGIN_TIMEOUT: storage.bad did not start within 2 s"),
        (
            body("with trio.CancelScope(shield=True):\n    await trio.sleep_forever()", STORAGE),
            "error PLUGIN_TIMEOUT: storage.bad did not start and cannot be cancelled within 2 s",
        ),
    ],
    ids=["import", "hook", "start", "stubborn"],
)
def test_a_single_role_that_cannot_start_says_why(node: BadNode, source: str, line: str) -> None:
    """Nothing serves before all single roles do."""
    node.add(source, role="storage")
    node.spawn()
    assert node.ended() == 1
    assert node.text().splitlines()[-1].startswith(line)
    assert "Traceback" not in node.text()


@pytest.mark.parametrize("role", ["api", "storage"])
def test_a_plugin_that_never_stops_cannot_keep_the_process(node: BadNode, role: str) -> None:
    """The others are closed; then the process ends with 1 and the plugin's name."""
    loop = "task_status.started()\nwith trio.CancelScope(shield=True):\n    await trio.sleep_forever()"
    node.add(body(loop, API if role == "api" else STORAGE), role=role)
    node.start()
    assert node.stop() == 1
    lines = node.text().splitlines()
    assert lines[-1].startswith(f"error ROLE_FAILED: {role}.bad has not stopped within 2 s")
    assert [line for line in lines if "mempool.fifo stopped" in line]
    assert not node.home.running_file.exists()


def test_a_thread_that_never_ends_cannot_keep_the_process(node: BadNode) -> None:
    """It is named, and the exit code tells that not all was well."""
    node.add(body("threading.Thread(target=time.sleep, args=(1000,), name='forever').start()\n"
                  "task_status.started()\nawait trio.sleep_forever()"))
    node.start()
    assert node.stop() == 1
    assert "the process ends without threads that still run: forever" in node.text()


def test_safe_mode_starts_in_spite_of_every_broken_plugin(node: BadNode) -> None:
    """Selected, configured, importable or not: only built-ins are loaded, and the others are shown as left out."""
    names = []
    for number, case in enumerate({**SPARED, **BROKEN}.values()):
        names.append(f"bad{number}")
        node.add(case.source, name=names[-1])
    (node.plugins / "broken.py").write_text("no manifest, and (no Python")
    node.settings('api = ["http"', 'api = ["http", "broken"')
    node.home.settings_file.write_text(node.home.settings_file.read_text() + "\n[plugins.api.bad0]\nnonsense = 1\n")
    node.start("--safe-mode")
    states = node.running()["plugins"]
    for name in (*names, "broken"):
        assert states[f"api.{name}"] == {
            "state": "quarantined", "detail": f"PLUGIN_UNKNOWN: api.{name} is left out in safe mode",
        }
    assert {row["state"] for name, row in states.items() if name not in {f"api.{n}" for n in (*names, "broken")}} == {
        "running"
    }
    assert node.get("/v1/head")[0] == 200
    assert node.stop() == 0

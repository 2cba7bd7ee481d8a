"""The life of a node: load plugins, fill roles in order, keep them running, close in reverse.

The kernel knows lifecycle, roles, the bus, clock and chance, health, metrics and settings.
Of transactions, consensus or sockets it knows nothing.  Read `supervision` next (how one
plugin is kept running), then `dispatch` (how hooks are called).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from metanode.core import crypto
from metanode.core.bus import BlockFinalized, Bus, PluginStateChanged, Subscription
from metanode.core.clock import Clock, Randomness, SystemClock, SystemRandomness
from metanode.core.current import BEFORE_CHANGE, OWNS_PROCESS
from metanode.core.dispatch import Dispatcher
from metanode.core.guard import Guard
from metanode.core.health import HealthRegistry
from metanode.core.home import Home, solo_genesis
from metanode.core.identity import Identity, fresh_identity
from metanode.core.loading import Loaded, Plugin, guarded, in_words, load
from metanode.core.manifests import Manifest
from metanode.core.metrics import MetricRegistry
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError
from metanode.core.model.genesis import Genesis
from metanode.core.peers import PeerHub
from metanode.core.roles import MANY_ROLES, SINGLE_ROLES, Roles, Service
from metanode.core.settings import Settings
from metanode.core.supervision import Keeper, Policy
from metanode.core.watchdog import Watchdog
from metanode.core.workers import ThreadWorkers, Workers
from metanode.platforms.process import StackDump, blame, stack_of_error

_log = logging.getLogger("metanode.kernel")

START_GRACE_S = 1.0
"""How long a plugin that can be spared may hold up the start of the next one, seconds."""


class PluginState(NamedTuple):
    """What became of a configured plugin."""

    state: str
    """loaded, starting, running, restarting, quarantined or stopped."""
    detail: str


@dataclass(frozen=True)
class OwnProcess:
    """What a program that has its process to itself, and handles SIGINT, lets a node do to that process.

    The node then dumps the stacks of a blocked loop, names threads that fail, holds the process's memory
    against the plugins' budgets, and takes a KeyboardInterrupt in a plugin for the plugin's own.
    """

    run_dir: Path
    """Where stacks are dumped."""
    abandon: Callable[[MetanodeError], None]
    """Ends the process, or else the node waits for plugins that do not stop; everything else is closed by then."""


@dataclass(frozen=True)
class Node:
    """A running node, as `Node.open` yields it."""

    settings: Settings
    genesis: Genesis
    identity: Identity
    clock: Clock
    randomness: Randomness
    workers: Workers
    roles: Roles
    peers: PeerHub
    bus: Bus
    health: HealthRegistry
    metrics: MetricRegistry
    plugins: dict[str, PluginState]
    """State of every configured plugin by full name; the kernel keeps it current."""

    @staticmethod
    @asynccontextmanager
    async def open(
        settings: Settings,
        *,
        plugins: Sequence[object] = (),
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        workers: Workers | None = None,
        home: Path | None = None,
        genesis: Genesis | None = None,
        identity: Identity | None = None,
        plugins_dir: Path | None = None,
        safe_mode: bool = False,
        process: OwnProcess | None = None,
    ) -> AsyncIterator[Node]:
        """Run a node for as long as the `async with` block lasts.

        All single roles have started when the block is entered; plugins of the other roles
        have started or are being restarted.  Leaving the block, or cancelling it, closes every
        plugin in reverse order.  When a critical plugin fails the block is cancelled and the
        failure is raised; an exception of the block's own comes out as it is, never in a group.

        :param plugins: modules or objects with hook implementations and a `MANIFEST` mapping.
        :param home: gives data directories, and genesis and keys where those are not given.
            Without a home, a missing genesis is a fresh devnet and missing keys are fresh keys.
        :param plugins_dir: a directory of single-file plugins.
        :param safe_mode: load built-in plugins only.
        :param process: None leaves the process alone, as is right inside another program.
        :raises SettingsError: the settings cannot work.
        :raises PluginError: a critical plugin is unknown, broken or too slow to start.
        :raises MetanodeError: ROLE_FAILED when a critical plugin stopped; what a role refused to start with.
        """
        crypto.install()
        clock, randomness = clock or SystemClock(), randomness or SystemRandomness()
        workers = workers or ThreadWorkers()
        place = None if home is None else Home(home)
        if identity is None:
            identity = fresh_identity(randomness) if place is None else await workers.run(place.identity)
        if genesis is None:
            genesis = solo_genesis(identity, genesis_ms=clock.now_ms()) if place is None else place.genesis()
        roles, bus, health, metrics = Roles(), Bus(), HealthRegistry(), MetricRegistry()
        peers = PeerHub(settings.peers, identity.node.public_key, roles, bus, health, metrics, randomness)
        node = Node(settings, genesis, identity, clock, randomness, workers, roles, peers, bus, health, metrics, {})
        kernel = _Kernel(node, place, process)
        own: Exception | None = None
        try:
            kernel.load(plugins, plugins_dir, safe_mode)
            async with trio.open_nursery() as nursery, node.bus.subscribe(BlockFinalized) as blocks:
                kernel.nursery = nursery
                try:
                    await kernel.start(blocks)
                    yield node
                except Exception as error:  # noqa: BLE001 - raised again below, where no nursery wraps it in a group
                    own = error
                finally:
                    with trio.CancelScope(shield=True):  # bounded: `close` waits stop_timeout_s per plugin
                        await kernel.close(own)
                    nursery.cancel_scope.cancel()
        except Exception as error:
            if kernel.failure is None:
                raise
            raise kernel.failure from error
        finally:
            kernel.release_process()
        failure = kernel.failure or own or kernel.stop_failure
        if failure is not None:
            raise failure


class _Kernel:
    """What stands behind one `Node`."""

    nursery: trio.Nursery
    _loaded: Loaded
    _dispatcher: Dispatcher

    def __init__(self, node: Node, home: Home | None, process: OwnProcess | None) -> None:
        self._node = node
        self._home = home
        self._process = process
        self._keepers: dict[str, Keeper] = {}
        self._places: dict[str, str] = {}
        self._token = trio.lowlevel.current_trio_token()
        self._blocked_by = ""
        self._watchdog: Watchdog | None = None
        self._thread_hook = threading.excepthook
        self._open = False
        self._closing = False
        self.failure: MetanodeError | None = None
        """Why the node stops by itself."""
        self.stop_failure: MetanodeError | None = None
        """The first critical plugin that failed while stopping."""

    def load(self, inline: Sequence[object], plugins_dir: Path | None, safe_mode: bool) -> None:
        """Import the plugins, watched: an import may take long, or never end.

        :raises MetanodeError: as `loading.load`.
        """
        if self._process is not None:
            OWNS_PROCESS.set(True)
            threading.excepthook = self._thread_failed
        self._start_watchdog()
        settings, importing = self._node.settings, self._importing
        self._loaded = load(
            settings, inline=inline, plugins_dir=plugins_dir, safe_mode=safe_mode, importing=importing
        )
        for plugin in self._loaded.plugins.values():
            if file := getattr(plugin.code, "__file__", None):
                self._places.setdefault(file, plugin.name)
        self._dispatcher = Dispatcher(self._node, self._loaded.plugins, self._home)

    def release_process(self) -> None:
        """Give back what belongs to the process; for every end of a node, also of one that never loaded."""
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._process is not None:
            threading.excepthook = self._thread_hook

    async def start(self, blocks: Subscription) -> None:
        """Fill and start every role.

        :raises MetanodeError: a plugin does not answer its hook; one that fails later sets `failure`.
        """
        self._start_guard()
        for name, error in self._loaded.failed.items():
            self._told(name, "quarantined", in_words(error))
        for name in self._loaded.plugins:
            self._node.plugins[name] = PluginState("loaded", "")
        waiting: list[Keeper] = []
        for role in SINGLE_ROLES:
            (plugin,) = self._loaded.of_role(role)
            provided = self._dispatcher.provide(plugin)
            keeper = self._keeper(plugin, partial(_same, provided))
            if role == "storage":
                # Opened and running before any other role is asked: a later refusal must find a storage to close.
                await self._open_storage(plugin)
                await self._start(keeper)
            else:
                waiting.append(keeper)
        for keeper in waiting:
            await self._start(keeper)
        many = [plugin for role in MANY_ROLES for plugin in self._loaded.of_role(role)]
        keepers = [self._keeper(plugin, partial(self._dispatcher.register, plugin)) for plugin in many]
        for keeper in keepers:
            keeper.prepare()
        self._dispatcher.routes()  # now, so that two plugins with one route stop the start and not a listener
        self.nursery.start_soon(self._dispatcher.tell_blocks, blocks, name="metanode block events")
        for keeper in keepers:
            with trio.move_on_after(START_GRACE_S):
                await self._start(keeper)
        for keeper in keepers:
            await keeper.wait_ready()
        self._node.peers.start(self.nursery)
        self._open = True

    async def close(self, error: Exception | None) -> None:
        """Stop every plugin, the last started first, and wait for each as long as the settings allow.

        :param error: what ended the block around the node.
        """
        self._closing = True
        timeout_s = self._node.settings.node.stop_timeout_s
        stubborn = ""
        for keeper in reversed(self._keepers.values()):
            keeper.stop()
            with trio.move_on_after(timeout_s):
                await keeper.done.wait()
            if not keeper.done.is_set():
                stubborn = f"{keeper.name} has not stopped within {timeout_s} s"
                _log.error("%s", stubborn)
            elif keeper.stop_error is not None:
                self._failed_to_stop(keeper.name, keeper.stop_error)
            if self._node.plugins[keeper.name].state not in ("quarantined", "stopped"):
                self._told(keeper.name, "stopped", "")
        self._node.bus.close()
        if stubborn and self._process is not None:
            said = self.failure or (error if isinstance(error, MetanodeError) else None)
            self._process.abandon(said or MetanodeError("ROLE_FAILED", stubborn, "a plugin that stops"))

    async def _open_storage(self, plugin: Plugin) -> None:
        timeout_s = self._start_timeout_s(plugin)
        with trio.move_on_after(timeout_s) as limit, guarded(plugin.name, "open"):
            await self._node.roles.storage.open(self._node.genesis.hash)
        if limit.cancelled_caught:
            raise PluginError("PLUGIN_TIMEOUT", f"{plugin.name} did not open within {timeout_s} s")

    def _start_timeout_s(self, plugin: Plugin) -> int:
        return plugin.manifest.start_timeout_s or self._node.settings.node.start_timeout_s

    def _keeper(self, plugin: Plugin, make: Callable[[], Service | None]) -> Keeper:
        limits = self._node.settings.node
        critical = plugin.manifest.critical
        failures_max = 0 if critical else limits.failures_max
        policy = Policy(self._start_timeout_s(plugin), failures_max, limits.failures_max, limits.failure_window_s)
        return Keeper(
            plugin.name,
            make,
            policy=policy,
            randomness=self._node.randomness,
            told=partial(self._told, plugin.name),
            given_up=partial(self._critical_failed if critical else self._quarantine, plugin),
        )

    async def _start(self, keeper: Keeper) -> None:
        self._keepers[keeper.name] = keeper
        keeper.start(self.nursery)
        await keeper.wait_ready()

    def _critical_failed(self, plugin: Plugin, error: BaseException, started: bool) -> None:
        self._told(plugin.name, "stopped", in_words(error))
        if isinstance(error, MetanodeError) and not started:
            self._fail(error)  # it refused to start and says why: nothing to add
            return
        cure = error.expected if isinstance(error, MetanodeError) else ""
        failure = MetanodeError("ROLE_FAILED", f"{plugin.name} stopped: {in_words(error)}", cure)
        failure.__cause__ = error
        self._fail(failure)

    def _quarantine(self, plugin: Plugin, error: BaseException, started: bool) -> None:
        self._dispatcher.withdraw(plugin)
        self._told(plugin.name, "quarantined", in_words(error))
        if isinstance(error, SettingsError) and not self._open:
            self._fail(error)  # a wrong configuration is said at once, not found out later

    def _fail(self, failure: MetanodeError) -> None:
        if self.failure is None and not self._closing:
            self.failure = failure
            self.nursery.cancel_scope.cancel()

    def _failed_to_stop(self, name: str, error: BaseException) -> None:
        _log.error("%s failed while stopping: %s", name, in_words(error))
        if self._loaded.plugins[name].manifest.critical and self.stop_failure is None:
            self.stop_failure = MetanodeError("ROLE_FAILED", f"{name} failed while stopping: {in_words(error)}")
            self.stop_failure.__cause__ = error

    def _told(self, name: str, state: str, detail: str) -> None:
        node = self._node
        node.plugins[name] = PluginState(state, detail)
        node.health.report(name, state == "running", detail if state == "running" else f"{state} {detail}".strip())
        for what in {"restarting": ("failures", "restarts"), "quarantined": ("failures", "quarantines")}.get(state, ()):
            node.metrics.counter(f"plugin_{what}_total", f"{what.capitalize()} of plugins", plugin=name).add()
        level = logging.WARNING if detail else logging.DEBUG if state == "starting" else logging.INFO
        _log.log(level, "%s %s%s", name, state, f": {detail}" if detail else "")
        node.bus.publish(PluginStateChanged(name, state, detail))

    def _start_watchdog(self) -> None:
        limit_ms = self._node.settings.node.blocked_ms
        # Only real time can be lost: with a virtual clock a test may compute for as long as it likes.
        if limit_ms == 0 or not isinstance(self._node.clock, SystemClock):
            return
        self._watchdog = Watchdog(self._places, blocked_ms=limit_ms, report=self._blocked, dump=self._stack_dump())
        self._watchdog.start()

    def _stack_dump(self) -> StackDump | None:
        if self._process is None:
            return None
        try:
            return StackDump(self._process.run_dir)
        except OSError as error:  # the roles that need the disk say what is wrong with it, in their words
            _log.warning("%s: %s: no stacks are kept there", self._process.run_dir, error.strerror)
            return None

    def _start_guard(self) -> None:
        if not isinstance(self._node.clock, SystemClock):
            return
        budget_mib = sum(plugin.manifest.ram_mib for plugin in self._loaded.plugins.values())
        node, owns = self._node, self._process is not None
        guard = Guard(node.bus, node.health, node.metrics, budget_mib, owns, self._accuse)
        if owns:
            BEFORE_CHANGE.set(guard.growth.before_change)
        self.nursery.start_soon(guard.run, name="metanode guard")

    def _importing(self, manifest: Manifest) -> None:
        if manifest.source != "inline":
            self._places[str(manifest.file or Path(manifest.source).parent)] = manifest.name

    def _blocked(self, plugin: str, line: str) -> None:
        """Hear from the watchdog's thread what blocks the loop, and with empty texts that it goes on."""
        self._blocked_by = line or self._blocked_by
        self._node.health.report("loop", not line, self._blocked_by)
        if line:
            _log.warning("%s", line)  # now, since the loop may never go on
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._accuse, plugin, "blocked", line)

    def _thread_failed(self, args: threading.ExceptHookArgs) -> None:
        """Take the place of `threading.excepthook`: one line, and the plugin's name."""
        if args.exc_value is None or isinstance(args.exc_value, SystemExit):
            return
        plugin, _ = blame(stack_of_error(args.exc_traceback), self._places)
        line = f"a thread of {plugin or 'no plugin'} failed: {in_words(args.exc_value)}"
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._accuse, plugin, "thread", line)

    def _accuse(self, name: str, kind: str, line: str) -> None:
        """Count a fault that others saw, and charge it to the plugin.

        Memory is not charged to critical plugins: a chain's state grows, and stopping the node would give none of
        it back that the system's own limit would not.
        """
        if kind != "blocked":  # said by the watchdog
            _log.warning("%s", line)
        self._node.metrics.counter("plugin_faults_total", "Faults of plugins by kind", plugin=name, kind=kind).add()
        keeper = self._keepers.get(name)
        if keeper is None or (kind == "memory" and self._loaded.plugins[name].manifest.critical):
            return
        keeper.fault(PluginError("PLUGIN_BROKEN", line, "a fixed plugin"))


def _same(service: Service) -> Service:
    return service

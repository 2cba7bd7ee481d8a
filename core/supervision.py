"""Keeping one plugin's role object running: start deadline, restarts, quarantine, orderly stop.

Each object runs in a task of its own behind a shielded scope.  So cancelling the program around
a node does not hit the storage while consensus still writes: only `stop` ends a keeper, and the
kernel calls it in reverse order of start.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from metanode.core.clock import Randomness, fraction
from metanode.core.current import at_work
from metanode.core.loading import cause_of, in_words, passes
from metanode.core.model.errors import PluginError, SettingsError
from metanode.core.roles import Service

_log = logging.getLogger("metanode.kernel")

BACKOFF_BASE_S = 0.5
"""Longest wait before the first restart, seconds; doubles with each failure."""
BACKOFF_MAX_S = 30.0
"""Longest wait before any restart, seconds."""
STUBBORN_S = 5.0
"""How long after its start deadline a plugin may refuse to be cancelled before the node goes on without it, seconds."""


@dataclass(frozen=True)
class Policy:
    """How much failing is forgiven."""

    start_timeout_s: float
    failures_max: int
    """Failures within the window that are answered by a restart; 0 for critical plugins."""
    faults_max: int
    """Failures and faults within the window that are forgiven while the plugin runs."""
    window_s: float


def backoff_s(failures: int, randomness: Randomness) -> float:
    """Return how long to wait after the n-th failure: exponential, capped, between half and all of it.

    The jitter keeps plugins that failed for one reason from coming back at one moment.
    """
    longest: float = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2.0 ** (failures - 1))
    return longest * (0.5 + fraction(randomness) / 2)


class Keeper:
    """Runs one plugin's role object and restarts it as the policy allows.

    :param make: returns a fresh role object, or None when the plugin only has other hooks.
    :param told: hears (state, detail) of every change: starting, running, restarting, quarantined, stopped.
    :param given_up: hears the last error, and whether the object had started, once no restart is left.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Service | None],
        *,
        policy: Policy,
        randomness: Randomness,
        told: Callable[[str, str], None],
        given_up: Callable[[BaseException, bool], None],
    ) -> None:
        self.name = name
        self._make = make
        self._policy = policy
        self._randomness = randomness
        self._told = told
        self._given_up = given_up
        self._scope = trio.CancelScope(shield=True)
        self._attempt_scope = trio.CancelScope()
        self._prepared: Callable[[], Service | None] | None = None
        self._failures: deque[float] = deque()
        self._last = ""
        self._running = False
        self._stopping = False
        self.ready = trio.Event()
        """The first attempt has started or failed."""
        self.done = trio.Event()
        """The task has ended."""
        self.stop_error: BaseException | None = None
        """What it raised while stopping."""

    def prepare(self) -> None:
        """Make the first role object now, so that it exists before any other starts to run.

        :raises SettingsError: the plugin refuses its settings, which no restart would cure.
        """
        try:
            service = self._make()
        except SettingsError:
            raise
        except PluginError as error:
            failure = error  # the name of an except clause does not outlive it

            def fail() -> Service | None:
                raise failure

            self._prepared = fail
        else:
            self._prepared = lambda: service

    def start(self, nursery: trio.Nursery) -> None:
        """Run it in `nursery`."""
        nursery.start_soon(self._task, name=self.name)

    async def wait_ready(self) -> None:
        """Return once the first attempt has started or failed; one that ignores its deadline is given up."""
        with trio.move_on_after(self._policy.start_timeout_s + STUBBORN_S):
            await self.ready.wait()
        if not self.ready.is_set():
            self._give_up(self._late("start and cannot be cancelled"))
            self.ready.set()

    def fault(self, error: PluginError) -> None:
        """Count what others saw it do wrong.  It goes on until its budget is spent: a restart would not cure it."""
        if self._stopping:
            return
        faults = self._count()
        if faults > self._policy.faults_max:
            self._give_up(error)
        elif self._running:
            self._last = f"{in_words(error)} (fault {faults} of {self._policy.faults_max} allowed)"
            self._told("running", self._last)

    def stop(self) -> None:
        """Cancel it; `done` follows when its cleanup is over."""
        self._stopping = True
        self._scope.cancel()

    def started(self, value: None = None) -> None:
        """Mark the object ready to serve: this keeper is the `task_status` its `run` gets."""
        self._attempt_scope.deadline = math.inf
        if not self._running and not self._stopping:
            self._running = True
            self._told("running", self._last)
        self.ready.set()

    async def _task(self) -> None:
        try:
            with self._scope, at_work(self.name):
                await self._keep()
        finally:
            self.ready.set()
            self.done.set()

    async def _keep(self) -> None:
        while True:
            error = await self._attempt()
            if error is None:
                return
            _log.debug("traceback of %s", self.name, exc_info=(type(error), error, error.__traceback__))
            if self._stopping:
                self.stop_error = error
                return
            failures, allowed = self._count(), self._policy.failures_max
            # A refused setting is not forgiven: no restart would cure it.
            if failures > allowed or isinstance(error, SettingsError):
                self._given_up(error, self._running)
                return
            delay = backoff_s(failures, self._randomness)
            self._last = f"{in_words(error)} (failure {failures} of {allowed} allowed)"
            self._told("restarting", f"{self._last}; again in {delay:.1f} s")
            self._last = f"restarted after {self._last}"
            self.ready.set()
            await trio.sleep(delay)

    def _count(self) -> int:
        """Note a failure now and return how many the window holds."""
        now = trio.current_time()
        self._failures.append(now)
        while self._failures[0] < now - self._policy.window_s:
            self._failures.popleft()
        return len(self._failures)

    def _give_up(self, error: BaseException) -> None:
        """Stop it, and say so at once: it may take its time, or never end."""
        if not self._stopping:
            started = self._running
            self.stop()
            self._given_up(error, started)

    def _late(self, what: str) -> PluginError:
        return PluginError("PLUGIN_TIMEOUT", f"{self.name} did not {what} within {self._policy.start_timeout_s:g} s")

    async def _attempt(self) -> BaseException | None:
        """Run the role object once and return what it failed with; None when it was told to stop."""
        self._running = False
        self._told("starting", "")
        try:
            await self._run_once()
            return None
        except BaseException as error:  # the boundary to a plugin's task
            if not passes(error):
                return cause_of(error)
            if self._stopping or not isinstance(cause_of(error), trio.Cancelled):
                raise
            return PluginError("PLUGIN_BROKEN", f"{self.name} raised a cancellation that was not its own")

    async def _run_once(self) -> None:
        make, self._prepared = self._prepared or self._make, None
        service = make()
        timeout_s = self._policy.start_timeout_s
        with trio.CancelScope(deadline=trio.current_time() + timeout_s) as self._attempt_scope:
            if service is None:
                self.started()
                await trio.sleep_forever()
            await service.run(task_status=self)
            if self._stopping:
                return  # it may end by itself once it is told to
            raise PluginError("PLUGIN_BROKEN", f"{self.name} returned from run", "run to go on until cancelled")
        raise self._late("start")

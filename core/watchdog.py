"""Naming what blocks the event loop: a thread that asks the loop for a sign of life.

trio runs one task at a time, so one plugin that computes or waits without trio stops all the
others.  The thread cannot end that, but it can look at the loop's stack and say whose code
is there.  It asks through `run_sync_soon`, so it adds no timer to the loop and a virtual clock
stays undisturbed.  C code that does not release the interpreter lock stops this thread as well:
where the process is ours, a `StackDump` notes the stack even then, and is read once the lock is free.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import trio

from metanode.platforms.process import IDLE, StackDump, blame, stack_of

ASK_EVERY_S = 0.25
"""Pause between two questions, seconds."""
LOCK_GRACE_S = 1.0
"""How long the watching thread may be kept from running itself before the dump is made, seconds."""


class Watchdog:
    """Watches the loop of the thread that makes it.

    :param places: plugin names by the file or folder of their code; may grow meanwhile.
    :param blocked_ms: silence after which the loop counts as blocked, milliseconds.
    :param report: called from the watching thread with (plugin or empty, one line), once per
        blockage, and with ("", "") once the loop answers again.
    :param dump: closed by `stop`.
    """

    def __init__(
        self,
        places: dict[str, str],
        *,
        blocked_ms: int,
        report: Callable[[str, str], None],
        dump: StackDump | None = None,
    ) -> None:
        self._places = places
        self._dump = dump
        self._limit_s = blocked_ms / 1000
        self._report = report
        self._token = trio.lowlevel.current_trio_token()
        self._loop_thread = threading.get_ident()
        self._stopped = threading.Event()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="metanode-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stopped.set()
        self._answered.set()
        self._thread.join()
        if self._dump is not None:
            self._dump.close()

    def _watch(self) -> None:
        while True:
            alive_at = time.monotonic()
            if self._dump is not None:
                self._dump.arm(ASK_EVERY_S + self._limit_s + LOCK_GRACE_S, self._places.copy())
            if self._stopped.wait(ASK_EVERY_S):
                return
            self._answered.clear()
            if self._stopped.is_set():
                return  # `stop` set both events before the clear: nobody will answer, and it waits for this thread
            try:
                self._token.run_sync_soon(self._answered.set, idempotent=True)
            except trio.RunFinishedError:
                return
            answered = self._answered.wait(self._limit_s)
            stack = [] if self._dump is None else self._dump.stack()
            if not answered and not stack:
                stack = stack_of(sys._current_frames().get(self._loop_thread))
                if self._dump is not None:
                    self._dump.note(stack)
            if stack and stack[0].function not in IDLE:
                plugin, place = blame(stack, self._places)
                who = plugin or "code outside any plugin"
                blocked_ms = round((time.monotonic() - alive_at) * 1000)
                self._report(plugin, f"the event loop has been blocked for {blocked_ms} ms by {who} in {place}")
                self._answered.wait()
                if not self._stopped.is_set():
                    self._report("", "")

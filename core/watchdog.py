"""Naming what blocks the event loop: a thread that asks the loop for a sign of life.

trio runs one task at a time, so one plugin that computes or waits without trio stops all the
others.  The thread cannot end that, but it can look at the loop's stack and say whose code
is there.  It asks through `run_sync_soon`, so it adds no timer to the loop and a virtual clock
stays undisturbed.  C code that never releases the interpreter lock blocks this thread too.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType

import trio

ASK_EVERY_S = 0.25
"""Pause between two questions, seconds."""


class Watchdog:
    """Watches the loop of the thread that makes it.

    :param modules: plugin names by module prefix, to tell whose frame is on the stack.
    :param blocked_ms: silence after which the loop counts as blocked, milliseconds.
    :param report: called from the watching thread with (plugin or empty, one line), once per
        blockage, and with ("", "") once the loop answers again.
    """

    def __init__(self, modules: Mapping[str, str], *, blocked_ms: int, report: Callable[[str, str], None]) -> None:
        self._modules = modules
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

    def _watch(self) -> None:
        while not self._stopped.wait(ASK_EVERY_S):
            self._answered.clear()
            if self._stopped.is_set():
                return  # `stop` set both events before the clear: nobody will answer, and it waits for this thread
            asked = time.monotonic()
            try:
                self._token.run_sync_soon(self._answered.set, idempotent=True)
            except trio.RunFinishedError:
                return
            if self._answered.wait(self._limit_s):
                continue
            frame = sys._current_frames().get(self._loop_thread)
            plugin, place = blame(frame, self._modules)
            who = plugin or "code outside any plugin"
            blocked_ms = round((time.monotonic() - asked) * 1000)
            self._report(plugin, f"the event loop has been blocked for {blocked_ms} ms by {who} in {place}")
            self._answered.wait()
            if not self._stopped.is_set():
                self._report("", "")


def blame(frame: FrameType | None, modules: Mapping[str, str]) -> tuple[str, str]:
    """Return (plugin, place) of the outermost frame that belongs to a plugin, else ("", innermost place).

    The outermost one, because a plugin that calls a slow library is the one to ask.
    """
    plugin, place = "", "" if frame is None else _place(frame)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        for prefix, name in modules.items():
            if module == prefix or module.startswith(f"{prefix}."):
                plugin, place = name, _place(frame)
        frame = frame.f_back
    return plugin, place


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_name} ({frame.f_code.co_filename}:{frame.f_lineno})"

"""Ctrl-C of a verb that has processes of its own: noted, and acted on where they can be ended."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any


class Stop:
    """Notes the first signal that asks the verb to end; more of them change nothing, so that it ends whole.

    No exception is thrown into whatever runs: a process started in that moment would be forgotten.
    """

    def __init__(self) -> None:
        self.number = 0
        """The signal; 0 while there was none."""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # else it runs under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number

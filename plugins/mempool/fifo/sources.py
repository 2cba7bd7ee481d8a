"""How often one source may ask: an exact sliding window per source, in a bounded table."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from ipaddress import IPv6Network

from metanode.core.model.errors import Rejection

WINDOW_S = 60.0
"""Length of the window, seconds."""
SOURCES_MAX = 1024
"""Sources remembered; beyond it the one that was quiet longest is forgotten."""


class SourceLimiter:
    """Counts requests per source."""

    def __init__(self, requests_max: int, *, exempt: Iterable[str] = ()) -> None:
        self._exempt = frozenset(exempt)
        self.requests_max = requests_max
        """Requests allowed in any WINDOW_S seconds."""
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def refusal(self, source: str, now_s: float, requests: int = 1) -> Rejection | None:
        """Count requests and return None, or count nothing and return RATE_LIMITED.

        :param requests: how many at once; more than `requests_max` never pass.
        """
        wait_s = 0.0 if source in self._exempt else self._ask(source, now_s, requests)
        if not wait_s:
            return None
        return Rejection(
            "RATE_LIMITED",
            f"{source} asked more than {self.requests_max} times in {WINDOW_S:.0f} s",
            f"a retry in {math.ceil(wait_s)} s",
        )

    def _ask(self, source: str, now_s: float, requests: int) -> float:
        """Count requests and return 0, or return how many seconds to wait."""
        if ":" in source:
            source = _network(source)
        times = self._times.setdefault(source, deque())
        self._times.move_to_end(source)
        if len(self._times) > SOURCES_MAX:
            self._times.popitem(last=False)
        while times and times[0] <= now_s - WINDOW_S:
            times.popleft()
        excess = len(times) + requests - self.requests_max
        if excess <= 0:
            times.extend([now_s] * requests)
            return 0.0
        return times[excess - 1] + WINDOW_S - now_s if excess <= len(times) else WINDOW_S


def _network(source: str) -> str:
    """Return the /64 of an IPv6 address: whoever has one address of it has all of them (RFC 6177)."""
    try:
        return str(IPv6Network((source.partition("%")[0], 64), strict=False))
    except ValueError:
        return source  # a plugin's name

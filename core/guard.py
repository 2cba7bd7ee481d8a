"""What no single plugin feels: the memory of the process and the traffic of the bus, looked at every second.

Python does not know whose an object is.  So memory is first reported for the whole process, against the sum of the
plugins' budgets.  Only above that sum, growth is measured: what the process grew by while a plugin's code was
at work on the loop counts for that plugin.  Worker threads and shared caches blur this, so a plugin
is named only when it accounts for `GROWTH_MIB_MIN` and for most of all growth; else nobody is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

import trio

from metanode.core.bus import Bus
from metanode.core.current import PLUGIN
from metanode.core.health import HealthRegistry
from metanode.core.metrics import MetricRegistry
from metanode.platforms.process import rss_bytes

SAMPLE_S = 1.0
"""Pause between two looks, seconds."""
EVENTS_PER_S_MAX = 20_000
"""A plugin that publishes more events each second floods the bus; a full block every 100 ms makes fewer."""
BASE_MIB = 40
"""What a node needs before any plugin's budget: interpreter, trio, kernel, MiB (29 measured)."""
GROWTH_MIB_MIN = 16
"""Growth from which a plugin can be named, MiB: below it allocator and caches decide who seems to grow."""
MIB = 1 << 20


class Growth(trio.abc.Instrument):
    """Counts by how much the process grows while each plugin is at work."""

    def __init__(self, rss: Callable[[], int]) -> None:
        self._rss = rss
        self._mark: int | None = None
        self.by_plugin: Counter[str] = Counter()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Open an account."""
        self._mark = self._rss()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Close it for the plugin that this task works for."""
        self._count(task.context.get(PLUGIN, ""))
        self._mark = None

    def before_change(self) -> None:
        """Within a step another plugin goes on."""
        self._count(PLUGIN.get())

    def clear(self) -> None:
        """Forget what was counted, and the open account with it."""
        self.by_plugin.clear()
        self._mark = None

    def _count(self, plugin: str) -> None:
        if self._mark is not None:
            now = self._rss()
            self.by_plugin[plugin] += now - self._mark
            self._mark = now


@dataclass
class Guard:
    """Looks, reports and accuses."""

    bus: Bus
    health: HealthRegistry
    metrics: MetricRegistry
    budget_mib: int
    """The sum of the plugins' budgets."""
    owns_process: bool
    """The process's memory is this node's alone, so it may be held against the budgets."""
    accuse: Callable[[str, str, str], None]
    """Hears (plugin, kind of fault, one line)."""
    rss: Callable[[], int] = rss_bytes

    def __post_init__(self) -> None:
        self.growth = Growth(self.rss)
        self._watching = False
        self._suspect = ""
        self._grown_from = 0
        self._looked_at = trio.current_time()
        self._published: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await trio.sleep(SAMPLE_S)
                self.look()
        finally:
            self._watch(False)

    def look(self) -> None:
        """Take one sample of everything."""
        self._look_at_bus()
        self._look_at_memory()

    def _look_at_bus(self) -> None:
        elapsed_s = max(SAMPLE_S, trio.current_time() - self._looked_at)
        self._looked_at = trio.current_time()
        published, self._published = self.bus.published - self._published, self.bus.published.copy()
        dropped, self._dropped = self.bus.dropped - self._dropped, self.bus.dropped.copy()
        said = ""
        for plugin, count in published.items():
            self.metrics.counter("bus_events_total", "Events published, by publisher", plugin=plugin).add(count)
            lost = self.metrics.counter("bus_dropped_total", "Events lost by subscribers, by publisher", plugin=plugin)
            lost.add(dropped[plugin])
            if plugin and count > EVENTS_PER_S_MAX * elapsed_s:
                said = f"{plugin} floods the bus: {round(count / elapsed_s)} events/s, {dropped[plugin]} were lost"
                self.accuse(plugin, "flood", said)
        self.health.report("bus", not said, said)

    def _look_at_memory(self) -> None:
        rss, budget = self.rss(), (BASE_MIB + self.budget_mib) * MIB
        self.metrics.gauge("process_resident_bytes", "Memory the process holds in RAM").set(rss)
        self.metrics.gauge("process_budget_bytes", "Sum of the plugins' memory budgets").set(budget)
        if not self.owns_process:
            return
        above, said = rss > budget, ""
        if above != self._watching:
            self._watch(above)
            self._grown_from, self._suspect = rss, ""
        if above:
            said = f"{rss // MIB} MiB resident, the budgets of all plugins sum to {budget // MIB} MiB"
            plugin, grown = max(self.growth.by_plugin.items(), key=itemgetter(1), default=("", 0))
            if plugin and grown >= GROWTH_MIB_MIN * MIB and grown * 2 > rss - self._grown_from:
                self._suspect = f"the process grew by {grown // MIB} MiB while {plugin} was at work"
                self.accuse(plugin, "memory", f"{self._suspect}; {said}")
                self.growth.by_plugin.clear()
                self._grown_from = rss
            said += f"; {self._suspect or 'no plugin can be named'}"
        self.health.report("memory", not above, said)

    def _watch(self, on: bool) -> None:
        if on != self._watching:
            (trio.lowlevel.add_instrument if on else trio.lowlevel.remove_instrument)(self.growth)
            self._watching = on
            self.growth.clear()

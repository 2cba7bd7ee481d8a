"""The guard: who floods the bus is named, memory is held against the budgets, and nobody is named without measure."""

from __future__ import annotations

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from metanode.core.bus import BlockFinalized, Bus
from metanode.core.current import BEFORE_CHANGE, at_work
from metanode.core.guard import BASE_MIB, EVENTS_PER_S_MAX, GROWTH_MIB_MIN, MIB, Guard
from metanode.core.health import HealthRegistry
from metanode.core.metrics import MetricRegistry

BUDGET_MIB = 10


class Scene:
    """A guard over a process whose memory the test sets."""

    def __init__(self, *, owns_process: bool = True) -> None:
        self.rss = 30 * MIB
        self.bus, self.health, self.metrics = Bus(), HealthRegistry(), MetricRegistry()
        self.accused: list[tuple[str, str, str]] = []
        self.guard = Guard(
            self.bus, self.health, self.metrics, BUDGET_MIB, owns_process,
            lambda *row: self.accused.append(row), lambda: self.rss,
        )  # fmt: skip

    def flood(self, plugin: str, events: int) -> None:
        """Publish as a plugin."""
        with at_work(plugin):
            for height in range(events):
                self.bus.publish(BlockFinalized(height, bytes(32), 0, 0))

    async def grow(self, plugin: str, mib: int) -> None:
        """Let the process grow in a task's step in which a plugin is at work."""

        async def task() -> None:
            BEFORE_CHANGE.set(self.guard.growth.before_change)
            with at_work(plugin):
                self.rss += mib * MIB

        async with trio.open_nursery() as nursery:
            nursery.start_soon(task)

    def above(self) -> None:
        """Let memory be above the sum of the budgets, which starts the measuring."""
        self.rss = (BASE_MIB + BUDGET_MIB + 1) * MIB
        self.guard.look()


async def test_who_publishes_too_much_is_named_and_what_others_lost_is_counted(autojump_clock: MockClock) -> None:
    """By the second, not by the sample; and health is good again when it ends."""
    scene = Scene()
    async with scene.bus.subscribe(BlockFinalized, capacity=10):
        scene.flood("api.flood", 2 * EVENTS_PER_S_MAX + 1)
        scene.flood("consensus.solo", 5)
        await trio.sleep(2)
        scene.guard.look()
    ((plugin, kind, line),) = scene.accused
    assert (plugin, kind) == ("api.flood", "flood")
    assert line == f"api.flood floods the bus: {EVENTS_PER_S_MAX} events/s, {2 * EVENTS_PER_S_MAX - 9} were lost"
    assert scene.health.snapshot()["bus"] == (False, line)
    text = scene.metrics.exposition()
    assert f'bus_events_total{{plugin="api.flood"}} {2 * EVENTS_PER_S_MAX + 1}' in text
    assert 'bus_dropped_total{plugin="consensus.solo"} 5' in text
    await trio.sleep(1)
    scene.guard.look()
    assert len(scene.accused) == 1
    assert scene.health.snapshot()["bus"].ok


async def test_what_fits_a_second_is_no_flood(autojump_clock: MockClock) -> None:
    """Neither is what the kernel itself says."""
    scene = Scene()
    scene.flood("consensus.solo", EVENTS_PER_S_MAX)
    scene.flood("", 5 * EVENTS_PER_S_MAX)
    await trio.sleep(1)
    scene.guard.look()
    assert scene.accused == []


async def test_memory_above_the_budgets_is_said_and_whoever_grows_is_named() -> None:
    """Only from then on it is measured, and each further growth is a further fault."""
    scene = Scene()
    await scene.grow("api.early", GROWTH_MIB_MIN)
    scene.guard.look()
    assert scene.health.snapshot()["memory"] == (True, "")
    scene.above()
    assert scene.health.snapshot()["memory"] == (
        False, "51 MiB resident, the budgets of all plugins sum to 50 MiB; no plugin can be named",
    )
    for _ in range(2):
        await scene.grow("api.leaky", GROWTH_MIB_MIN)
        scene.guard.look()
    assert [row[:2] for row in scene.accused] == [("api.leaky", "memory")] * 2
    assert "the process grew by 16 MiB while api.leaky was at work" in scene.health.snapshot()["memory"].detail
    scene.rss = 20 * MIB
    scene.guard.look()
    assert scene.health.snapshot()["memory"] == (True, "")
    assert f"process_resident_bytes {20 * MIB}" in scene.metrics.exposition()
    await scene.grow("api.leaky", GROWTH_MIB_MIN)
    scene.guard.look()
    assert len(scene.accused) == 2


async def test_nobody_is_named_for_growth_that_is_mostly_not_theirs() -> None:
    """A worker thread's growth shows in no step; a plugin that grew by less than half of all is no suspect."""
    scene = Scene()
    scene.above()
    await scene.grow("api.small", GROWTH_MIB_MIN)
    scene.rss += (GROWTH_MIB_MIN + 1) * MIB
    scene.guard.look()
    await scene.grow("", 10 * GROWTH_MIB_MIN)
    scene.guard.look()
    assert scene.accused == []
    assert scene.health.snapshot()["memory"].detail.endswith("no plugin can be named")


async def test_growth_within_one_step_counts_for_whose_turn_it_was() -> None:
    """A listener that calls another plugin's handler is not blamed for it."""
    scene = Scene()
    scene.above()

    async def answer() -> None:
        BEFORE_CHANGE.set(scene.guard.growth.before_change)
        with at_work("api.http"):
            scene.rss += MIB
            with at_work("api.leaky"):
                scene.rss += 50 * MIB
            scene.rss += MIB

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
    assert scene.guard.growth.by_plugin["api.http"] == 2 * MIB
    assert scene.guard.growth.by_plugin["api.leaky"] == 50 * MIB
    scene.guard.look()
    assert [row[0] for row in scene.accused] == ["api.leaky"]


async def test_a_node_inside_another_program_is_not_held_against_its_memory() -> None:
    """The host's memory is not the node's; it is measured all the same."""
    scene = Scene(owns_process=False)
    scene.above()
    assert "memory" not in scene.health.snapshot()
    assert "process_budget_bytes" in scene.metrics.exposition()


async def test_measuring_ends_with_the_guard() -> None:
    """No instrument stays behind in a program that goes on."""
    scene = Scene()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.guard.run)
        await wait_all_tasks_blocked()
        scene.above()
        nursery.cancel_scope.cancel()
    await scene.grow("api.x", 1)
    assert scene.guard.growth.by_plugin == {}

"""The bus: a publisher never waits, a subscriber loses only its own events and can count them."""

import pytest
import trio

from metanode.core import bus as bus_module
from metanode.core.bus import BlockFinalized, Bus, EnvelopeAdmitted, PluginStateChanged
from metanode.core.roles import LedgerEvent


def block(height: int) -> BlockFinalized:
    return BlockFinalized(height, bytes(32), height * 1000, 0)


async def test_a_subscriber_gets_the_types_it_asked_for_in_order() -> None:
    """Others pass it by."""
    bus = Bus()
    async with bus.subscribe(BlockFinalized, LedgerEvent) as events:
        bus.publish(block(1))
        bus.publish(EnvelopeAdmitted(bytes(32), 1, bytes(20)))
        bus.publish(LedgerEvent("epoch_settled", 1, {}))
        bus.close()
        assert [type(event) for event in [event async for event in events]] == [BlockFinalized, LedgerEvent]


async def test_without_types_a_subscriber_gets_everything() -> None:
    """A view of all that happens needs no list of types."""
    bus = Bus()
    async with bus.subscribe() as events:
        bus.publish(block(1))
        bus.publish(PluginStateChanged("api.http", "running", ""))
        bus.close()
        assert len([event async for event in events]) == 2


async def test_a_slow_subscriber_loses_its_oldest_events_and_knows_how_many() -> None:
    """The newest are worth most, and memory stays bounded."""
    bus = Bus()
    async with bus.subscribe(BlockFinalized, capacity=3) as slow, bus.subscribe(BlockFinalized) as quick:
        for height in range(1, 11):
            bus.publish(block(height))
        bus.close()
        assert [event.height async for event in slow] == [8, 9, 10]
        assert slow.dropped == 7
        assert [event.height async for event in quick] == list(range(1, 11))
        assert quick.dropped == 0


async def test_a_waiting_subscriber_is_woken() -> None:
    """An event that comes later reaches who already waits."""
    bus = Bus()
    seen: list[int] = []

    async def listen(*, task_status: trio.TaskStatus[None]) -> None:
        async with bus.subscribe(BlockFinalized) as events:
            task_status.started()
            async for event in events:
                seen.append(event.height)

    async with trio.open_nursery() as nursery:
        await nursery.start(listen)
        await trio.testing.wait_all_tasks_blocked()
        bus.publish(block(1))
        await trio.testing.wait_all_tasks_blocked()
        assert seen == [1]
        bus.publish(block(2))
        bus.close()
    assert seen == [1, 2]


async def test_events_before_the_subscription_are_not_seen() -> None:
    """The bus holds no history: that is storage's work."""
    bus = Bus()
    bus.publish(block(1))
    async with bus.subscribe() as events:
        bus.close()
        assert [event async for event in events] == []


async def test_leaving_the_block_ends_the_subscription() -> None:
    """A subscriber that is gone costs nothing."""
    bus = Bus()
    async with bus.subscribe():
        pass
    assert bus._subscriptions == []


async def test_subscribing_to_a_closed_bus_ends_at_once() -> None:
    """Whoever comes after the node stopped must not wait for ever."""
    bus = Bus()
    bus.close()
    async with bus.subscribe() as events:
        assert [event async for event in events] == []


async def test_a_leak_of_subscriptions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of subscribers is bounded."""
    monkeypatch.setattr(bus_module, "SUBSCRIBERS_MAX", 1)
    bus = Bus()
    async with bus.subscribe():
        with pytest.raises(RuntimeError, match="subscribers already"):
            async with bus.subscribe():
                pass

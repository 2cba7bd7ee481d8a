"""Every transport keeps the contract of its role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from metanode.core.hooks import PluginContext
from metanode.core.roles import Transport
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.contracts import transport
from metanode.plugins.transport.memory.network import MemoryNetwork
from metanode.plugins.transport.memory.transport import MemoryTransport
from metanode.plugins.transport.noise.transport import NoiseTransport

Made = tuple[Transport, Callable[[], str]]


def memory() -> transport.Factory:
    """Transports of one network in memory."""
    network = MemoryNetwork(SeededRandomness(9))

    def make(context: PluginContext, name: str) -> Made:
        return MemoryTransport(context, network, name), lambda: f"memory:{name}"

    return make


def noise(host: str) -> Callable[[], transport.Factory]:
    """Transports on the loopback interface."""

    def make(context: PluginContext, name: str) -> Made:
        settings = {"listen": (f"{host}:0",), "connections_max": 256, "connections_per_address_max": 64}
        made = NoiseTransport(replace(context, settings=settings))
        return made, lambda: made.addresses[0].partition("#")[0]

    return lambda: make


def quic(host: str) -> Callable[[], transport.Factory]:
    """Transports on the loopback interface; skipped where aioquic does not install."""

    def make(context: PluginContext, name: str) -> Made:
        from metanode.plugins.transport.quic.transport import QuicTransport

        settings = {
            "listen": (f"{host}:0",), "connections_max": 256, "connections_per_address_max": 64,
            "datagram_bytes": 1232,
        }  # fmt: skip
        made = QuicTransport(replace(context, settings=settings))
        return made, lambda: made.addresses[0].partition("#")[0]

    def factory() -> transport.Factory:
        pytest.importorskip("aioquic")
        return make

    return factory


FACTORIES = {
    "memory": memory, "v4": noise("127.0.0.1"), "v6": noise("[::1]"), "quic4": quic("127.0.0.1"), "quic6": quic("[::1]")
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
@pytest.mark.parametrize("check", transport.CHECKS, ids=lambda check: check.__name__)
async def test_a_transport_keeps_the_contract(
    check: Callable[[transport.Factory], Awaitable[None]], factory: Callable[[], transport.Factory]
) -> None:
    """Each check on its own transports, over real time."""
    await check(factory())

"""transport.quic beyond the contract of its role: settings, strangers, a missing aioquic, the session above it."""

from __future__ import annotations

import runpy
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

pytest.importorskip("aioquic")

from metanode.core.hooks import PluginContext
from metanode.core.model.errors import PeerError, PluginError, SettingsError
from metanode.core.testing.contexts import context_of
from metanode.core.testing.contracts import running
from metanode.plugins.transport._shared.link import UdpLink
from metanode.plugins.transport._shared.lossy_net import Conditions, LossyNet
from metanode.plugins.transport.quic.plugin import register_transport
from metanode.plugins.transport.quic.transport import QuicTransport

EXAMPLE = Path(__file__).resolve().parents[3] / "contrib/examples/quic_echo/echo.py"


def made(seed: int, beside: PluginContext | None = None, **settings: object) -> tuple[PluginContext, QuicTransport]:
    """A transport for the loopback interface, not running."""
    given = {
        "listen": ("127.0.0.1:0",), "connections_max": 256, "connections_per_address_max": 64, "datagram_bytes": 1232,
        **settings,
    }  # fmt: skip
    genesis = None if beside is None else beside.genesis
    context = context_of("transport.quic", seed=seed, genesis=genesis, **given)
    transport = register_transport(context)
    assert isinstance(transport, QuicTransport)
    return context, transport


@asynccontextmanager
async def node(
    seed: int, beside: PluginContext | None = None, **settings: object
) -> AsyncIterator[tuple[PluginContext, QuicTransport]]:
    """A transport that runs."""
    context, transport = made(seed, beside, **settings)
    async with running(transport):
        yield context, transport


async def test_a_missing_aioquic_is_said_in_one_line_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, and what to use instead."""
    monkeypatch.setitem(sys.modules, "metanode.plugins.transport.quic.transport", None)
    with pytest.raises(PluginError, match="transport.quic needs aioquic") as caught:
        made(1)
    assert caught.value.code == "PLUGIN_BROKEN"
    assert "\n" not in caught.value.line()
    assert "aioquic==" in str(caught.value.expected)


async def test_a_place_of_another_form_is_a_bad_setting() -> None:
    """With the name of the setting."""
    with pytest.raises(SettingsError, match="listen") as caught:
        made(1, listen=("nowhere",))
    assert caught.value.code == "BAD_SETTING"


async def test_connections_beyond_the_limit_are_refused() -> None:
    """The listener's own limit; the first connection stays."""
    async with node(1, connections_max=1) as (first, listener), node(2, first) as (_, dialler):
        (address,) = listener.addresses
        with trio.fail_after(20):
            kept = await dialler.connect(address)
            with pytest.raises(PeerError):
                await dialler.connect(address)
            await (await listener.accept()).send(0, b"still here")
            assert await kept.receive() == (0, b"still here")


async def test_bytes_of_a_stranger_change_nothing() -> None:
    """Garbage of many lengths; a node still gets in."""
    async with node(1) as (first, listener), node(2, first) as (_, dialler):
        (address,) = listener.addresses
        port = int(address.partition("#")[0].rpartition(":")[2])
        stranger = UdpLink("127.0.0.1")
        for size in (0, 1, 7, 20, 1199, 1200, 1400):
            stranger.send([(bytes([0xC0]) + bytes(size), ("127.0.0.1", port)), (bytes(size), ("127.0.0.1", port))])
        stranger.close()
        with trio.fail_after(20):
            await dialler.connect(address)
            await listener.accept()


async def test_one_seed_loses_the_same_datagrams(autojump_clock: object) -> None:
    """And another seed loses others."""

    async def arrivals(seed: int) -> list[bytes]:
        net = LossyNet(seed, Conditions(loss=0.3))
        here, there = net.link("10.0.0.1"), net.link("10.0.0.2")
        here.send([(bytes([number]), there.place) for number in range(60)])
        await trio.sleep(1)
        return [data for data, _ in there.receive_many()]

    assert await arrivals(1) == await arrivals(1) != await arrivals(2)


async def test_the_example_of_ten_lines_echoes(capsys: pytest.CaptureFixture[str]) -> None:
    """What a plugin author copies works as it stands."""
    with trio.fail_after(20):
        await runpy.run_path(str(EXAMPLE))["main"]()
    assert capsys.readouterr().out == "hello over QUIC\n"

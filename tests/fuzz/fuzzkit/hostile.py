"""Clients that mean no good, all at once, while an ordinary client must go on being served.

Each attack returns figures; what must hold is asserted: the ordinary client gets its answers, slow clients are ended
in bounded time, and the node's memory stays within a bound.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from fuzzkit.node import Node

CONNECTIONS = 1_000
SLOW_CLIENTS = 150
HEADER_TIMEOUT_S = 2
RSS_GROWTH_MIB_MAX = 96
"""What an attack may add to the node's memory: all bodies together, buffers of 256 connections, and slack."""
ORDINARY_S_MAX = 5.0
"""Longest an ordinary request may take meanwhile, on a machine that runs attackers and node alike."""
CHUNKED = b"POST /v1/tx HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /v1/head HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"

SETTINGS = {"plugins.api.http": f"header_timeout_s = {HEADER_TIMEOUT_S}\nidle_timeout_s = 5"}
"""Short patience, so that the end of slow clients is seen soon."""


@dataclass
class Figures:
    """What an attack did to the node."""

    name: str
    rss_before_mib: float
    rss_peak_mib: float = 0.0
    ordinary: int = 0
    """Ordinary requests answered 200 meanwhile."""
    refused: int = 0
    """Ordinary requests that found the node full."""
    slowest_s: float = 0.0
    note: str = ""

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.name}: {self.ordinary} ordinary requests served ({self.refused} refused), slowest "
            f"{self.slowest_s:.2f} s, RSS {self.rss_before_mib:.1f} -> {self.rss_peak_mib:.1f} MiB{self.note}"
        )


async def _receive_all(stream: trio.SocketStream) -> bytes:
    parts: list[bytes] = []
    try:
        while part := await stream.receive_some(65536):
            parts.append(bytes(part))
    except trio.BrokenResourceError:
        pass  # reset with more to come
    return b"".join(parts)


async def _ordinary(node: Node, figures: Figures, done: trio.Event) -> None:
    """Ask four times a second, each time on a new connection."""
    while not done.is_set():
        begun = time.monotonic()
        with trio.move_on_after(ORDINARY_S_MAX * 2):
            try:
                async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
                    await stream.send_all(GET)
                    answer = await _receive_all(stream)
            except (OSError, trio.BrokenResourceError):
                answer = b""
            if answer.startswith(b"HTTP/1.1 200 "):
                figures.ordinary += 1
            else:
                figures.refused += 1
        figures.slowest_s = max(figures.slowest_s, time.monotonic() - begun)
        figures.rss_peak_mib = max(figures.rss_peak_mib, node.rss_mib())
        with trio.move_on_after(0.25):
            await done.wait()


Attack = Callable[[Node], Awaitable[str]]


async def run(node: Node, name: str, attack: Attack) -> Figures:
    """Run one attack beside the ordinary client and hold the node to its promises."""
    figures = Figures(name, node.rss_mib())
    done = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_ordinary, node, figures, done)
        figures.note = await attack(node)
        done.set()
    assert figures.ordinary, figures.line()
    assert figures.refused <= figures.ordinary / 4, f"others are starved: {figures.line()}"
    assert figures.slowest_s <= ORDINARY_S_MAX, figures.line()
    assert figures.rss_peak_mib - figures.rss_before_mib <= RSS_GROWTH_MIB_MAX, figures.line()
    await trio.to_thread.run_sync(node.check_well)
    return figures


async def _slow_client(node: Node, data: bytes, pause_s: float, ended_after: list[float]) -> None:
    """Send a byte at a time until the node has had enough."""
    begun = time.monotonic()
    try:
        async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_drip, stream, data, pause_s, nursery.cancel_scope)
            await _receive_all(stream)
            nursery.cancel_scope.cancel()
    except (OSError, trio.BrokenResourceError):
        pass  # turned away
    ended_after.append(time.monotonic() - begun)


async def _drip(stream: trio.SocketStream, data: bytes, pause_s: float, scope: trio.CancelScope) -> None:
    try:
        for place in range(len(data)):
            await stream.send_all(data[place : place + 1])
            await trio.sleep(pause_s)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        scope.cancel()


def slowloris(data: bytes) -> Attack:
    """Many clients that send `data` a byte at a time."""

    async def attack(node: Node) -> str:
        ended: list[float] = []
        async with trio.open_nursery() as nursery:
            for _ in range(SLOW_CLIENTS):
                nursery.start_soon(_slow_client, node, data, 0.2, ended)
        # A body earns a second more per 4096 bytes, which one byte at a time never does.
        assert max(ended) <= HEADER_TIMEOUT_S + 4, f"a slow client held on for {max(ended):.1f} s"
        return f"; {len(ended)} slow clients ended within {max(ended):.1f} s"

    return attack


async def idle_connections(node: Node) -> str:
    """A thousand connections that say nothing, opened at once and held."""
    ended = 0
    all_ended = trio.Event()

    async def hold() -> None:
        nonlocal ended
        try:
            async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
                await _receive_all(stream)
        except (OSError, trio.BrokenResourceError):
            pass  # turned away
        ended += 1
        if ended == CONNECTIONS:
            all_ended.set()

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(6):
            for _ in range(CONNECTIONS):
                nursery.start_soon(hold)
                await trio.sleep(0.001)
            await all_ended.wait()
        nursery.cancel_scope.cancel()
    return f"; {ended} of {CONNECTIONS} connections ended by the node within 6 s"


async def big_bodies(node: Node) -> str:
    """Many bodies of 1 MiB at once, all but their last byte, then all of it."""
    statuses: Counter[str] = Counter()
    head = b"POST /v1/tx HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: 1048576\r\n"
    head += b"Content-Type: application/json\r\n\r\n"

    async def send() -> None:
        answer = b""
        try:
            async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
                with trio.move_on_after(20):
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(_push, stream, head + b'{"envelope":"' + b"0" * (1_048_576 - 15) + b'"}')
                        answer = await _receive_all(stream)
                        nursery.cancel_scope.cancel()
        except (OSError, trio.BrokenResourceError):
            pass  # turned away
        statuses[answer[9:12].decode("ascii") or "reset"] += 1

    async with trio.open_nursery() as nursery:
        for _ in range(120):
            nursery.start_soon(send)
    assert set(statuses) <= {"400", "413", "503", "408", "reset"}, statuses
    return f"; answers {dict(statuses)}"


async def _push(stream: trio.SocketStream, data: bytes) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # refused before all was sent
        await stream.send_all(data)


async def deaf_clients(node: Node) -> str:
    """Clients that ask again and again and never read."""
    request = b"GET /v1/genesis HTTP/1.1\r\nHost: node\r\n\r\n" * 300
    stuck = 0

    async def ask() -> None:
        nonlocal stuck
        try:
            async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
                with trio.move_on_after(5) as scope:
                    while True:
                        await stream.send_all(request)
                stuck += scope.cancelled_caught
        except (OSError, trio.BrokenResourceError):
            pass  # ended by the node

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(ask)
    return f"; {stuck} of 100 were held back by their own unread answers"


async def hasty_clients(node: Node) -> str:
    """Connections opened and dropped at once, some after half a request."""
    opened = 0
    with trio.move_on_after(4):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", node.port)
                if opened % 2:
                    await stream.send_all(GET[: opened % len(GET)])
                await trio.aclose_forcefully(stream)
            except (OSError, trio.BrokenResourceError):
                pass  # turned away
            opened += 1
    return f"; {opened} connections dropped"


ATTACKS: tuple[tuple[str, Attack], ...] = (
    ("slow headers", slowloris(b"GET /v1/head HTTP/1.1\r\nHost: node\r\nX: " + b"a" * 4000)),
    ("slow body", slowloris(b"POST /v1/tx HTTP/1.1\r\nHost: node\r\nContent-Length: 4000\r\n\r\n" + b"{" * 4000)),
    ("slow chunks", slowloris(CHUNKED + b"1\r\n{\r\n" * 900)),
    ("1,000 silent connections", idle_connections),
    ("1 MiB bodies", big_bodies),
    ("clients that do not read", deaf_clients),
    ("clients that hang up", hasty_clients),
)
"""Every attack."""

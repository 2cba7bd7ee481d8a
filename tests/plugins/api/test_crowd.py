"""Many clients at once over real sockets: bounded memory, nobody else turned away, no 500."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from metanode.core.http import Request, Response, Route, json_response
from metanode.plugins.api.http.bodies import BODY_FREE_BYTES, BodyBudget, BodyClaim

CROWD = 1000
MIB = 1 << 20


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """Both ends of every connection live in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * CROWD
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system allows {hard} open files, the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def crowd(server: Any, client_of: Any, count: int) -> AsyncIterator[list[Any]]:
    """That many open connections."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            clients.append(client_of(await stack.enter_async_context(stream)))
        yield clients


async def test_a_thousand_clients_are_all_answered(serve: Any, client_of: Any) -> None:
    """At the same time, over kept connections, twice."""
    async with serve(connections_max=CROWD) as server, crowd(server, client_of, CROWD) as clients:
        statuses: Counter[int] = Counter()

        async def ask(client: Any) -> None:
            for _ in range(2):
                statuses[(await client.get("/health")).status] += 1

        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(ask, client)
    assert statuses == {200: 2 * CROWD}


def _resident_mib() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


async def sized(request: Request) -> Response:
    """Tells how much came."""
    return json_response({"bytes": len(request.body)})


SIZED = Route("POST", "/sized", sized, "tells how much came")
LINES = f"POST /sized HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\nContent-Length: {MIB}\r\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux' /proc")
async def test_a_thousand_large_bodies_share_a_budget_and_small_ones_pass(serve: Any, client_of: Any) -> None:
    """A thousand clients send 1 MiB but for its end: eight are kept waiting, the others cost no memory."""
    async with (
        serve(SIZED, connections_max=CROWD + 1, bodies_mib_max=8) as server,
        crowd(server, client_of, CROWD) as clients,
    ):
        before = _resident_mib()
        body = bytes(MIB - 1)

        async def send(client: Any) -> None:
            try:
                await client.send(f"{LINES}\r\n".encode())
                await client.send(body)
            except trio.BrokenResourceError:
                pass  # refused before it had sent everything

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for client in clients:
                    nursery.start_soon(send, client)
        grown = _resident_mib() - before
        async with server.connect() as wallet:
            reply = await wallet.request("POST", "/sized", bytes(BODY_FREE_BYTES))
            assert (reply.status, reply.json) == (200, {"bytes": BODY_FREE_BYTES})
            assert (await wallet.get("/health")).status == 200

        statuses: Counter[int] = Counter()

        async def finish(client: Any) -> None:
            try:
                await client.send(b"\0")
                statuses[(await client.reply()).status] += 1
            except (trio.BrokenResourceError, AssertionError):
                statuses[0] += 1  # sent too much to be able to read the refusal

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for client in clients:
                    nursery.start_soon(finish, client)
    assert set(statuses) <= {0, 200, 503}
    # Of each body 16 KiB do not count.
    assert statuses[200] == 8
    # Eight bodies, what each connection may hold beside them, and the system's idea of both.
    assert grown < 8 + CROWD * BODY_FREE_BYTES / MIB + 64


async def test_a_refused_body_is_told_why_and_room_comes_back(serve: Any, client_of: Any) -> None:
    """Before it is sent, when the client asks first; and the next one is taken once another has ended."""
    polite = f"{LINES}Expect: 100-continue\r\n\r\n".encode()
    async with serve(SIZED, bodies_mib_max=1) as server, crowd(server, client_of, 3) as clients:
        one, other, later = clients
        await one.send(polite)
        assert (await one.head()).status == 100
        await other.send(polite)
        reply = await other.reply()
        assert (reply.status, reply.json["code"]) == (503, "BODIES_FULL")
        assert reply.headers["retry-after"]
        assert await other.at_end()
        await one.send(bytes(MIB))
        assert (await one.reply()).json == {"bytes": MIB}
        await later.send(polite)
        assert (await later.head()).status == 100


async def test_chunks_are_counted_as_they_come(serve: Any, client_of: Any) -> None:
    """Nothing announces how many there will be."""
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    head = LINES.replace(f"Content-Length: {MIB}", "Transfer-Encoding: chunked") + "\r\n"
    async with serve(SIZED, bodies_mib_max=1) as server, crowd(server, client_of, 2) as clients:
        one, other = clients
        for client in clients:
            await client.send(head.encode())
        await one.send(chunk * 60)
        await trio.testing.wait_all_tasks_blocked(0.05)  # until the listener has read it
        await other.send(chunk * 20)
        assert (await other.reply()).json["code"] == "BODIES_FULL"
        await one.send(b"0\r\n\r\n")
        assert (await one.reply()).json == {"bytes": 60 * 0x4000}


def test_a_claim_is_counted_once_and_given_back() -> None:
    """Small bodies are free, growth is refused when full, and shrinking never is."""
    budget = BodyBudget(100)
    one, other = BodyClaim(budget), BodyClaim(budget)
    assert one.hold(BODY_FREE_BYTES)
    assert budget.held == 0
    assert one.hold(BODY_FREE_BYTES + 60)
    assert one.hold(BODY_FREE_BYTES + 60)
    assert budget.held == 60
    assert not other.hold(BODY_FREE_BYTES + 60)
    assert budget.held == 60
    assert other.hold(BODY_FREE_BYTES + 40)
    assert other.hold(0)
    assert budget.held == 60
    assert one.hold(0)
    assert budget.held == 0

"""What happens, as it happens: server-sent events and WebSocket."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from metanode.core.bus import BlockFinalized, Bus, EnvelopeAdmitted
from metanode.core.http import EventStream, Route
from metanode.core.model.accounts import to_bech32m
from metanode.core.roles import LedgerEvent
from metanode.plugins.api.http import connection as connection_module
from metanode.plugins.api.http import streams
from metanode.plugins.api.http.events import QUEUED_MAX, event_texts

BLOCK = BlockFinalized(height=3, header_hash=b"\xab" * 32, time_ms=1_700_000_000_000, envelopes=2)
ADMITTED = EnvelopeAdmitted(id=b"\xcd" * 32, kind=1, sender=bytes(20))
PAID = LedgerEvent("reward_paid", 3, {"machine": 0, "amount": 1500})


async def next_event(client: Any) -> tuple[str, Any]:
    """Read one server-sent event."""
    text = (await client.until(b"\n\n")).decode()
    name, data = text.split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def open_events(client: Any, target: str = "/v1/events") -> Any:
    """Ask for the stream and read its head."""
    await client.send(f"GET {target} HTTP/1.1\r\nHost: n\r\n\r\n".encode())
    return await client.head()


async def test_events_arrive_as_they_happen(serve: Any, doubles: Any) -> None:
    """The first one says where the chain stood when listening began."""
    async with serve() as server, server.connect() as client:
        reply = await open_events(client)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        assert await next_event(client) == ("hello", {"genesis_hash": doubles.genesis.hash.hex(), "height": 0})
        for event in (BLOCK, ADMITTED, PAID):
            server.context.bus.publish(event)
        assert await next_event(client) == (
            "block_finalized", {"height": 3, "header_hash": "ab" * 32, "time_ms": 1_700_000_000_000, "envelopes": 2},
        )  # fmt: skip
        sender = to_bech32m(bytes(20))
        assert await next_event(client) == ("envelope_admitted", {"id": "cd" * 32, "kind": 1, "sender": sender})
        assert await next_event(client) == ("reward_paid", {"height": 3, "machine": 0, "amount": 1500})


async def test_a_client_chooses_the_events_it_wants(serve: Any) -> None:
    """By name."""
    async with serve() as server, server.connect() as client:
        await open_events(client, "/v1/events?types=reward_paid,other")
        await next_event(client)
        for event in (BLOCK, ADMITTED, PAID):
            server.context.bus.publish(event)
        assert (await next_event(client))[0] == "reward_paid"


@pytest.mark.parametrize("types", ["Block", "a%20b", "a," * 40, "x" * 99])
async def test_names_that_can_be_none_are_refused(serve: Any, types: str) -> None:
    """A typing mistake must not become an empty stream."""
    async with serve() as server:
        assert (await server.get(f"/v1/events?types={types}")).json["code"] == "BAD_REQUEST"


async def test_a_slow_client_is_told_what_it_missed() -> None:
    """Its queue is bounded: the oldest events go, their number is told before the next one."""
    bus = Bus()
    events = event_texts(bus, frozenset(), lambda: {"height": 0})
    assert (await events.__anext__())[0] == "hello"
    for height in range(QUEUED_MAX + 7):
        bus.publish(BlockFinalized(height, bytes(32), 0, 0))
    assert await events.__anext__() == ("lagged", '{"dropped":7}')
    name, text = await events.__anext__()
    assert (name, json.loads(text)["height"]) == ("block_finalized", 7)
    for _ in range(QUEUED_MAX - 1):
        assert (await events.__anext__())[0] == "block_finalized"
    await events.aclose()  # type: ignore[attr-defined]
    assert not bus._subscriptions


async def test_what_a_client_did_not_ask_for_pushes_nothing_out() -> None:
    """A flood of envelopes costs a client that follows blocks none of them."""
    bus = Bus()
    events = event_texts(bus, frozenset({"block_finalized"}), dict)
    assert (await events.__anext__())[0] == "hello"
    bus.publish(BLOCK)
    for _ in range(QUEUED_MAX + 1):
        bus.publish(ADMITTED)
    assert (await events.__anext__())[0] == "block_finalized"
    assert not bus.dropped
    await events.aclose()  # type: ignore[attr-defined]  # the iterator is a generator


async def test_a_client_that_goes_frees_its_subscription(serve: Any) -> None:
    """Without waiting for the next event to fail."""
    async with serve() as server:
        async with server.connect() as client:
            await open_events(client)
            await next_event(client)
            assert len(server.context.bus._subscriptions) == 1
        with trio.fail_after(5):
            while server.context.bus._subscriptions:
                await trio.lowlevel.checkpoint()


async def test_silence_is_filled_with_heartbeats(serve: Any, mock_clock: Any) -> None:
    """Proxies cut what looks dead."""
    async with serve() as server, server.connect() as client:
        await open_events(client)
        await next_event(client)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(streams.HEARTBEAT_S)
        assert await client.until(b"\n\n") == b": heartbeat"


async def test_streams_cannot_take_every_connection(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond their own cap they are refused, and other requests are served."""
    monkeypatch.setattr(connection_module, "STREAMS_MAX", 1)
    async with serve() as server, server.connect() as first:
        await open_events(first)
        await next_event(first)
        reply = await server.get("/v1/events")
        assert (reply.status, reply.json["code"]) == (503, "TOO_MANY_CONNECTIONS")
        assert (await server.get("/v1/head")).status == 200
        assert len(server.context.bus._subscriptions) == 1


async def test_an_event_source_that_fails_ends_its_stream_only(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It may be any plugin's."""

    async def broken() -> AsyncIterator[tuple[str, str]]:
        yield "one", "{}"
        raise ZeroDivisionError

    async def handler(request: Any) -> EventStream:
        return EventStream(broken())

    async with serve(Route("GET", "/broken", handler, "fails")) as server:
        async with server.connect() as client:
            await open_events(client, "/broken")
            assert await next_event(client) == ("one", {})
            assert await client.at_end()
        assert (await server.get("/v1/head")).status == 200
    assert "event stream failed" in caplog.text


async def test_a_stream_ends_when_its_source_or_the_listener_does(serve: Any) -> None:
    """The client sees an end, not a reset."""
    async with serve() as server, server.connect() as client:
        await open_events(client)
        await next_event(client)
        server.context.bus.close()
        assert await client.at_end()
    async with trio.open_nursery() as nursery, serve() as server:
        await nursery.start(_read_to_the_end, server.port)


async def _read_to_the_end(port: int, *, task_status: trio.TaskStatus[None]) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /v1/events HTTP/1.1\r\nHost: n\r\n\r\n")
        assert b"200 OK" in await stream.receive_some()
        task_status.started()
        while await stream.receive_some():
            pass


async def test_head_of_a_stream_is_its_head_alone(serve: Any) -> None:
    """Nothing is subscribed for it."""
    async with serve() as server, server.connect() as client:
        reply = await client.request("HEAD", "/v1/events")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/event-stream")
        assert await client.at_end()
        assert not server.context.bus._subscriptions


# -- WebSocket


class Socket:
    """A WebSocket client."""

    def __init__(self, client: Any, **headers: str) -> None:
        self._client = client
        self._socket = WSConnection(ConnectionType.CLIENT)
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._events: list[Event] = []

    async def open(self, target: str = "/v1/events") -> Event:
        await self.send(Request(host="node", target=target, extra_headers=self._headers))
        return await self.event()

    async def send(self, event: Event) -> None:
        await self._client.send(self._socket.send(event))

    async def event(self) -> Event:
        while not self._events:
            data = await self._client.stream.receive_some(65536)
            self._socket.receive_data(data or None)
            self._events += self._socket.events()
        return self._events.pop(0)

    async def message(self) -> Any:
        event = await self.event()
        assert isinstance(event, TextMessage)
        return json.loads(event.data)


async def test_a_websocket_carries_the_same_events(serve: Any, doubles: Any) -> None:
    """One text message each."""
    async with serve() as server, server.connect() as client:
        socket = Socket(client)
        accepted = await socket.open("/v1/events?types=block_finalized")
        assert isinstance(accepted, AcceptConnection)
        assert b"x-request-id" in dict(accepted.extra_headers)
        assert await socket.message() == {
            "event": "hello", "data": {"genesis_hash": doubles.genesis.hash.hex(), "height": 0},
        }  # fmt: skip
        server.context.bus.publish(ADMITTED)
        server.context.bus.publish(BLOCK)
        message = await socket.message()
        assert (message["event"], message["data"]["height"]) == ("block_finalized", 3)


async def test_a_websocket_answers_pings_drops_messages_and_closes(serve: Any) -> None:
    """What a client says beyond that has no meaning here."""
    async with serve() as server, server.connect() as client:
        socket = Socket(client)
        await socket.open()
        await socket.message()
        await socket.send(TextMessage(data="subscribe to everything " * 10_000))
        await socket.send(Ping(payload=b"123"))
        pong = await socket.event()
        assert isinstance(pong, Pong)
        assert pong.payload == b"123"
        await socket.send(CloseConnection(code=1000))
        closed = await socket.event()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1000
        assert not await client.stream.receive_some()
        assert not server.context.bus._subscriptions


async def test_a_broken_frame_ends_a_websocket_with_its_code(serve: Any) -> None:
    """RFC 6455 section 7.4.1: 1002, protocol error."""
    async with serve() as server, server.connect() as client:
        socket = Socket(client)
        await socket.open()
        await socket.message()
        await client.send(b"\xff\xff" + bytes(20))
        closed = await socket.event()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1002
    assert not server.context.bus._subscriptions


async def test_a_websocket_is_pinged_in_silence_and_told_the_end(serve: Any, client_of: Any, mock_clock: Any) -> None:
    """1001: the node goes away."""
    async with trio.open_nursery() as nursery, serve() as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        socket = Socket(client_of(stream))
        await socket.open()
        await socket.message()
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(streams.HEARTBEAT_S)
        assert isinstance(await socket.event(), Ping)
        nursery.start_soon(_expect_going_away, socket, stream)


async def _expect_going_away(socket: Socket, stream: trio.abc.Stream) -> None:
    async with stream:
        closed = await socket.event()
        assert isinstance(closed, CloseConnection)
        assert closed.code == 1001


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec-WebSocket-Version": "12"},
        {"Sec-WebSocket-Version": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "é" * 24},
        {"Sec-WebSocket-Key": base64.b64encode(bytes(17)).decode()},
    ],
)
async def test_a_handshake_that_is_none_is_refused(serve: Any, changed: dict[str, str]) -> None:
    """As any other malformed request."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers |= {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(), **changed}
    async with serve() as server:
        reply = await server.get("/v1/events", **headers)
        assert (reply.status, reply.json["code"]) == (400, "BAD_REQUEST")
        assert "version 13" in reply.json["expected"].lower().replace("sec-websocket-", "")
        assert not server.context.bus._subscriptions


async def test_a_page_of_another_origin_opens_no_websocket(serve: Any) -> None:
    """Browsers ask no leave for it, so the node must look."""
    async with serve() as server, server.connect() as client:
        socket = Socket(client, Origin="https://evil.example")
        rejected = await socket.open()
        assert isinstance(rejected, RejectConnection)
        assert rejected.status_code == 403
        body = await socket.event()
        assert isinstance(body, RejectData)
        assert json.loads(body.data)["code"] == "ORIGIN_REFUSED"


async def test_an_upgrade_to_something_else_is_answered_as_http(serve: Any) -> None:
    """A server may ignore it (RFC 9110 section 7.8); curl --http2 asks for h2c."""
    async with serve() as server, server.connect() as client:
        reply = await client.get("/v1/head", Connection="Upgrade", Upgrade="h2c")
        assert (reply.status, reply.headers["connection"]) == (200, "close")

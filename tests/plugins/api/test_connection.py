"""One connection: order, reuse, and every limit of size and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from metanode.core.http import Request, Response, Route, json_response
from metanode.plugins.api._shared.router import Router
from metanode.plugins.api._shared.sources import Origins, Sources
from metanode.plugins.api.http.answering import Answerer
from metanode.plugins.api.http.connection import (
    HANDLER_TIMEOUT_S,
    LINGER_BYTES_MAX,
    WRITE_TIMEOUT_S,
    Connection,
    Shared,
    watch_deadlines,
)
from metanode.plugins.api.http.signing import ReplySigner

GET = b"GET /echo HTTP/1.1\r\nHost: node\r\n\r\n"
JSON = b"Content-Type: application/json\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: node\r\n" + JSON


async def echo(request: Request) -> Response:
    """Answers with what arrived."""
    return json_response({"body": request.body.decode(), "query": dict(request.query), "method": request.method})


ECHO = (Route("GET", "/echo", echo, "echo"), Route("POST", "/echo", echo, "echo"))


# -- over real sockets


async def test_a_connection_answers_many_requests(serve: Any) -> None:
    """HTTP/1.1 keeps connections unless told otherwise."""
    async with serve(*ECHO) as server, server.connect() as client:
        for number in range(5):
            reply = await client.get(f"/echo?n={number}")
            assert reply.status == 200
            assert reply.json["query"] == {"n": str(number)}
            assert "connection" not in reply.headers


async def test_requests_sent_ahead_are_answered_in_order(serve: Any) -> None:
    """However slow the first of them is."""
    gate = trio.Event()

    async def slow(request: Request) -> Response:
        await gate.wait()
        return await echo(request)

    async with serve(*ECHO, Route("GET", "/slow", slow, "waits")) as server, server.connect() as client:
        await client.send(b"".join(GET.replace(b"/echo", path) for path in (b"/slow?n=0", b"/echo?n=1", b"/echo?n=2")))
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
        assert [(await client.reply()).json["query"]["n"] for _ in range(3)] == ["0", "1", "2"]


async def test_head_has_the_headers_of_get_and_no_body(serve: Any) -> None:
    """RFC 9110 section 9.3.2; the connection goes on."""
    async with serve(*ECHO) as server, server.connect() as client:
        length = (await client.get("/echo")).headers["content-length"]
        reply = await client.request("HEAD", "/echo")
        assert (reply.status, reply.body) == (200, b"")
        assert int(reply.headers["content-length"]) == int(length) + 1  # "HEAD" is one letter longer than "GET"
        assert (await client.get("/echo")).status == 200


async def test_a_request_that_says_close_ends_the_connection(serve: Any) -> None:
    """And the reply says so."""
    async with serve(*ECHO) as server, server.connect() as client:
        reply = await client.get("/echo", Connection="close")
        assert reply.headers["connection"] == "close"
        assert await client.at_end()


async def test_an_old_client_speaks_http_1_0(serve: Any) -> None:
    """No Host, one request per connection: what a program of a hundred lines of C sends."""
    async with serve(*ECHO) as server, server.connect() as client:
        await client.send(b"POST /echo HTTP/1.0\r\n" + JSON + b"Content-Length: 2\r\n\r\nhi")
        reply = await client.reply()
        assert (reply.status, reply.json["body"]) == (200, "hi")
        assert reply.headers["connection"] == "close"
        assert await client.at_end()


async def test_a_client_that_waits_for_leave_gets_it(serve: Any) -> None:
    """Otherwise curl waits a second before every larger body."""
    async with serve(*ECHO) as server, server.connect() as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        await client.send(b"hi")
        assert (await client.reply()).json["body"] == "hi"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "BAD_REQUEST"),
        (b"POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo?a=1&a=2 HTTP/1.1\r\nHost: n\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo?" + b"a&" * 40 + b" HTTP/1.1\r\nHost: n\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /echo?a=%ff HTTP/1.1\r\nHost: n\r\n\r\n", 400, "BAD_REQUEST"),
        (b"GET /nothing HTTP/1.1\r\nHost: n\r\n\r\n", 404, "NOT_FOUND"),
        (b"TRACE /echo HTTP/1.1\r\nHost: n\r\n\r\n", 405, "METHOD_NOT_ALLOWED"),
        (b"POST /echo HTTP/1.1\r\nHost: n\r\nContent-Length: 1048577\r\n\r\n", 413, "BODY_TOO_LARGE"),
        (b"GET /echo HTTP/1.1\r\nHost: n\r\nX: " + b"a" * 40_000, 431, "HEADERS_TOO_LARGE"),
        (b"\x16\x03\x01\x02\x00", 400, "BAD_REQUEST"),
    ],
)
async def test_bad_input_is_answered_in_the_one_form_of_errors(serve: Any, data: bytes, status: int, code: str) -> None:
    """Never a 500, never a silent close, and the next client is served."""
    async with serve(*ECHO) as server:
        async with server.connect() as client:
            await client.send(data)
            reply = await client.reply()
        assert reply.status == status
        assert reply.headers["content-type"] == "application/json"
        assert set(reply.json) == {"ok", "error", "code", "message", "expected"}
        assert (reply.json["ok"], reply.json["code"], reply.json["error"]) == (False, code, code.lower())
        assert "\n" not in reply.json["message"]
        assert reply.headers["x-request-id"]
        assert (await server.get("/echo")).status == 200


async def test_a_refused_body_still_lets_the_client_read_why(serve: Any) -> None:
    """Closing with unread input would reset the connection and destroy the reply."""
    async with serve(*ECHO, body_bytes_max=1024) as server, server.connect() as client:
        await client.send(POST + b"Content-Length: 200000\r\n\r\n" + bytes(200_000))
        reply = await client.reply()
        assert reply.status == 413
        assert "1024" in reply.json["expected"]
        assert await client.at_end()


# -- over memory streams, in virtual time


async def serve_watched(connection: Connection) -> None:
    """Serve as a listener does, with somebody who looks at the time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_deadlines, [connection])
        await connection.serve()
        nursery.cancel_scope.cancel()


@pytest.fixture
def attach(context_of: Any, new_parser: Callable[[int], Any], client_of: Any) -> Any:
    """Starts a connection on a memory stream and returns its client."""

    def start(nursery: trio.Nursery, *more: Route, stream: trio.abc.Stream | None = None) -> Any:
        context = context_of()
        signer = ReplySigner(context.identity, context.genesis.hash)
        answerer = Answerer(context, Router((*ECHO, *more)), signer, Sources([]), Origins([]))
        shared = Shared(answerer, lambda: new_parser(1 << 20), 10, 60, context.log)
        ours, theirs = trio.testing.memory_stream_pair()
        connection = Connection(stream or theirs, "test", shared)
        nursery.start_soon(serve_watched, connection)
        client = client_of(ours)
        client.connection = connection
        return client

    return start


async def test_a_client_that_drips_its_headers_is_cut(attach: Any, autojump_clock: Any) -> None:
    """Slowloris: a byte a second holds a connection for ten seconds, not for ever."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        nursery.start_soon(_drip, client, GET + b"x" * 1000)
        assert (await client.reply()).json["code"] == "REQUEST_TIMEOUT"
        assert 10 <= trio.current_time() < 11
        assert await client.at_end()
        nursery.cancel_scope.cancel()


async def test_a_slow_body_gets_time_by_its_size(attach: Any, autojump_clock: Any) -> None:
    """A modem at 5 KB/s may send 200 kB; one byte a second may not."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.send(POST + b"Content-Length: 200000\r\n\r\n")
        for _ in range(40):
            await trio.sleep(1)
            await client.send(b"a" * 5000)
        assert (await client.reply()).status == 200
        started = trio.current_time()
        await client.send(POST + b"Content-Length: 200000\r\n\r\n")
        nursery.start_soon(_drip, client, bytes(200_000))
        assert (await client.reply()).status == 408
        assert 10 <= trio.current_time() - started < 11
        nursery.cancel_scope.cancel()


async def _drip(client: Any, data: bytes) -> None:
    for byte in data:
        await client.send(bytes([byte]))
        await trio.sleep(1)


async def test_a_connection_without_requests_ends(attach: Any, autojump_clock: Any) -> None:
    """Silently: nobody asked anything.  After a first request it may rest longer."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        assert await client.at_end()
        assert 10 <= trio.current_time() < 12
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.get("/echo")
        rested = trio.current_time()
        assert await client.at_end()
        assert 60 <= trio.current_time() - rested < 62


async def test_a_request_that_comes_as_time_runs_out_is_not_begun(attach: Any, mock_clock: Any) -> None:
    """Its client sees an end, as with any kept connection, and never half an answer."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.get("/echo")
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(60)
        await client.send(GET)
        assert await client.at_end()


async def test_the_time_for_a_request_starts_with_its_first_byte(attach: Any, autojump_clock: Any) -> None:
    """Requests sent ahead each have their own time."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.send(GET + GET[:10])
        assert (await client.reply()).status == 200
        await trio.sleep(8)
        await client.send(GET[10:] + GET[:10])
        assert (await client.reply()).status == 200
        await trio.sleep(8)
        await client.send(GET[10:])
        assert (await client.reply()).status == 200
        nursery.cancel_scope.cancel()


async def test_a_client_that_does_not_read_is_cut(attach: Any, autojump_clock: Any) -> None:
    """Its answer must not be kept for ever."""

    class Unread(trio.abc.SendStream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            await trio.sleep_forever()

        async def wait_send_all_might_not_block(self) -> None:
            await trio.sleep_forever()

        async def aclose(self) -> None:
            await trio.lowlevel.checkpoint()

    requests, receiving = trio.testing.memory_stream_one_way_pair()
    async with trio.open_nursery() as nursery:
        attach(nursery, stream=trio.StapledStream(Unread(), receiving))
        await requests.send_all(GET)
    assert WRITE_TIMEOUT_S <= trio.current_time() < WRITE_TIMEOUT_S + 2


async def test_the_rest_of_a_refused_request_is_dropped_up_to_a_bound(attach: Any, autojump_clock: Any) -> None:
    """The client may read its answer, but not send for ever."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.send(b"nonsense\r\n\r\n")
        sent = 0
        try:
            while sent < 100 * LINGER_BYTES_MAX:
                await client.send(bytes(9000))
                sent += 9000
                await trio.testing.wait_all_tasks_blocked()
        except trio.BrokenResourceError:
            pass  # the server had enough
        assert sent <= LINGER_BYTES_MAX + 60_000
        assert (await client.reply()).status == 400


async def test_a_handler_that_hangs_is_answered_for(attach: Any, autojump_clock: Any) -> None:
    """The client learns TIMEOUT; what the handler still did is unknown, so the connection ends."""

    async def hang(request: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with trio.open_nursery() as nursery:
        client = attach(nursery, Route("GET", "/hang", hang, "hangs"))
        started = trio.current_time()
        reply = await client.get("/hang")
        assert (reply.status, reply.json["code"]) == (504, "TIMEOUT")
        assert HANDLER_TIMEOUT_S <= trio.current_time() - started < HANDLER_TIMEOUT_S + 1
        assert await client.at_end()


async def test_a_client_that_leaves_in_the_middle_harms_nothing(attach: Any) -> None:
    """Neither within its request nor before its answer."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.send(GET[:20])
        await client.stream.aclose()
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.send(GET * 50)
        await client.stream.aclose()
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        assert (await client.get("/echo", Connection="close")).status == 200


async def test_a_closing_listener_ends_a_waiting_connection_at_once(attach: Any, autojump_clock: Any) -> None:
    """And one that is answering after its answer."""
    async with trio.open_nursery() as nursery:
        client = attach(nursery)
        await client.get("/echo")
        client.connection.close_soon()
        assert await client.at_end()
        assert trio.current_time() < 2

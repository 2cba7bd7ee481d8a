"""From a request to its answer: every failure is a reply, and who asks is known."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from metanode.core.http import EventStream, Request, Response, Route, json_response
from metanode.core.light.http_client import Reply
from metanode.core.light.signed_reply import check_signed
from metanode.core.model.errors import MetanodeError, Rejection, SettingsError
from metanode.plugins.api._shared.sources import Origins, Sources
from metanode.plugins.api.http.answering import plugin_of
from metanode.plugins.api.http.plugin import register_api


def get(path: str, handler: Any, *, signed: bool = False) -> Route:
    """A route with a handler of this test."""
    return Route("GET", path, handler, "test", signed=signed)


async def source(request: Request) -> Response:
    """Tells who asks."""
    return json_response({"source": request.source, "id": request.request_id})


async def test_an_exception_is_logged_under_its_plugins_name_and_answered(
    serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection and the node live on; the client can tell the maintainers which line to look for."""

    async def broken(request: Request) -> Response:
        raise ZeroDivisionError("oops")

    broken.__module__ = "metanode.plugins.ledger.attested.routes"
    async with serve(get("/broken", broken)) as server, server.connect() as client:
        with caplog.at_level(logging.ERROR):
            reply = await client.get("/broken", x_request_id="abc-1")
        assert reply.status == 500
        assert reply.json["code"] == "INTERNAL"
        assert "abc-1" in reply.json["message"]
        assert "oops" not in reply.body.decode()
        assert reply.headers["x-request-id"] == "abc-1"
        assert (await client.get("/v1/head")).status == 200
    (record,) = caplog.records
    assert "ledger.attested" in record.message
    assert "abc-1" in record.message
    assert record.exc_info is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        Response(200, b"", headers=(("X", "a\r\nSet-Cookie: b"),)),
        Response(204, b"body"),
        Response(999, b""),
    ],
)
async def test_an_answer_that_is_none_is_the_handlers_mistake(
    serve: Any, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A line break in a header would let one plugin forge another's reply."""

    async def strange(request: Request) -> Any:
        return value

    async with serve(get("/strange", strange)) as server:
        assert (await server.get("/strange")).json["code"] == "INTERNAL"
    assert len(caplog.records) == 1


async def test_a_refusal_keeps_its_code_and_status(serve: Any) -> None:
    """What the ledger says is what the client reads."""

    async def refuse(request: Request) -> Response:
        raise Rejection("INSUFFICIENT_FUNDS", "3 micro-units are too few", "at least 5")

    async with serve(get("/refuse", refuse)) as server:
        reply = await server.get("/refuse")
    assert reply.status == 402
    assert reply.json == {
        "ok": False,
        "error": "insufficient_funds",
        "code": "INSUFFICIENT_FUNDS",
        "message": "3 micro-units are too few",
        "expected": "at least 5",
    }


async def test_a_limited_client_is_told_when_to_come_back(serve: Any) -> None:
    """By the refusal's own time if it has one."""

    async def limit(request: Request) -> Response:
        error = MetanodeError("RATE_LIMITED", "101 requests in 60 s")
        if "own" in request.query:
            error.retry_after_s = 41.6  # type: ignore[attr-defined]
        raise error

    async with serve(get("/limit", limit)) as server:
        assert (await server.get("/limit")).headers["retry-after"] == "10"
        reply = await server.get("/limit?own")
    assert (reply.status, reply.headers["retry-after"]) == (429, "42")


async def test_a_signed_route_signs_answers_and_refusals(serve: Any, doubles: Any) -> None:
    """A miner must be able to trust a no as well as a yes."""

    async def answer(request: Request) -> Response:
        if "refuse" in request.query:
            raise Rejection("CHALLENGE_LATE", "too late")
        return json_response({"ok": True})

    async with serve(get("/signed", answer, signed=True)) as server, server.connect() as client:
        for target in ("/signed", "/signed?refuse"):
            reply = await client.get(target)
            seen = Reply(reply.status, reply.headers, reply.body, target=f"GET {target}")
            assert check_signed(seen, doubles.genesis.hash, None) == doubles.identity.node.public_key
            with pytest.raises(MetanodeError, match="does not verify"):
                check_signed(replace(seen, target="GET /other"), doubles.genesis.hash, None)
        assert "metanode-signature" not in (await client.get("/v1/head")).headers


async def test_a_signed_reply_covers_the_request_it_answers(serve: Any, doubles: Any) -> None:
    """To the byte, also when the body is refused before anyone reads it."""

    async def answer(request: Request) -> Response:
        return json_response({"ok": True})

    sent = b'{"machine_key": "00"}'
    async with serve(Route("POST", "/signed", answer, "test", signed=True)) as server, server.connect() as client:
        for kind in ("application/json", "text/plain"):
            reply = await client.request("POST", "/signed", sent, Content_Type=kind)
            seen = Reply(reply.status, reply.headers, reply.body, target="POST /signed", request=sent)
            assert check_signed(seen, doubles.genesis.hash, None) == doubles.identity.node.public_key
            with pytest.raises(MetanodeError, match="does not verify"):
                check_signed(replace(seen, request=sent + b" "), doubles.genesis.hash, None)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonx",
    ],
)
async def test_a_post_that_any_web_page_could_send_is_refused(serve: Any, doubles: Any, kind: str) -> None:
    """A page of any site can make a browser send forms and plain text to 127.0.0.1, but not JSON without asking."""
    body = json.dumps({"envelope": doubles.transfer(0).hex()}).encode()
    async with serve() as server, server.connect() as client:
        reply = await client.request("POST", "/v1/tx", body, Content_Type=kind)
        assert (reply.status, reply.json["code"]) == (400, "BAD_REQUEST")
        assert "application/json" in reply.json["expected"]
        assert doubles.waiting == {}
        reply = await client.request("POST", "/v1/tx", body, Content_Type="Application/JSON ; charset=utf-8")
        assert reply.json["ok"] is True


async def test_every_reply_has_a_request_id_of_its_own_or_the_clients(serve: Any) -> None:
    """One that could forge a log line is replaced."""
    async with serve(get("/source", source)) as server, server.connect() as client:
        first = await client.get("/source")
        second = await client.get("/source")
        assert first.json["id"] == first.headers["x-request-id"] != second.headers["x-request-id"]
        assert (await client.get("/source", x_request_id="mine.1")).json["id"] == "mine.1"
        for forged in ("a b", "x" * 65, "é"):
            assert (await client.get("/source", x_request_id=forged)).json["id"] != forged


async def test_the_source_is_the_peer_unless_a_trusted_proxy_says_otherwise(serve: Any) -> None:
    """Anyone could write that header."""
    async with serve(get("/source", source)) as server:
        assert (await server.get("/source", x_forwarded_for="1.2.3.4")).json["source"] == "127.0.0.1"
    async with serve(get("/source", source), trusted_proxies=["127.0.0.0/8", "10.0.0.1"]) as server:
        assert (await server.get("/source", x_forwarded_for="6.6.6.6, 1.2.3.4, 10.0.0.1")).json["source"] == "1.2.3.4"
        assert (await server.get("/source")).json["source"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "found"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("unknown", "10.0.0.1"),
        ("1.2.3.4, junk", "10.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        (",".join(["10.0.0.5"] * 5000), "10.0.0.5"),
        ("", "10.0.0.1"),
    ],
)
def test_a_forwarded_address_is_read_from_the_right(forwarded: str, found: str) -> None:
    """What stands left of the nearest untrusted address is that client's own claim."""
    assert Sources(["10.0.0.0/8"]).source("10.0.0.1", {"x-forwarded-for": forwarded}) == found


@pytest.mark.parametrize("settings", [{"trusted_proxies": ["example.org"]}, {"cors_origins": ["wallet.example"]}])
async def test_a_setting_that_cannot_work_stops_the_start(context_of: Any, settings: dict[str, list[str]]) -> None:
    """One line names it."""
    ((name, (value,)),) = settings.items()
    with pytest.raises(SettingsError, match=f"{name} has '{value}'"):
        register_api(context_of(**settings))


async def test_pages_of_other_origins_read_nothing_unless_listed(serve: Any) -> None:
    """The CORS protocol of the Fetch standard."""
    page = "https://wallet.example"
    async with serve() as server, server.connect() as client:
        reply = await client.get("/v1/head", Origin=page)
        assert not any(name.startswith("access-control") for name in reply.headers)
    async with serve(cors_origins=[page]) as server, server.connect() as client:
        reply = await client.get("/v1/head", Origin=page)
        assert reply.headers["access-control-allow-origin"] == page
        assert "access-control-allow-origin" not in (await client.get("/v1/head", Origin="https://evil.example")).headers
        reply = await client.request("OPTIONS", "/v1/tx", Origin=page, Access_Control_Request_Method="POST")
        assert reply.status == 204
        assert reply.headers["access-control-allow-methods"] == reply.headers["allow"] == "OPTIONS, POST"
        refused = await client.get("/v1/nothing", Origin=page)
        assert refused.headers["access-control-allow-origin"] == page


def test_a_socket_opens_for_programs_own_pages_and_listed_ones() -> None:
    """A browser asks no leave for WebSockets, so a page of any site could read the node's events."""
    own = {"host": "node:8645", "origin": "http://node:8645"}
    assert Origins([]).admits_socket({"host": "node:8645"})
    assert Origins([]).admits_socket(own)
    assert not Origins([]).admits_socket({**own, "origin": "https://evil.example"})
    assert not Origins([]).admits_socket({**own, "origin": "null"})
    assert Origins(["https://w.example"]).admits_socket({**own, "origin": "https://w.example"})


async def test_options_tells_what_a_path_takes(serve: Any) -> None:
    """And what the server takes at all."""
    async with serve() as server, server.connect() as client:
        assert (await client.request("OPTIONS", "/v1/tx")).headers["allow"] == "OPTIONS, POST"
        assert (await client.request("OPTIONS", "*")).status == 204
        assert (await client.request("OPTIONS", "/nothing")).status == 404
        refused = await client.request("DELETE", "/v1/tx")
        assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")


async def test_requests_are_counted_by_status(serve: Any) -> None:
    """For the operator's graphs."""
    async with serve() as server, server.connect() as client:
        await client.get("/v1/head")
        await client.get("/nothing")
        shown = server.context.metrics.exposition()
        assert 'http_requests_total{status="2xx"} 1' in shown
        assert 'http_requests_total{status="4xx"} 1' in shown
        assert "http_connections 1" in shown


def test_the_plugin_of_a_handler_is_known_by_its_module() -> None:
    """Functions, bound methods and what is no plugin of ours."""
    routes = EventStream  # any callable of another module
    assert plugin_of(routes) == "metanode.core.http"
    assert plugin_of(source) == __name__

    class Routes:
        async def answer(self) -> None: ...

    Routes.answer.__module__ = "metanode.plugins.ledger.attested.routes"
    assert plugin_of(Routes().answer) == "ledger.attested"

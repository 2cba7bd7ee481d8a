"""docs/api.md says what the listener does: every route is there, and every example has the form of a real answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.envelope import decode_envelope
from metanode.plugins.api._shared.messages import HEADER_BYTES_MAX, HEADERS_MAX
from metanode.plugins.api.http import answering, connection, events, routes_accounts, routes_submit, streams
from metanode.plugins.api.http.plugin import register_routes

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text("utf-8")
_HEADING = re.compile(r"^### `(\w+) (\S+)`$", re.M)
_JSON = re.compile(r"^```json\n(.*?)^```$", re.M | re.S)


def sections() -> dict[str, list[Any]]:
    """The JSON examples below each route's heading."""
    parts = _HEADING.split(PAGE)
    texts = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return {
        f"{method} {path}": [json.loads(text) for text in _JSON.findall(body.split("\n## ")[0])]
        for method, path, body in texts
    }


def form(value: Any) -> Any:
    """Keys and types of a JSON value; a list is known by its first item."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value[:1]]
    return type(value).__name__


async def test_every_route_of_this_plugin_is_on_the_page_and_no_other(context_of: Any) -> None:
    """A heading each."""
    registered = {f"{route.method} {route.path}" for route in register_routes(context_of())}
    assert set(sections()) == registered


async def test_every_example_has_the_form_of_a_real_answer(serve: Any, doubles: Any) -> None:
    """Key by key, so that a program written from the page works."""
    raw = doubles.transfer(0)
    identity, mine = decode_envelope(raw).id.hex(), to_bech32m(doubles.identity.sponsor.account)
    doubles.finalize(raw)
    doubles.view = [
        {
            "envelope_id": identity, "position": 0, "height": 1, "kind": "transfer", "sender": mine, "receiver": mine,
            "amount": 5, "fee": 1, "code": 0,
        }
    ]  # fmt: skip
    shown = sections()
    async with serve() as server, server.connect() as client:
        for route, targets in {
            "GET /health": ["/health"],
            "GET /ready": ["/ready"],
            "GET /v1/head": ["/v1/head"],
            "GET /v1/blocks/{height}": ["/v1/blocks/1", "/v1/blocks/1?raw=1"],
            "GET /v1/tx/{id}": [f"/v1/tx/{identity}"],
            "GET /v1/accounts/{account}": [f"/v1/accounts/{mine}"],
            "GET /v1/accounts/{account}/history": [f"/v1/accounts/{mine}/history?limit=1"],
        }.items():
            for target, example in zip(targets, shown.pop(route), strict=True):
                answer = (await client.get(target)).json
                assert form(answer) == form(example), target
        (genesis,) = shown.pop("GET /v1/genesis")
        answer = (await client.get("/v1/genesis")).json
        for value in (answer, genesis):
            assert len(value["genesis"].pop("accounts")) == 1
        assert form(answer) == form(genesis)
        single, batch = shown.pop("POST /v1/tx")
        assert form((await client.post("/v1/tx", {"envelope": doubles.transfer(1).hex()})).json) == form(single)
        assert form((await client.post("/v1/tx", {"envelopes": ["zz"]})).json) == form(batch)
        (event,) = shown.pop("GET /v1/events")
        assert set(event) == {"event", "data"}
    assert shown == {"GET /metrics": [], "GET /openapi.json": [], "GET /v1/tx/{id}/proof": []}


def test_the_table_of_limits_says_what_the_code_does() -> None:
    """The numbers that are not settings."""
    limits = PAGE.split("## 10. Limits")[1]
    assert f"{HEADER_BYTES_MAX >> 10} KiB, {HEADERS_MAX} headers" in limits
    assert f"| {answering.QUERY_FIELDS_MAX}, each once |" in limits
    assert f"1 s more per {connection.BODY_BYTES_PER_S_MIN} body bytes" in limits
    assert f"| {connection.HANDLER_TIMEOUT_S} s |" in limits
    assert f"| {connection.WRITE_TIMEOUT_S} s, and" in limits
    assert f"| event streams | {connection.STREAMS_MAX} |" in limits
    assert f"| {events.QUEUED_MAX} | the oldest" in limits
    assert f"After {streams.HEARTBEAT_S} s of silence" in PAGE
    assert f"up to {routes_accounts.HISTORY_MAX} ({routes_accounts.HISTORY_DEFAULT})" in PAGE
    assert f"up to {routes_accounts.OFFSET_MAX}" in PAGE
    assert f"A batch of up to {routes_submit.BATCH_MAX}" in PAGE

"""POST /v1/tx: hand envelopes to the mempool, one or a batch, each answered for itself."""

from __future__ import annotations

from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.limits import ENVELOPE_BYTES_MAX
from metanode.core.roles import Admission
from metanode.plugins.api._shared.fields import json_object

BATCH_MAX = 100
"""Envelopes of one request."""


class SubmitRoutes:
    """The handler of the route below."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    def routes(self) -> tuple[Route, ...]:
        """Return the route."""
        return (Route("POST", "/v1/tx", self.submit, "submit up to 100 envelopes; accepted ones survive a crash"),)

    async def submit(self, request: Request) -> Response:
        """202: all wait for a block; 200: all waited already; else the first refusal's status."""
        body = json_object(request.body)
        if set(body) == {"envelope"}:
            (result,) = await self._admit([body["envelope"]], request.source)
            return _single(result)
        if set(body) == {"envelopes"} and isinstance(body["envelopes"], list):
            items = body["envelopes"]
            if not 1 <= len(items) <= BATCH_MAX:
                raise Rejection("BAD_SHAPE", f"envelopes holds {len(items)} items", f"1 to {BATCH_MAX} envelopes")
            return _batch(await self._admit(items, request.source))
        expected = '{"envelope": hex} or {"envelopes": [hex, ...]}'
        raise Rejection("BAD_SHAPE", f"body with keys {str(sorted(body))[:80]}", expected)

    async def _admit(self, items: list[Any], source: str) -> list[Admission]:
        """Submit what is readable in one batch; answers in the order of the items."""
        results: list[Admission | None] = []
        readable: list[bytes] = []
        for item in items:
            try:
                readable.append(_bytes(item))
                results.append(None)
            except MetanodeError as error:
                results.append(Admission(None, error))
        admitted = iter(await self._context.roles.mempool.submit(readable, source=source) if readable else ())
        return [next(admitted) if result is None else result for result in results]


def _bytes(item: object) -> bytes:
    if not isinstance(item, str):
        raise Rejection("BAD_SHAPE", f"an envelope is a JSON {type(item).__name__}", "a string of hex digits")
    if len(item) > 2 * ENVELOPE_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"envelope of {len(item) // 2} bytes", f"at most {ENVELOPE_BYTES_MAX} bytes")
    try:
        raw = bytes.fromhex(item)
        if raw and 2 * len(raw) == len(item):  # fromhex skips blanks
            return raw
    except ValueError:
        pass  # told below, like an empty string
    raise Rejection("BAD_HEX", f"envelope {item[:40]!r}", "hex digits, two per byte")


def _value(result: Admission) -> dict[str, object]:
    if result.error is not None:
        return result.error.reply()
    assert result.id is not None, "what is admitted has an id"
    return {"ok": True, "id": result.id.hex(), "status": "pending"}


def _single(result: Admission) -> Response:
    if result.error is not None:
        raise result.error
    assert result.id is not None, "what is admitted has an id"
    # Spelled out: the busiest answer of a node, and making an encoder for it costs more than the rest of this.
    body = b'{"id":"%b","ok":true,"status":"pending"}\n' % result.id.hex().encode()
    return Response(200 if result.known else 202, body)


def _batch(results: list[Admission]) -> Response:
    values = [_value(result) for result in results]
    refused = next((result.error for result in results if result.error is not None), None)
    if refused is not None:
        return json_response({**refused.reply(), "results": values}, status=refused.status)
    known = all(result.known for result in results)
    return json_response({"ok": True, "results": values}, status=200 if known else 202)

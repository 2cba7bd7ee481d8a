"""Requests, responses and routes: the vocabulary of the `register_routes` hook.

Sans-IO: a listener (`plugins/api/http`) turns bytes into `Request` and these answers into bytes.
A handler raises `MetanodeError` to refuse; the listener answers with its code and status.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

BODY_BYTES_MAX = 1 << 20
"""Largest request body, bytes; larger ones are answered 413."""


class Request(NamedTuple):
    """One request, read whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Lower-case names."""
    body: bytes
    source: str
    """The client's address, or the forwarded one when a trusted proxy sent it."""
    request_id: str
    params: Mapping[str, str] = MappingProxyType({})
    """Values of the `{name}` parts of the route's path."""


class Response(NamedTuple):
    """An answer sent whole."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class EventStream:
    """An answer that goes on: each item is one (event name, JSON text).

    Sent as server-sent events, or as WebSocket text messages when the client asked to upgrade.
    """

    events: AsyncIterator[tuple[str, str]]


Handler = Callable[[Request], Awaitable["Response | EventStream"]]


@dataclass(frozen=True)
class Route:
    """A method, a path such as `/v1/blocks/{height}`, and who answers."""

    method: str
    path: str
    handler: Handler
    summary: str
    """One line for docs/api.md."""
    signed: bool = False
    """The reply carries the node's signature over its body (see docs/wire_format.md, signed replies)."""
    plugin: str = ""
    """Full name of the plugin that registered it; the kernel fills it in."""


def json_response(value: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return `value` as compact JSON with sorted keys, so equal answers are equal bytes."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
    return Response(status, body, headers=headers)

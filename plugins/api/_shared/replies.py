"""Responses as bytes, and refusals as responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from http import HTTPStatus

from metanode.core.http import Response, json_response
from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.router import MethodNotAllowed

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
RETRY_AFTER_S = {"RATE_LIMITED": 10, "POOL_FULL": 5, "NOT_READY": 2, "TOO_MANY_CONNECTIONS": 5, "BODIES_FULL": 5}
"""Seconds until a retry makes sense, for refusals that are about time; an error's own `retry_after_s` wins."""

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
# Not strftime: its names follow the locale.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BODILESS = (204, 304)

Headers = Sequence[tuple[str, str]]


def error_response(error: MetanodeError) -> Response:
    """Return the answer that tells a refusal."""
    headers: list[tuple[str, str]] = []
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", error.allow))
    if error.code in RETRY_AFTER_S:
        seconds = getattr(error, "retry_after_s", RETRY_AFTER_S[error.code])
        headers.append(("Retry-After", str(max(1, round(seconds)))))
    return json_response(error.reply(), status=error.status, headers=tuple(headers))


class DateHeader:
    """The Date header's value, written once a second (RFC 9110 section 5.6.7).

    :param now_ms: the node's clock.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        """Return the value for now."""
        second = self._now_ms() // 1000
        if second != self._second:
            moment = datetime.fromtimestamp(second, timezone.utc)
            day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
            self._text = f"{day}, {moment.day:02} {month} {moment:%Y %H:%M:%S} GMT"
            self._second = second
        return self._text


def encode_response(
    response: Response, extra: Headers, *, date: str, version: str, keep_alive: bool, with_body: bool = True
) -> bytes:
    """Return a response's bytes.

    :param extra: headers that the listener adds.
    :param version: the client's HTTP version, which decides what must be said about keeping the connection.
    :param with_body: False for HEAD: same headers, no body.
    :raises ValueError: a header holds a line break, or a bodiless status has a body.
    """
    lines = [_STATUS_LINES[response.status], "Date: ", date, "\r\n"]
    if response.status in _BODILESS:
        if response.body:
            raise ValueError(f"a {response.status} answer with a body")
    else:
        lines.append(f"Content-Type: {response.content_type}\r\nContent-Length: {len(response.body)}\r\n")
    if not keep_alive:
        lines.append("Connection: close\r\n")
    elif version == "1.0":
        lines.append("Connection: keep-alive\r\n")
    head = _with_headers(lines, (*response.headers, *extra))
    return head + response.body if with_body else head


def encode_stream_head(extra: Headers, *, date: str) -> bytes:
    """Return the head of a stream of server-sent events, which ends with its connection."""
    lines = [_STATUS_LINES[200], "Date: ", date, "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"]
    return _with_headers([*lines, "Connection: close\r\n"], extra)


def encode_switch_head(protocol: str, extra: Headers, *, date: str) -> bytes:
    """Return the 101 reply that leaves HTTP for `protocol`."""
    lines = [_STATUS_LINES[101], "Date: ", date, f"\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n"]
    return _with_headers(lines, extra)


def _with_headers(lines: list[str], headers: Headers) -> bytes:
    for name, value in headers:
        if "\r" in value or "\n" in value:
            raise ValueError(f"header {name} holds a line break")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")

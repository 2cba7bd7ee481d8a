"""What a request parser gives, and the checks on a request's head that both parsers share.

A parser is sans-IO: bytes in, events out.  Whatever a peer sends becomes an event, never an
exception, so that requests already complete are answered before a later malformed one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from metanode.core.model.errors import MetanodeError, PeerError

HEADER_BYTES_MAX = 16 << 10
"""Request line and headers together; also what may arrive without completing a header or body byte."""
HEADERS_MAX = 100
"""Headers of one request."""
READ_BYTES = 16 << 10
"""Bytes taken from a socket at once, so also the most that can wait behind an unfinished answer."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"})
"""Methods whose requests are read; which ones a path takes is the router's business."""

_TARGET = re.compile(rb"[\x21-\x22\x24-\x7e]+")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)


class Head(NamedTuple):
    """A request's first line and headers, checked."""

    method: str
    target: str
    """Path and query as sent, beginning with `/`; or `*`."""
    headers: Mapping[str, str]
    """Lower-case names; repeated ones joined by comma."""
    version: str
    """`1.0` or `1.1`."""
    keep_alive: bool
    upgrade: bool
    """The client asks to leave HTTP; nothing after this request is read as HTTP."""
    expects_continue: bool

    @property
    def body_announced(self) -> int:
        """The Content-Length; 0 without one."""
        return int(self.headers.get("content-length", "0"))


class Incoming(NamedTuple):
    """A request, complete."""

    head: Head
    body: bytes


@dataclass(frozen=True, slots=True)
class ContinueWanted:
    """The client waits for `100 Continue` before it sends its body."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What came is not acceptable: answer with this and close.  Always the last event."""

    error: MetanodeError


ParserEvent = Incoming | ContinueWanted | Refused


class RequestParser(Protocol):
    """Turns a connection's bytes into requests.  Holds at most one request and `READ_BYTES` more."""

    @property
    def in_request(self) -> bool:
        """A request has begun and is not complete."""

    @property
    def body_received(self) -> int:
        """Body bytes of the unfinished request so far."""

    @property
    def body_announced(self) -> int:
        """Body bytes that the head of the unfinished request announces; 0 before it, and for chunks."""

    @property
    def tail(self) -> bytes:
        """Bytes that followed a request to upgrade."""

    def feed(self, data: bytes) -> list[ParserEvent]:
        """Take up to `READ_BYTES` bytes and return what they complete, in order.

        After a `Refused`, an upgrade or a request that ends the connection, nothing more is read.
        """


def bad_request(message: str, expected: str = "") -> PeerError:
    """The refusal of bytes that are no acceptable request."""
    return PeerError("BAD_REQUEST", message, expected)


def headers_too_large() -> PeerError:
    """The refusal of a head, or of chunk framing, past its bound."""
    return PeerError("HEADERS_TOO_LARGE", f"headers exceed {HEADER_BYTES_MAX} bytes or {HEADERS_MAX} fields")


def body_too_large(size: int, body_bytes_max: int) -> PeerError:
    """The refusal of a body past its bound."""
    return PeerError("BODY_TOO_LARGE", f"body of at least {size} bytes", f"at most {body_bytes_max} bytes")


def read_head(
    method: bytes, target: bytes, version: str, fields: Sequence[tuple[bytes, bytes]], body_bytes_max: int
) -> Head:
    """Check a request's head and return it.

    Refuses what two readers could frame differently (RFC 9112 section 11.2): a length beside a
    transfer coding, repeated or odd lengths, codings other than chunked, control bytes, two hosts.

    :param fields: header names and values as sent, in order.
    :raises PeerError: BAD_REQUEST, HEADERS_TOO_LARGE, BODY_TOO_LARGE or METHOD_NOT_ALLOWED.
    """
    size = len(method) + len(target) + sum(len(name) + len(value) + 4 for name, value in fields)
    if size > HEADER_BYTES_MAX or len(fields) > HEADERS_MAX:
        raise headers_too_large()
    if version not in ("1.0", "1.1"):
        raise bad_request(f"HTTP version {version!r}", "HTTP/1.1 or HTTP/1.0")
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        if _CONTROLS.search(raw_value):
            raise bad_request(f"control byte in header {raw_name[:40]!r}")
        name = raw_name.lower().decode("latin-1")
        value = raw_value.strip(b" \t").decode("latin-1")
        if name not in headers:
            headers[name] = value
        elif name in ("host", "content-length", "transfer-encoding", "expect"):
            raise bad_request(f"header {name} twice", "one")
        else:
            headers[name] = f"{headers[name]}, {value}"
    _check_framing(headers, version, body_bytes_max)
    if version == "1.1" and "host" not in headers:
        raise bad_request("no Host header", "a Host header, as HTTP/1.1 requires")
    verb = method.decode("latin-1")
    if verb not in METHODS:
        raise bad_request(f"method {verb[:20]!r}", f"one of {', '.join(sorted(METHODS))}")
    connection = headers.get("connection", "").lower()
    options = {option.strip() for option in connection.split(",")} if connection else frozenset()
    expect = headers.get("expect", "").lower()
    if expect not in ("", "100-continue"):
        raise bad_request(f"expectation {expect[:40]!r}", "100-continue")
    return Head(
        method=verb,
        target=_origin_form(target, verb),
        headers=headers,
        version=version,
        keep_alive="close" not in options if version == "1.1" else "keep-alive" in options,
        upgrade="upgrade" in options and "upgrade" in headers,
        expects_continue=bool(expect) and version == "1.1",
    )


def _check_framing(headers: Mapping[str, str], version: str, body_bytes_max: int) -> None:
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if length is not None:
        if coding is not None:
            raise bad_request("both Content-Length and Transfer-Encoding", "one of them")
        if not _DIGITS.fullmatch(length.encode("latin-1")):
            raise bad_request(f"Content-Length {length[:20]!r}", "a decimal number")
        if int(length) > body_bytes_max:
            raise body_too_large(int(length), body_bytes_max)
    elif coding is not None and (coding.lower() != "chunked" or version != "1.1"):
        raise bad_request(f"Transfer-Encoding {coding[:40]!r} in HTTP/{version}", "chunked, in HTTP/1.1")


def _origin_form(target: bytes, method: str) -> str:
    """Return path and query of a request target (RFC 9112 section 3.2)."""
    if not _TARGET.fullmatch(target):
        raise bad_request(f"request target {target[:60]!r}", "printable ASCII without # or spaces")
    text = target.decode("ascii")
    if text.startswith("/") or (text == "*" and method == "OPTIONS"):
        return text
    if absolute := _ABSOLUTE.match(text):
        rest = text[absolute.end() :]
        return rest if rest.startswith("/") else f"/{rest}"
    raise bad_request(f"request target {text[:60]!r}", "a path that begins with /")

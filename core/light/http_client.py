"""A blocking HTTP/1.1 client in a hundred lines, for programs that must stay small.

The standard library's client costs 8.5 MiB of memory on import, more than the rest of a miner
(docs/decisions/0002-http-client.md), so this one speaks just what a node answers: one request
per connection, a reply framed by Content-Length, chunks or the end of the connection (RFC 9112).
TLS is imported only for `https:` addresses.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from metanode.core.model.errors import ERROR_CODES, MetanodeError

if TYPE_CHECKING:
    from ssl import SSLContext

REPLY_BYTES_MAX = 8 << 20
"""Largest reply that is read."""
HEAD_BYTES_MAX = 16 << 10
"""Largest status line and headers."""
READ_BYTES = 65536
WORDS_CHARS_MAX = 1000
"""Longest message of a node that is passed on."""
GATEWAY_STATUSES = (502, 503, 504)
"""What a proxy answers while the node behind it is away (RFC 9110 section 15.6)."""


@dataclass(frozen=True)
class Reply:
    """A node's answer, and what it answers.  Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    target: str = ""
    """Method and path of the request, as they were sent."""
    request: bytes = b""
    """Body of the request."""

    def json(self) -> Any:
        """Return the body as JSON.

        :raises MetanodeError: BAD_REPLY when it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise MetanodeError("BAD_REPLY", f"the node answered {self.status} with a body that is not JSON") from error

    def require(self) -> Any:
        """Return the JSON of a successful reply, or raise the node's refusal as it was given.

        :raises MetanodeError: with the node's own code, message and expectation; UNREACHABLE when a gateway
            answered in the node's place.
        """
        if self.status in GATEWAY_STATUSES and not self.headers.get("content-type", "").startswith("application/json"):
            raise MetanodeError("UNREACHABLE", f"a gateway answered {self.status} in the node's place")
        value = self.json()
        if self.status < 400:
            return value
        code = value.get("code") if isinstance(value, dict) else None
        if not isinstance(code, str) or code not in ERROR_CODES:
            raise MetanodeError("BAD_REPLY", f"the node answered {self.status} without a known code")
        raise MetanodeError(code, _one_line(value.get("message", "")), _one_line(value.get("expected", "")))


class HttpClient:
    """Requests to one node.

    :param url: `http://host[:port]` or `https://host[:port]`.
    :param timeout_s: for connecting and for each read.
    :param ca_file: certificate authority for `https:`; the system's when empty.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, ca_file: str = "") -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:  # a port out of range, or brackets that hold no IPv6 address
            raise MetanodeError(
                "BAD_SETTING", f"node address {url!r} has no valid host or port", "http://host:port, port 1 to 65535"
            ) from error
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/")
        if not usable or parts.query or parts.fragment or parts.username or not url.isascii():
            raise MetanodeError(
                "BAD_SETTING", f"node address {url!r} cannot be used", "http://host:port or https://host:port"
            )
        assert parts.hostname, "checked above"
        self.url = url.rstrip("/")
        self._tls = parts.scheme == "https"
        self._host = parts.hostname
        self._port = port or (443 if self._tls else 80)
        self._timeout_s = timeout_s
        self._ca_file = ca_file

    def get(self, path: str) -> Reply:
        """GET a path."""
        return self._request("GET", path, b"")

    def post(self, path: str, value: Any) -> Reply:
        """POST a value as JSON."""
        return self._request("POST", path, json.dumps(value, separators=(",", ":")).encode())

    def _request(self, method: str, path: str, body: bytes) -> Reply:
        host = f"[{self._host}]" if ":" in self._host else self._host
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}:{self._port}\r\nConnection: close\r\nAccept: */*\r\n"
        if method == "POST":
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        try:
            with self._connect() as stream:
                stream.sendall(head.encode("ascii") + b"\r\n" + body)
                return replace(_read_reply(stream), target=f"{method} {path}", request=body)
        except TimeoutError as error:
            raise MetanodeError("TIMEOUT", f"{self.url} did not answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise MetanodeError("UNREACHABLE", f"{self.url}: {error.strerror or error}") from error

    def _connect(self) -> socket.socket:
        context = _tls_context(self._ca_file) if self._tls else None
        # As bytes: for text, even ASCII, Python loads its tables of international names, 0.4 MiB.
        address: Any = (self._host.encode("ascii"), self._port)
        plain = socket.create_connection(address, self._timeout_s)
        if context is None:
            return plain
        return context.wrap_socket(plain, server_hostname=self._host)  # closes `plain` when the handshake fails


def _tls_context(ca_file: str) -> SSLContext:
    try:
        import ssl  # only here: it costs 5 MiB, and a Python without OpenSSL must still reach http nodes
    except ImportError as error:
        raise MetanodeError(
            "BAD_SETTING", "this Python was built without OpenSSL", "an http:// address, or a gateway on the LAN"
        ) from error
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise MetanodeError(
            "BAD_SETTING", f"ca_file {ca_file!r}: {error.strerror or error}", "a readable file of PEM certificates"
        ) from error


def _one_line(text: object) -> str:
    """Return a node's words as one line a terminal can show: nothing a stranger sends may move its cursor."""
    return "".join(char if char.isprintable() else "?" for char in str(text)[:WORDS_CHARS_MAX])


def _read_reply(stream: socket.socket) -> Reply:
    """Read one reply to its end (RFC 9112 section 6.3)."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > HEAD_BYTES_MAX:
            raise MetanodeError("BAD_REPLY", f"the reply's headers exceed {HEAD_BYTES_MAX} bytes")
        _receive(stream, data)
    lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
        raise MetanodeError("BAD_REPLY", f"the reply does not start as HTTP/1.1: {lines[0][:60]!r}")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    del data[: end + 4]
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream, data))
    elif "content-length" in headers:
        length = int(headers["content-length"]) if headers["content-length"].isdecimal() else -1
        if not 0 <= length <= REPLY_BYTES_MAX:
            raise MetanodeError("BAD_REPLY", f"the reply's length {headers['content-length'][:20]!r} is not acceptable")
        while len(data) < length:
            _receive(stream, data)
        body = bytes(data[:length])
    else:
        while chunk := stream.recv(READ_BYTES):
            data += chunk
            _bound(data)
        body = bytes(data)
    return Reply(int(words[1]), headers, body)


def _chunks(stream: socket.socket, data: bytearray) -> Iterator[bytes]:
    total = 0
    while True:
        while (end := data.find(b"\r\n")) < 0:
            _receive(stream, data)
        size_text = bytes(data[:end]).split(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError as error:
            raise MetanodeError("BAD_REPLY", f"the reply has a chunk of size {size_text[:20]!r}") from error
        total += size
        if size < 0 or total > REPLY_BYTES_MAX:
            raise MetanodeError("BAD_REPLY", f"the reply exceeds {REPLY_BYTES_MAX} bytes")
        del data[: end + 2]
        while len(data) < size + 2:
            _receive(stream, data)
        if size == 0:
            return
        yield bytes(data[:size])
        del data[: size + 2]


def _receive(stream: socket.socket, data: bytearray) -> None:
    chunk = stream.recv(READ_BYTES)
    if not chunk:
        # What a node that is being stopped or killed leaves behind: it went away, it did not lie.
        raise MetanodeError("UNREACHABLE", "the node closed the connection before its reply was complete")
    data += chunk
    _bound(data)


def _bound(data: bytearray) -> None:
    if len(data) > REPLY_BYTES_MAX:
        raise MetanodeError("BAD_REPLY", f"the reply exceeds {REPLY_BYTES_MAX} bytes")

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
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from metanode.core.model.errors import ERROR_CODES, MetanodeError

REPLY_BYTES_MAX = 8 << 20
"""Largest reply that is read."""
HEAD_BYTES_MAX = 16 << 10
"""Largest status line and headers."""
READ_BYTES = 65536


@dataclass(frozen=True)
class Reply:
    """A node's answer.  Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

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

        :raises MetanodeError: with the node's own code, message and expectation.
        """
        value = self.json()
        if self.status < 400:
            return value
        code = value.get("code") if isinstance(value, dict) else None
        if code not in ERROR_CODES:
            raise MetanodeError("BAD_REPLY", f"the node answered {self.status} without a known code")
        raise MetanodeError(code, str(value.get("message", "")), str(value.get("expected", "")))


class HttpClient:
    """Requests to one node.

    :param url: `http://host[:port]` or `https://host[:port]`.
    :param timeout_s: for connecting and for each read.
    :param ca_file: certificate authority for `https:`; the system's when empty.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, ca_file: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise MetanodeError(
                "BAD_SETTING", f"node address {url!r} cannot be used", "http://host:port or https://host:port"
            )
        try:
            port = parts.port
        except ValueError as error:
            raise MetanodeError(
                "BAD_SETTING", f"node address {url!r} has no valid port", "a port from 1 to 65535"
            ) from error
        self.url = url
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
                return _read_reply(stream)
        except TimeoutError as error:
            raise MetanodeError("TIMEOUT", f"{self.url} did not answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise MetanodeError("UNREACHABLE", f"{self.url}: {error.strerror or error}") from error

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self._host, self._port), self._timeout_s)
        if not self._tls:
            return plain
        import ssl  # only here: it costs 5 MiB, and a Python without OpenSSL must still reach http nodes

        context = ssl.create_default_context(cafile=self._ca_file or None)
        return context.wrap_socket(plain, server_hostname=self._host)


def _read_reply(stream: socket.socket) -> Reply:
    """Read one reply to its end (RFC 9112 section 6.3)."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > HEAD_BYTES_MAX:
            raise MetanodeError("BAD_REPLY", f"the reply's headers exceed {HEAD_BYTES_MAX} bytes")
        _receive(stream, data)
    lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise MetanodeError("BAD_REPLY", f"the reply does not start as HTTP/1.1: {lines[0][:60]!r}")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    del data[: end + 4]
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(stream, data))
    elif "content-length" in headers:
        length = int(headers["content-length"]) if headers["content-length"].isdigit() else -1
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
        raise MetanodeError("BAD_REPLY", "the node closed the connection before its reply was complete")
    data += chunk
    _bound(data)


def _bound(data: bytearray) -> None:
    if len(data) > REPLY_BYTES_MAX:
        raise MetanodeError("BAD_REPLY", f"the reply exceeds {REPLY_BYTES_MAX} bytes")

"""Requests against a real node: every route of its own OpenAPI document, and raw streams on sockets.

What must hold of every reply: it parses, its status is one that the document's errors allow (no 5xx but the 503s that
say when to come back), JSON is labelled `application/json` exactly, and an error names code, message and expected.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote

from fuzzkit import http_bytes, mutate
from fuzzkit.node import Node
from metanode.core.model import bodies, kinds
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.genesis import Genesis

BODILESS = (204, 304)
CONTENT_TYPES = ("application/json", "application/cbor", "text/plain; version=0.0.4; charset=utf-8")
UNAVAILABLE = {code for code, row in ERROR_CODES.items() if row.status == 503}
"""The only 5xx answers: each is documented with its cure."""
ERROR_KEYS = {"ok", "error", "code", "message", "expected"}
SEGMENTS = (
    "0", "1", "2", "latest", "running", "-1", "+1", "00", "1e3", "0x10", "18446744073709551615", "9223372036854775807",
    "9223372036854775808", "9" * 19, "9" * 40, "9" * 5000,
    "", " ", ".", "..", "%00", "%ff", "%c3%28", "a%2fb", "%2e%2e",
    "%F0%9F%98%80", "%0d%0aX:y", "٣", "²", "null", "RTC" + "0" * 40, "RTC" + "g" * 40,
    "mn1" + "q" * 38, "MN1", "ab" * 32,
    "AB" * 32, "ab" * 31, "zz" * 32, "{height}", "*", "~", "'", '"', "<script>", ";", "a" * 3000,
)  # fmt: skip
QUERIES = (
    "limit=0", "limit=1", "limit=500", "limit=501", "limit=-1", "limit=", "limit", "offset=0",
    "offset=999999999999999999",
    "offset=9223372036854775807", "offset=18446744073709551616", "page=1", "page=99999",
    "proof=1", "proof=2", "proof=x",
    "raw=1", "raw=yes", "types=", "types=a,b", "types=A",
    "types=" + "a," * 40, "a=%ff", "a=%00", "%61=1&a=2",
    "limit=1&limit=2", "&&&", "=", "?", "limit=%31", "limit=1%20", "limit=٣", "&".join(f"a{n}=1" for n in range(40)),
)  # fmt: skip


def check_reply(status: int, headers: dict[str, str], body: bytes, what: object) -> str:
    """Hold one reply to its promises and return the word for the counts."""
    assert 200 <= status < 600, what
    content_type = headers.get("content-type", "")
    if status in BODILESS:
        assert not body, what
        return str(status)
    assert content_type in CONTENT_TYPES, f"{what}: Content-Type {content_type!r}"
    if content_type != "application/json":
        assert status < 400, what
        return str(status)
    if not body:  # HEAD
        return str(status)
    value = json.loads(body)
    if status < 400:
        assert isinstance(value, dict), what
        return str(status)
    if set(value) >= ERROR_KEYS:
        assert value["ok"] is False, what
        assert ERROR_CODES[value["code"]].status == status, (what, value)
        assert value["message"], what
        assert value["expected"], what
        texts = [value[key] for key in ERROR_KEYS - {"ok"}]
        assert all(isinstance(text, str) and text.isprintable() for text in texts), (what, value)
        assert status < 500 or value["code"] in UNAVAILABLE, f"{what}: {value}"
        return f"{status} {value['code']}"
    # /health and /ready tell their own state with 503.
    assert status == 503, (what, value)
    assert value["ok"] is False, (what, value)
    return "503 not well"


def replies(data: bytes, head_requests: bool) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """Yield (status, headers, body) of the replies in one connection's bytes.

    :param head_requests: a HEAD request may be among them, whose reply's body is absent.
    """
    at = 0
    while at < len(data):
        end = data.index(b"\r\n\r\n", at)
        first, *lines = data[at:end].decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        status = int(first.split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        assert len(headers) == len(lines), f"a header twice in {lines}"
        at = end + 4
        if status == 100:
            assert not lines
            continue
        if status == 101 or headers.get("content-type") == "text/event-stream":
            yield 204, {}, b""  # a stream: its frames are not requests' replies
            return
        length = int(headers.get("content-length", "0"))
        body = data[at : at + length]
        if head_requests and (body.startswith(b"HTTP/1.1 ") or len(body) < length):
            yield status, headers, b""
            continue
        assert len(body) == length, "a reply is cut short"
        at += length
        yield status, headers, body


class HttpHunt:
    """Random requests from one seed against one node."""

    def __init__(self, node: Node, seed: str) -> None:
        self.node = node
        self.chance = Random(seed)
        self.outcomes: Counter[str] = Counter()
        self._genesis = node.home.genesis()
        self._key = node.sponsor()
        _, _, document = node.ask("GET", "/openapi.json")
        self.routes = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
        self._nonce = 0

    def step(self) -> None:
        """Send one request or one raw stream and check what comes back."""
        if self.chance.randrange(3) == 0:
            self._raw(http_bytes.stream(self.chance))
        else:
            self._request()

    def _request(self) -> None:
        chance = self.chance
        method, path = chance.choice(self.routes)
        if chance.randrange(8) == 0:
            method = chance.choice(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"))
        target = "/".join(self._segment() if part.startswith("{") else part for part in path.split("/"))
        if chance.randrange(3) == 0:
            target += "?" + "&".join(chance.choice(QUERIES) for _ in range(chance.randint(1, 2)))
        body = self._body(path) if method in ("POST", "PUT", "PATCH") else b""
        quoted = quote(target, safe="/?&=%{}*~;,+.-")
        lines = [f"{method} {quoted} HTTP/1.1", "Host: node", f"Content-Length: {len(body)}"]
        if body and chance.randrange(12):
            lines.append("Content-Type: application/json")
        if chance.randrange(6) == 0:
            lines.append(chance.choice((
                "Origin: http://evil", "X-Forwarded-For: 1.2.3.4, x", "X-Request-Id: a b", "X-Request-Id: ok.1",
                "Content-Type: text/plain", "Accept: image/png", "Cookie: " + "a" * 4000, "Connection: close, x",
                "Upgrade: h2c\r\nConnection: Upgrade", "Upgrade: websocket\r\nConnection: Upgrade",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            )))  # fmt: skip
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        tail = b""
        if "Sec-WebSocket-Key" in lines[-1]:
            frames = (b"\x81\x80abcd", b"\x89\x80abcd", b"\x88\x80abcd", b"\xff" * 30, chance.randbytes(40))
            tail = chance.choice(frames)
        self._raw(head + body + tail, head_requests=method == "HEAD")

    def _segment(self) -> str:
        chance = self.chance
        if chance.randrange(4) == 0:
            return quote(mutate.mutate_text(chance, chance.choice(SEGMENTS)).encode("utf-8", "replace")[:3000])
        return chance.choice(SEGMENTS)

    def _body(self, path: str) -> bytes:
        chance = self.chance
        value: Any
        if path == "/v1/tx":
            raw = self._envelope()
            value = {"envelope": raw.hex()}
            if chance.randrange(3) == 0:
                value = {"envelopes": [self._envelope().hex() for _ in range(chance.choice((0, 1, 3, 100, 101)))]}
        elif path == "/v1/attest/challenge":
            value = {"machine_key": chance.choice(("00" * 32, "ab" * 32, chance.randbytes(32).hex(), "zz", ""))}
        else:
            part = chance.choice(("commit", "reveal", "envelope", "x"))
            raw = chance.choice((chance.randbytes(32), self._envelope(), mutate.mutate_bytes(chance, bytes(200))))
            value = {part: raw.hex()}
        if chance.randrange(4) == 0:
            value[chance.choice(("x", "envelope", "machine_key", "\ud800", "", "commit"))] = chance.choice(
                (1, None, True, [], {}, "", "00", 1.5, "\ud800", [[]] * 30)
            )
        text = json.dumps(value)
        if chance.randrange(3) == 0:
            text = mutate.mutate_text(chance, text, text)
        return text.encode("utf-8", "surrogatepass")

    def _envelope(self) -> bytes:
        raw = self.transfer(self._nonce + self.chance.choice((0, 0, 1, 5, 70))).raw
        match self.chance.randrange(4):
            case 0:
                return mutate.mutate_cbor(self.chance, raw)
            case 1:
                return mutate.mutate_bytes(self.chance, raw)
            case _:
                return raw

    def transfer(self, nonce: int) -> Envelope:
        """Return a transfer from the funded account."""
        return transfer(self._genesis, self._key, nonce, to=self.chance.randbytes(20))

    def _raw(self, data: bytes, *, head_requests: bool | None = None) -> None:
        """Send bytes, say that nothing follows, and check every reply."""
        with self.node.connect() as connection:
            answer = exchange(connection, data)
        with_head = b"HEAD " in data if head_requests is None else head_requests
        for status, headers, body in replies(answer, with_head):
            self.outcomes[check_reply(status, headers, body, data[:300])] += 1
        if not answer:
            self.outcomes["silence"] += 1


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send bytes, end our side, and return all that came back."""
    parts: list[bytes] = []
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # refused before all was sent: the answer is what counts
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass  # the end of a connection that was refused with more to come
    return b"".join(parts)


def transfer(genesis: Genesis, key: Any, nonce: int, *, to: bytes, amount: int = 1, height: int = 0) -> Envelope:
    """Return a signed transfer."""
    return build_envelope(
        chain_id=genesis.chain_id,
        kind=kinds.TRANSFER,
        sender=key.account,
        nonce=nonce,
        fee=genesis.params.min_fee,
        valid_until=height + genesis.params.max_valid,
        body=bodies.Transfer(to=to, amount=amount).encode(),
        public_key=key.public_key if nonce == 0 else b"",
        sign=key.sign,
        genesis_hash=genesis.hash,
    )

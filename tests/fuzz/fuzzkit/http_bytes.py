"""HTTP requests as bytes: good ones, ones that two readers could frame differently, and mutations of both."""

from __future__ import annotations

from random import Random

from fuzzkit import mutate

HOST = b"Host: node\r\n"
JSON = b"Content-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v1/tx HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 2\r\n\r\n{}"
CHUNKED = b"POST /v1/tx HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKED += b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
"""What a smuggler hides behind or inside another request."""


def _post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /v1/tx HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in headers) + b"\r\n" + body


SMUGGLING: tuple[bytes, ...] = (
    _post(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", b"Content-Length: 2", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Content-Length: 2", b"Content-Length: 3", body=b"{}" + HIDDEN),
    _post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}" + HIDDEN),
    _post(b"Content-Length: 2, 2", body=b"{}" + HIDDEN),
    _post(b"Content-Length: +2", body=b"{}" + HIDDEN),
    _post(b"Content-Length: 0x2", body=b"{}" + HIDDEN),
    _post(b"Content-Length: 2 3", body=b"{}" + HIDDEN),
    _post(b"Content-Length: -1", body=b"{}" + HIDDEN),
    _post(b"Content-Length:", body=HIDDEN),
    _post(b"Content-Length: 99999999999999999999", body=b"{}"),
    _post(b"Content-Length : 2", body=b"{}" + HIDDEN),
    _post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b" Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"X: y\r\n Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding:\tchunked", body=b"0\r\n\r\n" + HIDDEN),
    _post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n00\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"-1\r\n{}\r\n0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"2 \r\n{}\r\n0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"2\n{}\n0\n\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"2\r\n{}XX0\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"ffffffffffffffff\r\n{}"),
    _post(b"Transfer-Encoding: chunked", body=b"1ffffffffffffffff\r\n{}"),
    _post(b"Transfer-Encoding: chunked", body=b"0\r\nContent-Length: 9\r\n\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"0\r\n" + b"X: y\r\n" * 3000 + b"\r\n" + HIDDEN),
    _post(b"Transfer-Encoding: chunked", body=b"2;" + b"x" * 20_000 + b"\r\n{}\r\n0\r\n\r\n"),
    b"POST /v1/tx HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    b"GET /health HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nHELLO" + GET,
    b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    b"GET /health HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\nHost: node\n\n",
    b"GET /health HTTP/1.1\rHost: node\r\r",
    b"GET  /health  HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /health\r\n\r\n",
    b"GET /health HTTP/2.0\r\n" + HOST + b"\r\n",
    b"GET /health HTTP/1.9\r\n" + HOST + b"\r\n",
    b"GET /health HTTP/0.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"get /health HTTP/1.1\r\n" + HOST + b"\r\n",
    b"G\xc3\x89T /health HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /he\x00alth HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /h\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /health#part HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http://node/health HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET http:// HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET //node/health HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    b"CONNECT node:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"X\x00: b\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b": nameless\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 20_000 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /health HTTP/1.1\r\n" + HOST + b"Expect: 200-ok\r\n\r\n",
    b"POST /v1/tx HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}" + GET,
    b"GET /v1/events HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" + HIDDEN,
    b"GET /health HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n" + HIDDEN,
    b"POST /v1/tx HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
    b"\r\n\r\n\r\n" + GET,
    b"\x00" * 200,
    GET * 200,
)
"""Each is refused, or read in the one way that RFC 9112 gives; none may hide a request from one of two readers."""

PIECES: tuple[bytes, ...] = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b" ", b"\t", b":", b"0\r\n\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
    b"HTTP/1.0", b"HTTP/1.1",
    b"HEAD ", b"OPTIONS ", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    HIDDEN, GET,
    b"Host: other\r\n", b"X-Request-Id: a\r\n", b"Origin: http://evil\r\n", b"%00", b"?a=b&a=b", b"ffffffff\r\n",
)  # fmt: skip
"""Pieces that move the borders between requests."""


def stream(chance: Random) -> bytes:
    """Return the bytes of one connection: a few requests, some of them broken."""
    data = b""
    for _ in range(chance.randint(1, 3)):
        data += chance.choice((GET, POST, CHUNKED, GET, chance.choice(SMUGGLING)))
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        end = at + chance.choice((0, 0, 1, 8))
        data = data[:at] + chance.choice(PIECES) + data[end:]
    return mutate.mutate_bytes(chance, data) if chance.randrange(4) == 0 else data

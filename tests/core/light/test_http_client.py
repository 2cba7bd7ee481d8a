"""The small HTTP client against a real socket: every way a reply may end, and every way it may be wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from metanode.core.light import http_client
from metanode.core.light.http_client import HttpClient
from metanode.core.model.errors import MetanodeError


@contextmanager
def answering(*pieces: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one connection: read the request, send `pieces`, close.  Yields the URL and what was received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                received.append(data)
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", received
        finally:
            thread.join()


def test_a_reply_framed_by_its_length_is_read_whole() -> None:
    """Also when it comes byte by byte."""
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-Name: value\r\n\r\n{"ok":true}'
    with answering(*[reply[i : i + 1] for i in range(len(reply))]) as (url, received):
        answer = HttpClient(url).get("/health")
    assert answer.require() == {"ok": True}
    assert answer.headers["x-name"] == "value"
    assert received[0].startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")


def test_a_chunked_reply_is_joined() -> None:
    """RFC 9112 section 7.1."""
    with answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"2;x=y\r\nde\r\n0\r\n\r\n"
    ) as (url, _):
        assert HttpClient(url).get("/").body == b"abcde"


def test_a_reply_without_a_length_ends_with_the_connection() -> None:
    """RFC 9112 section 6.3, last case; what HTTP/1.0 gateways send."""
    with answering(b"HTTP/1.0 200 OK\r\n\r\n", b"to the end") as (url, _):
        assert HttpClient(url).get("/").body == b"to the end"


def test_a_refusal_keeps_the_nodes_own_code_and_words() -> None:
    """The user must read what the node said, not that something failed."""
    body = b'{"ok":false,"error":"bad_nonce","code":"BAD_NONCE","message":"nonce 3","expected":"nonce 4"}'
    head = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(head, body) as (url, _):
        reply = HttpClient(url).post("/v1/tx", {"envelope": "00"})
    with pytest.raises(MetanodeError, match="nonce 3") as caught:
        reply.require()
    assert (caught.value.code, caught.value.expected) == ("BAD_NONCE", "nonce 4")


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 ²00 OK\r\n\r\n".encode("latin-1"),
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * http_client.HEAD_BYTES_MAX + b"\r\n" * 2,
    ],
)
def test_a_malformed_reply_is_one_clear_error(reply: bytes) -> None:
    """Whatever answers on that port, the miner says so and goes on."""
    with answering(reply) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/").json()
    assert caught.value.code == "BAD_REPLY"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_a_reply_cut_short_is_a_node_that_went_away(reply: bytes) -> None:
    """What a killed node leaves behind must not end a miner: it waits, as for a closed port."""
    with answering(reply) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/")
    assert caught.value.code == "UNREACHABLE"


@pytest.mark.parametrize("status", http_client.GATEWAY_STATUSES)
def test_a_gateway_without_its_node_is_unreachable(status: int) -> None:
    """A proxy's own page is not the node's word; a node's own refusal with that status is."""
    page = b"HTTP/1.1 %d x\r\nContent-Type: text/html\r\n\r\n<h1>Bad Gateway</h1>" % status
    with answering(page) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/").require()
    assert caught.value.code == "UNREACHABLE"
    own = b'HTTP/1.1 %d x\r\nContent-Type: application/json\r\n\r\n{"code":"POOL_FULL","message":"full"}' % status
    with answering(own) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/").require()
    assert caught.value.code == "POOL_FULL"


def test_a_nodes_words_stay_one_printable_line() -> None:
    """Nothing a stranger sends may move the cursor of a terminal, or fake a second line."""
    body = b'{"code":"BAD_HEX","message":"a\\u001b[2Jb\\nc","expected":"%s"}' % (b"x" * 5000)
    with answering(b"HTTP/1.1 400 x\r\n\r\n", body) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/").require()
    assert caught.value.message == "a?[2Jb?c"
    assert len(caught.value.expected) == http_client.WORDS_CHARS_MAX


@pytest.mark.parametrize("body", [b"[]", b'{"code":5}', b'{"code":["BAD_HEX"]}', b'{"code":"NO_SUCH_CODE"}'])
def test_a_refusal_without_a_known_code_is_a_bad_reply(body: bytes) -> None:
    """Whatever it is, it is not a node of ours."""
    with answering(b"HTTP/1.1 400 x\r\n\r\n", body) as (url, _), pytest.raises(MetanodeError) as caught:
        HttpClient(url).get("/").require()
    assert caught.value.code == "BAD_REPLY"


def test_a_certificate_authority_that_cannot_be_read_is_named() -> None:
    """Told before anything is sent; a node that is away is another matter."""
    with pytest.raises(MetanodeError, match=r"no-such\.pem") as caught:
        HttpClient("https://127.0.0.1:1", ca_file="no-such.pem").get("/")
    assert caught.value.code == "BAD_SETTING"


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..invalid"])
def test_a_name_that_no_host_can_have_is_a_node_that_is_not_there(host: str) -> None:
    """A label of 64 characters, or of none: the resolver's answer, not a traceback."""
    with pytest.raises(MetanodeError) as caught:
        HttpClient(f"http://{host}").get("/")
    assert caught.value.code == "UNREACHABLE"


def test_a_node_that_is_away_is_unreachable() -> None:
    """A closed port and a wrong port number are told apart from a refusal."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MetanodeError) as caught:
        HttpClient(f"http://127.0.0.1:{port}").get("/")
    assert caught.value.code == "UNREACHABLE"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8645",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host/path",
        "http://host?query",
        "http://host#part",
        "http://user@host",
        "http://[::1",
        "http://münchen",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_before_any_request(url: str) -> None:
    """A typing error in node_url is told at once."""
    with pytest.raises(MetanodeError) as caught:
        HttpClient(url)
    assert caught.value.code == "BAD_SETTING"

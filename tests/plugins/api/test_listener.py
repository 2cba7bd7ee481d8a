"""Listening: addresses, the cap, TLS, and closing without cutting an answer."""

from __future__ import annotations

import logging
import shutil
import ssl
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio

from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model.errors import SettingsError
from metanode.plugins.api.http.listener import CLOSE_GRACE_S, bind
from metanode.plugins.api.http.plugin import choose_parser, register_api


async def ok(request: Request) -> Response:
    """Answers at once."""
    return json_response({"ok": True})


async def test_the_bound_addresses_are_told_and_logged(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Port 0 takes any free one, so somebody must say which."""
    with caplog.at_level(logging.INFO):
        async with serve() as server:
            assert server.url.startswith("http://127.0.0.1:")
            assert any(server.url in record.getMessage() for record in caplog.records)
            assert (await server.get("/v1/head")).status == 200


async def test_a_taken_port_is_one_clear_line(serve: Any, context_of: Any) -> None:
    """It names host, port and what to do."""
    async with serve() as server:
        api = register_api(context_of(port=server.port))
        with pytest.raises(SettingsError) as refused:
            await api.run(task_status=trio.TASK_STATUS_IGNORED)
    line = refused.value.line()
    assert f"127.0.0.1 port {server.port}" in line
    assert "another port" in line
    assert "\n" not in line


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
async def test_a_host_that_is_not_this_machine_is_one_clear_line(host: str) -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    with pytest.raises(SettingsError, match=f"cannot listen on {host}"):
        await bind(host, 0)


async def test_connections_beyond_the_cap_are_told_and_closed(serve: Any) -> None:
    """When every place waits for an answer of ours; and served again once there is room."""
    gate = trio.Event()

    async def slow(request: Request) -> Response:
        await gate.wait()
        return json_response({"done": True})

    async def ask(client: Any) -> None:
        assert (await client.get("/slow")).json == {"done": True}

    async with serve(Route("GET", "/slow", slow, "waits"), connections_max=2) as server:
        async with server.connect() as one, server.connect() as two, trio.open_nursery() as nursery:
            nursery.start_soon(ask, one)
            nursery.start_soon(ask, two)
            await trio.testing.wait_all_tasks_blocked(0.05)
            async with server.connect() as three:
                reply = await three.reply()
                assert (reply.status, reply.json["code"]) == (503, "TOO_MANY_CONNECTIONS")
                assert reply.headers["retry-after"]
                assert await three.at_end()
            gate.set()
        with trio.fail_after(5):
            while (await server.get("/v1/head")).status != 200:
                await trio.lowlevel.checkpoint()


async def test_a_full_listener_lets_go_of_the_client_that_has_said_nothing_longest(serve: Any) -> None:
    """Silent connections cannot keep out those that ask; half a request is as good as silence."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(connections_max=3))
        silent, slow, kept = [await stack.enter_async_context(server.connect()) for _ in range(3)]
        await slow.send(b"GET /v1/head HTTP/1.1\r\n")
        assert (await kept.get("/v1/head")).status == 200
        for waiting in (silent, slow):
            new = await stack.enter_async_context(server.connect())
            assert (await new.get("/v1/head")).status == 200
            assert await waiting.at_end()
            assert (await kept.get("/v1/head")).status == 200


async def test_only_the_source_with_most_waiting_connections_loses_one(serve: Any) -> None:
    """Whoever opens many and says little closes his own, not those of others."""
    async with serve(connections_max=3) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port, local_address="127.0.0.2")
        async with stream as other, server.connect() as one, server.connect() as two:
            await other.send_all(b"GET /v1/head HTTP/1.1\r\n")
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert (await server.get("/v1/head")).status == 200
            assert await one.at_end(), "the older one of the two that come from one address"
            await other.send_all(b"Host: node\r\n\r\n")
            assert (await other.receive_some()).startswith(b"HTTP/1.1 200 ")
            assert (await two.get("/v1/head")).status == 200


async def test_closing_lets_an_answer_in_work_finish(serve: Any, client_of: Any) -> None:
    """A node that restarts must not lose the reply to a transfer it has accepted."""
    begun, gate = trio.Event(), trio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await gate.wait()
        return json_response({"done": True})

    async def ask(client: Any) -> None:
        reply = await client.get("/slow")
        assert reply.json == {"done": True}
        await client.stream.aclose()

    async with trio.open_nursery() as nursery, serve(Route("GET", "/slow", slow, "waits")) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        nursery.start_soon(ask, client_of(stream))
        await begun.wait()
        nursery.start_soon(_after_a_moment, gate)


async def _after_a_moment(gate: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()
    gate.set()


async def test_closing_does_not_wait_for_ever(serve: Any, mock_clock: Any) -> None:
    """Neither for a handler that hangs nor for a client that rests."""

    async def hang(request: Request) -> Response:
        await trio.sleep_forever()
        raise AssertionError

    async with trio.open_nursery() as nursery, serve(Route("GET", "/hang", hang, "hangs")) as server:
        resting = await trio.open_tcp_stream("127.0.0.1", server.port)
        hanging = await trio.open_tcp_stream("127.0.0.1", server.port)
        await hanging.send_all(b"GET /hang HTTP/1.1\r\nHost: n\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(_end_of_grace, mock_clock)
    assert await resting.receive_some() == b""
    await resting.aclose()
    await hanging.aclose()


async def _end_of_grace(clock: Any) -> None:
    await trio.testing.wait_all_tasks_blocked()
    clock.jump(CLOSE_GRACE_S)


async def test_a_closed_listener_can_be_started_again(serve: Any) -> None:
    """The kernel restarts a plugin that failed."""
    async with serve() as server:
        port = server.port
        assert (await server.get("/v1/head")).status == 200
    async with serve(port=port) as server:
        assert (await server.get("/v1/head")).status == 200


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


async def test_with_a_certificate_the_listener_speaks_https(
    serve: Any, certificate: tuple[Path, Path], client_of: Any
) -> None:
    """A client that trusts it gets its answers."""
    cert, key = certificate
    async with serve(tls_certificate=str(cert), tls_key=str(key)) as server:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(cert))
        plain = await trio.open_tcp_stream("127.0.0.1", server.port)
        secured = trio.SSLStream(plain, context, server_hostname="localhost", https_compatible=True)
        client = client_of(secured)
        assert (await client.get("/v1/head")).status == 200
        reply = await client.get("/v1/nothing", Connection="close")
        assert reply.status == 404
        assert await client.at_end()
        await secured.aclose()


async def test_a_client_without_tls_harms_nothing(
    serve: Any, certificate: tuple[Path, Path], client_of: Any
) -> None:
    """Its connection ends; the next client is served."""
    cert, key = certificate
    async with serve(tls_certificate=str(cert), tls_key=str(key)) as server:
        async with server.connect() as client:
            await client.send(b"GET /health HTTP/1.1\r\nHost: n\r\n\r\n")
            try:
                while await client.stream.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass  # a reset says the same as an end
        secured = await trio.open_ssl_over_tcp_stream(
            "localhost", server.port, ssl_context=ssl.create_default_context(cafile=str(cert)), https_compatible=True
        )
        assert (await client_of(secured).get("/v1/head")).status == 200
        await trio.aclose_forcefully(secured)


@pytest.mark.parametrize(
    ("certificate_text", "key_text"), [(None, ""), ("not PEM", ""), ("not PEM", "not PEM"), ("", "not PEM")]
)
async def test_a_certificate_that_cannot_be_used_stops_the_start(
    context_of: Any, tmp_path: Path, certificate_text: str | None, key_text: str
) -> None:
    """One line names the files."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_text(certificate_text or "")
    key.write_text(key_text)
    if certificate_text is None:
        cert.unlink()
    settings = {"tls_certificate": str(cert) if certificate_text != "" else "", "tls_key": str(key) if key_text else ""}
    with pytest.raises(SettingsError) as refused:
        register_api(context_of(**settings))
    assert str(tmp_path) in refused.value.line()


async def test_an_encrypted_key_is_refused_not_asked_for(
    context_of: Any, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """A node that starts at night has nobody at its terminal."""
    cert, key = certificate
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", "pass:secret"]
    await trio.run_process(command, capture_stderr=True)
    with pytest.raises(SettingsError, match="locked.pem"):
        register_api(context_of(tls_certificate=str(cert), tls_key=str(locked)))


def test_the_fastest_parser_that_is_there_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """httptools needs a compiler or a wheel; h11 runs everywhere."""
    assert choose_parser(1024)[0] == "httptools"
    monkeypatch.setitem(__import__("sys").modules, "metanode.plugins.api._shared.parser_httptools", None)
    name, new_parser = choose_parser(1024)
    assert name == "h11"
    assert new_parser().feed(b"GET / HTTP/1.1\r\nHost: n\r\n\r\n")

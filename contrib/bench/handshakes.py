"""noise.handshakes: whole connections of transport.noise, 16 at once, against TLS 1.3 under the same loop.

Client and server are processes of their own on the loopback interface.  Ours counts from the dial to a connection
whose two ends have proved their node keys (TCP, Noise, signed hellos); the peer's handshake proves the server alone.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import trio
from measuring import Result

from metanode.core import crypto
from metanode.core.model.genesis import genesis_from_json
from metanode.core.testing.contexts import context_of
from metanode.core.testing.contracts import running
from metanode.plugins.transport.noise.transport import NoiseTransport

AT_ONCE = 16
CONNECTIONS = 800
"""Connections of one round."""
ROUNDS = 3
SETTINGS = {"listen": ("127.0.0.1:0",), "connections_max": 10_000, "connections_per_address_max": 10_000}


def noise_handshakes() -> list[Result]:
    """XX, which knows nothing of the peer, is the number; IK stands in the conditions."""
    crypto.install()
    with tempfile.TemporaryDirectory() as directory, _server(Path(directory)) as facts:
        return trio.run(_measure, facts)


async def _measure(facts: dict[str, Any]) -> list[Result]:
    rates: dict[str, list[float]] = {"xx": [], "ik": [], "tls": []}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    cpu: list[float] = []
    async with _client(facts) as dial:
        for _ in range(ROUNDS):
            for name in rates:
                address = facts["address"] if name == "ik" else facts["address"].partition("#")[0]
                if name == "tls" and not facts["tls_port"]:
                    continue
                work = (lambda: _tls(facts["tls_port"], context)) if name == "tls" else (lambda a=address: dial(a))
                before = time.process_time()
                rates[name].append(await _rate(work))
                if name == "xx":
                    cpu.append((time.process_time() - before) / CONNECTIONS * 1e6)
    best = {name: sorted(values)[len(values) // 2] for name, values in rates.items() if values}
    peer = best.get("tls")
    ratio = None if peer is None else best["xx"] / peer
    conditions = f"16 at once, client and server processes on one machine, hello included; IK {best['ik']:.0f}/s"
    return [Result(
        "noise.handshakes", best["xx"], "/s", "TLS 1.3, trio.SSLStream" if peer else "", peer, ratio,
        cpu_us=min(cpu), conditions=conditions,
    )]  # fmt: skip


async def _rate(connect: Callable[[], Awaitable[None]]) -> float:
    """Return connections per second."""
    left = CONNECTIONS

    async def dialler() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await connect()

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(dialler)
    return CONNECTIONS / (time.perf_counter() - began)


@asynccontextmanager
async def _client(facts: dict[str, Any]) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Our dialler: opens a connection and drops it at once."""
    settings = {**SETTINGS, "listen": ()}
    genesis = genesis_from_json(facts["genesis"])
    transport = NoiseTransport(context_of("transport.noise", seed=2, genesis=genesis, **settings))

    async def dial(address: str) -> None:
        connection: Any = await transport.connect(address)
        connection.abort("counted")

    async with running(transport):
        yield dial


async def _tls(port: int, context: ssl.SSLContext) -> None:
    stream = trio.SSLStream(await trio.open_tcp_stream("127.0.0.1", port), context)
    await stream.do_handshake()
    stream.transport_stream.socket.close()


@contextmanager
def _server(directory: Path) -> Iterator[dict[str, Any]]:
    """The other process, which serves both."""
    arguments = [sys.executable, __file__, str(directory)]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.wait()


async def serve(directory: Path) -> None:
    """Serve until killed: accept, wait for the other end to leave, forget."""
    crypto.install()
    plugin_context = context_of("transport.noise", seed=1, **SETTINGS)
    transport = NoiseTransport(plugin_context)

    async def tls(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await trio.SSLStream(stream, context, server_side=True).do_handshake()
        stream.socket.close()

    async with running(transport), trio.open_nursery() as nursery:
        port = 0
        context = _certificate(directory)
        if context is not None:
            (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
            port = listener.socket.getsockname()[1]
            nursery.start_soon(trio.serve_listeners, tls, [listener])
        genesis = plugin_context.genesis.to_json()
        print(json.dumps({"address": transport.addresses[0], "tls_port": port, "genesis": genesis}), flush=True)
        while True:
            connection: Any = await transport.accept()
            connection.abort("counted")


def _certificate(directory: Path) -> ssl.SSLContext | None:
    """A self-signed Ed25519 certificate, or None without the command openssl."""
    if shutil.which("openssl") is None:
        return None
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", key, "-out", certificate]
    subprocess.run([*command, "-subj", "/CN=bench", "-days", "1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0
    return context


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]))

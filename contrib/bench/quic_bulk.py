"""quic.bulk: one stream of transport.quic's driver on trio, against aioquic's own asyncio layer, per CPU-second.

Both ends run in one process, so a CPU-second pays for sending and receiving; each round is a process of its own,
ours and the peer's in turn.  Same aioquic, same 1,200-byte datagrams, same self-signed certificate, loopback; each
side keeps its own way of sending, of windows, pacing and timers, for that is what is compared.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from measuring import Result, finish, python

MEBIBYTES = 12
"""What one round carries."""
ROUNDS = 3
PIECE = bytes(64 * 1024)
MIB = 1024 * 1024


def quic_bulk() -> list[Result]:
    """Megabytes (10^6) per CPU-second of both ends together."""
    rates: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    for number in range(ROUNDS):
        for name in sorted(rates, reverse=bool(number % 2)):
            done = finish(python(str(Path(__file__).resolve()), name), timeout_s=60)
            cpu_s, wall_s = map(float, done.output.split())
            rates[name].append((MEBIBYTES * MIB / 1e6 / cpu_s, MEBIBYTES * MIB / 1e6 / wall_s))
    ours, peer = (statistics.median(cpu for cpu, _ in rates[name]) for name in ("ours", "peer"))
    walls = {name: statistics.median(wall for _, wall in values) for name, values in rates.items()}
    conditions = (
        f"{MEBIBYTES} MiB on one stream, both ends in one process, loopback, median of {ROUNDS};"
        f" the ratio is by CPU time; by wall time {walls['ours']:.1f} against {walls['peer']:.1f} MB/s"
    )
    # CPU of a full datagram, both ends: what everything else costs beside it is small.
    cpu_us = 1200 / ours
    return [Result("quic.bulk", ours, "MB/CPU-s", "aioquic.asyncio", peer, ours / peer, cpu_us, conditions)]


def ours() -> tuple[float, float]:
    """Send over the driver."""
    import trio

    from metanode.plugins.transport._shared.certificate import self_signed
    from metanode.plugins.transport._shared.endpoint import open_endpoint
    from metanode.plugins.transport._shared.engine import EngineSettings
    from metanode.plugins.transport._shared.link import UdpLink

    async def run() -> tuple[float, float]:
        settings = EngineSettings(alpn=("bench",))
        async with (
            open_endpoint(UdpLink("127.0.0.1"), settings, certificate=self_signed()) as server,
            open_endpoint(UdpLink("127.0.0.1"), settings) as client,
        ):
            sender = (await client.connect(server.place)).open_stream()
            await sender.send_all(b"x")
            receiver = await (await server.accept()).accept_stream()
            await receiver.receive_some(1)

            async def send() -> None:
                for _ in range(MEBIBYTES * MIB // len(PIECE)):
                    await sender.send_all(PIECE)
                await sender.send_eof()

            before = time.process_time(), time.perf_counter()
            size = 0
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                async for data in receiver:
                    size += len(data)
            assert size == MEBIBYTES * MIB
            return time.process_time() - before[0], time.perf_counter() - before[1]

    return trio.run(run)


def peer() -> tuple[float, float]:
    """Send over aioquic's streams, as its documentation shows."""
    import ssl

    from aioquic.asyncio import connect, serve
    from aioquic.quic.configuration import QuicConfiguration

    from metanode.plugins.transport._shared.certificate import self_signed

    async def run() -> tuple[float, float]:
        made = self_signed()
        for_server = QuicConfiguration(is_client=False, alpn_protocols=["bench"])
        for_server.certificate, for_server.private_key = made.certificate, made.key
        for_client = QuicConfiguration(alpn_protocols=["bench"], verify_mode=ssl.CERT_NONE)
        streams: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
        server = await serve(
            "127.0.0.1", 0, configuration=for_server, stream_handler=lambda reader, _: streams.put_nowait(reader)
        )
        port = server._transport.get_extra_info("sockname")[1]  # type: ignore[union-attr]  # it has no public name
        async with connect("127.0.0.1", port, configuration=for_client) as client:
            _, sender = await client.create_stream()
            sender.write(b"x")
            receiver = await streams.get()
            await receiver.readexactly(1)

            async def send() -> None:
                for _ in range(MEBIBYTES * MIB // len(PIECE)):
                    sender.write(PIECE)
                    await sender.drain()
                sender.write_eof()

            before = time.process_time(), time.perf_counter()
            sending = asyncio.create_task(send())
            size = 0
            while data := await receiver.read(64 * 1024):
                size += len(data)
            await sending
            assert size == MEBIBYTES * MIB
            used = time.process_time() - before[0], time.perf_counter() - before[1]
            client.close()
        server.close()
        return used

    return asyncio.run(run())


if __name__ == "__main__":
    try:
        print(*{"ours": ours, "peer": peer}[sys.argv[1]]())
    except ImportError as error:
        raise SystemExit(f"aioquic is not installed: {error}") from None

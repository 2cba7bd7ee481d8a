"""QUIC on trio without a node: `python echo.py` sends a line to itself over UDP and prints the answer."""

import trio

from metanode.plugins.transport._shared.certificate import self_signed
from metanode.plugins.transport._shared.endpoint import open_endpoint
from metanode.plugins.transport._shared.engine import EngineSettings
from metanode.plugins.transport._shared.link import UdpLink


async def main() -> None:
    """Ten lines: two endpoints, a connection, a stream, an echo."""
    settings, place = EngineSettings(alpn=("echo",)), "127.0.0.1"
    async with (
        open_endpoint(UdpLink(place), settings, certificate=self_signed()) as server,
        open_endpoint(UdpLink(place), settings) as client,
    ):
        here = (await client.connect(server.place)).open_stream()
        await here.send_all(b"hello over QUIC\n")
        there = await (await server.accept()).accept_stream()
        await there.send_all(await there.receive_some())
        print((await here.receive_some()).decode(), end="")


if __name__ == "__main__":
    trio.run(main)

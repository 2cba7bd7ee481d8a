"""The role object: dials and accepts links, and lets nothing but hellos through before both sides are known."""

from __future__ import annotations

from collections.abc import Callable

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import PeerError
from metanode.core.roles import Connection, Transport
from metanode.core.version import VERSION
from metanode.core.wire.address import Address
from metanode.core.wire.frames import Lane
from metanode.core.wire.hello import CLUSTER_BYTES, NONCE_BYTES, Handshake, Introduction, Peer, Side
from metanode.core.wire.secure import REASONS, CloseReason
from metanode.plugins.transport.memory.network import BACKLOG_MAX, End, MemoryNetwork

HELLO_TIMEOUT_S = 10.0
"""How long a peer may take over its hello, seconds."""
HANDSHAKES_MAX = 64
"""Inbound hellos under way at once; further links wait their turn."""
CONNECTIONS_MAX = 1024
"""Open connections of one node."""


class MemoryConnection:
    """A link whose other end has proved its node key."""

    def __init__(self, end: End, peer: Peer, closed: Callable[[MemoryConnection], None]) -> None:
        self._end = end
        self._peer = peer
        self._closed = closed

    @property
    def peer(self) -> bytes:
        """The peer's node key (32 bytes)."""
        return self._peer.node_key

    @property
    def introduction(self) -> Peer:
        """What the peer said of itself in its hello."""
        return self._peer

    async def send(self, lane: int, payload: bytes) -> None:
        """Queue one frame; waits while the lane is full."""
        await self._end.send(lane, payload)

    async def receive(self) -> tuple[int, bytes]:
        """Return the next (lane, payload)."""
        return await self._end.receive()

    def send_nowait(self, lane: int, payload: bytes) -> bool:
        """Queue one frame if its lane has room."""
        return self._end.send_nowait(lane, payload)

    async def aclose(self, code: str = "") -> None:
        """Close both directions."""
        self._end.close(f"the other end closed the connection: {REASONS[CloseReason[code]]}" if code else "")
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close both directions without a checkpoint, for cleanup."""
        self._end.close()
        self._closed(self)


class MemoryTransport:
    """Reaches the nodes that joined the same `MemoryNetwork`."""

    def __init__(self, context: PluginContext, network: MemoryNetwork, address: str) -> None:
        node = context.identity.node
        self._network = network
        self._address = address
        self._randomness = context.randomness
        self._log = context.log
        self._me = Introduction(
            node_key=node.public_key,
            sign=node.sign,
            genesis_hash=context.genesis.hash,
            roles=("node",),
            # One cluster per chain until clusters have a registry of their own.
            cluster=context.genesis.hash[:CLUSTER_BYTES],
            agent=f"metanode/{VERSION}",
            transport="memory",
        )
        self._connections: set[MemoryConnection] = set()
        self._accepted_send, self._accepted = trio.open_memory_channel[MemoryConnection](BACKLOG_MAX)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled, then close every connection."""
        links = self._network.listen(self._address)
        under_way = trio.CapacityLimiter(HANDSHAKES_MAX)
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    link = await links.receive()
                    await under_way.acquire_on_behalf_of(link)
                    nursery.start_soon(self._answer, link, under_way)
        finally:
            self._network.forget(self._address)
            links.close()
            for connection in list(self._connections):
                connection.close()
            self._accepted_send.close()

    async def connect(self, address: str) -> Connection:
        """Open a connection to `memory:NAME`, or to `memory:NAME#NODEKEY` when the peer must have that key.

        :raises PeerError: UNREACHABLE, or the peer is not who it must be.
        """
        wanted = Address.parse(address)
        if wanted.transport != "memory":
            raise PeerError("UNREACHABLE", f"{address} is not for transport memory", "memory:NAME#NODEKEY")
        return await self._introduce(Side.INITIATOR, await self._network.dial(wanted.place), wanted.node_key)

    async def accept(self) -> Connection:
        """Return the next connection that a peer opened.

        :raises PeerError: CONNECTION_CLOSED once the transport has stopped.
        """
        try:
            return await self._accepted.receive()
        except trio.EndOfChannel:
            raise PeerError("CONNECTION_CLOSED", "the transport has stopped") from None

    async def _answer(self, link: End, under_way: trio.CapacityLimiter) -> None:
        try:
            connection = await self._introduce(Side.RESPONDER, link, None)
        except PeerError as error:
            self._log.info("refused a connection: %s", error)
        else:
            await self._accepted_send.send(connection)
        finally:
            under_way.release_on_behalf_of(link)

    async def _introduce(self, side: Side, end: End, expected_peer: bytes | None) -> MemoryConnection:
        """Exchange hellos; closes the link when they fail."""
        nonce = self._randomness.bytes(NONCE_BYTES)
        handshake = Handshake(side, self._me, binding=end.binding, nonce=nonce, expected_peer=expected_peer)
        try:
            with trio.fail_after(HELLO_TIMEOUT_S):
                if side is Side.INITIATOR:
                    await end.send(Lane.CONTROL, handshake.first())
                while handshake.peer is None:
                    lane, message = await end.receive()
                    if lane != Lane.CONTROL:
                        raise PeerError("BAD_HELLO", f"a frame of lane {lane} before the hello", "hellos on lane 0")
                    answer = handshake.receive(message)
                    if answer is not None:
                        await end.send(Lane.CONTROL, answer)
            if len(self._connections) >= CONNECTIONS_MAX:
                raise PeerError("UNREACHABLE", f"{CONNECTIONS_MAX} connections are open", "a later try")
        except trio.TooSlowError:
            end.close()
            raise PeerError("TIMEOUT", f"no hello within {HELLO_TIMEOUT_S:g} s") from None
        except BaseException:
            end.close()
            raise
        connection = MemoryConnection(end, handshake.peer, self._connections.discard)
        self._connections.add(connection)
        return connection


class MemoryTransportPlugin:
    """A node's place in a network, as a plugin for `Node.open(..., plugins=[...])`."""

    MANIFEST = {
        "name": "transport.memory",
        "role": "transport",
        "summary": "joins nodes of one process",
        "api": {"roles": 1},
    }

    def __init__(self, network: MemoryNetwork, address: str) -> None:
        self._network = network
        self._address = address

    @hookimpl
    def register_transport(self, context: PluginContext) -> Transport:
        """Answer the hook with the way into the network."""
        return MemoryTransport(context, self._network, self._address)

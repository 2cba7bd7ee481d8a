"""Nodes of one process joined by links that fail as told: a transport for tests on a virtual clock.

What a link carries may be lost, late, doubled or out of order, and islands hear nothing of each other;
one seed decides every fate.  The real transports never do this within one connection: they are worse to
nobody, and a protocol that stands this stands a connection that breaks and comes back.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from random import Random

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import PeerError
from metanode.core.roles import Connection, Transport
from metanode.core.testing.links import LinkFaults
from metanode.core.wire.address import Address

BACKLOG_MAX = 64
"""Connections that wait for one listener."""
LINK_MESSAGES_MAX = 4096
"""Messages under way on one direction of a link; beyond it the sender is told there is no room."""


class FaultyNet:
    """What joins the nodes: one per cluster."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.faults = LinkFaults()
        self._listeners: dict[str, trio.MemorySendChannel[_End]] = {}
        self._islands: list[frozenset[str]] = []
        self._cut: set[tuple[str, str]] = set()

    def partition(self, *islands: Iterable[str]) -> None:
        """Let messages pass only within an island; a node in none is alone."""
        self._islands = [frozenset(island) for island in islands]

    def cut(self, source: str, target: str) -> None:
        """Cut one direction between two nodes."""
        self._cut.add((source, target))

    def heal(self) -> None:
        """Join everything again, with links that work."""
        self._islands, self._cut, self.faults = [], set(), LinkFaults()

    def passes(self, source: str, target: str) -> bool:
        """Tell whether a message gets through; asked once a message, for a lost one is chance."""
        if self._islands and not any(source in island and target in island for island in self._islands):
            return False
        return (source, target) not in self._cut and self.chance.random() >= self.faults.loss

    def delay_s(self) -> float:
        """Draw how long a message takes, seconds."""
        delay_ms = self.chance.uniform(*self.faults.delay_ms)
        if self.chance.random() < self.faults.slow:
            delay_ms += self.chance.uniform(0, self.faults.slow_ms)
        return delay_ms / 1000

    def listen(self, name: str) -> trio.MemoryReceiveChannel[_End]:
        """Take a name; the links that others dial come out of the channel."""
        send, receive = trio.open_memory_channel[_End](BACKLOG_MAX)
        self._listeners[name] = send
        return receive

    def forget(self, name: str) -> None:
        """Free a name."""
        self._listeners.pop(name).close()

    def dial(self, source: str, key: bytes, target: str) -> _End:
        """Open a link.

        :raises PeerError: UNREACHABLE.
        """
        listener = self._listeners.get(target)
        if listener is None:
            raise PeerError("UNREACHABLE", f"nobody listens at {target}")
        there, back = _Way(self, source, target), _Way(self, target, source)
        end = _End(there, back, key)
        try:
            listener.send_nowait(end)
        except (trio.WouldBlock, trio.BrokenResourceError):
            raise PeerError("UNREACHABLE", f"{target} accepts no more") from None
        return _End(back, there, b"")


class _Way:
    """One direction of a link: messages by their time of arrival."""

    def __init__(self, net: FaultyNet, source: str, target: str) -> None:
        self._net = net
        self._ends = (source, target)
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._sent = 0
        self._news = trio.Event()
        self.closed = False

    def put(self, lane: int, payload: bytes) -> bool:
        if self.closed or len(self._under_way) >= LINK_MESSAGES_MAX:
            return False
        if self._net.passes(*self._ends):
            for _ in range(2 if self._net.chance.random() < self._net.faults.duplicated else 1):
                self._sent += 1
                arrives = trio.current_time() + self._net.delay_s()
                heapq.heappush(self._under_way, (arrives, self._sent, lane, payload))
            self._wake()
        return True

    async def get(self) -> tuple[int, bytes]:
        await trio.lowlevel.checkpoint()
        while True:
            if self.closed:
                raise PeerError("CONNECTION_CLOSED", "the link is closed")
            arrives = self._under_way[0][0] if self._under_way else float("inf")
            if arrives <= trio.current_time():
                _, _, lane, payload = heapq.heappop(self._under_way)
                return lane, payload
            with trio.move_on_at(arrives):
                await self._news.wait()

    def close(self) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()


class _End:
    """One end of a link: a `roles.Connection`."""

    def __init__(self, incoming: _Way, outgoing: _Way, peer: bytes) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self.peer = peer

    def send_nowait(self, lane: int, payload: bytes) -> bool:
        """Put one message on its way."""
        return self._outgoing.put(lane, payload)

    async def send(self, lane: int, payload: bytes) -> None:
        """Put one message on its way.

        :raises PeerError: CONNECTION_CLOSED.
        """
        await trio.lowlevel.checkpoint()
        if not self._outgoing.put(lane, payload) and self._outgoing.closed:
            raise PeerError("CONNECTION_CLOSED", "the link is closed")

    async def receive(self) -> tuple[int, bytes]:
        """Return what arrives next."""
        return await self._incoming.get()

    async def aclose(self, code: str = "") -> None:
        """Close both directions."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close both directions without a checkpoint."""
        self._incoming.close()
        self._outgoing.close()


class FaultyTransport:
    """The role object."""

    def __init__(self, context: PluginContext, net: FaultyNet, name: str) -> None:
        self._key = context.identity.node.public_key
        self._net = net
        self._name = name
        self._open: list[_End] = []
        self._accepted_send, self._accepted = trio.open_memory_channel[_End](BACKLOG_MAX)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled."""
        links = self._net.listen(self._name)
        try:
            task_status.started()
            async for end in links:
                # The dialler learns who answered only now, as with a real handshake.
                self._open.append(end)
                await self._accepted_send.send(end)
        finally:
            self._net.forget(self._name)
            for end in self._open:
                end.close()
            self._accepted_send.close()

    async def connect(self, address: str) -> Connection:
        """Open a link to `faulty:NAME#NODEKEY`.

        :raises PeerError: UNREACHABLE.
        """
        await trio.lowlevel.checkpoint()
        wanted = Address.parse(address)
        end = self._net.dial(self._name, self._key, wanted.place)
        end.peer = wanted.node_key or b""
        self._open.append(end)
        return end

    async def accept(self) -> Connection:
        """Return the next link that another node opened.

        :raises PeerError: CONNECTION_CLOSED once the transport has stopped.
        """
        try:
            return await self._accepted.receive()
        except trio.EndOfChannel:
            raise PeerError("CONNECTION_CLOSED", "the transport has stopped") from None


class FaultyTransportPlugin:
    """A node's place in a `FaultyNet`, as a plugin for `Node.open(..., plugins=[...])`."""

    MANIFEST = {
        "name": "transport.faulty",
        "role": "transport",
        "summary": "links that fail as a test tells them",
        "api": {"roles": 1},
    }

    def __init__(self, net: FaultyNet, name: str) -> None:
        self._net = net
        self._name = name

    @hookimpl
    def register_transport(self, context: PluginContext) -> Transport:
        """Answer the hook."""
        return FaultyTransport(context, self._net, self._name)

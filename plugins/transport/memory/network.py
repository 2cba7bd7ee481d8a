"""What joins the nodes of one process: addresses, and links of bounded lanes that carry real frames."""

from __future__ import annotations

from collections import deque

import trio
from trio.lowlevel import ParkingLot

from metanode.core.clock import Randomness, SystemRandomness
from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameDecoder, FrameEncoder, FrameTooLarge, Lane
from metanode.core.wire.hello import BINDING_BYTES

LANE_FRAMES_MAX = 64
"""Frames that wait in one lane of one direction before the sender must wait."""
BACKLOG_MAX = 16
"""Connections that wait for one listener; a further one is refused."""


class Direction:
    """One way of a link: a bounded queue per lane; a lower lane goes first."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._senders = {lane: ParkingLot() for lane in Lane}
        self._receivers = ParkingLot()
        self._encoder = FrameEncoder()
        self._decoder = FrameDecoder()
        self._closed = False
        self._why = "the connection is closed"

    def offer(self, lane: Lane, payload: bytes) -> bool:
        """Queue a frame if its lane has room; False when it has none, or is closed.

        :raises PeerError: TOO_LARGE.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(payload))
        if self._closed or len(self._lanes[lane]) >= LANE_FRAMES_MAX:
            return False
        self._lanes[lane].append(payload)
        self._receivers.unpark()
        return True

    async def put(self, lane: Lane, payload: bytes) -> None:
        """Queue a frame; waits while its lane is full.

        :raises PeerError: CONNECTION_CLOSED, or TOO_LARGE.
        """
        await trio.lowlevel.checkpoint()
        while not self.offer(lane, payload):
            if self._closed:
                raise PeerError("CONNECTION_CLOSED", self._why)
            await self._senders[lane].park()

    async def get(self) -> tuple[Lane, bytes]:
        """Return the next frame; what was queued before a close can still be read.

        :raises PeerError: CONNECTION_CLOSED.
        """
        await trio.lowlevel.checkpoint()
        while True:
            for lane, waiting in self._lanes.items():
                if waiting:
                    payload = waiting.popleft()
                    self._senders[lane].unpark()
                    # Counted only now: the lanes decide the order on the wire.
                    self._decoder.receive_bytes(self._encoder.encode(lane, payload))
                    (frame,) = self._decoder.frames()
                    return frame.lane, frame.payload
            if self._closed:
                raise PeerError("CONNECTION_CLOSED", self._why)
            await self._receivers.park()

    def close(self, why: str = "") -> None:
        """Let nothing more in; wakes everyone who waits."""
        self._closed = True
        self._why = why or self._why
        self._receivers.unpark_all()
        for lot in self._senders.values():
            lot.unpark_all()

    def drop(self) -> None:
        """Close and forget what was queued."""
        for waiting in self._lanes.values():
            waiting.clear()
        self.close()


class End:
    """One end of a link."""

    def __init__(self, outgoing: Direction, incoming: Direction, binding: bytes) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self.binding = binding
        """32 random bytes that only the two ends of this link share."""

    async def send(self, lane: int, payload: bytes) -> None:
        """Queue one frame; waits while the lane is full.

        :raises ValueError: there is no such lane.
        """
        await self._outgoing.put(Lane(lane), payload)

    def send_nowait(self, lane: int, payload: bytes) -> bool:
        """Queue one frame if its lane has room."""
        return self._outgoing.offer(Lane(lane), payload)

    async def receive(self) -> tuple[int, bytes]:
        """Return the next (lane, payload)."""
        return await self._incoming.get()

    def close(self, why: str = "") -> None:
        """Close both directions; the other end may still read what was sent before, and then `why`."""
        self._incoming.drop()
        self._outgoing.close(why)


class MemoryNetwork:
    """Addresses of one process.  Make one per program or test and give each node a
    `MemoryTransportPlugin` with an address of its own."""

    def __init__(self, randomness: Randomness | None = None) -> None:
        self._randomness = randomness or SystemRandomness()
        self._listeners: dict[str, trio.MemorySendChannel[End]] = {}

    def listen(self, address: str) -> trio.MemoryReceiveChannel[End]:
        """Take an address; the links that others dial come out of the channel.

        :raises PeerError: UNREACHABLE, the address is taken.
        """
        if address in self._listeners:
            raise PeerError("UNREACHABLE", f"memory address {address!r} is taken", "an address for each node")
        send, receive = trio.open_memory_channel[End](BACKLOG_MAX)
        self._listeners[address] = send
        return receive

    def forget(self, address: str) -> None:
        """Free an address."""
        listener = self._listeners.pop(address, None)
        if listener is not None:
            listener.close()

    async def dial(self, address: str) -> End:
        """Open a link to whoever listens at `address`.

        :raises PeerError: UNREACHABLE: nobody listens, or too many wait already.
        """
        await trio.lowlevel.checkpoint()
        there, back = Direction(), Direction()
        binding = self._randomness.bytes(BINDING_BYTES)
        try:
            self._listeners[address].send_nowait(End(back, there, binding))
        except KeyError:
            raise PeerError("UNREACHABLE", f"nobody listens at memory address {address!r}") from None
        except trio.WouldBlock:
            message = f"{BACKLOG_MAX} connections wait at memory address {address!r}"
            raise PeerError("UNREACHABLE", message, "a later try") from None
        except trio.BrokenResourceError:
            raise PeerError("UNREACHABLE", f"memory address {address!r} is closing") from None
        return End(there, back, binding)

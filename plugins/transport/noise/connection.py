"""One connection: a socket, a `SecureLink`, and a task that writes.

Reading is done by whoever calls `receive`, so a reader that falls behind stops the sender by TCP's own window.
A record is composed only when the socket takes it: what waits stays in the lanes, where a vote can still overtake.
Sealing stays on the loop: a record of 16 to 32 KiB takes 15 to 25 us, a worker thread's hand-over alone more.
"""

from __future__ import annotations

from collections.abc import Callable

import trio
from trio.lowlevel import ParkingLot

from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameTooLarge, Lane
from metanode.core.wire.hello import Peer
from metanode.core.wire.secure import REASONS, CloseReason, Phase, SecureLink

READ_BYTES = 64 * 1024
"""Most bytes taken from the socket at once."""
KEEP_ALIVE_S = 5.0
"""An end that has sent nothing for so long says that it is there, seconds."""
SILENCE_S = 15.0
"""An end that hears nothing for so long gives the other up, seconds."""
STALL_S = 30.0
"""An end whose bytes are not taken for so long gives the other up, seconds."""
CLOSE_S = 1.0
"""How long a close waits for what is queued to leave and for the other end to follow, seconds."""
assert 2 * KEEP_ALIVE_S < SILENCE_S, "one lost keep-alive must not end a connection"


class NoiseConnection:
    """A `roles.Connection` whose other end has proved its node key.

    :param closed: is told once, when the socket is closed.
    """

    def __init__(self, stream: trio.SocketStream, link: SecureLink, closed: Callable[[NoiseConnection], None]) -> None:
        assert link.phase is Phase.OPEN
        assert link.peer is not None
        self._stream = stream
        self._link = link
        self._peer: Peer = link.peer
        self._told_closed = closed
        self._news = trio.Event()
        self._senders: dict[Lane, ParkingLot] = {lane: ParkingLot() for lane in Lane}
        self._why = ""
        self._closing = False
        self._goodbye: CloseReason | None = None
        self._dead = False
        self._reading: trio.CancelScope | None = None
        self._drained = trio.Event()
        now = trio.current_time()
        self._heard_at = self._sent_at = now
        self._writing_since: float | None = None

    @property
    def peer(self) -> bytes:
        """The peer's node key (32 bytes)."""
        return self._peer.node_key

    @property
    def introduction(self) -> Peer:
        """What the peer said of itself in its hello."""
        return self._peer

    def send_nowait(self, lane: int, payload: bytes) -> bool:
        """Queue one message if its lane has room; False when it has none, or the connection is closed."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(payload))
        its_lane = Lane(lane)
        outbox = self._link.outbox
        if self._closing or not outbox.has_room(its_lane, len(payload)):
            return False
        outbox.put(its_lane, payload)
        self._news.set()
        return True

    async def send(self, lane: int, payload: bytes) -> None:
        """Queue one message; waits while its lane is full."""
        await trio.lowlevel.checkpoint()
        while not self.send_nowait(lane, payload):
            self._check_open()
            await self._senders[Lane(lane)].park()

    async def receive(self) -> tuple[int, bytes]:
        """Return the next (lane, payload).  One task at a time."""
        if self._link.messages:
            await trio.lowlevel.checkpoint()
        while not self._link.messages:
            await self._read()
        return self._link.messages.popleft()

    async def aclose(self, code: str = "") -> None:
        """Send what is queued and why we close, as far as CLOSE_S allows, then close.

        :param code: the name of a `CloseReason`; DONE when empty.
        """
        reason = CloseReason[code or "DONE"]
        if self._closing:
            await trio.lowlevel.checkpoint()
            return
        self._closing = True
        self._why = self._why or "this node closed the connection"
        self._link.messages.clear()
        self._goodbye = reason
        self._news.set()
        self._wake_senders()
        if self._reading is not None:
            self._reading.cancel()
        try:
            with trio.move_on_after(CLOSE_S, shield=True):
                await self._drained.wait()
                await self._stream.send_eof()
                # Closing a socket with bytes unread resets it, and what is under way to the peer would be lost.
                while await self._stream.receive_some(READ_BYTES):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # it is closed all the more
        finally:
            self.abort(self._why)

    def abort(self, why: str) -> None:
        """Close at once, without a word to the other end."""
        if self._dead:
            return
        self._dead = self._closing = True
        self._why = self._why or why
        self._stream.socket.close()
        self._news.set()
        self._drained.set()
        self._wake_senders()
        self._told_closed(self)

    def look(self, now: float) -> None:
        """Send a keep-alive when it is due; give a dead peer up."""
        if self._writing_since is not None and now - self._writing_since > STALL_S:
            self.abort(f"the other end takes nothing for {STALL_S:g} s")
        elif self._reading is not None and now - self._heard_at > SILENCE_S:
            self.abort(f"nothing was heard for {SILENCE_S:g} s")
        elif now - self._sent_at >= KEEP_ALIVE_S and not self._closing and not self._link.outbox:
            self._link.keep_alive()
            self._news.set()

    async def write(self) -> None:
        """Send what waits in the lanes until the connection is closed.

        Not to be cancelled: `aclose` and `abort` end it, so that a node that stops can still say so.
        """
        with trio.CancelScope(shield=True):
            try:
                await self._write()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.abort("the connection broke off")
            except PeerError as error:
                self.abort(error.message)
            finally:
                self._drained.set()

    async def _write(self) -> None:
        link, stream = self._link, self._stream
        while not self._dead:
            if not link.outbox:
                if self._goodbye is not None:  # only now: the control lane would overtake what is still to be read
                    link.say_goodbye(self._goodbye)
                    self._goodbye = None
                    continue
                if self._closing:
                    return
                self._news = trio.Event()
                await self._news.wait()
                continue
            self._writing_since = trio.current_time()
            if not link.outbox.urgent:
                await stream.wait_send_all_might_not_block()
            data = link.record()
            self._wake_senders()
            await stream.send_all(data)
            self._writing_since = None
            self._sent_at = trio.current_time()

    async def _read(self) -> None:
        """Take the next bytes from the socket.

        :raises PeerError: CONNECTION_CLOSED, or what the other end did wrong.
        """
        if self._closing:
            await trio.lowlevel.checkpoint()
        self._check_open()
        data = b""
        self._heard_at = trio.current_time()  # silence counts from here: nobody listened before
        with trio.CancelScope() as self._reading:
            try:
                data = bytes(await self._stream.receive_some(READ_BYTES))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.abort("the connection broke off")
            finally:
                self._reading = None
        self._check_open()
        if not data:
            self.abort("the other end broke the connection off")
            self._check_open()
        try:
            self._link.receive(data)
        except PeerError as error:
            self._why = error.message
            await self.aclose(CloseReason.FAULT.name)
            raise
        reason = self._link.closed_by_peer
        if reason is not None:
            self.abort(f"the other end closed the connection: {REASONS[reason]}")

    def _check_open(self) -> None:
        if self._closing:
            raise PeerError("CONNECTION_CLOSED", self._why or "the connection is closed")

    def _wake_senders(self) -> None:
        for lot in self._senders.values():
            if lot:
                lot.unpark_all()



"""One connection between nodes: a QUIC connection, two of its streams, and a task that writes for each.

The first stream carries control and votes, the second everything else; a frame is composed only when its stream takes
it, so what waits stays in the lanes.  Reading is done by whoever calls `receive`, and only what was read is granted to
the sender again: a reader that falls behind stops it.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameTooLarge, Lane
from metanode.core.wire.hello import Peer
from metanode.core.wire.secure import REASONS, CloseReason
from metanode.plugins.transport._shared.connection import QuicConnection
from metanode.plugins.transport._shared.session import URGENT, Session
from metanode.plugins.transport._shared.stream import QuicStream

BULK = 1
"""The stream of blocks, sync and transactions."""
STREAMS = 2
STALL_S = 30.0
"""An end whose bytes are not taken for so long gives the other up, seconds."""
CLOSE_S = 1.0
"""How long a close waits for what is queued to arrive, seconds."""


class QuicNodeConnection:
    """A `roles.Connection` whose other end has proved its node key.

    :param stream: the first stream, which the hello went over.
    :param closed: is told once, when the connection is closed.
    """

    def __init__(
        self,
        quic: QuicConnection,
        stream: QuicStream,
        session: Session,
        closed: Callable[[QuicNodeConnection], None],
    ) -> None:
        assert session.peer is not None
        self._quic = quic
        self._session = session
        self._peer: Peer = session.peer
        self._told_closed = closed
        self._streams: dict[int, QuicStream] = {URGENT: stream}
        self._ended: set[int] = set()
        """Streams whose end was read."""
        self._to_write = [trio.Event() for _ in range(STREAMS)]
        self._written = [trio.Event() for _ in range(STREAMS)]
        self._arrived = trio.Event()
        self._senders: dict[Lane, trio.lowlevel.ParkingLot] = {lane: trio.lowlevel.ParkingLot() for lane in Lane}
        self._closing = self._dead = self._settled = False
        self._why = ""
        self._reason = CloseReason.DONE
        stream.on_readable = self._wake_reader
        quic.on_end = self._quic_ended
        if quic.dialled:
            self._take_bulk(quic.open_stream())
            session.keep_alive(BULK)  # the other end learns of a stream by its first bytes

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
        outbox = self._session.outbox_of(its_lane)
        if self._closing or self._quic.over or not outbox.has_room(its_lane, len(payload)):
            return False
        outbox.put(its_lane, payload)
        self._to_write[self._session.stream_of(its_lane)].set()
        return True

    async def send(self, lane: int, payload: bytes) -> None:
        """Queue one message; waits while its lane is full."""
        await trio.lowlevel.checkpoint()
        while not self.send_nowait(lane, payload):
            self._check_open()
            await self._senders[Lane(lane)].park()

    async def receive(self) -> tuple[int, bytes]:
        """Return the next (lane, payload).  One task at a time."""
        await trio.lowlevel.checkpoint()
        while not self._session.messages:
            if self._closing:
                self._check_open()
            self._arrived = trio.Event()
            if not await self._read():
                await self._arrived.wait()
        return self._session.messages.popleft()

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
        self._reason = reason
        self._session.messages.clear()
        self._wake_all()
        try:
            with trio.move_on_after(CLOSE_S, shield=True):
                for written in self._written:
                    await written.wait()
                for stream in self._streams.values():
                    await stream.wait_delivered()
        except trio.BrokenResourceError:
            pass  # it is closed all the more
        finally:
            self.abort(self._why)

    def abort(self, why: str) -> None:
        """Close at once; what is under way may be lost."""
        if self._dead:
            return
        self._dead = self._closing = True
        self._why = self._why or why
        self._quic.on_end = None
        self._quic.close(int(self._reason), self._reason.name)
        for written in self._written:
            written.set()
        self._wake_all()
        self._settle()

    async def write(self) -> None:
        """Send what waits in the lanes until the connection is closed.

        Not to be cancelled: `aclose` and `abort` end it, so that a node that stops can still say so.
        """
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for number in range(STREAMS):
                    nursery.start_soon(self._write_stream, number)
        if self._quic.over:
            self._settle()  # a reader may still take what arrived

    async def _write_stream(self, number: int) -> None:
        try:
            if number not in self._streams:
                self._take_bulk(await self._quic.accept_stream())
            await self._empty_lanes(number, self._streams[number])
        except trio.TooSlowError:
            self.abort(f"the other end takes nothing for {STALL_S:g} s")
        except (trio.BrokenResourceError, trio.ClosedResourceError, PeerError):
            pass  # `_quic_ended` says why, or has
        finally:
            self._written[number].set()

    async def _empty_lanes(self, number: int, stream: QuicStream) -> None:
        session = self._session
        outbox = session.outboxes[number]
        goodbye_is_due = number == URGENT
        while not self._dead and not self._quic.over:
            if not outbox:
                if self._closing and goodbye_is_due:  # only now: control would overtake what is still to be read
                    goodbye_is_due = False
                    session.say_goodbye(self._reason)
                elif self._closing:
                    await stream.send_eof()
                    return
                else:
                    self._to_write[number] = trio.Event()
                    await self._to_write[number].wait()
                continue
            with trio.fail_after(STALL_S):
                await stream.wait_send_all_might_not_block()
                data = session.take(number)
                self._wake_senders()
                await stream.send_all(data)

    async def _read(self) -> bool:
        """Take the next bytes of a stream, the urgent one first; False when there are none.

        :raises PeerError: CONNECTION_CLOSED, or what the other end did wrong.
        """
        for number in range(STREAMS):
            stream = self._streams.get(number)
            if stream is None or number in self._ended:
                continue
            try:
                data = stream.receive_nowait()
            except trio.WouldBlock:
                continue
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._ended.add(number)
                continue
            if not data:
                self._ended.add(number)
                continue
            try:
                self._session.receive(number, data)
            except PeerError as error:
                self._why = error.message
                await self.aclose(CloseReason.FAULT.name)
                raise
            return True
        reason = self._session.closed_by_peer
        if self._quic.over or (len(self._ended) == STREAMS and reason is not None):
            self.abort(self._farewell())
            self._check_open()
        return False

    def _farewell(self) -> str:
        """Return why the other end closed: its goodbye, else the code it closed QUIC with, else what happened."""
        reason = self._session.closed_by_peer
        ended = self._quic.ended
        if reason is None and ended is not None and ended.frame_type is None and ended.error_code in REASONS:
            reason = CloseReason(ended.error_code)
        return self._quic.why if reason is None else f"the other end closed the connection: {REASONS[reason]}"

    def _quic_ended(self) -> None:
        """Wake everybody.  A reader first reads what arrived; without one, nobody has to be told."""
        self._why = self._why or self._farewell()
        self._wake_all()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._told_closed(self)

    def _take_bulk(self, stream: QuicStream) -> None:
        self._streams[BULK] = stream
        stream.on_readable = self._wake_reader
        self._wake_reader()

    def _wake_reader(self) -> None:
        self._arrived.set()

    def _check_open(self) -> None:
        if self._closing or self._quic.over:
            raise PeerError("CONNECTION_CLOSED", self._why or "the connection is closed")

    def _wake_senders(self) -> None:
        for lot in self._senders.values():
            if lot:
                lot.unpark_all()

    def _wake_all(self) -> None:
        self._arrived.set()
        for event in self._to_write:
            event.set()
        self._wake_senders()

"""One connection, one task: read requests, answer them in order, within limits of size and time.

While an answer is being made nothing more is read, so what a client may have waiting here is one
request and `READ_BYTES` beyond it, however many it sends ahead.
"""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import trio

from metanode.core.http import EventStream
from metanode.core.model.errors import MetanodeError
from metanode.plugins.api._shared.messages import READ_BYTES, Head, Incoming, Refused, RequestParser
from metanode.plugins.api._shared.replies import CONTINUE
from metanode.plugins.api.http.answering import Answer, Answerer, close_events, is_websocket
from metanode.plugins.api.http.bodies import BodyBudget, BodyClaim
from metanode.plugins.api.http.streams import Framing, ServerSentEvents, write_stream

HANDLER_TIMEOUT_S = 30
"""Longest a handler may take; the client is then told TIMEOUT and the connection ends."""
BODY_BYTES_PER_S_MIN = 4096
"""Slowest body or reply: a second more is granted for each of these bytes."""
WRITE_TIMEOUT_S = 20
"""Longest a write may take, beyond what its size grants."""
LINGER_S = 1
"""How long a closing connection waits for its client to read the last answer."""
LINGER_BYTES_MAX = 256 << 10
"""What is read and dropped meanwhile: closing with unread input would destroy the answer."""
STREAMS_MAX = 64
"""Event streams at once; further ones are answered 503, so that streams cannot take all connections."""
DEADLINE_STEP_S = 0.5
"""How often the listener looks for connections whose time ran out, and so the most that one may overrun."""


@dataclass
class Shared:
    """What the connections of one listener have in common."""

    answerer: Answerer
    new_parser: Callable[[], RequestParser]
    header_timeout_s: float
    idle_timeout_s: float
    log: logging.Logger
    bodies: BodyBudget = field(default_factory=BodyBudget)
    streams: int = 0


class _Phase(enum.Enum):
    """What a connection is at, and so what running out of time means."""

    RESTING = enum.auto()  # nothing is owed: end without a word
    READING = enum.auto()  # a request came in part: 408
    ANSWERING = enum.auto()  # a handler works: 504
    WRITING = enum.auto()  # the client does not read: end, it would not read more
    STREAMING = enum.auto()  # only the listener ends a stream: say farewell


class Connection:
    """Serves one client on an established stream.

    One cancel scope spans the connection.  Its deadline moves with the phase and is a plain number that the
    listener looks at twice a second: three real deadlines for every small request would cost a tenth of its time.

    :param peer: the client's address.
    """

    due: float
    """When the phase must be over, in trio's seconds."""

    def __init__(self, stream: trio.abc.Stream, peer: str, shared: Shared) -> None:
        self._stream = stream
        self.peer = peer
        self._shared = shared
        self._parser = shared.new_parser()
        self._started: float | None = None  # when the unfinished request's first byte came
        self._scope = trio.CancelScope()
        self.due = math.inf
        self._waiting_since = trio.current_time()
        self._claim = BodyClaim(shared.bodies)
        self._phase = _Phase.RESTING
        self._framing: Framing = ServerSentEvents()
        self._closing = False

    async def serve(self) -> None:
        """Answer requests until either side ends; close the stream.  Never raises but for cancellation."""
        try:
            linger = False
            with self._scope:
                linger = await self._serve()
            if self._scope.cancelled_caught:
                linger = await self._cut()
            if linger:
                await self._part()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._shared.log.debug("connection of %s broke: %s", self.peer, error)
        except Exception as error:  # a bug met by one client must not stop the others
            self._shared.log.error("connection of %s failed: %r", self.peer, error, exc_info=error)
        finally:
            self._claim.hold(0)
            await trio.aclose_forcefully(self._stream)

    async def turn_away(self, error: MetanodeError) -> None:
        """Tell a client that it is not served, without reading; close the stream."""
        try:
            with trio.move_on_after(LINGER_S):
                await self._refuse(error)
                await self._part()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it went first
        finally:
            await trio.aclose_forcefully(self._stream)

    def expire(self) -> None:
        """End the phase, whose time ran out."""
        self._scope.cancel()

    @property
    def waits_since(self) -> float | None:
        """Since when the client has owed us bytes, in trio's seconds; None while we owe it something."""
        waits = self._phase in (_Phase.RESTING, _Phase.READING) and not self._closing
        return self._waiting_since if waits else None

    def give_way(self) -> None:
        """End at once and without a word while the client owes us bytes: another one needs the place."""
        self._phase = _Phase.RESTING
        self.close_soon()

    def close_soon(self) -> None:
        """End after the answer in work, at once when there is none."""
        self._closing = True
        if self._phase in (_Phase.RESTING, _Phase.STREAMING):
            self._scope.cancel()

    async def _serve(self) -> bool:
        """Return True when the client may not have read its last answer, or may have sent more."""
        rest_s = self._shared.header_timeout_s
        while not self._closing:
            self._await_bytes(rest_s)
            data = bytes(await self._stream.receive_some(READ_BYTES))
            if self._scope.cancel_called:
                # Too late in the very moment the bytes came: end as if they had not.
                await trio.lowlevel.checkpoint()
            if not data:
                return False
            rest_s = self._shared.idle_timeout_s
            completed = False
            for event in self._parser.feed(data):
                if isinstance(event, Incoming):
                    completed = True
                    self._claim.hold(len(event.body))
                    if not await self._answer(event):
                        return True
                elif isinstance(event, Refused):
                    await self._refuse(event.error)
                    return True
                elif self._has_room():
                    await self._send(CONTINUE)
            if not self._has_room():
                self._parser = self._shared.new_parser()  # and with the old one go the bytes it held
                self._claim.hold(0)
                await self._refuse(self._claim.refusal())
                return True
            if not self._parser.in_request:
                self._started = None
            elif completed or self._started is None:
                self._started = trio.current_time()
        return True

    def _has_room(self) -> bool:
        """Claim what the unfinished request will hold: all of it at its head, or what has come of its chunks."""
        return self._claim.hold(max(self._parser.body_announced, self._parser.body_received))

    def _await_bytes(self, rest_s: float) -> None:
        """Set the deadline of the next read: for a request's arrival, or for the rest between requests."""
        if self._started is None:
            self._phase = _Phase.RESTING
            self._waiting_since = trio.current_time()
            self.due = self._waiting_since + rest_s
        else:
            self._phase = _Phase.READING
            self._waiting_since = self._started
            granted = self._parser.body_received / BODY_BYTES_PER_S_MIN
            self.due = self._started + self._shared.header_timeout_s + granted

    async def _answer(self, incoming: Incoming) -> bool:
        """Answer one request; False when the connection must end."""
        head = incoming.head
        keep_alive = head.keep_alive and not head.upgrade and not self._closing
        self._phase = _Phase.ANSWERING
        self.due = trio.current_time() + HANDLER_TIMEOUT_S
        answer = await self._shared.answerer.answer(incoming, self.peer, keep_alive=keep_alive)
        if answer.stream is not None:
            try:
                await self._write_stream(head, answer, answer.stream)
            except MetanodeError as error:
                await self._refuse(error)
            finally:
                await close_events(answer.stream)
            return False
        await self._send(answer.data)
        return answer.keep_alive

    async def _write_stream(self, head: Head, answer: Answer, stream: EventStream) -> None:
        if self._shared.streams >= STREAMS_MAX:
            raise MetanodeError("TOO_MANY_CONNECTIONS", f"{STREAMS_MAX} event streams are open already")
        opening = answer.data
        if is_websocket(head):
            # Imported on use: most nodes never open one.
            from metanode.plugins.api._shared.websocket import WebSocketFraming, accept_websocket

            opening = accept_websocket(head, answer.headers, date=self._shared.answerer.date())
            self._framing = WebSocketFraming()
        self._shared.streams += 1
        try:
            await self._send_event(opening)
            if self._parser.tail:
                reply, goes_on = self._framing.receive(self._parser.tail)
                await self._send_event(reply)
                if not goes_on:
                    return
            await write_stream(stream, self._framing, self._stream, self._send_event, self._shared.log)
        finally:
            self._shared.streams -= 1

    async def _send_event(self, data: bytes) -> None:
        """Write within the deadline of writes; between events there is none."""
        await self._send(data)
        self._phase = _Phase.STREAMING
        self.due = math.inf
        if self._closing:
            self._scope.cancel()

    async def _refuse(self, error: MetanodeError) -> None:
        await self._send(self._shared.answerer.refuse(error).data)

    async def _send(self, data: bytes) -> None:
        self._phase = _Phase.WRITING
        self.due = trio.current_time() + WRITE_TIMEOUT_S + len(data) / BODY_BYTES_PER_S_MIN
        await self._stream.send_all(data)

    async def _cut(self) -> bool:
        """Time ran out or the listener closes: say what is due.  True when the client should read it."""
        phase = self._phase
        with trio.move_on_after(LINGER_S):
            if phase is _Phase.READING:
                await self._refuse(MetanodeError("REQUEST_TIMEOUT", "the request did not arrive in time"))
            elif phase is _Phase.ANSWERING:
                await self._refuse(MetanodeError("TIMEOUT", f"no answer within {HANDLER_TIMEOUT_S} s"))
            elif phase is _Phase.STREAMING:
                await self._send(self._framing.farewell())
            else:
                return False
            return True
        return False

    async def _part(self) -> None:
        """Say that nothing follows and let the client read what was sent."""
        with trio.move_on_after(LINGER_S):
            if not isinstance(self._stream, trio.abc.HalfCloseableStream):
                await self._stream.aclose()
                return
            await self._stream.send_eof()
            dropped = 0
            while dropped < LINGER_BYTES_MAX:
                data = await self._stream.receive_some(READ_BYTES)
                if not data:
                    return
                dropped += len(data)


async def watch_deadlines(connections: Collection[Connection]) -> None:
    """End what runs out of time among `connections`, which may change meanwhile.  Never returns."""
    while True:
        await trio.sleep(DEADLINE_STEP_S)
        now = trio.current_time()
        for connection in connections:
            if connection.due <= now:
                connection.expire()

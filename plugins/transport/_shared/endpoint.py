"""QUIC on trio: one link, and all connections on it, dialled and accepted.

Two tasks, however many connections there are.  One drains the link, up to BATCH_MAX datagrams, feeds them all, and
flushes each connection that got something once.  The other sleeps until the earliest deadline of all, or until a caller
has something to send.  All time is trio's, so a virtual clock drives everything.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import trio

from metanode.core.model.errors import PeerError
from metanode.plugins.transport._shared.certificate import Certificate
from metanode.plugins.transport._shared.connection import HANDSHAKE_S, QuicConnection
from metanode.plugins.transport._shared.engine import Engine, EngineSettings, FirstContact, FrontDoor, destination_of
from metanode.plugins.transport._shared.link import BATCH_MAX, Link, Place

KEEP_ALIVE_S = 5.0
"""An end that has sent nothing for so long sends a PING, seconds."""
RETRY_ABOVE = 32
"""With so many handshakes of others under way, a further stranger must show first that its address is its own."""
ACCEPTED_MAX = 64
"""Connections that wait for `accept`; a further one is closed."""
TIMER_SLACK_S = 0.0001
"""Added to each deadline: at the very instant, rounding makes aioquic's loss timer come back with the same one."""

_log = logging.getLogger("metanode.transport")


class Endpoint:
    """All QUIC connections of one link.

    :param certificate: shown to those who dial; without one nobody can.
    :param admit: asked before anything is computed for a stranger; False refuses it.
    :param began: told of each connection a stranger begins, before its handshake; then `accept` gives none.
    """

    def __init__(
        self,
        link: Link,
        settings: EngineSettings,
        *,
        certificate: Certificate | None = None,
        admit: Callable[[Place], bool] | None = None,
        began: Callable[[QuicConnection], None] | None = None,
        retry_above: int = RETRY_ABOVE,
        keep_alive_s: float = KEEP_ALIVE_S,
    ) -> None:
        self._link = link
        self._settings = settings
        self._certificate = certificate
        self._admit = admit
        self._began = began
        self._retry_above = retry_above
        self._keep_alive_s = keep_alive_s
        self._door = FrontDoor()
        self._routes: dict[bytes, QuicConnection] = {}
        self._cids: dict[QuicConnection, set[bytes]] = {}
        self._half_open: set[QuicConnection] = set()
        self._goodbyes: dict[QuicConnection, tuple[list[tuple[bytes, Place]], int]] = {}
        """What closed a connection, to be repeated to a peer that goes on, and how often it went on."""
        self._dirty: dict[QuicConnection, None] = {}
        self._deadlines: list[tuple[float, int, QuicConnection]] = []
        self._numbers = count()
        self._sleep = trio.CancelScope()
        self._accepted_send, self._accepted = trio.open_memory_channel[QuicConnection](ACCEPTED_MAX)
        self._stopped = False
        self.retries = 0
        """Strangers that were asked to show their address."""
        self.refusals = 0
        """Strangers that were refused."""

    # For callers.

    @property
    def place(self) -> Place:
        """Where others reach this endpoint."""
        return self._link.place

    @property
    def connections(self) -> tuple[QuicConnection, ...]:
        """Every connection that is not forgotten yet."""
        return tuple(self._cids)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled, then close every connection and the link."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._receive)
                nursery.start_soon(self._keep_time)
                task_status.started()
        finally:
            self._stopped = True
            for connection in list(self._cids):
                connection.close()
                connection.finish("the transport has stopped")
            self._accepted_send.close()
            self._link.close()

    async def connect(self, place: Place) -> QuicConnection:
        """Open a connection.

        :raises PeerError: UNREACHABLE, TIMEOUT or HANDSHAKE_FAILED; CONNECTION_CLOSED once the endpoint has stopped.
        """
        if self._stopped:
            raise PeerError("CONNECTION_CLOSED", "the transport has stopped")
        engine = Engine.client(self._settings)
        connection = self._add(engine, place, dialled=True)
        engine.connect(place, now=trio.current_time())
        self.flush(connection)
        try:
            await connection.wait_connected()
        except BaseException:
            connection.close()
            raise
        return connection

    async def accept(self) -> QuicConnection:
        """Return the next connection that somebody opened, its handshake done.

        :raises PeerError: CONNECTION_CLOSED once the endpoint has stopped.
        """
        try:
            return await self._accepted.receive()
        except trio.EndOfChannel:
            raise PeerError("CONNECTION_CLOSED", "the transport has stopped") from None

    # For connections.

    def touch(self, connection: QuicConnection) -> None:
        """Flush a connection soon, together with others."""
        self._dirty[connection] = None
        self._sleep.deadline = float("-inf")

    def route(self, cid: bytes, connection: QuicConnection) -> None:
        """Let datagrams for a connection id go to a connection."""
        self._routes[cid] = connection
        self._cids[connection].add(cid)

    def unroute(self, cid: bytes) -> None:
        """Let them go nowhere."""
        connection = self._routes.pop(cid, None)
        if connection is not None:
            self._cids[connection].discard(cid)

    def shook_hands(self, connection: QuicConnection) -> None:
        """A handshake is done."""
        self._half_open.discard(connection)
        if not connection.dialled and self._began is None:
            try:
                self._accepted_send.send_nowait(connection)
            except (trio.WouldBlock, trio.BrokenResourceError):
                self.touch(connection)
                connection.engine.close(reason_phrase="too many connections wait")

    def flush(self, connection: QuicConnection) -> None:
        """Send what a connection has to send, and set its timer."""
        engine = connection.engine
        if connection not in self._cids:
            return
        now = trio.current_time()
        datagrams = engine.datagrams_to_send(now)
        if datagrams:
            connection.sent_at = now
            self._link.send(datagrams)
            if engine.ended is not None:
                self._goodbyes[connection] = (datagrams, 0)
        self._arm(connection)

    # The two tasks.

    async def _receive(self) -> None:
        link = self._link
        while True:
            await link.wait()
            while True:
                datagrams = link.receive_many()
                self._take(datagrams)
                for place in link.unreachable():
                    self._nobody_at(place)
                if len(datagrams) < BATCH_MAX:
                    break
                await trio.lowlevel.checkpoint()

    async def _keep_time(self) -> None:
        while True:
            deadline = self._deadlines[0][0] if self._deadlines else float("inf")
            with trio.CancelScope(deadline=float("-inf") if self._dirty else deadline) as self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            while self._deadlines and self._deadlines[0][0] <= now:
                when, _, connection = heapq.heappop(self._deadlines)
                if when == connection.armed_at and connection in self._cids:
                    connection.armed_at = float("inf")
                    self._time_is_up(connection, now)
            dirty, self._dirty = self._dirty, {}
            for connection in dirty:
                self._serve(connection)

    def _take(self, datagrams: list[tuple[bytes, Place]]) -> None:
        now = trio.current_time()
        touched: dict[QuicConnection, None] = {}
        for data, sender in datagrams:
            connection = self._routes.get(destination_of(data))
            if connection is None:
                connection = self._answer_stranger(data, sender, now)
                if connection is None:
                    continue
            if connection in self._goodbyes:
                self._repeat_goodbye(connection)
                continue
            touched[connection] = None
            try:
                connection.engine.receive_datagram(data, sender, now)
            except Exception as error:  # noqa: BLE001 - see `_drop`
                self._drop(connection, error)
        for connection in touched:
            if not connection.engine.heard and not connection.dialled:
                self._forget(connection, "the first datagram was no handshake")
                continue
            self._serve(connection)

    def _answer_stranger(self, data: bytes, sender: Place, now: float) -> QuicConnection | None:
        if self._certificate is None:
            return None
        found = self._door.look(data, sender, now, ask_back=len(self._half_open) >= self._retry_above)
        if isinstance(found, FirstContact):
            if self._admit is not None and not self._admit(sender):
                self.refusals += 1
                self._link.send([(self._door.refuse(data), sender)])
                return None
            engine = Engine.server(self._settings, self._certificate, found)
            connection = self._add(engine, sender, dialled=False)
            self.route(destination_of(data), connection)
            self._half_open.add(connection)
            if self._began is not None:
                self._began(connection)
            return connection
        if found is not None:
            self.retries += 1
            self._link.send([(found, sender)])
        return None

    def _time_is_up(self, connection: QuicConnection, now: float) -> None:
        engine = connection.engine
        if not connection.connected and now - connection.began_at >= HANDSHAKE_S:
            self._forget(connection, "")
            return
        due = engine.get_timer()
        try:
            if due is not None and due <= now:
                engine.handle_timer(now)
            if self._keep_alive_at(connection) <= now:
                engine.send_ping(0)
                connection.sent_at = now  # though nothing may leave now: the same moment must not come again
        except Exception as error:  # noqa: BLE001 - see `_drop`
            self._drop(connection, error)
        self._serve(connection)
        if engine.get_timer() is None:  # the closing period is over, or nothing was heard for too long
            self._forget(connection, connection.why)

    def _arm(self, connection: QuicConnection) -> None:
        due = connection.engine.get_timer()
        if due is None:
            return
        if not connection.connected:
            due = min(due, connection.began_at + HANDSHAKE_S)
        due = min(due, self._keep_alive_at(connection)) + TIMER_SLACK_S
        if due >= connection.armed_at:
            return  # it goes off earlier, and is set anew then: timers move away with every packet
        connection.armed_at = due
        heapq.heappush(self._deadlines, (due, next(self._numbers), connection))
        if due < self._sleep.deadline:
            self._sleep.deadline = due

    def _keep_alive_at(self, connection: QuicConnection) -> float:
        if not connection.connected or connection.over:
            return float("inf")
        return connection.sent_at + self._keep_alive_s

    def _repeat_goodbye(self, connection: QuicConnection) -> None:
        """Say again that a connection is closed, to the 1st, 2nd, 4th, 8th ... datagram that comes for it."""
        datagrams, heard = self._goodbyes[connection]
        heard += 1
        self._goodbyes[connection] = (datagrams, heard)
        if heard & (heard - 1) == 0:
            self._link.send(datagrams)

    def _nobody_at(self, place: Place) -> None:
        """The system says that nobody listens at a place; believed only before anybody there was heard."""
        for connection in list(self._cids):
            if connection.dialled and connection.place == place and not connection.engine.heard:
                self._forget(connection, "nobody listens there")

    def _serve(self, connection: QuicConnection) -> None:
        """Let a connection take note of its events and send what it has to send."""
        try:
            connection.digest()
            self.flush(connection)
            if connection.engine.ended is not None:
                connection.digest()
        except Exception as error:  # noqa: BLE001 - see `_drop`
            self._drop(connection, error)

    def _drop(self, connection: QuicConnection, error: Exception) -> None:
        """A mistake of aioquic, on whatever bytes a stranger sent, costs that connection and no other."""
        _log.debug("connection of %s port %d: %r", *connection.place, error)
        self._forget(connection, "the connection could not be served on")

    def _add(self, engine: Engine, place: Place, *, dialled: bool) -> QuicConnection:
        connection = QuicConnection(self, engine, place, dialled=dialled)
        self._cids[connection] = set()
        self.route(engine.host_cid, connection)
        return connection

    def _forget(self, connection: QuicConnection, why: str) -> None:
        for cid in self._cids.pop(connection, ()):
            self._routes.pop(cid, None)
        self._half_open.discard(connection)
        self._goodbyes.pop(connection, None)
        self._dirty.pop(connection, None)
        connection.finish(why)


@asynccontextmanager
async def open_endpoint(
    link: Link, settings: EngineSettings, *, certificate: Certificate | None = None
) -> AsyncIterator[Endpoint]:
    """Run an endpoint around the block."""
    async with trio.open_nursery() as nursery:
        endpoint = Endpoint(link, settings, certificate=certificate)
        await nursery.start(lambda task_status: endpoint.run(task_status=task_status))
        yield endpoint
        nursery.cancel_scope.cancel()

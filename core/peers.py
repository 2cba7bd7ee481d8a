"""The node's peers: dials whom the settings name, lets in who may, and carries messages in lanes.

There is one connection for each peer.  When both ends dial at once, both keep the one that the lower node key
dialled; on the other nothing more is sent, its dialler closes it a moment later, and nothing under way is lost.
Sending never waits: what a connection cannot take waits in a bounded queue of that peer and lane (`peer_queues`).
Votes for a dialled peer that is away wait too, so that nodes which start one after the other need no second round.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import trio

from metanode.core.bus import Bus
from metanode.core.clock import Randomness, fraction
from metanode.core.health import HealthRegistry
from metanode.core.loading import guarded
from metanode.core.metrics import MetricRegistry
from metanode.core.model.errors import MetanodeError, PeerError, SettingsError
from metanode.core.peer_queues import PeerChannel, Waiting
from metanode.core.peer_settings import PeersSettings
from metanode.core.roles import Connection, Roles
from metanode.core.wire.address import Address
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameTooLarge, Lane

RECONNECT_BASE_S = 0.25
"""Longest wait before the second try to reach a peer, seconds; doubles with each failure."""
RECONNECT_MAX_S = 10.0
"""Longest wait before any try, seconds."""
SETTLED_S = 5.0
"""From this age on a connection is no longer one of two dialled at once: a peer that dials again has lost it."""
DUPLICATE_GRACE_S = 2.0
"""How long the dialler of a second connection goes on reading it before it closes it, seconds."""
POOL_SOURCE = "peers"
"""Under this source a pool is given what peers pass on, and limits it not: who hears them does, for each."""
ACCEPT_RETRY_S = 0.5
"""Pause before a transport that stopped is asked again, seconds."""

_log = logging.getLogger("metanode.peers")


@dataclass(frozen=True)
class PeerChanged:
    """On the bus: a peer came or went."""

    peer: bytes
    """Its node key."""
    connected: bool


@dataclass
class _Peer:
    """What is known of one peer."""

    key: bytes
    named: bool
    """An address in `dial` names it."""
    connection: Connection | None = None
    dialled: bool = False
    """The connection was dialled by us."""
    since: float = 0.0
    retired: Connection | None = None
    """A second connection, read until its dialler closes it."""
    waiting: dict[Lane, Waiting] = field(default_factory=lambda: {lane: Waiting(lane) for lane in Lane})
    draining: set[Lane] = field(default_factory=set)
    gone: trio.Event = field(default_factory=trio.Event)


class PeerHub:
    """The `roles.Peers` of a node."""

    def __init__(
        self,
        settings: PeersSettings,
        node_key: bytes,
        roles: Roles,
        bus: Bus,
        health: HealthRegistry,
        metrics: MetricRegistry,
        randomness: Randomness,
    ) -> None:
        self._me = node_key
        self._allow = settings.allow
        self._dial_list = tuple(address for address in settings.dial if address.node_key != node_key)
        self._roles, self._bus, self._health, self._randomness = roles, bus, health, randomness
        self._channels: dict[Lane, list[PeerChannel]] = {lane: [] for lane in Lane}
        self._problems: dict[Address, str] = dict.fromkeys(self._dial_list, "not tried yet")
        keys = {address.node_key for address in self._dial_list if address.node_key is not None}
        self._peers = {key: _Peer(key, named=True) for key in keys}
        self._nursery: trio.Nursery | None = None
        self._gauge = metrics.gauge("peers_connected", "Peers with a connection")
        names = [(lane, lane.name.lower()) for lane in Lane]
        ways = ("in", "out")
        self._bytes = {
            (lane, way): metrics.counter("peer_bytes_total", "Bytes of messages by lane", lane=name, way=way)
            for lane, name in names for way in ways
        }  # fmt: skip
        self._drops = {
            (lane, way): metrics.counter("peer_drops_total", "Messages dropped by lane", lane=name, way=way)
            for lane, name in names for way in ways
        }  # fmt: skip

    def connected(self) -> tuple[bytes, ...]:
        """Return the node keys of the peers with a connection, sorted."""
        return tuple(sorted(peer.key for peer in self._peers.values() if peer.connection is not None))

    def broadcast(self, lane: int, payload: bytes) -> None:
        """Send to every peer.  Never waits.

        :raises FrameTooLarge: the payload is longer than PAYLOAD_BYTES_MAX.
        """
        for peer in self._peers.values():
            self._send(peer, Lane(lane), payload)

    def send(self, peer: bytes, lane: int, payload: bytes) -> bool:
        """Send to one peer.  Never waits; False when it is not connected or its queue is full."""
        known = self._peers.get(peer)
        return known is not None and self._send(known, Lane(lane), payload)

    def subscribe(self, lane: int) -> trio.abc.ReceiveChannel[tuple[bytes, bytes]]:
        """Return a channel of (peer, message) with what arrives in a lane from now on, until it is closed."""
        channels = self._channels[Lane(lane)]
        channel = PeerChannel(Lane(lane), channels.remove)
        channels.append(channel)
        return channel

    def start(self, nursery: trio.Nursery) -> None:
        """Begin to dial and to accept.

        :raises SettingsError: `[peers] dial` names a transport that this node does not run.
        """
        transports = self._roles.many("transport")
        for address in self._dial_list:
            if address.transport not in transports:
                message = f"[peers] dial: {address} needs transport {address.transport!r}, which this node does not run"
                raise SettingsError("BAD_SETTING", message, f"[roles] transport = [{address.transport!r}]")
        self._nursery = nursery
        for name in transports:
            nursery.start_soon(self._accept, name, name=f"metanode peers of {name}")
        for address in self._dial_list:
            nursery.start_soon(self._keep_dialled, address, name="metanode peer")
        self._report()

    async def _accept(self, name: str) -> None:
        """Take what others dial, for ever; the transport may be restarted meanwhile."""
        while True:
            transport = self._roles.many("transport").get(name)
            try:
                if transport is None:
                    raise PeerError("CONNECTION_CLOSED", f"transport {name} does not run")
                with guarded(f"transport.{name}", "accept"):
                    connection = await transport.accept()
            except MetanodeError as error:
                _log.debug("transport %s accepts nothing: %s", name, error.line())
                await trio.sleep(ACCEPT_RETRY_S)
                continue
            assert self._nursery is not None
            self._nursery.start_soon(self._serve, connection, False, name="metanode peer")

    async def _keep_dialled(self, address: Address) -> None:
        """Keep one address connected, for ever."""
        key = address.node_key
        failures = 0
        while True:
            known = None if key is None else self._peers.get(key)
            if known is not None and known.connection is not None:
                await known.gone.wait()
                failures = 0
            try:
                transport = self._roles.many("transport").get(address.transport)
                if transport is None:
                    raise PeerError("CONNECTION_CLOSED", f"transport {address.transport} does not run")
                with guarded(f"transport.{address.transport}", "connect"):
                    connection = await transport.connect(str(address))
            except MetanodeError as error:
                self._report(address, error.line())
            else:
                key = connection.peer
                self._report(address, "")
                began = trio.current_time()
                await self._serve(connection, True)
                self._report(address, "lost")
                if trio.current_time() - began > SETTLED_S:
                    failures = 0
            failures += 1
            longest = min(RECONNECT_MAX_S, RECONNECT_BASE_S * 2.0 ** min(failures - 1, 16))
            await trio.sleep(longest * (0.5 + fraction(self._randomness) / 2))

    async def _serve(self, connection: Connection, dialled: bool) -> None:
        """Read a connection until it is closed."""
        key = connection.peer
        if key == self._me or (self._allow and key not in self._allow):
            why = "it is this node itself" if key == self._me else "it is not in [peers] allow"
            _log.info("refused node %s: %s", key.hex(), why)
            await self._close(connection, "NOT_ALLOWED")
            return
        peer = self._peers.setdefault(key, _Peer(key, named=False))
        if self._is_better(peer, dialled):
            old, was_dialled = peer.connection, peer.dialled
            self._take(peer, connection, dialled)
            if old is not None:
                self._retire(peer, old, was_dialled)
        elif not self._retire(peer, connection, dialled):
            await self._close(connection, "DUPLICATE")
            return
        try:
            await self._read(peer, connection)
        finally:
            self._lose(peer, connection)

    def _is_better(self, peer: _Peer, dialled: bool) -> bool:
        """Whether a new connection takes the place of the one there is: both ends must come to one answer."""
        if peer.connection is None:
            return True
        ours_wins = self._me < peer.key
        if peer.dialled == dialled:
            return not dialled  # it dialled again, so it has lost the first; we never do
        return dialled == ours_wins or trio.current_time() - peer.since > SETTLED_S

    def _take(self, peer: _Peer, connection: Connection, dialled: bool) -> None:
        fresh = peer.connection is None
        peer.connection, peer.dialled, peer.since = connection, dialled, trio.current_time()
        for lane, waiting in peer.waiting.items():
            if waiting:
                self._start_draining(peer, lane)
        if fresh:
            peer.gone = trio.Event()
            self._changed(peer, True)

    def _retire(self, peer: _Peer, connection: Connection, dialled: bool) -> bool:
        """Let a second connection end by itself; False when there is one such already."""
        if peer.retired is not None:
            return False
        peer.retired = connection
        # Who did not dial waits far longer: only for a peer that never closes.
        grace_s = DUPLICATE_GRACE_S if dialled else DUPLICATE_GRACE_S + SETTLED_S
        assert self._nursery is not None
        self._nursery.start_soon(self._close_later, connection, grace_s)
        return True

    async def _close_later(self, connection: Connection, grace_s: float) -> None:
        await trio.sleep(grace_s)
        await self._close(connection, "DUPLICATE")

    async def _close(self, connection: Connection, code: str) -> None:
        try:
            with guarded("a transport", "aclose"):
                await connection.aclose(code)
        except MetanodeError as error:
            _log.debug("closing a connection: %s", error.line())

    def _lose(self, peer: _Peer, connection: Connection) -> None:
        was_the_one = peer.connection is connection
        if was_the_one:
            peer.connection = None
        else:
            peer.retired = None
        if peer.connection is None and peer.retired is None and not peer.named:
            del self._peers[peer.key]
        if was_the_one:
            for lane, waiting in peer.waiting.items():
                while lane is not Lane.VOTES and waiting:  # what is asked for again, or worthless by then
                    waiting.pop()
                    self._drops[lane, "out"].add()
            peer.gone.set()
            self._changed(peer, False)

    async def _read(self, peer: _Peer, connection: Connection) -> None:
        try:
            with guarded("a transport", "receive"):
                while True:
                    number, message = await connection.receive()
                    lane = Lane(number)
                    self._bytes[lane, "in"].add(len(message))
                    channels = self._channels[lane]
                    dropped = sum(channel.offer(peer.key, message) for channel in channels) if channels else 1
                    if dropped:
                        self._drops[lane, "in"].add(dropped)
        except MetanodeError as error:
            if error.code != "CONNECTION_CLOSED":
                _log.warning("node %s: %s", peer.key.hex(), error.line())
            else:
                _log.info("node %s: %s", peer.key.hex(), error.message)

    def _send(self, peer: _Peer, lane: Lane, payload: bytes) -> bool:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise FrameTooLarge(len(payload))
        waiting = peer.waiting[lane]
        connection = peer.connection
        if connection is None and not (peer.named and lane is Lane.VOTES):
            return False
        if connection is not None:
            must_queue = bool(waiting) or lane in peer.draining
            if not must_queue and connection.send_nowait(lane, payload):
                self._bytes[lane, "out"].add(len(payload))
                return True
            self._start_draining(peer, lane)
        queued, dropped = waiting.put(payload)
        if dropped:
            self._drops[lane, "out"].add(dropped)
        return queued

    def _start_draining(self, peer: _Peer, lane: Lane) -> None:
        if lane not in peer.draining:
            peer.draining.add(lane)
            assert self._nursery is not None
            self._nursery.start_soon(self._drain, peer, lane, name="metanode peer queue")

    async def _drain(self, peer: _Peer, lane: Lane) -> None:
        """Move what waits into the connection, as it takes it."""
        waiting = peer.waiting[lane]
        try:
            while waiting and peer.connection is not None:
                connection, message = peer.connection, waiting.pop()
                try:
                    with guarded("a transport", "send"):
                        await connection.send(lane, message)
                except MetanodeError:
                    waiting.put_back(message)
                    if connection is peer.connection:
                        return  # its reader hears of the end too, and the next connection begins anew
                else:
                    self._bytes[lane, "out"].add(len(message))
        finally:
            peer.draining.discard(lane)

    def _changed(self, peer: _Peer, connected: bool) -> None:
        self._gauge.set(len(self.connected()))
        self._bus.publish(PeerChanged(peer.key, connected))
        _log.info("node %s %s", peer.key.hex(), "connected" if connected else "disconnected")
        self._report()

    def _report(self, address: Address | None = None, problem: str = "") -> None:
        """Say on the health page who is connected, and why others are not."""
        if address is not None:
            self._problems[address] = problem
        if not self._dial_list:
            return
        here = set(self.connected())
        away = [(address, why) for address, why in self._problems.items() if why and address.node_key not in here]
        missing = [f"{address} ({why})" for address, why in away]
        detail = f"{len(here)} connected" + (f"; not reached: {', '.join(missing)}" if missing else "")
        self._health.report("peers", bool(here), detail)

"""The role object: listens, dials, and hands out a connection only when both ends are known."""

from __future__ import annotations

import os
from collections.abc import Sequence

import trio

from metanode.core.hooks import PluginContext
from metanode.core.model.errors import PeerError, PluginError, SettingsError
from metanode.core.roles import Connection
from metanode.core.version import VERSION
from metanode.core.wire.address import Address, join_host_port, split_host_port
from metanode.core.wire.hello import CLUSTER_BYTES, NONCE_BYTES, Introduction, Side
from metanode.core.wire.secure import CloseReason
from metanode.plugins.transport._shared.admission import Admission, network_of
from metanode.plugins.transport._shared.certificate import binding_of, self_signed
from metanode.plugins.transport._shared.connection import HANDSHAKE_S, QuicConnection
from metanode.plugins.transport._shared.endpoint import Endpoint
from metanode.plugins.transport._shared.engine import EngineSettings
from metanode.plugins.transport._shared.link import Place, UdpLink, resolve
from metanode.plugins.transport._shared.session import URGENT, Session
from metanode.plugins.transport._shared.stream import QuicStream
from metanode.plugins.transport.quic.connection import STREAMS, QuicNodeConnection

ALPN = "metanode/1"
"""What is spoken above QUIC."""
HELLO_TIMEOUT_S = 5.0
"""How long the other end may take over the hello, after the QUIC handshake, seconds."""
EARLY_BYTES = 4096
"""Most bytes read at once from an end that is not known yet."""
EARLY_WINDOW_BYTES = 16 * 1024
"""Most bytes held of an end that is not known yet."""
BACKLOG_MAX = 64
"""Connections that wait for `accept`; a further one is refused."""
IDLE_S = 15.0
"""An end that hears nothing for so long gives the other up, seconds."""

_WILDCARDS = {"0.0.0.0", "::"}
_CURE = "a node of this chain, with the key of its address, that holds fewer connections than it may"


class QuicTransport:
    """Encrypted connections over UDP, IPv4 and IPv6."""

    def __init__(self, context: PluginContext) -> None:
        node = context.identity.node
        settings = context.settings
        try:
            self._places = [split_host_port(place) for place in settings["listen"]]
        except PeerError as error:
            message = f"[plugins.transport.quic] listen: {error.message}"
            raise SettingsError("BAD_SETTING", message, error.expected) from None
        self._randomness = context.randomness
        self._log = context.log
        self._metrics = context.metrics
        self._me = Introduction(
            node_key=node.public_key,
            sign=node.sign,
            genesis_hash=context.genesis.hash,
            roles=("node",),
            # One cluster per chain until clusters have a registry of their own.
            cluster=context.genesis.hash[:CLUSTER_BYTES],
            agent=f"metanode/{VERSION}",
            transport="quic",
        )
        self._engine_settings = EngineSettings(
            alpn=(ALPN,),
            datagram_bytes=settings["datagram_bytes"],
            idle_s=IDLE_S,
            datagrams=False,
            window_bytes=EARLY_WINDOW_BYTES,
        )
        self._certificate = self_signed()
        self._admission = Admission(settings["connections_max"], settings["connections_per_address_max"])
        self._connections: dict[QuicNodeConnection, str | None] = {}
        """Open connections and the network that opened each; None where it was us."""
        self._accepted_send, self._accepted = trio.open_memory_channel[QuicNodeConnection](BACKLOG_MAX)
        self._endpoints: dict[Endpoint, trio.CancelScope] = {}
        self._dialling: dict[bool, Endpoint] = {}
        """What dials, by whether it is of IPv6."""
        self._nursery: trio.Nursery | None = None
        self._stopping = False
        self._addresses: tuple[str, ...] = ()

    @property
    def addresses(self) -> Sequence[str]:
        """Where others reach this node, once it listens."""
        return self._addresses

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled, then close every connection."""
        links = await self._bind()
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    for link in links:
                        endpoint = self._start(link, listens=True)
                        if link.place[0] in _WILDCARDS:  # one socket for both directions
                            self._dialling[":" in link.place[0]] = endpoint
                    task_status.started()
                    await trio.sleep_forever()
                finally:
                    self._stopping = True
                    await self._close_all()
                    for scope in self._endpoints.values():
                        scope.cancel()
        finally:
            self._nursery = None
            for link in links:
                link.close()
            self._accepted_send.close()

    async def connect(self, address: str) -> Connection:
        """Open a connection to `quic:HOST:PORT#NODEKEY`, or without the key to whoever answers there.

        :raises PeerError: UNREACHABLE, TIMEOUT, or the peer is not who it must be.
        """
        wanted = Address.parse(address)
        host, port = split_host_port(wanted.place)
        if wanted.transport != "quic":
            raise PeerError("UNREACHABLE", f"{address} is not for transport quic", "quic:HOST:PORT#NODEKEY")
        self._check_running()
        if self._admission.full:
            raise PeerError("UNREACHABLE", "this node holds as many connections as it may", "a later try")
        try:
            places = await resolve(host, port)
        except OSError as error:
            raise PeerError("UNREACHABLE", f"{host}: {_in_words(error)}", "a host that has an address") from None
        quic = await self._dial(places)
        session, stream = await self._introduce(quic, Side.INITIATOR, wanted.node_key)
        try:
            nursery = self._check_running()
        except PeerError:
            quic.close()
            raise
        connection = self._opened(quic, stream, session, None)
        nursery.start_soon(connection.write)
        return connection

    async def accept(self) -> Connection:
        """Return the next connection that a peer opened.

        :raises PeerError: CONNECTION_CLOSED once the transport has stopped.
        """
        try:
            return await self._accepted.receive()
        except trio.EndOfChannel:
            raise PeerError("CONNECTION_CLOSED", "the transport has stopped") from None

    def _check_running(self) -> trio.Nursery:
        """Return where connections run.

        :raises PeerError: CONNECTION_CLOSED, the transport has stopped or not started.
        """
        if self._nursery is None or self._stopping:
            raise PeerError("CONNECTION_CLOSED", "the transport does not run")
        return self._nursery

    async def _bind(self) -> list[UdpLink]:
        links: list[UdpLink] = []
        for host, port in self._places:
            try:
                for place in await resolve(host, port, listening=True):
                    links.append(UdpLink(*place))
            except OSError as error:
                for link in links:
                    link.close()
                message = f"cannot listen on {join_host_port(host, port)}: {_in_words(error)}"
                raise PluginError("ROLE_FAILED", message, "a free port in [plugins.transport.quic] listen") from None
        key = self._me.node_key
        self._addresses = tuple(str(Address("quic", join_host_port(*link.place), key)) for link in links)
        for address in self._addresses:
            self._log.info("listening: %s", address)
        return links

    def _start(self, link: UdpLink, *, listens: bool) -> Endpoint:
        endpoint = Endpoint(
            link,
            self._engine_settings,
            certificate=self._certificate if listens else None,
            admit=self._admit,
            began=lambda quic: self._check_running().start_soon(self._answer, quic),
        )

        scope = trio.CancelScope(shield=True)  # a node that stops can still say so

        async def run() -> None:
            with scope:
                await endpoint.run()

        self._endpoints[endpoint] = scope
        self._check_running().start_soon(run)
        return endpoint

    async def _dial(self, places: list[Place]) -> QuicConnection:
        """Connect to the first of several places that answers."""
        failures: list[PeerError] = []
        for place in places:
            is_v6 = ":" in place[0]
            if is_v6 not in self._dialling:
                try:
                    self._dialling[is_v6] = self._start(UdpLink("::" if is_v6 else "0.0.0.0"), listens=False)
                except OSError as error:
                    failures.append(PeerError("UNREACHABLE", f"{place[0]}: {_in_words(error)}", "that address family"))
                    continue
            try:
                with trio.move_on_after(HANDSHAKE_S / len(places) if len(places) > 1 else float("inf")):
                    return await self._dialling[is_v6].connect(place)
                failures.append(PeerError("UNREACHABLE", f"{place[0]} port {place[1]}: nobody answers", _CURE))
            except PeerError as error:
                failures.append(error)
        raise failures[-1]

    def _admit(self, place: Place) -> bool:
        refusal = self._admission.refusal(network_of(place[0]))
        if self._stopping:
            refusal = "this node stops"
        if refusal:
            self._count("refused", refusal)
        return not refusal

    async def _answer(self, quic: QuicConnection) -> None:
        """Serve one connection that somebody opened, for as long as it lasts."""
        network = network_of(quic.place[0])
        try:
            with self._admission.handshake(network):
                session, stream = await self._introduce(quic, Side.RESPONDER, None)
        except PeerError as error:
            self._count("failed", error.line())
            return
        self._count("done", "")
        connection = self._opened(quic, stream, session, network)
        try:
            self._accepted_send.send_nowait(connection)
        except trio.WouldBlock:
            self._check_running().start_soon(connection.aclose, CloseReason.FULL.name)
        except trio.BrokenResourceError:
            connection.abort("the transport has stopped")
        await connection.write()

    async def _introduce(
        self, quic: QuicConnection, side: Side, expected_peer: bytes | None
    ) -> tuple[Session, QuicStream]:
        """Finish the handshake and exchange hellos; closes the connection when they fail.

        :raises PeerError: whatever is wrong with the other end.
        """
        try:
            await quic.wait_connected()
            dials = side is Side.INITIATOR
            session = Session(
                side,
                self._me,
                binding=binding_of(quic.engine.peer_certificate()) if dials else self._certificate.binding,
                nonce=self._randomness.bytes(NONCE_BYTES),
                expected_peer=expected_peer,
                streams=STREAMS,
            )
            with trio.move_on_after(HELLO_TIMEOUT_S) as limit:
                stream = quic.open_stream() if dials else await quic.accept_stream()
                await _say_hello(stream, session)
            if limit.cancelled_caught:
                raise PeerError("TIMEOUT", f"no whole hello within {HELLO_TIMEOUT_S:g} s", "a peer that answers")
        except BaseException:
            quic.close(int(CloseReason.FAULT))
            raise
        quic.widen()
        return session, stream

    def _opened(
        self, quic: QuicConnection, stream: QuicStream, session: Session, network: str | None
    ) -> QuicNodeConnection:
        connection = QuicNodeConnection(quic, stream, session, self._closed)
        self._connections[connection] = network
        self._admission.opened(network)
        return connection

    def _closed(self, connection: QuicNodeConnection) -> None:
        self._admission.closed(self._connections.pop(connection))

    async def _close_all(self) -> None:
        with trio.CancelScope(shield=True):  # bounded: a close waits CLOSE_S
            async with trio.open_nursery() as closing:
                for connection in list(self._connections):
                    closing.start_soon(connection.aclose)

    def _count(self, outcome: str, detail: str) -> None:
        """Count an inbound handshake.  Not logged above debug: a stranger must not fill the disk."""
        help = "Handshakes that others began, by outcome"
        self._metrics.counter("quic_handshakes_total", help, outcome=outcome).add()
        if detail:
            self._log.debug("inbound handshake %s: %s", outcome, detail)


async def _say_hello(stream: QuicStream, session: Session) -> None:
    """Move bytes until the other end is known and our last word is sent.

    :raises PeerError: the other end leaves, or breaks a rule.
    """
    try:
        while True:
            while data := session.take(URGENT):
                await stream.send_all(data)
            if session.peer is not None:
                return
            data = await stream.receive_some(EARLY_BYTES)
            if not data:
                raise PeerError("HANDSHAKE_FAILED", "the other end closed the connection before both were known", _CURE)
            session.receive(URGENT, data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        message = f"the connection broke off before both ends were known: {stream.connection.why}"
        raise PeerError("HANDSHAKE_FAILED", message, _CURE) from None


def _in_words(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)

"""The role object: listens, dials, and hands out a connection only when both ends are known."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence

import trio

from metanode.core.crypto.channel import KEY_BYTES, ChannelCrypto
from metanode.core.hooks import PluginContext
from metanode.core.model.errors import PeerError, PluginError, SettingsError
from metanode.core.roles import Connection
from metanode.core.version import VERSION
from metanode.core.wire.address import Address, join_host_port, split_host_port
from metanode.core.wire.hello import CLUSTER_BYTES, NONCE_BYTES, Introduction, Side
from metanode.core.wire.secure import CloseReason, Phase, SecureLink
from metanode.plugins.transport._shared.admission import Admission, network_of
from metanode.plugins.transport.noise.connection import KEEP_ALIVE_S, NoiseConnection

DIAL_TIMEOUT_S = 10.0
"""How long a TCP connection may take to come about, seconds."""
PHASE_TIMEOUT_S = 5.0
"""How long the other end may take over the handshake, and again over the hello, seconds."""
EARLY_READ_BYTES = 4096
"""Most bytes taken at once from an end that is not known yet."""
BACKLOG_MAX = 64
"""Connections that wait for `accept`; a further one is refused."""


class NoiseTransport:
    """Encrypted connections over TCP, IPv4 and IPv6."""

    def __init__(self, context: PluginContext) -> None:
        node = context.identity.node
        try:
            self._places = [split_host_port(place) for place in context.settings["listen"]]
        except PeerError as error:
            message = f"[plugins.transport.noise] listen: {error.message}"
            raise SettingsError("BAD_SETTING", message, error.expected) from None
        self._crypto = ChannelCrypto()
        self._secret = self._crypto.secret_of_seed(node.seed)
        self._public = self._crypto.public_of_secret(self._secret)
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
            transport="noise",
        )
        settings = context.settings
        self._admission = Admission(settings["connections_max"], settings["connections_per_address_max"])
        self._connections: dict[NoiseConnection, str | None] = {}
        """Open connections and the network that opened each; None where it was us."""
        self._accepted_send, self._accepted = trio.open_memory_channel[NoiseConnection](BACKLOG_MAX)
        self._nursery: trio.Nursery | None = None
        self._stopping = False
        self._addresses: tuple[str, ...] = ()

    @property
    def addresses(self) -> Sequence[str]:
        """Where others reach this node, once it listens."""
        return self._addresses

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled, then close every connection."""
        listeners = await self._listen()
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    self._nursery.start_soon(self._look_after_connections)
                    for listener in listeners:
                        self._nursery.start_soon(trio.serve_listeners, self._answer, [listener])
                    task_status.started()
                    await trio.sleep_forever()
                finally:
                    self._stopping = True
                    await self._close_all()
        finally:
            self._nursery = None
            for listener in listeners:
                listener.socket.close()
            self._accepted_send.close()

    async def connect(self, address: str) -> Connection:
        """Open a connection to `noise:HOST:PORT#NODEKEY`, or without the key to whoever answers there.

        :raises PeerError: UNREACHABLE, TIMEOUT, or the peer is not who it must be.
        """
        wanted = Address.parse(address)
        host, port = split_host_port(wanted.place)
        if wanted.transport != "noise":
            raise PeerError("UNREACHABLE", f"{address} is not for transport noise", "noise:HOST:PORT#NODEKEY")
        self._check_running()
        if self._admission.full:
            raise PeerError("UNREACHABLE", "this node holds as many connections as it may", "a later try")
        link = self._link(Side.INITIATOR, wanted.node_key)
        first = link.first()
        try:
            with trio.fail_after(DIAL_TIMEOUT_S):
                stream = await _dial(host, port)
        except trio.TooSlowError:
            message = f"{wanted.place} does not answer within {DIAL_TIMEOUT_S:g} s"
            raise PeerError("TIMEOUT", message, "a reachable place") from None
        except OSError as error:
            raise PeerError("UNREACHABLE", f"{wanted.place}: {_in_words(error)}", "a running node there") from None
        await self._introduce(stream, link, first)
        try:
            nursery = self._check_running()
        except PeerError:
            stream.socket.close()
            raise
        connection = self._opened(stream, link, None)
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

    async def _listen(self) -> list[trio.SocketListener]:
        listeners: list[trio.SocketListener] = []
        for host, port in self._places:
            try:
                listeners += await trio.open_tcp_listeners(port, host=host)
            except OSError as error:
                for listener in listeners:
                    listener.socket.close()
                message = f"cannot listen on {join_host_port(host, port)}: {_in_words(error)}"
                raise PluginError("ROLE_FAILED", message, "a free port in [plugins.transport.noise] listen") from None
        bound = [listener.socket.getsockname() for listener in listeners]
        key = self._me.node_key
        self._addresses = tuple(str(Address("noise", join_host_port(name[0], name[1]), key)) for name in bound)
        for address in self._addresses:
            self._log.info("listening: %s", address)
        return listeners

    async def _answer(self, stream: trio.SocketStream) -> None:
        """Serve one connection that somebody opened, for as long as it lasts."""
        try:
            network = network_of(stream.socket.getpeername()[0])
        except OSError:  # gone already
            stream.socket.close()
            return
        refusal = self._admission.refusal(network)
        if refusal:
            stream.socket.close()
            self._count("refused", refusal)
            return
        link = self._link(Side.RESPONDER, None)
        try:
            with self._admission.handshake(network):
                await self._introduce(stream, link, b"")
        except PeerError as error:
            self._count("failed", error.line())
            return
        self._count("done", "")
        connection = self._opened(stream, link, network)
        try:
            self._accepted_send.send_nowait(connection)
        except trio.WouldBlock:
            self._check_running().start_soon(connection.aclose, CloseReason.FULL.name)
        except trio.BrokenResourceError:
            connection.abort("the transport has stopped")
        await connection.write()

    def _link(self, side: Side, expected_peer: bytes | None) -> SecureLink:
        return SecureLink(
            side,
            self._me,
            self._crypto,
            secret=self._secret,
            ephemeral=self._randomness.bytes(KEY_BYTES),
            nonce=self._randomness.bytes(NONCE_BYTES),
            public=self._public,
            expected_peer=expected_peer,
        )

    async def _introduce(self, stream: trio.SocketStream, link: SecureLink, first: bytes) -> None:
        """Shake hands and exchange hellos; closes the socket when they fail.

        :raises PeerError: whatever is wrong with the other end.
        """
        try:
            for phase, name in ((Phase.HANDSHAKE, "handshake"), (Phase.HELLO, "hello")):
                with trio.move_on_after(PHASE_TIMEOUT_S) as limit:
                    await _pass_phase(stream, link, phase, first)
                    first = b""
                if limit.cancelled_caught:
                    raise PeerError("TIMEOUT", f"no whole {name} within {PHASE_TIMEOUT_S:g} s", "a peer that answers")
        except BaseException:
            stream.socket.close()
            raise

    def _opened(self, stream: trio.SocketStream, link: SecureLink, network: str | None) -> NoiseConnection:
        connection = NoiseConnection(stream, link, self._closed)
        self._connections[connection] = network
        self._admission.opened(network)
        return connection

    def _closed(self, connection: NoiseConnection) -> None:
        self._admission.closed(self._connections.pop(connection))

    async def _look_after_connections(self) -> None:
        while True:
            await trio.sleep(KEEP_ALIVE_S / 2)
            now = trio.current_time()
            for connection in list(self._connections):
                connection.look(now)

    async def _close_all(self) -> None:
        with trio.CancelScope(shield=True):  # bounded: a close waits CLOSE_S
            async with trio.open_nursery() as closing:
                for connection in list(self._connections):
                    closing.start_soon(connection.aclose)

    def _count(self, outcome: str, detail: str) -> None:
        """Count an inbound handshake.  Not logged above debug: a stranger must not fill the disk."""
        help = "Handshakes that others began, by outcome"
        self._metrics.counter("noise_handshakes_total", help, outcome=outcome).add()
        if detail:
            self._log.debug("inbound handshake %s: %s", outcome, detail)


async def _dial(host: str, port: int) -> trio.SocketStream:
    """Open a TCP connection: to an address at once, for a name to the quickest of its addresses.

    trio's way for names, with a task for each address, costs 80 us more.
    """
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        return await trio.open_tcp_stream(host, port)
    dialled = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        await dialled.connect((host, port))
    except BaseException:
        dialled.close()
        raise
    return trio.SocketStream(dialled)


async def _pass_phase(stream: trio.SocketStream, link: SecureLink, phase: Phase, first: bytes) -> None:
    """Move bytes until `link` is past `phase`.

    :raises PeerError: the other end leaves, or breaks a rule.
    """
    try:
        if first:
            await stream.send_all(first)
        while link.phase is phase:
            data = await stream.receive_some(EARLY_READ_BYTES)
            if not data:
                raise PeerError("HANDSHAKE_FAILED", "the other end closed the connection before both were known", _CURE)
            answer = link.receive(bytes(data))
            if answer:
                await stream.send_all(answer)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        message = "the connection broke off before both ends were known"
        raise PeerError("HANDSHAKE_FAILED", message, _CURE) from None


_CURE = "a node of this chain, with the key of its address, that holds fewer connections than it may"


def _in_words(error: OSError) -> str:
    """Return what the system said; trio joins the failures of all addresses of a name in one error without a number."""
    causes = [error, *getattr(error.__cause__, "exceptions", (error.__cause__,))]
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno is not None]
    if isinstance(error, socket.gaierror) or not numbers:
        return error.strerror or str(error)
    return os.strerror(numbers[0])

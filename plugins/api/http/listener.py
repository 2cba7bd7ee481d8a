"""TCP and TLS listening: bind, accept up to a cap, close gracefully."""

from __future__ import annotations

import errno
import ssl
from collections import Counter
from collections.abc import Sequence

import trio

from metanode.core.metrics import Gauge
from metanode.core.model.errors import MetanodeError, SettingsError
from metanode.plugins.api.http.connection import Connection, Shared, watch_deadlines
from metanode.plugins.api.http.sockets import PlainStream

BACKLOG = 256
CLOSE_GRACE_S = 2
"""How long requests in work may take to finish when the node stops."""
REFUSALS_MAX = 32
"""Clients that are told at once that the listener is full; the ones beyond are closed without a word."""
ACCEPT_PAUSE_S = 0.1
"""Wait after the system ran out of file descriptors or memory for a connection."""

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)


def load_tls(certificate: str, key: str) -> ssl.SSLContext | None:
    """Return the TLS settings for a certificate, None when there is none.

    :raises SettingsError: a file is missing or is not what it must be.
    """
    if not certificate:
        if key:
            raise SettingsError("BAD_SETTING", f"tls_key is {key!r} without a tls_certificate", "both, or neither")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A password of nothing: an encrypted key must be refused, not asked for on a terminal.
        context.load_cert_chain(certificate, key or None, password="")
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            "BAD_SETTING",
            f"tls_certificate {certificate!r} with tls_key {key!r}: {error.strerror or error}",
            "readable PEM files: a certificate chain and its unencrypted private key",
        ) from error
    return context


async def bind(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on every address of `host`.

    :raises SettingsError: the port is taken, or the host is not this machine's.
    """
    try:
        return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except OSError as error:
        cure = "an address of this machine"
        if error.errno == errno.EADDRINUSE:
            cure = "another port (0 takes any free one), or stop the program that uses it"
        raise SettingsError(
            "BAD_SETTING",
            f"[plugins.api.http] cannot listen on {host} port {port}: {error.strerror or error}",
            cure,
        ) from error


def url(listener: trio.SocketListener, *, tls: bool) -> str:
    """Return the URL that a bound listener serves."""
    host, port = listener.socket.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


class Listener:
    """Serves the clients of bound sockets.

    :param open_connections: shows how many there are.
    """

    def __init__(
        self, shared: Shared, tls: ssl.SSLContext | None, connections_max: int, open_connections: Gauge
    ) -> None:
        self._shared = shared
        self._tls = tls
        self._connections_max = connections_max
        self._gauge = open_connections
        self._count = 0
        self._refusing = 0
        self._open: set[Connection] = set()
        self._accepting = trio.CancelScope()
        self._held = trio.CancelScope(shield=True)

    async def serve(
        self, sockets: Sequence[trio.SocketListener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; then finish the answers in work, for at most `CLOSE_GRACE_S`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hold, sockets)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._accepting.cancel()
                for connection in self._open:
                    connection.close_soon()
                self._held.deadline = trio.current_time() + CLOSE_GRACE_S

    async def _hold(self, sockets: Sequence[trio.SocketListener]) -> None:
        """Connections outlive the cancellation of `serve`, so that none is cut within an answer."""
        with self._held:
            async with trio.open_nursery() as watching:
                watching.start_soon(watch_deadlines, self._open)
                async with trio.open_nursery() as connections:
                    with self._accepting:
                        async with trio.open_nursery() as acceptors:
                            for socket in sockets:
                                acceptors.start_soon(self._accept, socket, connections)
                    for socket in sockets:
                        await socket.aclose()
                watching.cancel_scope.cancel()

    async def _accept(self, socket: trio.SocketListener, connections: trio.Nursery) -> None:
        while True:
            try:
                stream = await socket.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                self._shared.log.warning("cannot accept connections: %s", error)
                await trio.sleep(ACCEPT_PAUSE_S)
                continue
            if self._count < self._connections_max or self._make_room():
                self._count += 1
                self._gauge.set(self._count)
                connections.start_soon(self._serve_one, stream)
            elif self._refusing < REFUSALS_MAX and self._tls is None:
                self._refusing += 1
                connections.start_soon(self._turn_away, stream)
            else:
                await trio.aclose_forcefully(stream)

    def _make_room(self) -> bool:
        """End the connection whose client has let us wait longest; False when we owe every client an answer.

        Only the source that holds most of the waiting connections loses one, so whoever opens many and
        says little closes his own and nobody else's.
        """
        waiting = [(since, each) for each in self._open if (since := each.waits_since) is not None]
        if not waiting:
            return False
        held = Counter(each.peer for _, each in waiting)
        most = max(held.values())
        _, victim = min((row for row in waiting if held[row[1].peer] == most), key=lambda row: row[0])
        victim.give_way()
        return True

    async def _serve_one(self, stream: trio.SocketStream) -> None:
        peer = _peer(stream)
        try:
            secured = await self._secure(stream)
            if secured is None:
                return
            connection = Connection(secured, peer, self._shared)
            self._open.add(connection)
            try:
                if self._accepting.cancel_called:
                    connection.close_soon()
                await connection.serve()
            finally:
                self._open.discard(connection)
        finally:
            self._count -= 1
            self._gauge.set(self._count)

    async def _secure(self, stream: trio.SocketStream) -> trio.abc.Stream | None:
        """Return the stream to speak HTTP on; None when the TLS handshake fails or takes too long."""
        if self._tls is None:
            return PlainStream(stream)
        secured = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        try:
            with trio.move_on_after(self._shared.header_timeout_s):
                await secured.do_handshake()
                return secured
        except trio.BrokenResourceError as error:
            self._shared.log.debug("TLS handshake failed: %s", error.__cause__ or error)
        await trio.aclose_forcefully(stream)
        return None

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        full = MetanodeError("TOO_MANY_CONNECTIONS", f"{self._connections_max} connections are open already")
        try:
            await Connection(stream, _peer(stream), self._shared).turn_away(full)
        finally:
            self._refusing -= 1


def _peer(stream: trio.SocketStream) -> str:
    """Return the client's address; an IPv4 client of an IPv6 socket by its IPv4 address."""
    try:
        address = str(stream.socket.getpeername()[0])
    except OSError:
        return "unknown"  # it went already; the first read will tell
    return address.removeprefix("::ffff:") if "." in address else address

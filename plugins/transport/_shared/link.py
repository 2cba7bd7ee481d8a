"""A link sends and receives datagrams: the seam below every transport on UDP.

A UDP socket here, a network in memory for tests (`lossy_net`), a tunnel through a relay: what is above is the same.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable
from typing import Protocol

import trio

Place = tuple[str, int]
"""Host, always a literal IP address, and port."""

BATCH_MAX = 64
"""Datagrams taken from a link at once, before anything is answered."""
DATAGRAM_BYTES_MAX = 65_535
"""Largest read from a socket: a burst that the kernel joined, at most what UDP can carry."""
SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
"""Asked of the system for each direction of a socket; it may give less."""

_LINUX = sys.platform == "linux"
# From linux/in.h and linux/in6.h; the standard library has no names for them.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 23, 3
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104  # linux/udp.h
_SEGMENTS_MAX = 48  # of one call; the kernel takes 64 and 65,507 bytes
_SEGMENTED_BYTES_MAX = 60_000
_ANCILLARY_BYTES = socket.CMSG_SPACE(4)

class Link(Protocol):
    """Sends and receives datagrams; never waits but in `wait`."""

    @property
    def place(self) -> Place:
        """Where datagrams for this link are to be sent."""

    def send(self, datagrams: Iterable[tuple[bytes, Place]]) -> None:
        """Send what can be sent now; the rest is lost, as it may be anywhere on the way."""

    async def wait(self) -> None:
        """Wait until `receive_many` may return something."""

    def receive_many(self) -> list[tuple[bytes, Place]]:
        """Return up to BATCH_MAX datagrams that are here, with their senders."""

    def unreachable(self) -> list[Place]:
        """Return the places of which the system said since the last call that nobody is there."""

    def close(self) -> None:
        """Send and receive no more; who waits is woken with `trio.ClosedResourceError`."""


class UdpLink:
    """A UDP socket.

    :raises OSError: the place cannot be bound.
    """

    def __init__(self, host: str, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._socket.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if _LINUX:
                self._set_linux_options(family)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        bound = self._socket.getsockname()
        self._place: Place = (bound[0], bound[1])
        self._unreachable: list[Place] = []
        self._segments = _LINUX and self._coalesce()
        self.unsent = 0
        """Datagrams that the system did not take."""

    def _set_linux_options(self, family: socket.AddressFamily) -> None:
        """Set "don't fragment" (RFC 9000 section 14), and have ICMP errors told with their address."""
        if family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)

    def _coalesce(self) -> bool:
        """Ask Linux to hand over several datagrams of one sender at once; False when it is too old to."""
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return True

    @property
    def place(self) -> Place:
        """Host and port of the socket."""
        return self._place

    def send(self, datagrams: Iterable[tuple[bytes, Place]]) -> None:
        """Send what the system takes; a run of datagrams to one place goes in one call where Linux allows it."""
        if not self._segments:
            for data, place in datagrams:
                self._send_one(data, place)
            return
        run: list[bytes] = []
        target: Place = ("", 0)
        size = total = 0
        for data, place in datagrams:
            # All of a run are as long as the first; a shorter one ends it.
            fits = place == target and len(data) <= size and len(run) < _SEGMENTS_MAX and total < _SEGMENTED_BYTES_MAX
            if not run or not fits or len(run[-1]) < size:
                if run:
                    self._send_run(run, target, size)
                run, target, size, total = [], place, len(data), 0
            run.append(data)
            total += len(data)
        if run:
            self._send_run(run, target, size)

    def _send_run(self, run: list[bytes], place: Place, size: int) -> None:
        if len(run) == 1:
            self._send_one(run[0], place)
            return
        try:
            self._socket.sendmsg([b"".join(run)], [(_SOL_UDP, _UDP_SEGMENT, size.to_bytes(2, sys.byteorder))], 0, place)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                self.unsent += len(run)
                return
            if error.errno in (errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP):
                self._segments = False  # this way out cannot: an old kernel, a device without checksums of its own
            for data in run:
                self._send_one(data, place)

    def _send_one(self, data: bytes, place: Place) -> None:
        try:
            self._socket.sendto(data, place)
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:  # said of an earlier datagram, to anybody
                self._read_errors()
            elif error.errno == errno.EBADF:
                raise
            self.unsent += 1  # to the protocol above it is a lost datagram: the next may pass

    async def wait(self) -> None:
        """Wait for a datagram, or for an error."""
        await trio.lowlevel.wait_readable(self._socket)

    def receive_many(self) -> list[tuple[bytes, Place]]:
        """Return what waits in the socket, about BATCH_MAX datagrams at most."""
        taken: list[tuple[bytes, Place]] = []
        receive = self._socket.recvmsg
        space = _ANCILLARY_BYTES if self._segments else 0
        try:
            while len(taken) < BATCH_MAX:
                data, ancillary, _, sender = receive(DATAGRAM_BYTES_MAX, space)
                place = sender[:2]
                if not ancillary:
                    taken.append((data, place))
                    continue
                size = int.from_bytes(ancillary[0][2][:4], sys.byteorder)  # several that the kernel put together
                taken += [(data[start : start + size], place) for start in range(0, len(data), size)]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno == errno.EBADF:
                raise
            self._read_errors()
        return taken

    def unreachable(self) -> list[Place]:
        """Return where nobody listens, as far as Linux told."""
        places, self._unreachable = self._unreachable, []
        return places

    def _read_errors(self) -> None:
        """Empty the error queue: a queue with something in it keeps the socket "readable" for ever."""
        if not _LINUX:
            return
        for _ in range(BATCH_MAX):
            try:
                _, _, _, target = self._socket.recvmsg(0, 0, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if target:
                self._unreachable.append(target[:2])

    def close(self) -> None:
        """Close the socket."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


async def resolve(host: str, port: int, *, listening: bool = False) -> list[Place]:
    """Return the literal addresses of a host name, of either family.

    :raises OSError: the name has none.
    """
    flags = socket.AI_PASSIVE if listening else 0
    found = await trio.socket.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=flags)
    families = (socket.AF_INET, socket.AF_INET6)
    places = [(str(address[0]), int(address[1])) for family, _, _, _, address in found if family in families]
    if not places:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return list(dict.fromkeys(places))

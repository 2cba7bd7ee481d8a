"""Network namespaces of Linux, each a machine of its own as far as the network goes, with a TUN device in it.

They have no names and leave nothing behind: one ends with the last process or descriptor that holds it.
Needs root.  Facts: network_namespaces(7), setns(2), and the kernel's Documentation/networking/tuntap.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import TracebackType

TUN_FILE = "/dev/net/tun"
CLONE_NEWNET = 0x4000_0000
TUNSETIFF = 0x4004_54CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
IFF_UP, IFF_RUNNING = 0x1, 0x40
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922
THIS_THREADS = "/proc/thread-self/ns/net"


def missing() -> str:
    """Return why no namespace can be made here; "" when it can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.access(TUN_FILE, os.R_OK | os.W_OK):
        return f"this kernel has no {TUN_FILE}"
    return ""


class Namespace:
    """One of them, with only a loopback interface to begin with.  To be closed."""

    def __init__(self) -> None:
        made: list[int | OSError] = []

        def make() -> None:
            try:
                _call("unshare", CLONE_NEWNET)
                _configure(b"lo")
                made.append(os.open(THIS_THREADS, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=make)  # unshare moves the thread that calls it, and there is no way back
        thread.start()
        thread.join()
        (result,) = made
        if isinstance(result, OSError):
            raise result
        self._fd = result

    def __enter__(self) -> Namespace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Run the block in it: processes that this thread starts and sockets that it opens belong to it for good."""
        before = os.open(THIS_THREADS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self._fd, CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", before, CLONE_NEWNET)
        finally:
            os.close(before)

    def open_tun(self, address: str, netmask: str, *, mtu: int) -> int:
        """Return a descriptor of a new TUN device in it: one IP packet a read or write, never waiting."""
        name = b"tun0"
        with self.inside():
            device = os.open(TUN_FILE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name, IFF_TUN | IFF_NO_PI))
                _configure(name, address, netmask, mtu)
            except OSError:
                os.close(device)
                raise
        return device


def _configure(name: bytes, address: str = "", netmask: str = "", mtu: int = 0) -> None:
    """Give an interface of this thread's namespace its address, and switch it on."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control:
        if address:
            for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, netmask)):
                packed = struct.pack("16sHH4s16x", name, socket.AF_INET, 0, socket.inet_aton(value))
                fcntl.ioctl(control, request, packed)
            fcntl.ioctl(control, SIOCSIFMTU, struct.pack("16si20x", name, mtu))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", name, IFF_UP | IFF_RUNNING))


def _call(name: str, *words: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*words) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")

"""Where a node is reached: `TRANSPORT:PLACE#NODEKEY`, e.g. `noise:203.0.113.5:8646#<64 hex digits>`.

The node key may be left out; then whoever answers for this chain is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from metanode.core.model.errors import PeerError
from metanode.core.model.limits import PUBLIC_KEY_BYTES

ADDRESS_CHARS_MAX = 400
"""Longest address: a transport's name, the longest host name (253), a port, a key."""
FORM = "TRANSPORT:PLACE#NODEKEY with the key as 64 hex digits, e.g. noise:203.0.113.5:8646#..."

_SHAPE = re.compile(r"(?P<transport>[a-z][a-z0-9_]*):(?P<place>[^#\s]+)(?:#(?P<key>[0-9a-f]{64}))?")
_KEY = re.compile(r"[0-9a-f]{64}")
assert PUBLIC_KEY_BYTES == 32, "64 hex digits"


@dataclass(frozen=True)
class Address:
    """An address, taken apart."""

    transport: str
    """Short name of the transport plugin."""
    place: str
    """What the transport makes of it, e.g. HOST:PORT."""
    node_key: bytes | None = None
    """The key that must answer, 32 bytes; None when anybody may."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Take an address apart.

        :raises PeerError: UNREACHABLE, it has another form.
        """
        shape = _SHAPE.fullmatch(text) if len(text) <= ADDRESS_CHARS_MAX else None
        if shape is None:
            raise PeerError("UNREACHABLE", f"{text[:ADDRESS_CHARS_MAX]!r} is no address of a node", FORM)
        key = shape["key"]
        return cls(shape["transport"], shape["place"], None if key is None else parse_node_key(key))

    def __str__(self) -> str:
        key = "" if self.node_key is None else f"#{self.node_key.hex()}"
        return f"{self.transport}:{self.place}{key}"


def parse_node_key(text: str) -> bytes:
    """Return the 32 bytes of a node key.

    :raises PeerError: WRONG_PEER, not 64 hex digits.
    """
    if _KEY.fullmatch(text) is None:
        raise PeerError("WRONG_PEER", f"{text[:80]!r} is no node key", "64 hex digits")
    return bytes.fromhex(text)


def split_host_port(place: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPV6]:PORT`.

    :raises PeerError: UNREACHABLE, it has another form.
    """
    host, _, port = place.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""  # an IPv6 address without brackets: which colon begins the port is anybody's guess
    if not host or re.fullmatch(r"[0-9]{1,5}", port) is None or int(port) > 0xFFFF:
        raise PeerError("UNREACHABLE", f"{place!r} is no place on a network", "HOST:PORT or [IPV6]:PORT")
    return host, int(port)


def join_host_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

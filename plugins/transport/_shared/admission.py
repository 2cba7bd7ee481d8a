"""Who may try to connect: limits per address and for all, asked before any computing is done for a stranger."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

HANDSHAKES_MAX = 64
"""Handshakes of others under way at once; a further connection is closed unheard."""
HANDSHAKES_PER_ADDRESS_MAX = 32
"""Of these, from one IPv4 address or one IPv6 /64."""


def network_of(host: str) -> str:
    """Return what one owner surely holds: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Admission:
    """Counts what is open and under way."""

    def __init__(self, connections_max: int, per_address_max: int) -> None:
        self._connections_max = connections_max
        self._per_address_max = per_address_max
        self._open: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()
        self._dialled = 0

    @property
    def full(self) -> bool:
        """Whether no further connection may be held."""
        return self._open.total() + self._under_way.total() + self._dialled >= self._connections_max

    def refusal(self, network: str) -> str:
        """Return in words why a handshake from `network` may not begin; "" when it may."""
        if self.full:
            return f"{self._connections_max} connections are open"
        if self._open[network] >= self._per_address_max:
            return f"{network} holds {self._per_address_max} connections"
        if self._under_way.total() >= HANDSHAKES_MAX:
            return f"{HANDSHAKES_MAX} handshakes are under way"
        if self._under_way[network] >= HANDSHAKES_PER_ADDRESS_MAX:
            return f"{HANDSHAKES_PER_ADDRESS_MAX} handshakes from {network} are under way"
        return ""

    @contextmanager
    def handshake(self, network: str) -> Iterator[None]:
        """Count a handshake while the block lasts."""
        _add(self._under_way, network, 1)
        try:
            yield
        finally:
            _add(self._under_way, network, -1)

    def opened(self, network: str | None) -> None:
        """Count a connection; None for one that we dialled."""
        self._count(network, 1)

    def closed(self, network: str | None) -> None:
        """Count it no more."""
        self._count(network, -1)

    def _count(self, network: str | None, change: int) -> None:
        if network is None:
            self._dialled += change
        else:
            _add(self._open, network, change)


def _add(counter: Counter[str], key: str, change: int) -> None:
    """Change a count; a count of nothing takes no memory."""
    counter[key] += change
    if counter[key] == 0:
        del counter[key]

"""Who asks: the peer's address, or the one a trusted proxy forwards; and which web pages may read answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from metanode.core.model.errors import SettingsError

FORWARDED_MAX = 16
"""Addresses of an X-Forwarded-For header that are looked at, nearest first."""


class Sources:
    """Finds a request's source.

    :param trusted_proxies: addresses or networks (CIDR) whose X-Forwarded-For is believed.
    :raises SettingsError: one of them is neither.
    """

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._trusted: list[IPv4Network | IPv6Network] = []
        for text in trusted_proxies:
            try:
                self._trusted.append(ip_network(text))
            except ValueError as error:
                raise SettingsError(
                    "BAD_SETTING", f"trusted_proxies has {text!r}", "addresses or networks such as 10.0.0.0/8"
                ) from error

    def source(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the address nearest to this node that is not a trusted proxy."""
        forwarded = headers.get("x-forwarded-for") if self._trusted else None
        if not forwarded or not self._trusts(peer):
            return peer
        nearest = peer
        for text in reversed(forwarded.split(",")[-FORWARDED_MAX:]):
            try:
                nearest = str(ip_address(text.strip()))
            except ValueError:
                break
            if not self._trusts(nearest):
                break
        return nearest

    def _trusts(self, peer: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


class Origins:
    """Cross-origin rules (the Fetch standard's CORS protocol): a page of another origin reads nothing unless listed."""

    def __init__(self, cors_origins: Sequence[str]) -> None:
        for text in cors_origins:
            if text != "*" and not text.startswith(("http://", "https://")):
                allowed = "origins such as https://wallet.example, or *"
                raise SettingsError("BAD_SETTING", f"cors_origins has {text!r}", allowed)
        self._listed = frozenset(cors_origins)

    def headers(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return what lets the page that sent this request read the answer; nothing when it may not."""
        if not self._listed:
            return ()
        vary = ("Vary", "Origin")
        origin = headers.get("origin")
        if origin is None or not self._lists(origin):
            return (vary,)
        return (
            vary,
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "metanode-node, metanode-signature, retry-after, x-request-id"),
        )

    def preflight(self, headers: Mapping[str, str], allow: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that answer a browser's question before it sends `allow` methods."""
        found = self.headers(headers)
        if len(found) < 2 or "access-control-request-method" not in headers:
            return found
        return (
            *found,
            ("Access-Control-Allow-Methods", allow),
            ("Access-Control-Allow-Headers", "content-type, x-request-id"),
            ("Access-Control-Max-Age", "600"),
        )

    def admits_socket(self, headers: Mapping[str, str]) -> bool:
        """Whether a WebSocket may open: browsers ask no leave for those, so the server must look.

        Programs send no Origin; pages must be of this server's own host or listed.
        """
        origin = headers.get("origin")
        if origin is None or self._lists(origin):
            return True
        return origin.partition("://")[2] == headers.get("host", "")

    def _lists(self, origin: str) -> bool:
        return "*" in self._listed or origin in self._listed

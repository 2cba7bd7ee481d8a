"""The `[peers]` table: whom this node dials, and whom it lets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metanode.core.manifests import SettingSpec
from metanode.core.model.errors import PeerError, SettingsError
from metanode.core.wire.address import Address, parse_node_key

PEERS_SETTINGS: dict[str, SettingSpec] = {
    "dial": SettingSpec(
        "list", [], help="addresses to keep connected, each TRANSPORT:PLACE#NODEKEY; the node's own is skipped"
    ),
    "allow": SettingSpec(
        "list", [], help="node keys (64 hex digits) that may connect, beside those of dial; empty lets anybody"
    ),
}
"""The `[peers]` table."""


@dataclass(frozen=True)
class PeersSettings:
    """The `[peers]` table, read."""

    dial: tuple[Address, ...] = ()
    allow: frozenset[bytes] = frozenset()
    """Who may connect, those that are dialled among them; empty when anybody may."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any], source: str) -> PeersSettings:
        """Read addresses and keys.

        :raises SettingsError: one of them has another form.
        """
        try:
            dial = tuple(Address.parse(text) for text in values["dial"])
            allow = {parse_node_key(text) for text in values["allow"]}
        except PeerError as error:
            raise SettingsError("BAD_SETTING", f"{source}: [peers] {error.message}", error.expected) from None
        if allow:
            allow |= {address.node_key for address in dial if address.node_key is not None}
        return cls(dial, frozenset(allow))

    def as_values(self) -> dict[str, list[str]]:
        """Return the table in the form it is written in."""
        return {"dial": [str(address) for address in self.dial], "allow": sorted(key.hex() for key in self.allow)}

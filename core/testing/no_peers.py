"""Peers of a node that has none, for tests of a plugin."""

from __future__ import annotations

import trio


class NoPeers:
    """A `roles.Peers` without peers: nothing is sent, nothing arrives."""

    def broadcast(self, lane: int, payload: bytes) -> None:
        """Send to nobody."""

    def send(self, peer: bytes, lane: int, payload: bytes) -> bool:
        """Send to nobody."""
        return False

    def subscribe(self, lane: int) -> trio.abc.ReceiveChannel[tuple[bytes, bytes]]:
        """Return a channel in which nothing arrives."""
        _, receive = trio.open_memory_channel[tuple[bytes, bytes]](0)
        return receive

    def connected(self) -> tuple[bytes, ...]:
        """Nobody."""
        return ()

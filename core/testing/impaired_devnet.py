"""A devnet whose nodes are machines of their own, joined by links as bad as a test says; needs root.

    with ImpairedDevnet(tmp_path, Topology("devnet", 4, 0), seed=1, impairment=Impairment(delay_ms=50)) as net:
        net.links.cut(source=3)
        net.wait_for_height(net.height() + 3, net.nodes[:3])
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from metanode.core.cli.dev_homes import Place
from metanode.core.cli.dev_nodes import DevNode, DevNodes
from metanode.core.cli.dev_topology import Topology
from metanode.core.testing.devnet import Devnet
from metanode.core.testing.impaired_net import ImpairedNet, address_of
from metanode.core.testing.impairment import Impairment
from metanode.core.testing.namespaces import Namespace


class ImpairedDevnet(Devnet):
    """As `Devnet`; each node's API is on the loopback interface of its own namespace."""

    def __init__(self, directory: Path, topology: Topology, *, seed: int, impairment: Impairment) -> None:
        super().__init__(directory, topology)
        _tell_addresses(self.places)
        self.links = ImpairedNet(len(self.places), seed=seed, impairment=impairment)
        """What joins the nodes, by their index."""
        self.nodes = _Nodes(self.places, directory, self.links.spaces)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.links.__exit__(kind, error, trace)


class _Node(DevNode):
    def __init__(self, place: Place, directory: Path, space: Namespace) -> None:
        super().__init__(place, directory)
        self._space = space

    def start(self) -> None:
        """Start it in its namespace."""
        with self._space.inside():
            super().start()

    def get(self, path: str) -> Any:
        """Ask it from within its namespace, where no link is in between."""
        with self._space.inside():
            return super().get(path)


class _Nodes(DevNodes):
    def __init__(self, places: list[Place], directory: Path, spaces: list[Namespace]) -> None:
        super().__init__(places, directory)
        self._nodes = [_Node(place, directory, space) for place, space in zip(places, spaces, strict=True)]


def _tell_addresses(places: list[Place]) -> None:
    """Write the addresses of the namespaces into the settings, which were made for one machine."""
    for place in places:
        text = place.home.settings_file.read_text()
        for port, peer in enumerate(places):
            text = text.replace(f"127.0.0.1:{peer.peer_port}", f"{address_of(port)}:{peer.peer_port}")
        place.home.settings_file.write_text(text)

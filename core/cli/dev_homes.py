"""The homes of a network on one machine: one genesis, and for each node keys, settings and ports of its own."""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.dev_topology import Topology
from metanode.core.cli.verbs import find_verbs
from metanode.core.clock import SystemClock, SystemRandomness
from metanode.core.crypto import keystore
from metanode.core.home import Home, founders_genesis
from metanode.core.identity import KEY_NAMES, Identity, fresh_identity
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, genesis_from_json

PORT_FIRST, PORT_LAST = 20_000, 32_000
"""Below the ports that Linux gives to outgoing connections: none of those may sit on a node's port while it is down."""
PASSPHRASE_BYTES = 24
SETTINGS = """\
# A node of a network that `metanode dev` made.

[node]
name = {name}

[roles]
storage = "sqlite"
ledger = "attested"
mempool = "fifo"
consensus = "qbft"
transport = ["noise"]
api = ["http", "status"]

[peers]
dial = {dial}
allow = {allow}
"""


@dataclass(frozen=True)
class Place:
    """Where one node of the network is."""

    name: str
    home: Home
    identity: Identity
    api_port: int
    peer_port: int
    validator: bool

    @property
    def url(self) -> str:
        """Its API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def address(self) -> str:
        """Where peers dial it."""
        return f"noise:127.0.0.1:{self.peer_port}#{self.identity.node.public_key.hex()}"


def make_homes(directory: Path, topology: Topology) -> list[Place]:
    """Make every node's home below `directory`; validators first, by their index in the set.

    Keys are stretched no more than they need: their passphrases are drawn, and lie beside them.

    :raises MetanodeError: no free ports, or the disk refuses.
    """
    randomness = SystemRandomness()
    founders = [fresh_identity(randomness) for _ in range(topology.validators)]
    founders.sort(key=lambda identity: identity.sponsor.account)  # as the set counts them
    identities = [*founders, *(fresh_identity(randomness) for _ in range(topology.watchers))]
    genesis = _genesis(founders, topology).to_json().encode()
    ports = free_ports(2 * len(identities))
    places = [
        Place(name, Home(directory / name), identity, ports[2 * i], ports[2 * i + 1], i < topology.validators)
        for i, (name, identity) in enumerate(zip(topology.names, identities, strict=True))
    ]
    try:
        for place in places:
            place.home.keys_dir.mkdir(mode=0o700, parents=True)
            _write_new(place.home.genesis_file, genesis)
            _write_keys(place, randomness)
            write_settings(place, places, topology.settings)
            if place.validator:
                _make_guard(place.home)
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{directory}: {error.strerror}", "a place that can be written") from error
    return places


def write_settings(
    place: Place, peers: Sequence[Place], extra: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> None:
    """Write, or write anew, a node's settings: whom it dials and lets in are `peers`."""
    tables: dict[str, dict[str, Any]] = {
        f"{role}.{plugin}": dict(values) for role, plugins in extra.items() for plugin, values in plugins.items()
    }
    tables.setdefault("api.http", {}).update(host="127.0.0.1", port=place.api_port)
    tables.setdefault("api.status", {})["name"] = place.name
    tables.setdefault("transport.noise", {})["listen"] = [f"127.0.0.1:{place.peer_port}"]
    dial = [peer.address for peer in peers if peer is not place]
    allow = [peer.identity.node.public_key.hex() for peer in peers]
    text = SETTINGS.format(name=_toml(place.name), dial=_toml(dial), allow=_toml(allow))
    for name, values in tables.items():
        text += f"\n[plugins.{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
    place.home.settings_file.write_text(text)


def _genesis(founders: Sequence[Identity], topology: Topology) -> Genesis:
    """Return the genesis of these validators, with the topology's own parameters.

    :raises SettingsError: a parameter is unknown or out of range.
    """
    made = json.loads(founders_genesis(founders, genesis_ms=SystemClock().now_ms(), name=topology.network).to_json())
    made["params"].update(topology.params)
    return genesis_from_json(json.dumps(made))


def free_ports(count: int) -> list[int]:
    """Return that many ports of the loopback interface on which nobody listens.

    :raises MetanodeError: there are not as many.
    """
    start = random.randrange(PORT_FIRST, PORT_LAST)  # two networks that start at once must not meet
    found: list[int] = []
    for i in range(PORT_LAST - PORT_FIRST):
        port = PORT_FIRST + (start - PORT_FIRST + i) % (PORT_LAST - PORT_FIRST)
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise MetanodeError("BAD_SETTING", f"fewer than {count} free ports from {PORT_FIRST} to {PORT_LAST}", "fewer nodes")


def _write_keys(place: Place, randomness: SystemRandomness) -> None:
    passphrase = randomness.bytes(PASSPHRASE_BYTES).hex().encode()
    _write_new(place.home.passphrase_file, passphrase + b"\n")
    for purpose in KEY_NAMES:
        path, pair = place.home.keys_dir / f"{purpose}.key", getattr(place.identity, purpose)
        label = f"{place.name} {purpose}"
        keystore.create(path, pair.seed, passphrase, label=label, randomness=randomness, drawn=True)


def _write_new(path: Path, data: bytes) -> None:
    """Write a file of a network to try things with: after a power cut one makes another, so nothing is synced."""
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)


def _make_guard(home: Home) -> None:
    """Let a key that was never used sign: the verb is the engine's own, and core knows no engine.

    :raises MetanodeError: there is no such verb, or it refuses.
    """
    entry = find_verbs().get("guard")
    if entry is None:
        raise MetanodeError("PLUGIN_UNKNOWN", "consensus.qbft is not installed: there is no verb guard")
    console = Console(json=True, color=False, out=io.StringIO())
    entry.load().run(argparse.Namespace(action="init", above=0, home=home.path, json=True, console=console))


def _toml(value: Any) -> str:
    """Return a text, number, flag or list of them as TOML: there JSON writes the same."""
    return json.dumps(value)

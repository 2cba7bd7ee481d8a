"""The parts of `metanode dev` that need no process: topologies, homes, what is watched and how it is shown."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.console import Console
from metanode.core.cli.dev_homes import free_ports, make_homes
from metanode.core.cli.dev_nodes import DevNodes
from metanode.core.cli.dev_topology import Topology, load_topology, presets
from metanode.core.cli.dev_view import View
from metanode.core.cli.dev_watch import KEPT_HEIGHTS, Agreement, Watch
from metanode.core.cli.frame import main
from metanode.core.crypto import install
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError
from metanode.core.model.validators import decode_set


@pytest.fixture
def nodes(tmp_path: Path) -> DevNodes:
    """Two nodes that never run."""
    install()
    return DevNodes(make_homes(tmp_path, Topology("devnet", 2, 0)), tmp_path)


def test_presets_have_the_sizes_they_promise() -> None:
    """devnet 4, testnet 9, mainnet-like 25 validators."""
    assert {name: topology.validators for name, topology in presets().items()} == {
        "devnet": 4, "testnet": 9, "mainnet-like": 25
    }  # fmt: skip


def test_a_topology_file_says_how_many_and_how(tmp_path: Path) -> None:
    """Counts, parameters and plugin settings; what is left out is a devnet's."""
    file = tmp_path / "mine.toml"
    file.write_text("validators = 7\nwatchers = 2\n[params]\nblock_ms = 200\n[settings.mempool.fifo]\nttl_s = 60\n")
    made = load_topology(str(file))
    assert made == Topology("devnet", 7, 2, {"block_ms": 200}, {"mempool": {"fifo": {"ttl_s": 60}}})
    assert made.names == ("v0", "v1", "v2", "v3", "v4", "v5", "v6", "w0", "w1")


@pytest.mark.parametrize(
    "text", ["validators = 0", "validators = 101", "watcher = 1", 'network = "moon"', "params = 3", "settings = 3"]
)
def test_a_wrong_topology_file_is_refused(tmp_path: Path, text: str) -> None:
    """With the file and the key."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(MetanodeError, match=r"mine\.toml"):
        load_topology(str(file))


@pytest.mark.parametrize(
    "words", [["--validators", "0"], ["--seconds", "0"], ["--topology", "nosuch"], ["--keep", "/"]]
)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 1 or 2."""
    assert main(["dev", *words]) in (1, 2)
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_homes_have_one_genesis_and_keys_of_their_own(tmp_path: Path) -> None:
    """Settings that a node accepts, distinct keys for every duty, validators in the order of the set."""
    install()
    places = make_homes(tmp_path, Topology("devnet", 3, 1, {"block_ms": 300}, {"mempool": {"fifo": {"ttl_s": 60}}}))
    assert len({place.home.genesis_file.read_bytes() for place in places}) == 1
    genesis = places[0].home.genesis()
    assert genesis.params.block_ms == 300
    members = [member.consensus_key for member in decode_set(genesis.validators)]
    assert members == [place.identity.consensus.public_key for place in places if place.validator]
    identities = [Home(place.home.path).identity() for place in places]
    keys = {getattr(who, duty).public_key for who in identities for duty in ("node", "consensus", "vrf", "sponsor")}
    assert len(keys) == 16
    settings = places[3].home.settings()
    assert settings.roles["consensus"] == ("qbft",)
    assert len(settings.peers.dial) == 3
    assert settings.plugins["mempool.fifo"] == {"ttl_s": 60}
    assert (places[0].home.path / "data" / "consensus.qbft" / "guard").exists()
    assert not (places[3].home.path / "data" / "consensus.qbft").exists(), "a watcher signs nothing"


def test_ports_differ() -> None:
    """All of them."""
    assert len(set(free_ports(50))) == 50


def test_two_blocks_at_one_height_are_a_fork() -> None:
    """Whoever says it first; what is forgotten is forgotten."""
    agreement = Agreement()
    assert agreement.check("v0", 1, "aa") == agreement.check("v1", 1, "aa") == ""
    assert agreement.compared == 1
    assert agreement.check("v2", 1, "bb") == "fork at height 1: aa on v0, bb on v2"
    for height in range(2, KEPT_HEIGHTS + 2):
        assert not agreement.check("v0", height, "aa")
    assert agreement.check("v2", 1, "bb") == ""


def said(height: int) -> dict[str, Any]:
    """A node's answer."""
    return {
        "head": {"height": height, "header_hash": f"{height:064x}"},
        "connected": ["aa"],
        "consensus": {"round": 0, "waiting": "waiting for the next block to be due"},
    }


def test_the_watch_tells_heights_and_forks(nodes: DevNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The highest, the lowest of those that answer, and each contradiction once."""
    watch = Watch(nodes)
    monkeypatch.setattr(nodes, "statuses", lambda: [said(3), said(2)])
    assert list(watch.look()) == []
    assert (watch.height, watch.low) == (3, 2)
    other = said(3)
    other["head"]["header_hash"] = "ff"
    monkeypatch.setattr(nodes, "statuses", lambda: [None, other])
    ((kind, words),) = watch.look()
    assert kind == "fork"
    assert words.startswith("fork at height 3: ")
    assert watch.forks == [words]


def test_without_a_terminal_there_are_lines_and_with_json_objects(
    nodes: DevNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No control codes; each object names its event."""
    watch = Watch(nodes)
    monkeypatch.setattr(nodes, "statuses", lambda: [said(3), None])
    list(watch.look())
    for as_json in (False, True):
        out = io.StringIO()
        view = View(Console(json=as_json, out=out), nodes)
        view.show(watch, None)
        view.event("died", "v1 was ended by signal 9")
        first, second = out.getvalue().splitlines()
        assert "\x1b" not in out.getvalue()
        if as_json:
            assert json.loads(first)["height"] == 3
            assert json.loads(second)["event"] == "died"
        else:
            assert "height 3 to 3, no block yet, 1 of 2 nodes answer" in first
            assert second.endswith("died  v1 was ended by signal 9")


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_table_is_redrawn_in_its_place(nodes: DevNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many lines up as were drawn; no line is longer than the terminal is wide."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    watch = Watch(nodes)
    monkeypatch.setattr(nodes, "statuses", lambda: [said(3), None])
    list(watch.look())
    out = Terminal()
    view = View(Console(out=out, color=False), nodes)
    view.show(watch, 5.0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) < 60
    assert lines[3].endswith("not running")
    view.show(watch, 4.0)
    assert f"\x1b[{len(lines)}A\x1b[J" in out.getvalue()
    assert os.environ["COLUMNS"] == "60"

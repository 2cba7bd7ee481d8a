"""This machine claims to be a PowerBook G4: the real miner says so to a real node, which names what contradicts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.node_api import NodeApi
from metanode.core.home import Home
from metanode.fingerprint.collect import collect
from metanode.fingerprint.consistency import CODES
from metanode.fingerprint.multipliers import SCALE

pytestmark = pytest.mark.endtoend

WAIT_S = 60.0
"""Longest wait for anything; on an idle host the whole takes a few seconds."""
METANODE = [sys.executable, "-m", "metanode.core.cli"]
FORGED_MINER = """
import sys
from dataclasses import replace
from metanode.fingerprint.collect import collect
from metanode.miner import measure
from metanode.miner.command import main

def forged():
    report = collect()
    machine = report.inventory
    cpu = replace(
        machine.cpu, vendor="", name="7447A, altivec supported", family=0, model=0, stepping=0, pvr=0x80030101,
        clock_mhz=1500,
    )
    board = replace(machine.board, model="PowerBook5,6")
    told = replace(machine, machine="ppc", word_bits=32, byte_order="big", cpu=cpu, board=board)
    return replace(report, inventory=told)

measure.collect = forged
sys.exit(main(sys.argv[1:]))
"""
"""The miner as it ships; only what it is told of its machine is another's."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[str]:
    """The address of a devnet node of its own."""
    home = Home(tmp_path / "node")
    init = [*METANODE, "init", "--home", str(home.path), "--port", "0", "--json"]
    subprocess.run(init, check=True, timeout=WAIT_S, capture_output=True)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*METANODE, "run", "--home", str(home.path)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + WAIT_S
        while not (state := home.read_running()) or not state["addresses"]:
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the node did not start in time"
            time.sleep(0.02)
        yield str(state["addresses"][0])
    finally:
        process.terminate()
        process.wait(WAIT_S)


def miner(directory: Path, *words: str, code: str = "") -> list[dict[str, Any]]:
    """Run a command of the miner to its end; returns what it printed."""
    start = [sys.executable, "-c", code] if code else [sys.executable, "-m", "metanode.miner.command"]
    done = subprocess.run(
        [*start, words[0], "--json", "--dir", str(directory), *words[1:]],
        capture_output=True, text=True, timeout=WAIT_S, check=True,
        env={key: value for key, value in os.environ.items() if key != "METANODE_PASSPHRASE"},
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_forged_g4_is_held_down_with_named_contradictions(tmp_path: Path, node: str) -> None:
    """The chain holds it, unpaid above modern hardware; reply, view and status say what gave it away."""
    directory = tmp_path / "miner"
    events = miner(directory, "run", "--wallet", "RTC" + "33" * 20, "--node", node, "--rounds", "1", code=FORGED_MINER)
    (attested,) = [event["reply"] for event in events if event["event"] == "attested"]
    (machine,) = NodeApi(node).get("/v1/miners")["miners"]
    view = NodeApi(node).get(f"/v1/miners/{machine['machine_index']}")
    for told in (attested, view):
        assert told["arch"] == "G4", "the claim is what it is"
        assert told["class"] in ("unknown", "virtual", "emulated")
        assert told["payable"] <= SCALE
        assert "contradiction" in [cap["name"] for cap in told["caps"]]
    (status,) = miner(directory, "status")
    for checks in (attested["checks"], view["checks"], status["checks"]):
        (consistency,) = [check for check in checks if check["name"] == "consistency"]
        assert (consistency["verdict"], consistency["reason"]) == ("fail", "CONTRADICTION")
        named = {name.upper() for name in consistency["numbers"]} & set(CODES)
        assert {"FEATURE_IMPOSSIBLE"} <= named, "an x86 feature on a PowerPC"
    if collect().inventory.signs:  # as on every rented server
        assert "virtual_machine" in [check["name"] for check in status["checks"] if check["verdict"] == "fail"]

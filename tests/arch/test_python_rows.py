"""Whole Python on foreign processors: what a row accepts, what it leaves out, and that nothing outlives it.

The rows themselves need emulators and take minutes: `make test-arch` runs them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from metanode.fingerprint.probes.readings import from_json
from metanode.fingerprint.probes.workload import draw
from metanode.platforms.shims.probes import STATUSES

ROOT = Path(__file__).resolve().parents[2]
ARCH = ROOT / "contrib" / "arch"
VINTAGE = ROOT / "platforms" / "vintage"
GOOD = {
    "problem": "", "order": "big", "bits": 32, "usable": ["portable", "altivec"], "selected": "altivec", "hash": "shim",
    "outcomes": {"passed": 7}, "first": "", "code": 0,
}  # fmt: skip
"""What a G4 says of itself when all is well."""


def probe_runs(count: int) -> str:
    """What runs of the compiled probes on an emulated PowerMac write to its console, from the corpus."""
    path = ROOT / "tests" / "corpus" / "probes" / "emulated-powerpc-7450-booted.json"
    text = []
    for run in json.loads(path.read_text("ascii"))["runs"][:count]:
        readings = from_json(run)
        text.append(f"INIT begin /probes {readings.challenge.hex()} 45")
        for probe, one in sorted(readings.by_probe.items()):
            steps, size = draw(readings.challenge, probe).size(probe)
            head = f"{probe} {STATUSES.index(one.status)} {steps} {size} {one.repeat} {one.result:016x} right"
            text.append(" ".join([head, *map(str, one.ns)]))
        text.append("INIT end 0")
    return "\n".join(text)


G4_CONSOLE = f"""\
Linux version 6.1
INIT begin /pyppc/bin/python3.11 -S -c print(open('/proc/cpuinfo').read())
cpu\t\t: 7447A, altivec supported
INIT end 0
INIT begin /driver
words 32 BE
built portable altivec
supported portable altivec
path portable ok 7597 cases
path altivec ok 7597 cases
INIT end 0
{probe_runs(10)}
INIT begin /python_inside.py
RESULT {json.dumps(GOOD)}
INIT end 0
INIT power off
"""


@pytest.fixture
def arch(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules under test, fresh, found as their commands find them."""
    monkeypatch.syspath_prepend(str(ARCH))
    files = [path.stem for path in ARCH.glob("*.py")]
    for name in files:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield {name: __import__(name) for name in ("cpio", "foreign", "powermac", "python_rows")}
    for name in files:
        sys.modules.pop(name, None)


def target(arch: Any, cpu: str) -> Any:
    """Return the row of a PowerPC."""
    return next(one for one in arch["python_rows"].TARGETS if (one.architecture, one.cpu) == ("ppc", cpu))


# --- what a row accepts -----------------------------------------------------------------------


def test_a_run_that_is_as_it_must_be_has_no_complaint(arch: Any) -> None:
    """The others below differ from it in one thing each."""
    assert arch["python_rows"].complaint(GOOD, target(arch, "7447a")) == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"problem": "the BLAKE3 extension is not built"}, "not built"),
        ({"order": "little"}, "little-endian"),
        ({"bits": 64}, "64 bits"),
        ({"usable": ["portable"], "selected": "portable"}, "usable paths are portable; must be portable, altivec"),
        ({"selected": "portable"}, "portable hashes"),
        ({"hash": "pure"}, "would hash with pure"),
        ({"outcomes": {"passed": 6, "failed": 1}, "first": "test_x: boom", "code": 1}, "1 failed: test_x: boom"),
        ({"outcomes": {}, "code": 5}, "code 5"),
    ],
)  # fmt: skip
def test_whatever_contradicts_the_promise_is_named(arch: Any, change: dict[str, Any], complaint: str) -> None:
    """Byte order, word size, instruction set, provider and tests."""
    assert complaint in arch["python_rows"].complaint({**GOOD, **change}, target(arch, "7447a"))


def test_a_vector_unit_on_a_processor_without_one_is_a_failure(arch: Any) -> None:
    """A G3 that uses AltiVec would die of it."""
    assert "must be portable" in arch["python_rows"].complaint(GOOD, target(arch, "750"))


def test_output_without_a_result_is_no_success(arch: Any) -> None:
    """An interpreter that died said nothing."""
    assert arch["python_rows"].read("Illegal instruction\n") is None
    assert arch["python_rows"].read('RESULT {"code": 1}\nlater\nRESULT {"code": 0}\n') == {"code": 0}


def test_what_is_left_out_exists_and_has_a_reason(arch: Any) -> None:
    """Else a renamed test would come back, or a reason outlive its test."""
    for one in arch["python_rows"].TARGETS:
        for name, reason in one.left_out.items():
            path, _, function = name.partition("::")
            assert reason
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert not function or function.partition("[")[0] in functions, f"{name} does not exist"


def test_the_folders_that_are_run_are_those_promised(arch: Any) -> None:
    """Codec, envelope, Merkle, ledger and miner, on both byte orders and word sizes."""
    folders = arch["python_rows"].FOLDERS
    assert {"tests/core/model", "tests/plugins/ledger", "tests/miner", "tests/platforms/shims"} <= set(folders)
    assert all((ROOT / folder).exists() for folder in folders)
    kinds = {(one.order, one.bits) for one in arch["python_rows"].TARGETS}
    assert kinds == {("big", 32), ("big", 64), ("little", 32)}


# --- nothing outlives a row -------------------------------------------------------------------


def test_a_command_over_its_time_ends_with_what_it_started(arch: Any) -> None:
    """The emulated program and its children are one group."""
    code, output = arch["foreign"].finish(["sh", "-c", "sleep 60 & echo $!; wait"], 0.3)
    assert code is None
    try:
        descriptor = os.pidfd_open(int(output))
    except ProcessLookupError:
        return  # killed with its group, and gone already
    try:
        assert select.select([descriptor], [], [], 30)[0], "it was not killed with its group"
    finally:
        os.close(descriptor)


def test_an_interrupt_ends_what_runs_and_lets_nothing_begin(arch: Any) -> None:
    """Also what threads are waiting for."""
    foreign = arch["foreign"]
    with pytest.raises(KeyboardInterrupt), foreign.ended_with_us():
        raise KeyboardInterrupt
    with pytest.raises(foreign.Failure, match="interrupted"):
        foreign.finish(["true"], 5)


def test_a_missing_tool_is_said_to_be_missing(arch: Any) -> None:
    """It makes a skipped row, not a failed one."""
    with pytest.raises(arch["foreign"].Unavailable, match="metanode-no-such-tool"):
        arch["foreign"].finish(["metanode-no-such-tool"], 5)


def test_an_interpreter_is_started_by_a_program_of_this_machine(arch: Any, tmp_path: Path) -> None:
    """So that emulated code can start it; an environment with a search path of its own keeps it."""
    foreign = arch["foreign"]
    emulator = tmp_path / "emulator"
    emulator.write_text('#!/bin/sh\necho "$PYTHONPATH" "$@"\n', encoding="ascii")
    emulator.chmod(0o755)
    python = foreign.Foreign("ppc", (str(emulator), "-L", "/a b"), Path("/py"), ("cc",), (), (Path("/more"),))
    program = python.launcher(tmp_path, "750", [Path("/ours")])
    assert foreign.run([str(program), "-c", "x y"], 5, env={}) == "/ours:/more -L /a b -cpu 750 /py -S -c x y\n"
    assert foreign.run([str(program)], 5, env={"PYTHONPATH": "/own"}).startswith("/own ")


# --- the emulated PowerMac --------------------------------------------------------------------


def test_the_console_of_a_g4_is_judged(arch: Any) -> None:
    """AltiVec hashes, and the machine powered off."""
    powermac = arch["powermac"]
    path, seen, problem = powermac.judge(G4_CONSOLE, 0, powermac.MACHINES[0])
    assert (path, problem) == ("altivec", "")
    assert "altivec 7597 cases" in seen


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("INIT", "init", "did not start our program"),
        ("7447A, altivec supported", "7447A", "does not say"),
        ("path altivec ok 7597 cases\nINIT end 0", "INIT end 132", "illegal instruction"),
        ("path altivec ok 7597 cases", "path altivec refused", "altivec: refused"),
        ("supported portable altivec", "supported portable", "must be portable altivec"),
        ('"selected": "altivec"', '"selected": "portable"', "portable hashes"),
        ("RESULT ", "KILLED ", "Python said nothing"),
        ("INIT power off", "", "did not power off"),
        (f"{probe_runs(1)}\n", "", "9 of 9 runs of the probes called emulated"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_on_a_console_is_named(arch: Any, old: str, new: str, problem: str) -> None:
    """From a kernel that does not start to an instruction that the processor lacks."""
    powermac = arch["powermac"]
    assert old in G4_CONSOLE
    assert problem in powermac.judge(G4_CONSOLE.replace(old, new), 0, powermac.MACHINES[0])[2]


def test_the_archive_is_what_the_kernel_reads(arch: Any, tmp_path: Path) -> None:
    """Each entry aligned, parents before children, the end marked."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "odd").write_bytes(b"12345")
    (folder / "link").symlink_to("odd")
    (folder / "skipped").mkdir()
    out = tmp_path / "archive"
    with out.open("wb") as file:
        archive = arch["cpio"].Archive(file)
        archive.character_device("dev/console", 5, 1)
        archive.tree("a/b", folder, without=frozenset({"skipped"}))
        archive.close()
    found = list(entries(out.read_bytes()))
    assert [name for name, *_ in found] == ["dev", "dev/console", "a", "a/b", "a/b/link", "a/b/odd", "TRAILER!!!"]
    assert {name: content for name, _, content in found if content} == {"a/b/link": b"odd", "a/b/odd": b"12345"}
    assert {name: mode >> 12 for name, mode, _ in found} == {
        "dev": 4, "dev/console": 2, "a": 4, "a/b": 4, "a/b/link": 10, "a/b/odd": 8, "TRAILER!!!": 0,
    }  # fmt: skip


def entries(data: bytes) -> Any:
    """Yield (name, mode, content), read by the kernel's description of the format."""
    place = 0
    while place < len(data):
        assert place % 4 == 0
        assert data[place : place + 6] == b"070701"
        fields = [int(data[place + 6 + 8 * n : place + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[place + 110 : place + 110 + name_size - 1].decode()
        start = place + 110 + name_size
        start += -start % 4
        yield name, mode, data[start : start + size]
        place = start + size
        place += -place % 4


# --- the recipes ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sources.sh", "python_powerpc.sh", "kernel_powermac.sh"])
def test_a_recipe_is_a_shell_program_that_names_no_server(name: str) -> None:
    """Sources come from where apt is told to look."""
    text = (VINTAGE / name).read_text(encoding="ascii")
    assert subprocess.run(["sh", "-n", str(VINTAGE / name)], check=False).returncode == 0
    assert not re.search(r"https?:|ftp:", text)
    for module in ARCH.glob("*.py"):
        if module.stem in ("rootfs", "ppc_python", "staging", "powermac"):
            assert not re.search(r"https?:", module.read_text(encoding="utf-8"))


def test_a_stage_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """Before anything is fetched or built."""
    done = subprocess.run(
        ["sh", str(VINTAGE / "python_powerpc.sh"), str(tmp_path / "work"), "pyton"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 2
    assert "no stage 'pyton': libffi zlib python pack" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []

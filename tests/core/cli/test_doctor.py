"""`metanode doctor`: what runs here, and an exit code that says whether it is right."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.core.cli.console import Console
from metanode.core.cli.doctor import CHECKS, VERB, hashing_speed
from metanode.core.cli.doctor import hashing as check
from metanode.core.cli.frame import main
from metanode.core.model.blake3 import PureProvider
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3.paths import BEST_FIRST

EXTENSION = "metanode.platforms.shims._blake3"


def answer_of(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    """Run with --json; return exit code and answer."""
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def extension() -> shim.ShimProvider:
    """The provider, or a skip that says why there is none."""
    loaded = shim.load()
    if loaded is None:
        pytest.skip(shim.problem())
    return loaded


def test_every_check_has_a_line_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """A check is a file in the folder and a name in the table."""
    assert main(["doctor", "--help"]) == 0
    overview = capsys.readouterr().out
    for name in CHECKS:
        assert name in overview
        assert main(["doctor", name, "--help"]) == 0
        page = capsys.readouterr().out
        assert f"metanode doctor {name}" in page.partition("examples:")[2]


def test_hashing_says_what_is_built_supported_selected_and_how_fast(
    extension: shim.ShimProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row for each path, numbers for those that may run, and the package of PyPI where it is installed."""
    before = shim.status()
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", "0.01")
    assert (code, answer["ok"], answer["problems"]) == (0, True, [])
    assert (answer["implementation"], answer["selected"]) == ("shim", before.selected)
    rows = {row["name"]: row for row in answer["rows"]}
    assert [name for name in rows if name in BEST_FIRST] == list(BEST_FIRST)
    for state in before.paths:
        row = rows[state.name]
        assert (row["built"], row["supported"], row["enabled"]) == state[1:4]
        assert (row.get("single_gb_s", 0) > 0) == (row.get("batch_m_s", 0) > 0) == state.usable
    assert sum(row["selected"] for row in rows.values()) == 1
    assert shim.status() == before, "measuring leaves the selection as it was"


def test_hashing_prints_a_table_for_people(extension: shim.ShimProvider, capsys: pytest.CaptureFixture[str]) -> None:
    """Without colours, and without progress where nobody watches."""
    assert main(["doctor", "hashing", "--seconds", "0"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0] == f"hashing: the C extension, path {shim.status().selected}"
    assert any(line.split()[:2] == [shim.status().selected, "selected"] for line in lines)
    assert lines[-1].startswith("ok: ")
    assert "\x1b" not in shown.out
    assert shown.err == ""


def test_a_machine_without_the_extension_is_slow_and_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No compiler is no error; the pure code is what runs, and is measured."""
    monkeypatch.setitem(sys.modules, EXTENSION, None)
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", "0.01")
    assert (code, answer["implementation"], answer["selected"]) == (0, "pure", "")
    assert "not built" in answer["note"]
    (row,) = (row for row in answer["rows"] if row["selected"])
    assert row["name"] == "pure"
    assert row["batch_m_s"] > 0
    assert main(["doctor", "hashing", "--seconds", "0"]) == 0
    assert "slow, but right" in capsys.readouterr().out


def test_an_extension_that_cannot_be_used_fails(
    extension: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Built for another version: the pure code runs, and the operator learns why it is slow."""
    monkeypatch.setattr(shim, "_loaded", shim._loaded)
    module = SimpleNamespace(ffi=extension._module.ffi, lib=SimpleNamespace())
    monkeypatch.setitem(sys.modules, EXTENSION, module)
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", "0")
    assert (code, answer["ok"], answer["implementation"]) == (1, False, "pure")
    assert "rebuild" in answer["problems"][0]


def test_a_dropped_path_fails(
    extension: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest still hashes; the reason is named."""
    status = shim.status()
    dropped = status.paths[1]._replace(dropped="it gives other digests")
    monkeypatch.setattr(shim, "status", lambda: status._replace(paths=(status.paths[0], dropped, *status.paths[2:])))
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", "0")
    assert (code, answer["ok"]) == (1, False)
    assert answer["problems"] == [f"path {dropped.name} is dropped: it gives other digests"]
    assert main(["doctor", "hashing", "--seconds", "0"]) == 1
    shown = capsys.readouterr().out
    assert f"wrong: path {dropped.name} is dropped" in shown
    assert "ok:" not in shown


def test_a_path_that_differs_from_the_published_answers_fails(
    extension: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again here, by other inputs than at load."""
    monkeypatch.setattr(shim.ShimProvider, "keyed", lambda *arguments: bytes(32))
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", "0")
    assert code == 1
    assert f"path {shim.status().selected} differs from the published answers: keyed hash of 0 bytes" in str(answer)


@pytest.mark.parametrize("method", ["digest", "keyed", "derive_key", "derive_key_many", "list_tree"])
def test_every_way_to_hash_is_compared(
    extension: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """One that is wrong alone is found."""
    assert check.differences(extension) == []
    wrong: Any = [bytes(32)] if method.endswith("many") else bytes(32)
    if method == "list_tree":
        wrong = SimpleNamespace(root=lambda items: bytes(32))
    monkeypatch.setattr(extension, method, lambda *arguments: wrong, raising=False)
    assert check.differences(extension)


def test_a_wrong_setting_is_named() -> None:
    """METANODE_SIMD with a slip of the pen: warned of at load, and a finding here."""
    code = "import sys; from metanode.core.cli import main; sys.argv[1:] = ['doctor', 'hashing', '--seconds', '0'];"
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(main())"],
        env={"METANODE_SIMD": "avx", "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "wrong: METANODE_SIMD names avx, which is no path; there are none, portable, sse41" in done.stdout


@pytest.mark.parametrize("seconds", ["-1", "601", "nan", "soon"])
def test_a_time_that_cannot_be_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what would be right."""
    code, answer = answer_of(capsys, "doctor", "hashing", "--seconds", seconds)
    assert (code, answer["code"]) == (2, "USAGE")


class Terminal(io.StringIO):
    """What a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("seen", [True, False])
def test_progress_is_for_terminals_and_leaves_no_trace(seen: bool) -> None:
    """One line that is wiped, on standard error."""
    err = Terminal() if seen else io.StringIO()
    console = Console(out=io.StringIO(), err=err)
    rates = hashing_speed.measure([("a", "x", 3.0, lambda: None, lambda: None)], 0.001, console)
    assert [(row, column) for row, column, _ in rates] == [("a", "x")]
    assert rates[0][2] > 0
    assert ("measuring a" in err.getvalue()) == seen
    assert err.getvalue().endswith("\r\x1b[K") or not seen


def test_measuring_the_pure_code_ends_in_time() -> None:
    """It is a thousand times slower, so it is given less to do."""
    jobs = hashing_speed.own_jobs("pure", PureProvider(), lambda: None)
    assert [job[1] for job in jobs] == ["single_gb_s", "batch_m_s"]
    assert jobs[1][2] < 0.001, "millions of messages a call"
    assert VERB.run(SimpleNamespace(check="hashing", seconds=0, console=Console(out=io.StringIO()))) in (0, 1)  # type: ignore[arg-type]

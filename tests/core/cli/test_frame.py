"""The command around its verbs: help from data, one line per error, exit codes, JSON everywhere."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli import frame, verbs
from metanode.core.cli.console import Console, wants_color
from metanode.core.cli.frame import main, split
from metanode.core.cli.verbs import GROUPS, VerbEntry, find_verbs, read_verbs
from metanode.core.discovery import PACKAGE_DIR
from metanode.core.manifests import read_toml
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError
from metanode.core.version import VERSION

PROJECT_FILE = PACKAGE_DIR.resolve().parent.parent / "pyproject.toml"


class Probe:
    """A verb that does what the test asks."""

    raises: BaseException | None = None

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--number", type=int)
        deep = parser.add_subparsers(dest="deep")
        deep.add_parser("inner").add_argument("what", nargs="?")

    def run(self, args: argparse.Namespace) -> int:
        if self.raises is not None:
            raise self.raises
        value = {"home": str(args.home), "json": args.json, "number": args.number}
        args.console.result(value, f"number {args.number}")
        return 7


PROBE = Probe()


@pytest.fixture(autouse=True)
def _with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = VerbEntry("probe", f"{__name__}:PROBE", "do what a test asks", "other", ("metanode probe",), Path("here"))
    monkeypatch.setattr(VerbEntry, "load", lambda self: PROBE)
    monkeypatch.setattr(frame, "find_verbs", lambda: {"probe": entry})
    monkeypatch.setattr(Probe, "raises", None)


def test_help_lists_every_verb_by_group_without_importing_any(capsys: pytest.CaptureFixture[str]) -> None:
    """From data alone, in a fresh process: no verb's code, no trio, no cryptography."""
    code = "import sys; from metanode.core.cli.frame import main; rc = main(['--help']); print(rc, *sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    help_text, _, tail = run.stdout.rpartition("\n0 ")
    for name in verbs.find_verbs():
        assert f"  {name} " in help_text
    for heading in ("Get going:", "Operate a node:", "Keys, money and proofs:"):
        assert heading in help_text
    loaded = set(tail.split())
    assert not {"trio", "pluggy", "nacl", "metanode.core.kernel", "importlib.metadata"} & loaded
    assert not {name for name in loaded if name.startswith(("metanode.plugins", "metanode.miner"))}
    assert not {"metanode.core.cli.run", "metanode.core.cli.demo"} & loaded


def test_every_verb_of_the_tree_loads_and_shows_examples() -> None:
    """Each has help, a group, at least one example, and an object with `configure` and `run`."""
    names = "from metanode.core.cli.verbs import find_verbs; print(*find_verbs())"
    found = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout.split()
    node = {"init", "run", "config", "plugins", "demo", "completion", "doctor", "guard", "dev", "why"}
    money, machines = {"wallet", "tx", "prove", "verify"}, {"fingerprint", "miner", "machine"}
    assert set(found) == node | money | machines | {"govern", "stake"}
    for name in found:
        command = [sys.executable, "-m", "metanode.core.cli", name, "--help"]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert "examples:" in run.stdout, f"{name} has no examples"
        assert "--json" in run.stdout


def test_verbs_of_the_tree_are_announced_as_entry_points() -> None:
    """Each `verbs.toml` of the tree stands in pyproject.toml, and each entry point names one."""
    declared = read_toml(PROJECT_FILE)
    values = set(declared["project"]["entry-points"][verbs.ENTRY_POINT_GROUP].values())
    files = [*PACKAGE_DIR.glob("*/verbs.toml"), *PACKAGE_DIR.glob("*/*/verbs.toml")]
    assert values == {f"metanode.{'.'.join(path.parent.relative_to(PACKAGE_DIR).parts)}:verbs.toml" for path in files}
    for path in files:
        for entry in read_verbs(path):
            assert entry.group in GROUPS
            assert entry.examples, f"{entry.name} has no examples"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["run"], ([], "run", [])),
        (["--json", "run", "--x"], (["--json"], "run", ["--x"])),
        (["--home", "run", "run", "--home", "b"], (["--home", "run"], "run", ["--home", "b"])),
        (["--home=a", "run"], (["--home=a"], "run", [])),
        (["--help"], (["--help"], None, [])),
        ([], ([], None, [])),
    ],
)
def test_a_command_line_is_cut_at_its_verb(argv: list[str], expected: Any) -> None:
    """Global options may stand before it, with their values."""
    assert split(argv) == expected


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--home", "/h", "probe", "--number", "3"],
        ["probe", "--number", "3", "--json", "--home", "/h"],
        ["--json", "probe", "--number", "3", "inner", "--home", "/h"],
    ],
)
def test_global_options_stand_before_or_after_the_verb(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Also after a sub-verb; the verb's exit code is the command's."""
    assert main(argv) == 7
    assert json.loads(capsys.readouterr().out) == {"home": "/h", "json": True, "number": 3}


def test_without_home_option_the_default_home_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the environment here."""
    monkeypatch.setenv("METANODE_HOME", "/from/env")
    main(["probe", "--json"])
    assert json.loads(capsys.readouterr().out)["home"] == "/from/env"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["prob"], "there is no verb 'prob'; did you mean 'probe'?"),
        (["zzz"], "there is no verb 'zzz'; `metanode --help` lists them"),
        (["probe", "--numbr=3"], "unrecognized arguments: --numbr=3"),
        (["probe", "--num=3"], "unrecognized arguments: --num=3"),
        (["probe", "--number", "x"], "argument --number: invalid int value: 'x'"),
        (["--number", "3"], "unrecognized arguments: --number"),
    ],
)
def test_a_command_line_that_makes_no_sense_exits_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and the usage on standard error; with --json one object on standard output."""
    assert main(argv) == verbs.EXIT_USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert message in shown.err.splitlines()[0]
    assert shown.err.startswith("error USAGE: ")
    assert shown.err.splitlines()[1].startswith("usage: metanode")
    assert main(["--json", *argv]) == verbs.EXIT_USAGE
    shown = capsys.readouterr()
    assert shown.err == ""
    assert json.loads(shown.out)["code"] == "USAGE"


def test_no_verb_shows_the_overview_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for by --help or help it is no mistake."""
    assert main([]) == verbs.EXIT_USAGE
    shown = capsys.readouterr().out
    for argv in (["--help"], ["-h"], ["help"]):
        assert main(argv) == 0
        assert capsys.readouterr().out == shown
    assert main(["--json", "--help"]) == 0
    assert json.loads(capsys.readouterr().out)["verbs"] == {"probe": "do what a test asks"}


def test_a_verbs_own_help_has_two_spellings(capsys: pytest.CaptureFixture[str]) -> None:
    """`help VERB` and `VERB --help`."""
    assert main(["probe", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Do what a test asks." in shown
    assert "examples:\n  metanode probe\n" in shown
    assert main(["help", "probe"]) == 0
    assert capsys.readouterr().out == shown


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    """One number in code and packaging."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"metanode {VERSION}\n"
    declared = read_toml(PROJECT_FILE)
    assert declared["project"]["version"] == VERSION


def group(*inner: BaseException) -> BaseException:
    class Group(BaseException):
        exceptions = inner

    return Group()


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (MetanodeError("TIMEOUT", "too late"), 1, "error TIMEOUT: too late (expected: a retry)"),
        (MetanodeError("USAGE", "--port x"), 2, "error USAGE: --port x (expected: what --help shows)"),
        (group(ValueError(), MetanodeError("TIMEOUT", "too late")), 1, "error TIMEOUT: too late (expected: a retry)"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (group(group(KeyboardInterrupt())), 130, "interrupted"),
        (
            ZeroDivisionError("division\nby zero"), 1,
            "error INTERNAL: ZeroDivisionError: division by zero "
            "(expected: a report to the maintainers, with METANODE_DEBUG=1 set)",
        ),
    ],
)
def test_whatever_a_verb_raises_is_one_line_and_an_exit_code(
    raised: BaseException, code: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, whoever is to blame."""
    monkeypatch.delenv("METANODE_DEBUG", raising=False)
    monkeypatch.setattr(Probe, "raises", raised)
    assert main(["probe"]) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", line + "\n")


def test_an_error_is_an_object_with_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same five fields as every interface answers with."""
    monkeypatch.setattr(Probe, "raises", MetanodeError("TIMEOUT", "too late"))
    assert main(["probe", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "ok": False, "error": "timeout", "code": "TIMEOUT", "message": "too late", "expected": "a retry",
    }


def test_the_traceback_of_a_mistake_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """METANODE_DEBUG=1."""
    monkeypatch.setenv("METANODE_DEBUG", "1")
    monkeypatch.setattr(Probe, "raises", ZeroDivisionError("boom"))
    assert main(["probe"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_error() -> None:
    """`metanode --help | head -1` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = subprocess.run(
            [sys.executable, "-m", "metanode.core.cli", "--help"], stdout=writer, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writer)
    assert run.stderr == ""
    assert run.returncode == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_goes_to_terminals_that_want_it() -> None:
    """NO_COLOR, a dumb terminal and --no-color turn it off; a pipe never gets it."""
    assert wants_color(Terminal(), {})
    assert not wants_color(Terminal(), {"NO_COLOR": "1"})
    assert not wants_color(Terminal(), {"TERM": "dumb"})
    assert not wants_color(io.StringIO(), {})
    assert Console(out=Terminal(), color=True).style("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    assert Console(out=Terminal(), color=False).style("x", "red") == "x"


def test_a_table_is_as_wide_as_its_content() -> None:
    """And has no blanks at line ends."""
    console = Console(out=io.StringIO())
    assert console.table(["name", "n"], [["a", 1], ["longer", 22]]) == ["NAME    N", "a       1", "longer  22"]


def test_with_json_only_the_object_is_printed() -> None:
    """A program reads standard output."""
    out = io.StringIO()
    console = Console(json=True, out=out)
    console.line("for people")
    console.result({"b": 1, "a": 2}, "for people")
    assert out.getvalue() == '{"a": 2, "b": 1}\n'


def test_a_verb_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only when it is used."""
    monkeypatch.undo()
    for path in ("metanode.core.cli.nothing:VERB", "metanode.core.cli.run:NOTHING"):
        with pytest.raises(PluginError, match="command x cannot be loaded"):
            VerbEntry("x", path, "h", "other", (), Path("x.toml")).load()


def test_a_broken_verbs_file_costs_only_its_own_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's mistake does not take `metanode --help` away."""
    info = tmp_path / "extra-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        "[metanode.verbs]\na = extra_verbs:broken.toml\nb = extra_verbs:good.toml\nc = extra_verbs:none.toml\n"
    )
    package = tmp_path / "extra_verbs"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('must not run')")
    (package / "broken.toml").write_text("[verbs.x]\nhelp = 'no import'\n")
    (package / "good.toml").write_text(
        "[verbs.hello]\nimport = 'extra_verbs:VERB'\nhelp = 'say hello'\n"
        "[verbs.run]\nimport = 'extra_verbs:VERB'\nhelp = 'taken'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_verbs()
    assert (found["hello"].help, found["hello"].group) == ("say hello", "other")
    assert found["run"].import_path == "metanode.core.cli.run:VERB", "a built-in keeps its name"
    assert "x" not in found
    with pytest.raises(SettingsError, match=r"\[verbs.x\] lacks import or help"):
        list(read_verbs(package / "broken.toml"))


@pytest.mark.parametrize(
    "text",
    [
        "verbs = 1",
        "verbs.x = 1",
        "[verbs.x]\nimport = 1\nhelp = 'h'",
        "[verbs.x]\nimport = 'a:B'\nhelp = 'h'\nexamples = 5",
        "[verbs.x]\nimport = 'a:B'\nhelp = 'h'\nexamples = [5]",
        "[verbs.'a\tb']\nimport = 'a:B'\nhelp = 'h'",
        "a = " + "9" * 5000,
    ],
)
def test_a_verbs_file_of_any_shape_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """TOML of another shape must not end `metanode --help` with a traceback."""
    path = tmp_path / "verbs.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        list(read_verbs(path))
    assert caught.value.line().isprintable()

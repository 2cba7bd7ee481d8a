"""`metanode guard`: the operator's hand on what a key may sign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metanode.core.cli.frame import main


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home, made once: keystores are slow on purpose."""
    home = tmp_path_factory.mktemp("guard") / "home"
    assert main(["init", "--home", str(home), "--json"]) == 0
    return home


def guard(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object], str]:
    """Run the verb; returns exit code, JSON answer and what stood on stderr."""
    capsys.readouterr()
    code = main(["guard", *words, "--home", str(home), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out.strip() else {}, said.err


def test_a_guard_is_made_raised_exported_and_imported(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way of a key's memory, and that it only ever becomes stricter."""
    assert guard(made, capsys, "show")[1]["floor"] is None
    assert guard(made, capsys, "init", "--above", "0")[1]["floor"] == 0
    assert guard(made, capsys, "init", "--above", "12")[1]["floor"] == 12
    code, answer, said = guard(made, capsys, "init", "--above", "3")
    assert code == 1
    assert "FILE_EXISTS" in said + json.dumps(answer)
    file = tmp_path / "guard.json"
    assert guard(made, capsys, "export", str(file))[0] == 0
    assert json.loads(file.read_text())["signed_up_to"] == 12
    assert guard(made, capsys, "export", str(file))[0] == 1
    code, answer, _ = guard(made, capsys, "import", str(file))
    assert (code, answer["floor"]) == (0, 12)
    text = json.loads(file.read_text())
    file.write_text(json.dumps({**text, "signed_up_to": 40}))
    assert guard(made, capsys, "import", str(file))[1]["floor"] == 40
    file.write_text(json.dumps({**text, "consensus_key": "00" * 32}))
    assert guard(made, capsys, "import", str(file))[0] == 1


@pytest.mark.parametrize("words", [("init",), ("init", "--above", "-1"), ("init", "--above", "x"), ("lower",), ()])
def test_what_cannot_be_understood_is_a_usage_error(
    made: Path, words: tuple[str, ...]
) -> None:
    """Exit code 2."""
    assert main(["guard", *words, "--home", str(made)]) == 2


def test_a_missing_file_is_named(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing is made of it."""
    code, answer, said = guard(made, capsys, "import", str(made / "nothing.json"))
    assert code == 1
    assert "nothing.json" in said + json.dumps(answer)

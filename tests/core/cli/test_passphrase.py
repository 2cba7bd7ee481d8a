"""Where a passphrase comes from: file, environment, terminal; never from nowhere, never a traceback."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

import pytest

from metanode.core.cli.passphrase import (
    ENVIRONMENT,
    PASSPHRASE_BYTES_MAX,
    add_passphrase_option,
    passphrase_from_file,
    read_passphrase,
)
from metanode.core.model.errors import MetanodeError


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Someone at the terminal who types these lines; without any left, the input ends."""
    lines: list[str] = []

    def ask(prompt: str = "") -> str:
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", ask)
    return lines


def refusal(file: Path | None = None, *, confirm: bool = False) -> MetanodeError:
    """What is wrong."""
    with pytest.raises(MetanodeError) as caught:
        read_passphrase(file, what="wallet savings", confirm=confirm)
    return caught.value


def test_a_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is named on the command line is meant."""
    monkeypatch.setenv(ENVIRONMENT, "from the environment")
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    assert read_passphrase(file, what="x") == b"from the file"
    assert read_passphrase(None, what="x") == b"from the environment"


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [
        (b"abc", b"abc"),
        (b"abc\n", b"abc"),
        (b"abc\r\nmore\n", b"abc"),
        (b" a b \n", b" a b "),
        (b"\xff\xfe\n", b"\xff\xfe"),
    ],
)
def test_the_first_line_of_a_file_is_the_passphrase(tmp_path: Path, content: bytes, passphrase: bytes) -> None:
    """As bytes, without its line end, blanks kept."""
    (tmp_path / "secret").write_bytes(content)
    assert passphrase_from_file(tmp_path / "secret") == passphrase


@pytest.mark.parametrize("content", [b"", b"\n", b"\nsecond line", b"x" * (PASSPHRASE_BYTES_MAX + 1)])
def test_an_empty_or_endless_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty file is a mistake, no choice; a cut one would lock its owner out."""
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(MetanodeError) as caught:
        passphrase_from_file(tmp_path / "secret")
    assert caught.value.code == "KEYSTORE_LOCKED"
    assert str(tmp_path / "secret") in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what the system said."""
    error = refusal(tmp_path / "nothing")
    assert error.code == "FILE_MISSING"
    assert str(tmp_path / "nothing") in error.message


def test_an_environment_that_is_no_text_is_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every locale is UTF-8."""
    monkeypatch.setitem(os.environ, ENVIRONMENT, os.fsdecode(b"p\xff"))
    assert read_passphrase(None, what="x") == b"p\xff"


def test_an_empty_environment_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set but empty is a mistake in a script, not a wish to be asked."""
    monkeypatch.setenv(ENVIRONMENT, "")
    assert ENVIRONMENT in refusal().message


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service must fail at once instead of waiting for input."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    error = refusal()
    assert (error.code, "no terminal" in error.message) == ("KEYSTORE_LOCKED", True)


def test_a_person_is_asked_once_for_what_exists_and_twice_for_what_is_new(terminal: list[str]) -> None:
    """A typing error in a new passphrase would lose the key."""
    terminal += ["once"]
    assert read_passphrase(None, what="x") == b"once"
    terminal += ["twice", "twice"]
    assert read_passphrase(None, what="x", confirm=True) == b"twice"
    terminal += ["twice", "thrice"]
    assert "differ" in refusal(confirm=True).message
    assert terminal == []


def test_an_input_that_ends_is_one_line(terminal: list[str]) -> None:
    """Ctrl-D at the prompt."""
    assert "the input ended" in refusal().message
    terminal += ["first"]
    assert "the input ended" in refusal(confirm=True).message


def test_the_option_tells_what_happens_without_it() -> None:
    """Verbs differ in that."""
    parser = argparse.ArgumentParser()
    add_passphrase_option(parser)
    assert f"else ${ENVIRONMENT}, else ask" in " ".join(parser.format_help().split())
    parser = argparse.ArgumentParser()
    add_passphrase_option(parser, otherwise="else one is made")
    assert "(else one is made)" in " ".join(parser.format_help().split())

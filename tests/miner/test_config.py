"""A miner's settings: one file, one command line, and one clear line when they cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from metanode.core.model.errors import MetanodeError
from metanode.miner.config import Config, read_config


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """None means: not given on the command line."""
    path = tmp_path / "miner.toml"
    path.write_text('node_url = "http://a:1"\nretry_attempts = 7\n')
    config = read_config(path, {"node_url": "http://b:2", "retry_attempts": None})
    assert (config.node_url, config.retry_attempts) == ("http://b:2", 7)


def test_without_a_file_the_defaults_stand(tmp_path: Path) -> None:
    """The first run needs no file."""
    assert read_config(tmp_path / "miner.toml", {}) == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("walet_id = 'x'", "did you mean 'wallet_id'"),
        ("retry_attempts = 0", "an integer from 1 to 20"),
        ("retry_attempts = true", "an integer from 1 to 20"),
        ("backoff_base = 'two'", "an integer from 2 to 10"),
        ("node_url = 5", "a text"),
        ("= =", "valid TOML"),
        ("retry_attempts = " + "9" * 5000, "valid TOML"),
        ("retry_attempts = 0x" + "f" * 5000, "an integer from 1 to 20"),
        ("node_url = " + "[" * 5000, "valid TOML"),
    ],
)
def test_a_setting_that_cannot_work_names_the_file_and_what_is_allowed(tmp_path: Path, text: str, words: str) -> None:
    """One line: which file, which key, what would be right."""
    path = tmp_path / "miner.toml"
    path.write_text(text)
    with pytest.raises(MetanodeError) as caught:
        read_config(path, {})
    assert str(path) in caught.value.message
    assert words in caught.value.expected


def test_mining_for_nobody_is_refused() -> None:
    """A missing wallet is told before anything is measured."""
    with pytest.raises(MetanodeError, match="nobody would be paid"):
        _ = Config().owner

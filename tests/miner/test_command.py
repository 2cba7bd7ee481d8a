"""The `metanode-miner` command: what it prints, how it ends, and how small it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metanode.core.cli.frame import main as metanode
from metanode.core.crypto import install, keystore
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.ed25519 import public_key
from metanode.core.model.errors import MetanodeError
from metanode.core.testing.clock import SeededRandomness
from metanode.miner import command
from metanode.miner.backoff import BACKOFF_S_MAX
from metanode.miner.loop import World
from metanode.miner.store import Store, is_running, read_status

OWNER = to_bech32m(b"o" * 20)


class FakeStop:
    """A stop that comes after `waits` waits; waiting moves the node's clock instead of this machine's."""

    advance: Callable[[float], None] = staticmethod(lambda seconds: None)
    waits = 1_000_000
    interrupted = False

    def __enter__(self) -> FakeStop:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        """True once it is time to stop."""
        if seconds:
            type(self).waits -= 1
            self.advance(seconds)
        return type(self).waits < 0


@pytest.fixture
def mine(bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `metanode-miner run` in this process against the scripted node; return (exit code, output)."""
    stop = type("Stop", (FakeStop,), {"advance": staticmethod(bench.node.advance)})
    monkeypatch.setattr(command, "_Stop", stop)
    monkeypatch.setattr(command, "HttpClient", lambda url, ca_file="": bench.node)
    monkeypatch.delenv("METANODE_PASSPHRASE", raising=False)

    def run(*words: str, waits: int = 1_000_000, interrupted: bool = False) -> tuple[int, str]:
        stop.waits, stop.interrupted = waits, interrupted  # type: ignore[attr-defined]
        before = words[: words.index("run")] if "run" in words else ()
        after = words[len(before) + 1 :] if "run" in words else words
        code = command.main([*before, "run", "--wallet", OWNER, "--dir", str(bench.directory), *after])
        return code, capsys.readouterr().out

    return run


def outcome(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run a command line; return (exit code, output, errors)."""
    code = command.main(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# --- run


def test_rounds_ends_after_that_many_answers(mine: Any, bench: Any) -> None:
    """Registration does not count, nor does looking too early; the last line is the last attestation's."""
    code, text = mine("--rounds", "3")
    assert code == 0
    assert bench.node.parts() == ["commit", "reveal", *["envelope"] * 3]
    lines = [line for line in text.splitlines() if "attested interval" in line]
    assert len(lines) == 3
    assert all(line[2] == line[5] == ":" for line in text.splitlines()), "each line starts with the time of day"
    assert read_status(bench.directory)["state"] == "stopped"


@pytest.mark.parametrize("words", [["--json", "run"], ["run", "--json"]])
def test_json_is_one_object_per_line_wherever_it_is_asked_for(mine: Any, words: list[str]) -> None:
    """Before or after the command's name, and nothing else on standard output."""
    code, text = mine(*words, "--rounds", "1")
    events = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [event["event"] for event in events if event["event"] not in ("machine", "check")] == [
        "measuring", "commit", "reveal", "registered", "attested",
    ]  # fmt: skip
    assert all(event["text"] for event in events)


def test_a_stop_ends_with_0_and_an_interrupt_with_130(mine: Any, bench: Any) -> None:
    """And says so; `status` knows as well."""
    code, text = mine(waits=3)
    assert (code, text.splitlines()[-1][10:]) == (0, "stopped")
    code, text = mine("--json", waits=3, interrupted=True)
    assert (code, json.loads(text.splitlines()[-1])["event"]) == (130, "stopped")
    assert read_status(bench.directory)["state"] == "stopped"
    assert not is_running(bench.directory), "the lock is released"


def test_a_node_that_is_away_is_waited_for_ever_longer(mine: Any, bench: Any) -> None:
    """From backoff_base up to a cap; the wait that is told is the wait that is taken."""
    bench.node.fail("/v1/genesis", "UNREACHABLE", times=20)
    code, text = mine("--json", waits=12)
    assert code == 0
    waits = [json.loads(line)["wait_s"] for line in text.splitlines()[:-1]]
    ceilings = [min(BACKOFF_S_MAX, 2.0**n) for n in range(1, len(waits) + 1)]
    assert all(ceiling / 2 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
    assert read_status(bench.directory)["last"].startswith("waiting for the node: scripted UNREACHABLE; next try in")


def test_status_says_waiting_while_the_node_is_away(mine: Any, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not `mining`: an owner looks at status because no reward comes."""
    states: list[str] = []
    bench.node.fail("/v1/genesis", "TIMEOUT", times=2)
    monkeypatch.setattr(Store, "report", lambda self, status: states.append(status["state"]))
    mine("--rounds", "1")
    assert states == ["starting", "waiting", "waiting", "registering", "mining", "stopped"]


def test_a_final_refusal_ends_it_with_1_and_is_kept_for_status(mine: Any, bench: Any, capsys: Any) -> None:
    """The reason must still be readable the next morning."""
    bench.node.fail("reveal", "HARDWARE_ALREADY_BOUND")
    code = command.main(["run", "--wallet", OWNER, "--dir", str(bench.directory)])
    assert code == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error HARDWARE_ALREADY_BOUND: ")
    status = read_status(bench.directory)
    assert status["state"] == "ended"
    assert "HARDWARE_ALREADY_BOUND" in status["last"]


def test_a_second_miner_on_the_directory_is_refused(mine: Any, bench: Any, capsys: Any) -> None:
    """They would attest the same machine against each other."""
    store = Store(bench.directory)
    store.open()
    code = command.main(["run", "--wallet", OWNER, "--dir", str(bench.directory)])
    assert code == 1
    assert "another miner uses" in capsys.readouterr().err
    assert is_running(bench.directory)
    store.close()


def test_a_wallet_may_be_named(mine: Any, bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the home in METANODE_HOME; the record pays its account."""
    install()
    seed = b"\x21" * 32
    (tmp_path / "home" / "wallets").mkdir(parents=True)
    keystore.create(
        tmp_path / "home" / "wallets" / "savings.key", seed, b"x", label="savings", randomness=SeededRandomness(1)
    )
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    code = command.main(["run", "--wallet", "savings", "--dir", str(bench.directory), "--rounds", "1"])
    assert code == 0
    assert list(bench.node.registered.values()) == [to_bech32m(account_id(public_key(seed)))]


def test_the_file_is_read_and_the_command_line_wins(mine: Any, bench: Any, tmp_path: Path) -> None:
    """miner.toml in the directory, or where --config points."""
    bench.directory.mkdir()
    (bench.directory / "miner.toml").write_text(f'wallet_id = "{to_bech32m(b"f" * 20)}"\nattestation_interval = 9\n')
    assert mine("--rounds", "1")[0] == 0
    assert list(bench.node.registered.values()) == [OWNER]


# --- one line per mistake


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ([], 2, "USAGE"),
        (["mine"], 2, "USAGE"),
        (["run", "--round", "1"], 2, "USAGE"),
        (["run", "--rounds", "0"], 2, "USAGE"),
        (["run", "--rounds", "-1"], 2, "USAGE"),
        (["run", "--interval", "soon"], 2, "USAGE"),
        (["run"], 1, "BAD_SETTING"),
        (["run", "--wallet", "nobody"], 1, "FILE_MISSING"),
        (["run", "--wallet", "../nobody"], 1, "FILE_MISSING"),
        (["run", "--wallet", "mn1xxx"], 1, "BAD_ADDRESS"),
        (["run", "--wallet", OWNER, "--node", "ftp://x"], 1, "BAD_SETTING"),
        (["run", "--wallet", OWNER, "--retries", "0"], 1, "BAD_SETTING"),
        (["run", "--wallet", OWNER, "--backoff", "11"], 1, "BAD_SETTING"),
        (["run", "--wallet", OWNER, "--config", "no-such-file.toml"], 1, "FILE_MISSING"),
        (["status"], 1, "FILE_MISSING"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    words: list[str], code: int, error: str, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error for people; with --json, in either place, one object on standard output.  Nothing is made."""
    monkeypatch.setenv("METANODE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command, "DEFAULT_DIRECTORY", tmp_path / "miner")
    given = [*words, "--dir", str(tmp_path / "miner")] if words[:1] in (["run"], ["status"]) else words
    got, out, err = outcome(capsys, *given)
    assert (got, out) == (code, "")
    assert err.startswith(f"error {error}: ")
    assert err.count("\n") == 1
    for line in (["--json", *given], [*given, "--json"]):
        got, out, err = outcome(capsys, *line)
        assert (got, err) == (code, "")
        assert json.loads(out)["code"] == error
    assert not (tmp_path / "miner").exists()


def test_status_shows_what_the_last_run_left(mine: Any, bench: Any, capsys: Any) -> None:
    """For people and for programs, in either place of --json."""
    mine("--rounds", "1")
    code, out, _ = outcome(capsys, "status", "--dir", str(bench.directory))
    assert code == 0
    assert "state        not running; stopped" in out
    assert f"paid to      {OWNER}" in out
    for words in (["--json", "status"], ["status", "--json"]):
        code, out, _ = outcome(capsys, *words, "--dir", str(bench.directory))
        value = json.loads(out)
        assert (code, value["ok"], value["running"], value["attested"]) == (0, True, False, 1)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_status_names_its_file(tmp_path: Path, capsys: Any, text: str) -> None:
    """Never a traceback."""
    (tmp_path / "status.json").write_text(text)
    code, _, err = outcome(capsys, "status", "--dir", str(tmp_path))
    assert code == 1
    assert str(tmp_path / "status.json") in err


# --- help, and the verb of `metanode`


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["status", "--help"]])
def test_help_has_examples(words: list[str], capsys: Any) -> None:
    """Whole command lines to copy."""
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert "examples:\n  metanode-miner " in out
    assert "--json" in out


def test_it_is_a_verb_of_metanode_too(mine: Any, bench: Any, capsys: Any) -> None:
    """`metanode miner run --json` is `metanode-miner run --json`."""
    for words in (["--json", "miner", "run"], ["miner", "run", "--json"]):
        line = [*words, "--wallet", OWNER, "--dir", str(bench.directory), "--rounds", "1"]
        assert metanode(line) == 0
        events = [json.loads(text)["event"] for text in capsys.readouterr().out.splitlines()]
        assert events[-2:] == ["attested", "check"]
    assert metanode(["miner", "run", "--rounds", "0"]) == 2
    assert metanode(["miner", "status", "--dir", str(bench.directory)]) == 0


# --- signals and size


def test_a_second_signal_has_its_usual_effect_and_handlers_are_given_back() -> None:
    """One Ctrl-C ends it well; whoever presses twice means it."""
    # Tests started in the background by a shell ignore SIGINT.
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with command._Stop() as stop:
            assert not stop.wait(0)
            signal.raise_signal(signal.SIGINT)
            assert stop.wait(0)
            assert stop.interrupted
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    finally:
        signal.signal(signal.SIGINT, found)


def test_patience_passes_a_final_refusal_on() -> None:
    """Only what time may cure is waited for."""

    def ask() -> None:
        raise MetanodeError("WRONG_CHAIN", "another chain")

    world = World(lambda seconds: None, lambda: 0.0, os.urandom, lambda text, event: None)
    with pytest.raises(MetanodeError, match="another chain"):
        command._Patience(2, world, lambda text: None).ask(ask, tries_inside=1)


def test_chance_is_a_fraction() -> None:
    """From [0, 1), and not always the same."""
    draws = [command._draw() for _ in range(50)]
    assert all(0 <= draw < 1 for draw in draws)
    assert len(set(draws)) > 40


def test_a_miner_loads_nothing_that_a_small_machine_cannot_spare() -> None:
    """No trio, no TLS before an https node needs it, no kernel, none of what the standard library has for servers."""
    code = "import sys, metanode.miner.command; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "metanode.miner.loop" in loaded
    unwanted = {"trio", "pluggy", "ssl", "http.client", "asyncio", "logging", "metanode.core.kernel"}
    assert not unwanted & loaded
    assert not [name for name in loaded if name.startswith(("metanode.plugins", "metanode.core.cli"))]

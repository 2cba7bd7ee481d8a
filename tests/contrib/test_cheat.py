"""`make cheat`: its page is in step, its verdicts and figures are right, and a real node answers as the page says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from metanode.core.model.errors import Rejection

ROOT = Path(__file__).resolve().parents[2]
CHEAT = ROOT / "contrib" / "cheat"
RUN_S_MAX = 90
FORGERIES_MIN = 20


@pytest.fixture
def cheat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of contrib/cheat, found as their command finds them."""
    monkeypatch.syspath_prepend(str(CHEAT))
    names = [path.stem for path in CHEAT.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    loaded: dict[str, ModuleType] = {name: __import__(name) for name in ("run", "forgery", "page", "worth", "scene")}
    yield SimpleNamespace(**loaded)
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def honest(cheat: Any) -> Any:
    """A modern computer, and a G4 whose model is not calibrated."""
    weights = cheat.worth.Weights
    return cheat.worth.Honest(weights(800_000_000, 800_000_000), weights(2_500_000_000, 1_500_000_000))


def test_the_page_is_in_step(cheat: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes what a forgery earns publishes it: `python contrib/cheat/run.py --write`."""
    assert cheat.run.main(["--check"]) == 0, capsys.readouterr().err


def test_every_forgery_is_published_and_explained(cheat: Any) -> None:
    """Each has an end, a way and an answer; numbers are places in the list."""
    forgeries = cheat.forgery.all_forgeries()
    assert len(forgeries) >= FORGERIES_MIN
    assert list(cheat.page.expected().outcomes) == [one.name for one in forgeries]
    for one in forgeries:
        assert one.title[0].isupper(), one.name
        assert one.how.endswith("."), one.name
        assert one.answer.endswith("."), one.name


def test_what_is_not_caught_is_said_first_and_by_name(cheat: Any) -> None:
    """A reader meets it before anything that went well."""
    text, published = cheat.page.PAGE.read_text("utf-8"), cheat.page.expected()
    missed = [name for name, outcome in published.outcomes.items() if outcome.verdict == cheat.forgery.NOT_CAUGHT]
    assert "invented-g4" in missed, "timings that are computed from the envelope cannot be told"
    first = text.partition("\n## Caught")[0]
    assert all(f"(`{name}`)" in first for name in missed)
    assert f"{len(missed)} of these {len(published.outcomes)} are not caught" in text


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"accepted": False, "codes": ("PROBE_MISMATCH",)}, "refused"),
        ({"payable": 0}, "unpaid"),
        ({"machines": 0}, "unpaid"),
        ({"codes": ("MEMORY_TOO_FAST",)}, "lowered"),
        ({}, "NOT CAUGHT"),
        ({"caps": ("uncalibrated",)}, "NOT CAUGHT"),
    ],
)
def test_a_verdict_follows_from_what_was_seen(cheat: Any, changes: dict[str, Any], verdict: str) -> None:
    """A cap alone catches nobody."""
    seen = cheat.forgery.Outcome(True, "vintage", 2_500_000_000, 1_500_000_000)
    assert replace(seen, **changes).verdict == verdict


def test_a_share_is_by_weight_and_paid_by_what_is_payable(cheat: Any, honest: Any) -> None:
    """Escrow is nobody's yet; what is not on chain earns nothing and takes nothing."""
    pot = cheat.worth.pot_per_day()
    alone = cheat.worth.shares(honest)
    assert alone == {"cheat": 0, "pc": pot * 8 // 33, "g4": pot * 15 // 33}
    outcome = cheat.forgery.Outcome(True, "modern", 800_000_000, 800_000_000, machines=100)
    many = cheat.worth.shares(honest, outcome)
    assert many["cheat"] == pot * 800 // 833
    assert sum(many.values()) <= pot
    assert cheat.worth.shares(honest, replace(outcome, accepted=False)) == alone


def test_a_name_that_is_no_forgery_runs_nothing(cheat: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the way to the names."""
    assert cheat.run.main(["--only", "invented-g4,bribed-validator"]) == 2
    assert capsys.readouterr().err == "no forgery is called bribed-validator: see --list\n"


@pytest.mark.parametrize("ends", ["as published", "otherwise", "untried"])
def test_the_exit_code_says_whether_all_is_as_published(
    cheat: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], honest: Any, ends: str
) -> None:
    """One that ends otherwise, or was never tried, fails the run and is named."""
    (one, *_) = (one for one in cheat.forgery.all_forgeries() if one.name == "recorded-answers")

    def act(scene: Any) -> Any:
        if ends == "untried":
            raise cheat.scene.GroundworkError("no room")
        raise Rejection("PROBE_MISMATCH" if ends == "as published" else "CHALLENGE_LATE", "refused")

    @contextmanager
    def nothing() -> Iterator[None]:
        yield None

    scene = SimpleNamespace(pc_told=honest.pc, g4_told=honest.g4)
    published = cheat.page.expected()._replace(honest=honest)
    monkeypatch.setattr(cheat.run, "expected", lambda: published)
    monkeypatch.setattr(cheat.run, "running", nothing)
    monkeypatch.setattr(cheat.run, "Client", lambda chain: None)
    monkeypatch.setattr(cheat.run.Scene, "set", lambda client: scene)
    monkeypatch.setattr(cheat.run, "_chosen", lambda only: ([(1, replace(one, run=act))], []))
    assert cheat.run.main(["--json"]) == (0 if ends == "as published" else 1)
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is (ends == "as published")
    assert all("recorded-answers" in problem for problem in said["problems"])
    assert len(said["problems"]) == (0 if ends == "as published" else 1)


@pytest.mark.endtoend
def test_a_real_node_answers_as_the_page_says() -> None:
    """One of each end: invented, contradicted, emulated, refused."""
    names = ["invented-g4", "chimera-g4", "patched-emulated-g4", "recorded-answers"]
    done = subprocess.run(
        [sys.executable, str(CHEAT / "run.py"), "--json", "--only", ",".join(names)],
        capture_output=True, text=True, timeout=RUN_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout)["forgeries"]
    assert {name: seen[name]["verdict"] for name in names} == {
        "invented-g4": "NOT CAUGHT", "chimera-g4": "lowered", "patched-emulated-g4": "unpaid",
        "recorded-answers": "refused",
    }  # fmt: skip

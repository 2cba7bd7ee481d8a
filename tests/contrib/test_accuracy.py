"""Published error rates: the page is in step with the corpora, and its figures are counted right."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from metanode.core.manifests import parse_toml

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "corpus"
NAMES = ("samples", "figures", "page", "run")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of contrib/accuracy, found as its command finds them."""
    monkeypatch.syspath_prepend(str(ROOT / "contrib" / "accuracy"))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    loaded: dict[str, ModuleType] = {name: __import__(name) for name in NAMES}
    yield loaded
    for name in NAMES:
        sys.modules.pop(name, None)


def sample(tools: Any, label: str, told: str, **changes: Any) -> Any:
    """A dump of which only label and verdict matter."""
    right = dict.fromkeys(tools["samples"].FIELDS, True)
    made = tools["samples"].DumpSample("x", "composed", "1", "x86", label, told, (), right)
    return made._replace(**changes)


def test_the_page_and_the_list_are_in_step(tools: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes a rule or a dump publishes what it does: `make accuracy`."""
    assert tools["run"].main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_found_and_nothing_is_written(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One digit is enough; a page that is missing is stale as well."""
    page, text = tmp_path / "accuracy.md", tools["run"].PAGE.read_text("utf-8")
    monkeypatch.setattr(tools["run"], "PAGE", page)
    assert tools["run"].main(["--check"]) == 1
    assert not page.exists()
    page.write_text(text.replace("### All: 70 dumps", "### All: 71 dumps"), encoding="utf-8")
    assert tools["run"].main(["--check"]) == 1
    assert "+### All: 70 dumps" in capsys.readouterr().err
    assert "### All: 71 dumps" in page.read_text("utf-8")


def test_writing_twice_gives_the_same_bytes(
    tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No clock and no machine is in it; the page is printed as well."""
    monkeypatch.setattr(tools["run"], "PAGE", tmp_path / "accuracy.md")
    monkeypatch.setattr(tools["run"], "HELD_OUT", tmp_path / "held_out.toml")
    written = []
    for _ in range(2):
        assert tools["run"].main([]) == 0
        written.append([path.read_bytes() for path in sorted(tmp_path.iterdir())])
    kept = [path.read_bytes() for path in (ROOT / "docs/accuracy.md", ROOT / "contrib/accuracy/held_out.toml")]
    assert written[0] == written[1] == kept
    assert written[0][0].decode() in capsys.readouterr().out


def test_the_third_held_out_is_drawn_by_hash_and_nothing_else(tools: Any) -> None:
    """From the files themselves, without the code under test."""
    listed = parse_toml((ROOT / "contrib" / "accuracy" / "held_out.toml").read_bytes(), "held_out.toml")
    for title, pattern in (("dumps", "*/*.txt"), ("probes", "probes/*.json")):
        hashes = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in CORPUS.glob(pattern)}
        drawn = {digest: str(path.relative_to(CORPUS)) for digest, path in hashes.items() if int(digest, 16) % 3 == 0}
        assert listed[title] == drawn


def test_every_labelled_file_is_counted(tools: Any) -> None:
    """Each dump of expected.toml and each capture, once."""
    rows = parse_toml((CORPUS / "expected.toml").read_bytes(), "expected.toml")
    names = [(made.folder, made.name) for made in tools["samples"].dumps()]
    assert names == [(folder, name) for folder, dumps in rows.items() for name in dumps]
    assert [made.name for made in tools["samples"].probes()] == sorted(p.stem for p in CORPUS.glob("probes/*.json"))


def test_no_real_machine_is_flagged_and_no_native_run_is_called_emulated(tools: Any) -> None:
    """False alarms are bugs; every emulated run is found."""
    assert tools["figures"].false_alarms(tools["samples"].dumps()).hits == 0
    for made in tools["samples"].probes():
        assert set(made.verdicts) == {made.label}, made.name


def test_every_forgery_is_called_contradictory_and_counted_apart(tools: Any) -> None:
    """By the contradictions that its row names, and by nothing else; its number changes no other figure."""
    parts = tools["figures"].groups(tools["samples"].dumps())
    rows = parse_toml((CORPUS / "expected.toml").read_bytes(), "expected.toml")["forged"]
    assert {made.name: list(made.reasons) for made in parts["forged"]} == {
        name: [code for code in tools["figures"].CODES if code in row["contradictions"]] for name, row in rows.items()
    }
    assert {made.told for made in parts["forged"]} == {"contradictory"}
    assert not {made.name for made in parts["all"]} & set(rows)


def test_precision_and_recall_are_counted_from_the_matrix(tools: Any) -> None:
    """Unmeasured lowers recall and leaves precision alone."""
    figures = tools["figures"]
    pairs = [("hardware", "hardware")] * 3 + [("hardware", "unmeasured")] * 2
    pairs += [("emulated", "emulated")] * 4 + [("emulated", "hardware"), ("contradictory", "emulated")]
    counts = figures.matrix(pairs)
    assert counts["hardware"] == {
        "hardware": 3, "virtual machine": 0, "emulated": 0, "contradictory": 0, "unmeasured": 2,
    }  # fmt: skip
    assert figures.precision(counts, "hardware") == (3, 4)
    assert figures.recall(counts, "hardware") == (3, 5)
    assert figures.precision(counts, "emulated") == (4, 5)
    assert figures.recall(counts, "emulated") == (4, 5)
    assert figures.recall(counts, "virtual machine").percent is None


def test_a_wrong_word_is_still_a_flag_and_a_miss_is_not(tools: Any) -> None:
    """A hidden guest called contradictory was caught; one that was not looked at was not."""
    made = [
        sample(tools, "virtual machine", "contradictory"), sample(tools, "emulated", "unmeasured"),
        sample(tools, "hardware", "unmeasured"), sample(tools, "hardware", "virtual machine"),
    ]  # fmt: skip
    assert tools["figures"].caught(made) == (1, 2)
    assert tools["figures"].false_alarms(made) == (1, 2)


@pytest.mark.parametrize(
    ("hits", "total", "percent", "interval"),
    [(0, 0, None, (0, 100)), (0, 10, 0, (0, 28)), (10, 10, 100, (72, 100)), (1, 2, 50, (9, 91)), (1, 8, 13, (2, 48))],
)
def test_a_rate_comes_with_its_interval(
    tools: Any, hits: int, total: int, percent: int | None, interval: tuple[int, int]
) -> None:
    """Wilson's, outwards to whole per cents; the figures were worked out by hand from the formula."""
    rate = tools["figures"].Rate(hits, total)
    assert (rate.percent, rate.interval) == (percent, interval)


def test_the_ratio_that_decides_is_the_second_farthest(tools: Any) -> None:
    """One ratio far out decides nothing, so it is not what is printed."""
    ranges = tools["samples"].envelopes()["zen5"].ranges
    inside = {name: ranges[name][1] for name in ranges}
    distance = tools["samples"].deciding_distance
    assert distance(inside, "zen5") == 100
    one_out = {**inside, "fp_add": ranges["fp_add"][1] * 50}
    assert distance(one_out, "zen5") == 100
    assert distance({**one_out, "patch": ranges["patch"][1] * 3}, "zen5") == 300
    assert distance({"fp_add": ranges["fp_add"][1]}, "zen5") == 0
    assert distance(inside, "a processor without an envelope") == 0


def test_a_field_read_wrong_lowers_its_family_alone(tools: Any) -> None:
    """Per family and per field."""
    read = dict.fromkeys(tools["samples"].FIELDS, True)
    made = [sample(tools, "hardware", "hardware"), sample(tools, "hardware", "hardware", family="ARM")]
    made.append(sample(tools, "hardware", "hardware", family="ARM", right={**read, "clock": False}))
    by_family = tools["figures"].parsed_by_family(made)
    assert list(by_family) == ["ARM", "x86"]
    assert by_family["ARM"]["clock"] == (1, 2)
    assert by_family["ARM"]["cores"] == (2, 2)
    assert by_family["x86"]["clock"] == (1, 1)


def test_the_figures_are_there_as_json_too(tools: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers as on the page, and every sample."""
    assert tools["run"].main(["--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    page = tools["run"].PAGE.read_text("utf-8")
    assert set(told["groups"]) == {"all", "from outside", "composed", "held out", "forged", "forged, held out"}
    assert told["groups"]["all"]["dumps"] == 70
    assert len(told["dumps"]) == 70 + told["groups"]["forged"]["dumps"]
    hits, total = told["groups"]["held out"]["recall"]["virtual machine"]
    assert re.search(rf"^\| virtual machine \| .*\| {hits} of {total}, [^|]*\|$", page, re.M)


def test_the_page_says_what_the_figures_are_worth(tools: Any) -> None:
    """That the third was drawn late, and what the corpus has none of."""
    page = tools["run"].PAGE.read_text("utf-8")
    for words in ("not independent", "before this third was drawn", "bare metal", "real vintage machine", "by hand"):
        assert words in " ".join(page.split()), words

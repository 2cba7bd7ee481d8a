"""The workloads in Python: published results, so that other implementations can be held to them."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest

from metanode.core.model.errors import Rejection
from metanode.fingerprint.keyed import check_active
from metanode.fingerprint.probes.workload import ACTIVE_PROBES, FP_DIV, FP_MUL, draw, recompute
from metanode.platforms.shims import probes
from metanode.platforms.shims.probes import NAMES

CHALLENGE = bytes(range(32))
PAGE = (Path(__file__).parents[3] / "docs" / "fingerprint.md").read_text("utf-8")
VECTORS = Path(__file__).with_name("active_probes.json")
RESULTS = [(probe, recompute(CHALLENGE, probe)) for probe in ACTIVE_PROBES]


def test_the_documentation_publishes_the_right_results() -> None:
    """Every probe, for the challenge 00 01 ... 1f."""
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE))
    for probe, name in NAMES.items():
        assert rows[str(min(probe, 32))] == (name if probe < 32 else "chase_0")
    published = {int(n): int(value, 16) for n, value in re.findall(r"(\d+)\s+`([0-9A-F]{16})`", PAGE)}
    assert {probe: published[probe] for probe in ACTIVE_PROBES} == dict(RESULTS)


def test_the_vectors_are_those_of_both_implementations() -> None:
    """A change here makes honest machines fail: the file is for other implementations too."""
    shim = probes.load()
    for case in json.loads(VECTORS.read_text("ascii"))["cases"]:
        challenge, probe, right = bytes.fromhex(case["challenge"]), case["probe"], int(case["result"], 16)
        size = (case["steps"], case["bytes"])
        assert (recompute(challenge, probe), draw(challenge, probe).size(probe)) == (right, size)
        if shim is not None:
            assert (shim.recompute(probe, challenge), shim.size(probe, challenge)) == (right, size)


@pytest.mark.parametrize("probe", [FP_MUL, FP_DIV])
def test_floating_point_in_integers_is_that_of_ieee_754(probe: int) -> None:
    """Against this machine's own, which is IEEE 754 wherever these tests run."""
    for seed in range(40):
        work = draw(bytes([seed]) * 32, probe)
        x = 1 + (work.start & (1 << 52) - 1) / 2**52
        pair = [1 + (number & (1 << 42) - 1) / 2**52 for number in (work.a, work.b)]
        for step in range(work.steps):
            x = x * pair[step & 1] if probe == FP_MUL else x / pair[step & 1]
        (bits,) = struct.unpack(">Q", struct.pack(">d", x))
        assert recompute(bytes([seed]) * 32, probe) == folded(bits, probe)


def folded(raw: int, probe: int) -> int:
    """The last step of every workload, written out once more."""
    z = ((raw ^ probe << 56) + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


@pytest.mark.parametrize("built", [True, False])
def test_a_validator_passes_right_results_and_no_other(built: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the same verdict with and without the extension."""
    if not built:
        monkeypatch.setattr(probes, "load", lambda: None)
    assert check_active(CHALLENGE, RESULTS).reason == "KEYED_RIGHT"
    assert check_active(CHALLENGE, RESULTS[3:5]).verdict == "pass"
    assert check_active(CHALLENGE, []).verdict == "unmeasured"
    for at, (probe, result) in enumerate(RESULTS):
        wrong = [*RESULTS[:at], (probe, result ^ 1 << 63), *RESULTS[at + 1 :]]
        assert check_active(CHALLENGE, wrong).numbers == (("probe", probe),)
    assert check_active(bytes(32), RESULTS).reason == "PROBE_MISMATCH"
    assert check_active(CHALLENGE, [(99, 0)]).verdict == "fail"
    assert check_active(CHALLENGE, [RESULTS[0]] * 2).verdict == "fail", "work is paid for once"
    assert check_active(CHALLENGE, RESULTS[::-1]).verdict == "fail"
    with pytest.raises(Rejection):
        check_active(bytes(31), RESULTS)

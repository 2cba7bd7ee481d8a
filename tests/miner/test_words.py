"""Every number that a miner tells comes with its reason, in words anyone can read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from metanode.miner import words
from metanode.miner.status import STATES, Status
from metanode.miner.store import Store, read_status

REPLY = {"counted": True, "interval": 7, "epoch": 1, "weight": 800_000_000, "class": "virtual"}
STATUS: dict[str, Any] = {
    "state": "mining",
    "node_url": "http://127.0.0.1:8645",
    "machine": "mn1machine",
    "owner": "mn1owner",
    "attested": 3,
    "refused": 1,
    "queued": 2,
    "balance": 1_500_200,
    "last": "attested interval 7 of epoch 1: weight 0.8, class virtual",
    "checks": [],
    "updated_ms": 1_000_000,
}


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (0, "0.0"),
        (1_000_000_000, "1.0"),
        (800_000_000, "0.8"),
        (2_500_000_000, "2.5"),
        (500_000, "0.0005"),
        (1, "0.0"),
        (12_345_678_000, "12.345678"),
    ],
)
def test_a_weight_is_a_plain_decimal(weight: int, text: str) -> None:
    """At most six places, at least one."""
    assert words.weight_words(weight) == text


def test_an_attestation_names_its_interval_and_weight() -> None:
    """A late one says that it is not paid."""
    assert words.attested(REPLY) == "attested interval 7 of epoch 1: weight 0.8, class virtual"
    assert words.attested({**REPLY, "counted": False}).endswith(", late: kept for continuity, not paid")


def test_a_verdict_says_why_and_from_which_numbers() -> None:
    """The reason's code, which can be looked up, and its words where the node sent them."""
    check = {"name": "timer", "verdict": "pass", "reason": "TIMER_STEADY", "numbers": {"step_ns": 30, "backwards": 0}}
    assert words.check_line(check).split() == ["pass", "timer", "TIMER_STEADY", "(backwards", "0,", "step_ns", "30)"]
    told = words.check_line({**check, "words": "the timer is fine", "numbers": {}})
    assert told.split(maxsplit=2) == ["pass", "timer", "TIMER_STEADY: the timer is fine"]


def test_bare_hardware_is_described_without_excuses(notebook: Any, genesis: Any) -> None:
    """Processor, threads, memory, class, and one weight for both networks' sake."""
    lines = words.describe(notebook, genesis.params)
    assert lines[0].startswith("this machine: Intel(R) Core(TM)2 Duo CPU P8400 @ 2.26GHz, 2 threads, 2048 MiB, linux")
    assert not [line for line in lines if line.startswith("sign of")]
    assert lines[1].startswith("class ")


def test_a_virtual_machine_is_told_its_signs_and_what_mainnet_would_pay(virtual_machine: Any, genesis: Any) -> None:
    """Devnet pays it; mainnet would not, and the reason and the cure are told."""
    text = "\n".join(words.describe(virtual_machine, genesis.params))
    assert "sign of a virtual machine (declared): the processor reports that a hypervisor runs" in text
    assert "[hypervisor]" in text
    assert "on mainnet 0.0" in text
    assert "weight here 0.0" not in text
    assert "bare hardware" in text


def test_the_mainnet_weight_is_that_of_the_shipped_parameters(virtual_machine: Any) -> None:
    """Described on mainnet itself, both figures are one."""
    params = words.mainnet_params()
    assert params.vm_weight == 0
    assert "weight here 0.0, on mainnet 0.0" in "\n".join(words.describe(virtual_machine, params))


def test_status_of_a_running_miner_says_what_it_is_doing() -> None:
    """State in words, the owner, counts, balance and the newest sentence."""
    lines = words.status_lines(STATUS, running=True, now_ms=1_005_000)
    text = "\n".join(lines)
    assert lines[0] == f"state        mining: {STATES['mining']}"
    assert "told         5 s ago" in lines
    assert "attested     3 since its start, 1 refused, 2 waiting on disk" in lines
    assert "balance      1.500200 coins" in lines
    assert "mn1owner" in text
    assert "mn1machine" in text
    assert text.endswith("class virtual")


@pytest.mark.parametrize(
    ("state", "words_of_it"),
    [
        ("stopped", "not running; stopped: ended because it was told to"),
        ("ended", "not running; ended: ended by an error"),
        ("mining", "not running; it was mining when it was killed"),
    ],
)
def test_status_of_a_miner_that_is_gone_says_so(state: str, words_of_it: str) -> None:
    """A power cut must not look like mining."""
    lines = words.status_lines({**STATUS, "state": state}, running=False, now_ms=1_000_000)
    assert words_of_it in lines[0]


def test_status_shows_the_newest_verdicts() -> None:
    """One line each."""
    check = {"name": "timer", "verdict": "pass", "reason": "TIMER_STEADY", "numbers": {}}
    lines = words.status_lines({**STATUS, "checks": [check, check]}, running=True, now_ms=0)
    assert [line.split()[-3:] for line in lines[-2:]] == [["pass", "timer", "TIMER_STEADY"]] * 2


def test_status_leaves_out_what_is_not_known_yet() -> None:
    """Before the node ever answered."""
    early = {**STATUS, "balance": None, "last": "", "checks": []}
    text = "\n".join(words.status_lines(early, running=True, now_ms=0))
    assert "balance" not in text
    assert "last" not in text


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0 s"), (0, "0 s"), (119_999, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days")],
)
def test_an_age_is_told_in_its_largest_unit(ms: int, text: str) -> None:
    """A clock that was set back is no negative age."""
    assert words.age_words(ms) == text


def test_every_state_has_words(tmp_path: Any) -> None:
    """And no other state can be entered."""
    store = Store(tmp_path)
    store.open()
    status = Status("http://node", "mn1owner")
    for state in STATES:
        status.write(store, state)
        assert read_status(tmp_path)["state"] == state
    with pytest.raises(AssertionError):
        status.write(store, "napping")
    assert replace(status, attested=2, refused=3).answered == 5

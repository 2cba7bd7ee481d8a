"""What a miner does, round by round, whatever the node and the power supply do meanwhile."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

import pytest

from metanode.core.model.accounts import to_bech32m
from metanode.core.model.bodies import decode_machine_record
from metanode.core.model.errors import MetanodeError
from metanode.fingerprint.rotation import selected
from metanode.miner import loop
from metanode.miner.store import read_status

FRIEND = to_bech32m(b"f" * 20)


def registered(bench: Any) -> Any:
    """A miner whose machine stands on record, and which has attested once."""
    miner, store, status = bench.start()
    bench.until_attested(miner)
    bench.told.clear()
    bench.slept.clear()
    bench.node.asked.clear()
    return miner, store, status


def patient(bench: Any) -> Any:
    """The same, with four tries per request; the others give up at once, so that no retry moves the clock."""
    bench.config = replace(bench.config, retry_attempts=4)
    return registered(bench)


def next_interval(bench: Any) -> None:
    """Let the chain reach its next interval."""
    params = bench.node.genesis.params
    length_ms = params.slot_ms * params.attest_every_slots
    bench.node.advance((length_ms - (bench.node.blocks[-1][1] - bench.node.genesis.genesis_ms) % length_ms) / 1000)


def refused(act: Any) -> MetanodeError:
    """The refusal that `act` ends with."""
    with pytest.raises(MetanodeError) as caught:
        act()
    return caught.value


# --- registration


def test_a_record_is_measured_in_full_and_an_attestation_in_what_its_epoch_asks_for(bench: Any) -> None:
    """The node names the checks with its challenge."""
    miner, _, _ = bench.start()
    bench.until_attested(miner)
    asked = ["fp_add", "fp_div_mul", "patch", "read_speed"]
    bench.node.bend = lambda value: {**value, "checks": asked} if "challenge" in value else value
    next_interval(bench)
    bench.until_attested(miner)
    assert bench.checks == [None, selected(bytes(64), 0), tuple(asked)]


@pytest.mark.parametrize("checks", [["fp_add", "guess"], [7], [["fp_add"]], "patch", {"fp_add": 1}])
def test_a_node_that_asks_for_what_is_no_check_is_not_answered(bench: Any, checks: Any) -> None:
    """Nothing is measured for it."""
    bench.node.bend = lambda value: {**value, "checks": checks} if "challenge" in value else value
    assert refused(bench.start()[0].round).code == "BAD_REPLY"
    assert bench.measured == 0


@pytest.mark.parametrize("terminal", [True, False])
def test_measuring_for_a_record_is_shown_on_a_terminal(
    bench: Any, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Once: an attestation is measured unseen, and a log stays clean."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    miner, _, _ = bench.start()
    bench.until_attested(miner)
    assert bench.measured == 2
    assert screen.getvalue() == ("\r\x1b[Kmeasuring memory copies 50 %\r\x1b[K" if terminal else "")


def test_a_new_machine_commits_then_reveals_then_attests(bench: Any) -> None:
    """Each step waits for its block, and the record on chain pays the configured owner."""
    miner, _, status = bench.start()
    assert miner.round() == 0.0
    assert bench.node.parts() == ["commit", "reveal"]
    assert list(bench.node.registered.values()) == [bench.config.wallet_id]
    assert miner.round() > 0
    assert bench.node.parts() == ["commit", "reveal", "envelope"]
    assert bench.events() == ["measuring", "commit", "reveal", "registered", "attested"]
    assert (status.attested, status.refused, status.state) == (1, 0, "mining")


def test_a_registration_goes_on_where_a_crash_left_it(bench: Any) -> None:
    """The record that was committed is the one revealed: nothing is measured twice, no commit is wasted."""
    miner, store, _ = bench.start()
    bench.node.fail("reveal", "UNREACHABLE")
    assert refused(miner.round).code == "UNREACHABLE"
    assert bench.measured == 1
    store.close()
    bench.node.failures.clear()
    bench.node.asked.clear()
    again, _, _ = bench.start()
    again.round()
    assert bench.measured == 1
    assert bench.node.parts() == ["commit", "reveal"]
    assert bench.node.registered


def test_a_commit_that_survived_a_crash_is_as_good_as_a_new_one(bench: Any) -> None:
    """SEAL_TAKEN says that our own commit stands already."""
    miner, _, _ = bench.start()
    bench.node.fail("reveal", "NOT_READY")
    refused(miner.round)
    bench.node.failures.clear()
    bench.node.fail("commit", "SEAL_TAKEN")
    miner.round()
    assert bench.events()[-1] == "registered"


@pytest.mark.parametrize("code", ["SEAL_EXPIRED", "SEAL_UNKNOWN", "CHALLENGE_LATE", "PROBE_MISMATCH"])
def test_a_record_that_came_too_late_is_measured_afresh(bench: Any, code: str) -> None:
    """A machine that was off for a day between the two steps registers without help."""
    miner, _, _ = bench.start()
    bench.node.fail("reveal", code)
    assert miner.round() == 0.0
    assert bench.events()[-1] == "restart"
    assert miner.round() == 0.0
    assert bench.events()[-1] == "registered"
    assert bench.measured == 2


def test_a_registration_refused_for_good_says_why(bench: Any) -> None:
    """The node's own code and words; waiting would not cure it."""
    miner, _, _ = bench.start()
    bench.node.fail("reveal", "HARDWARE_ALREADY_BOUND")
    assert refused(miner.round).code == "HARDWARE_ALREADY_BOUND"


def test_a_registration_that_fails_in_its_block_says_so(bench: Any) -> None:
    """Accepted at the door is not final: the receipt decides."""
    miner, _, _ = bench.start()
    commit_id: list[str] = []

    def note(value: dict[str, Any]) -> dict[str, Any]:
        if "id" in value and not commit_id:
            commit_id.append(value["id"])
            bench.node.codes[value["id"]] = "INSUFFICIENT_FUNDS"
        return value

    bench.node.bend = note
    error = refused(miner.round)
    assert error.code == "INSUFFICIENT_FUNDS"
    assert commit_id[0][:16] in error.message


def test_a_step_that_reaches_no_block_is_given_up_for_now(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """TIMEOUT is a passing refusal: the next round sends the same step again."""
    miner, _, _ = bench.start()
    monkeypatch.setattr(bench.node, "advance", lambda seconds: None)
    assert refused(miner.round).code == "TIMEOUT"
    assert bench.slept == [loop.FINAL_POLL_S] * loop.FINAL_TRIES_MAX


def test_an_owner_chosen_before_the_record_went_on_chain_is_the_one_paid(bench: Any) -> None:
    """A record prepared for another wallet is dropped, not revealed."""
    miner, store, _ = bench.start()
    bench.node.fail("commit", "UNREACHABLE")
    refused(miner.round)
    store.close()
    bench.node.failures.clear()
    again, _, _ = bench.start(replace(bench.config, wallet_id=FRIEND))
    again.round()
    assert list(bench.node.registered.values()) == [FRIEND]


def test_the_owner_on_record_is_paid_and_named(bench: Any) -> None:
    """Another --wallet later does not change who is paid, so the miner says who is."""
    _, store, _ = registered(bench)
    store.close()
    again, _, status = bench.start(replace(bench.config, wallet_id=FRIEND))
    again.round()
    owner = bench.config.wallet_id
    (told,) = [event for event in bench.told if event["event"] == "owner"]
    assert owner in told["text"]
    assert FRIEND in told["text"]
    assert status.owner == owner
    assert f"/v1/accounts/{owner}" in bench.node.asked
    again.round()
    assert bench.events().count("owner") == 1, "told once"


def test_a_record_revealed_just_before_a_crash_is_forgotten(bench: Any) -> None:
    """What is on chain needs no keeping."""
    miner, store, _ = bench.start()
    miner.round()
    store.close()
    memory = store.open()
    store.remember(memory, record="aa", salt="bb", signature="cc")
    store.close()
    again, store, _ = bench.start()
    again.round()
    store.close()
    assert store.open().record == ""


# --- attestation


def test_each_interval_is_attested_once(bench: Any) -> None:
    """However often the miner looks."""
    miner, _, _ = registered(bench)
    miner.round()
    assert bench.node.parts() == []
    next_interval(bench)
    miner.round()
    miner.round()
    assert bench.node.parts() == ["envelope"]


def test_a_restart_in_an_attested_interval_says_when_the_next_is_due(bench: Any) -> None:
    """Else the owner of an hourly chain would look at silence."""
    _, store, _ = registered(bench)
    store.close()
    again, _, _ = bench.start()
    again.round()
    again.round()
    assert bench.events() == ["early"]
    assert bench.node.parts() == []


def test_the_next_round_is_due_early_in_the_next_interval(bench: Any) -> None:
    """By the chain's clock, spread over a tenth of the interval, whatever this machine's clock says."""
    miner, _, _ = registered(bench)
    length_s = bench.node.genesis.params.slot_ms * bench.node.genesis.params.attest_every_slots / 1000
    into_s = (bench.node.blocks[-1][1] - bench.node.genesis.genesis_ms) / 1000 % length_s
    assert miner.round() == length_s - into_s
    bench.draws = 0.999
    assert miner.round() == pytest.approx(length_s - into_s + length_s / 10, abs=0.01)


def test_a_fixed_interval_is_kept(bench: Any) -> None:
    """attestation_interval wins over the chain's rhythm."""
    _, store, _ = registered(bench)
    store.close()
    again, _, _ = bench.start(replace(bench.config, attestation_interval=77))
    assert again.round() == 77.0


def test_what_was_measured_waits_on_disk_while_the_node_is_away(bench: Any) -> None:
    """The node goes away after the challenge: the answer is kept, told, and delivered later as it was measured."""
    miner, store, status = registered(bench)
    next_interval(bench)
    bench.node.fail("envelope", "UNREACHABLE")
    miner.round()
    assert bench.events()[-1] == "queued"
    ((_, kept),) = store.queued()
    assert read_status(bench.directory)["queued"] == 1
    measured = bench.measured
    miner.round()
    assert bench.measured == measured, "the same interval is not measured again"
    assert kept in bench.node.answers
    assert list(store.queued()) == []
    assert status.attested == 2


def test_what_waits_is_delivered_oldest_first_and_late_ones_are_told_as_late(bench: Any) -> None:
    """A day without a node costs the intervals it missed, not the ones it answered."""
    miner, _, _ = registered(bench)
    for _ in range(3):
        next_interval(bench)
        bench.node.fail("envelope", "UNREACHABLE")
        miner.round()
    bench.node.advance(30)
    miner.round()
    replies = [event["reply"] for event in bench.told if event["event"] == "attested"]
    intervals = [reply["interval"] for reply in replies]
    assert intervals == sorted(intervals)
    assert [reply["counted"] for reply in replies] == [False, False, False, True]
    assert "late" in [event["text"] for event in bench.told if event["event"] == "attested"][0]


def test_a_crash_before_delivery_costs_nothing(bench: Any) -> None:
    """What was queued is sent by the next start, and its interval is not attested twice."""
    miner, store, _ = registered(bench)
    next_interval(bench)
    bench.node.fail("envelope", "UNREACHABLE")
    miner.round()
    store.close()
    again, store, status = bench.start()
    again.round()
    assert status.attested == 1
    assert list(store.queued()) == []
    assert len(bench.node.answers) == 2


def test_a_refused_attestation_is_told_counted_and_forgotten(bench: Any) -> None:
    """It would be refused for ever; the one behind it is sent all the same."""
    miner, store, status = registered(bench)
    next_interval(bench)
    bench.node.fail("envelope", "UNREACHABLE")
    miner.round()
    next_interval(bench)
    bench.node.fail("envelope", "CHALLENGE_LATE")
    miner.round()
    assert bench.events()[-2:] == ["refused", "attested"]
    assert "CHALLENGE_LATE" in bench.told[-1]["text"] + bench.told[-2]["text"] + bench.told[-3]["text"]
    assert (status.refused, status.attested) == (1, 2)
    assert list(store.queued()) == []


def test_a_stranger_that_answers_in_the_nodes_place_costs_no_attestation(bench: Any) -> None:
    """A reply that the node did not sign is no refusal: what waits keeps waiting, and the miner ends."""
    miner, store, _ = registered(bench)
    next_interval(bench)
    bench.node.fail("envelope", "BAD_REPLY")
    assert refused(miner.round).code == "BAD_REPLY"
    assert len(list(store.queued())) == 1


def test_a_refusal_that_nobody_signed_costs_no_attestation(bench: Any) -> None:
    """Whoever stands between may say no; what waits is kept and delivered when the node itself answers."""
    miner, store, status = registered(bench)
    next_interval(bench)
    bench.node.fail("envelope", "CHALLENGE_LATE")
    answer = bench.node._reply

    def unsigned(value: dict[str, Any], status: int = 200) -> Any:
        reply = answer(value, status)
        return replace(reply, headers={}) if status >= 400 else reply

    bench.node._reply = unsigned
    miner.round()
    assert bench.events()[-1] == "queued"
    assert status.refused == 0
    miner.round()
    assert list(store.queued()) == []
    assert status.attested == 2


def test_a_stop_is_noticed_between_two_deliveries(bench: Any) -> None:
    """With 64 attestations waiting and a slow node, SIGTERM must not take minutes."""
    miner, store, _ = registered(bench)
    for _ in range(3):
        next_interval(bench)
        bench.node.fail("envelope", "UNREACHABLE")
        miner.round()
    stops = iter([None, KeyboardInterrupt()])  # noticed before the second delivery

    def stop() -> None:
        error = next(stops)
        if error is not None:
            raise error

    bench.interrupt = stop
    with pytest.raises(KeyboardInterrupt):
        miner.round()
    assert len(list(store.queued())) == 2


# --- trust and patience


def test_a_challenge_that_is_not_drawn_from_its_header_is_refused(bench: Any) -> None:
    """A node may not hand out a challenge that it made up, or answered before."""
    miner, _, _ = bench.start()
    bench.node.bend = lambda value: {**value, "challenge": "00" * 32}
    assert refused(miner.round).code == "BAD_REPLY"
    bench.node.bend = lambda value: {**value, "header_hash": "zz"}
    assert refused(miner.round).code == "BAD_REPLY"
    assert bench.measured == 0


def test_another_nodes_key_is_refused_after_a_restart(bench: Any, genesis: Any) -> None:
    """The key first seen is remembered on disk."""
    _, store, _ = registered(bench)
    store.close()
    stranger = type(bench.node)(genesis, seed=7)
    stranger.blocks, stranger.registered = bench.node.blocks, bench.node.registered
    bench.node = stranger
    again, _, _ = bench.start()
    error = refused(again.round)
    assert error.code == "BAD_REPLY"
    assert stranger.key.public_key.hex()[:16] in error.message


@pytest.mark.parametrize("code", ["UNREACHABLE", "TIMEOUT", "NOT_READY", "RATE_LIMITED", "POOL_FULL", "KIND_CAP"])
def test_passing_refusals_are_tried_again_with_growing_waits(bench: Any, code: str) -> None:
    """retry_attempts tries, backoff_base doubled each time, the jitter at its lowest here."""
    miner, _, _ = patient(bench)
    bench.node.fail("challenge", code, times=3)
    miner.round()
    assert bench.slept == [1.0, 2.0, 4.0]
    assert [event["code"] for event in bench.told if event["event"] == "retry"] == [code] * 3


def test_the_last_try_raises_what_it_met(bench: Any) -> None:
    """So that whoever runs the rounds can wait longer."""
    miner, _, _ = patient(bench)
    bench.node.fail("challenge", "TIMEOUT", times=4)
    assert refused(miner.round).code == "TIMEOUT"
    assert len(bench.slept) == 3


def test_a_final_refusal_is_not_tried_again(bench: Any) -> None:
    """Asking the same again would only be refused again."""
    miner, _, _ = patient(bench)
    bench.node.fail("challenge", "BAD_HEX")
    assert refused(miner.round).code == "BAD_HEX"
    assert bench.slept == []


# --- what is told


def test_a_payment_is_told_with_its_amount(bench: Any) -> None:
    """The first balance seen is no payment."""
    bench.node.balance = 5_000_000
    miner, _, status = registered(bench)
    bench.node.balance += 1_500_200
    miner.round()
    assert bench.told == [{"event": "paid", "balance": 6_500_200, "text": "paid 1.500200 coins, balance 6.500200"}]
    bench.node.balance -= 1
    miner.round()
    assert (len(bench.told), status.balance) == (1, 6_500_199), "spending is not told as a payment"


def test_a_balance_that_cannot_be_read_hurts_nothing(bench: Any) -> None:
    """It is only shown."""
    miner, _, status = registered(bench)
    bench.node.fail("/v1/accounts/", "UNREACHABLE")
    miner.round()
    assert (status.balance, bench.told) == (0, [])


def test_verdicts_are_told_once_and_again_when_they_change(bench: Any) -> None:
    """Numbers alone differ every time; a new verdict is news."""
    miner, _, status = bench.start()
    bench.until_attested(miner)
    assert [event["check"]["verdict"] for event in bench.told if event["event"] == "check"] == ["pass"]
    for verdict, told in (("pass", 0), ("fail", 1)):
        bench.told.clear()
        bench.node.checks = [{**bench.node.checks[0], "verdict": verdict, "numbers": {"probes": 3}}]
        next_interval(bench)
        miner.round()
        assert sum(event["event"] == "check" for event in bench.told) == told
        assert status.checks == bench.node.checks


def test_introducing_names_the_machine_and_its_weight(bench: Any) -> None:
    """Before anything is sent."""
    miner, _, _ = bench.start()
    miner.introduce()
    assert bench.node.asked == []
    assert {event["event"] for event in bench.told} == {"machine"}
    assert "Core(TM)2 Duo" in bench.told[0]["text"]


def test_the_record_names_what_will_be_paid(bench: Any) -> None:
    """Machine key, owner and a challenge that stands on chain."""
    miner, store, _ = bench.start()
    bench.node.fail("commit", "UNREACHABLE")
    refused(miner.round)
    store.close()
    record = decode_machine_record(bytes.fromhex(store.open().record))
    assert to_bech32m(record.owner) == bench.config.wallet_id
    assert (record.challenge_height, record.agent) == (1, loop.AGENT)

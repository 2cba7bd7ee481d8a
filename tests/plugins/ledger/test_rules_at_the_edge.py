"""The rules exactly where they turn: full blocks, last coins, old seals, and blocks that a liar built."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from metanode.core.model import bodies, kinds
from metanode.core.model.bodies import MachineCommit, seal_commit
from metanode.core.model.errors import InvalidBlock, Rejection
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.core.model.state_map import StateMap
from metanode.core.testing.contracts.ledger import forged, key_pair
from metanode.fingerprint.probes.workload import FP_ADD, PATCH, recompute
from metanode.plugins.ledger.attested import attest, execute, fields, validity
from metanode.plugins.ledger.attested.challenges import check_probes
from metanode.plugins.ledger.attested.entries import Account, Counters, Settlement
from metanode.plugins.ledger.attested.rules import next_place, rules_of
from metanode.plugins.ledger.attested.schedule import Schedule
from metanode.plugins.ledger.attested.state import LedgerState
from metanode.plugins.ledger.attested.supply import supply_parts
from metanode.plugins.ledger.attested.verdicts import Lru, Verdicts


def refused(chain: Any, *envelopes: Any) -> str:
    """Return the code of the invalid block that holds these envelopes."""
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(1), envelopes, assemble=False)
    return caught.value.code


def test_a_block_with_a_forged_attestation_is_invalid(chain: Any, kit: Any) -> None:
    """Whoever proposes it: an attestation pays, and only the machine's key may earn it."""
    box = kit.box(1)
    chain.register(box)
    assert refused(chain, forged(chain.attest(box))) == "INVALID_SIGNATURE"
    assert refused(chain, chain.attest(kit.box(2))) == "MACHINE_UNKNOWN"


def test_a_block_that_makes_money_is_invalid(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum is checked after every block, whatever the rules did."""
    monkeypatch.setattr(execute.settlement, "settle", lambda state, *_: state.credit(b"\1" * 20, 5))
    assert refused(chain) == "SUPPLY_BROKEN"


def test_an_envelope_may_fill_a_block_to_the_last_byte(chain: Any, kit: Any) -> None:
    """One byte less of room, and it waits."""
    envelope = chain.transfer(kit.alice, kit.bob.account, 1)
    size = len(envelope.raw)
    space = execute._Space(size, 1, 0)
    space.check(envelope)
    space.take(envelope)
    assert (space.bytes_left, space.envelopes_left, space.attests_left) == (0, 0, 0)
    for full in (execute._Space(size - 1, 1, 0), execute._Space(size, 0, 0)):
        with pytest.raises(execute.NotYet, match="KIND_CAP"):
            full.check(envelope)


def test_an_account_can_spend_its_last_coins_on_a_fee(chain: Any, kit: Any) -> None:
    """A commit costs its fee and nothing else."""
    fee = chain.genesis.params.min_fee
    commit = MachineCommit(bytes(32)).encode()
    for number, (balance, code) in enumerate(((fee, None), (fee - 1, "INSUFFICIENT_FUNDS"))):
        poor = key_pair(70 + number)
        chain.block(chain.transfer(kit.alice, poor.account, balance))
        envelope = chain.envelope(poor, kinds.MACHINE_COMMIT, commit)
        assert chain.door(envelope) == code
        if code is None:
            assert chain.codes(envelope) == [0]
            assert chain.state.account(poor.account).balance == 0
        else:
            assert refused(chain, envelope) == code


def test_a_nonce_waits_up_to_the_limit_and_no_further(chain: Any, kit: Any) -> None:
    """Both the pool and a proposer keep what is at most so far ahead."""
    last, beyond = (chain.transfer(kit.alice, kit.bob.account, 1, nonce=NONCE_AHEAD_MAX + more) for more in (0, 1))
    account = Account(10**9, 0, kit.alice.public_key)
    assert validity.is_waiting(account, last)
    assert not validity.is_waiting(account, beyond)
    assert not validity.is_waiting(account, chain.transfer(kit.alice, kit.bob.account, 1, nonce=0))
    validity.check_nonce(account, last, ahead_max=NONCE_AHEAD_MAX)
    with pytest.raises(Rejection) as caught:
        validity.check_nonce(account, beyond, ahead_max=NONCE_AHEAD_MAX)
    assert (caught.value.code, caught.value.expected) == ("BAD_NONCE", f"nonce 0, or up to {NONCE_AHEAD_MAX} more")
    with pytest.raises(Rejection) as caught:
        validity.check_nonce(Account(), chain.transfer(kit.alice, kit.bob.account, 1, nonce=1))
    assert (caught.value.code, caught.value.expected) == ("BAD_NONCE", "nonce 0")


def test_a_commit_that_may_still_be_opened_outlives_a_settlement(new_chain: Any, kit: Any) -> None:
    """Its age counts, not where it stands; an older one is forgotten."""
    chain = new_chain(reveal_window_blocks=3)
    for _ in range(5):
        chain.block(after_ms=1)
    body = chain.reveal_body(kit.box(1), chain.record(kit.box(1)))
    chain.block(chain.commit(body), after_ms=1)
    commit = seal_commit(body.salt, body.inner)
    chain.block(after_ms=1)
    chain.block(after_ms=1)
    chain.to_epoch(1)
    assert chain.state.seal(commit) is not None
    chain.to_epoch(2)
    assert chain.state.seal(commit) is None


def test_a_sponsor_s_commits_are_counted_from_zero_in_each_epoch(chain: Any, kit: Any) -> None:
    """Also where an earlier epoch's count still stands in the state."""
    boxes = [kit.box(number) for number in range(3)]
    for epoch, commits in ((0, 2), (1, 1)):
        for box in boxes[:commits]:
            body = chain.reveal_body(box, chain.record(box), salt=bytes([epoch]) * 32)
            chain.block(chain.commit(body), after_ms=1)
        count = chain.state.sponsor_count(kit.sponsor.account)
        assert (count.epoch, count.commits) == (epoch, commits)
        chain.to_epoch(epoch + 1)


@pytest.mark.parametrize(("epoch", "kept"), [(0, 0), (1, 0), (3, 0), (4, 7), (5, None)])
def test_bits_are_kept_for_the_epoch_before_and_no_longer(chain: Any, epoch: int, kept: int | None) -> None:
    """Unless a settlement still needs them: what stands in the state must not depend on who looked at it."""
    chain.to_epoch(5)
    place = next_place(chain.ledger.rules, chain.head)
    state = LedgerState(StateMap.empty())
    before = Counters(epoch, 7, 1, 0, 0, 9)
    if kept is None:
        assert attest.rolled(place, state, before) is before
        return
    assert attest.rolled(place, state, before) == Counters(5, 0, kept, 0, 0, 9)
    state.put_settlement(Settlement(epoch, 1, 0, 1, 0, 1))
    assert attest.rolled(place, state, before) == Counters(5, 0, 7, 0, 0, 9)


def test_the_next_block_is_at_least_a_millisecond_later(chain: Any) -> None:
    """Admission and previews judge by the earliest place there can be."""
    chain.block()
    place = next_place(rules_of(chain.genesis), chain.head)
    assert (place.height, place.time_ms) == (chain.head.height + 1, chain.head.time_ms + 1)
    assert place.parent_ms == chain.head.time_ms
    assert "ancestors" not in repr(place)


def test_calendars_are_exact() -> None:
    """Slots, intervals, epochs and days all begin at their first millisecond."""
    mainnet = Schedule(genesis_ms=1_000, slot_ms=600_000, slots_per_epoch=144, attest_every_slots=6)
    assert (mainnet.intervals_per_epoch, mainnet.epoch_ms) == (24, 86_400_000)
    assert [mainnet.epoch_start_ms(epoch) for epoch in (0, 1, 2)] == [1_000, 86_401_000, 172_801_000]
    assert [mainnet.interval_start_ms(interval) for interval in (0, 1, 25)] == [1_000, 3_601_000, 90_001_000]
    assert [mainnet.days(epoch) for epoch in (0, 1, 100_000)] == [0, 1, 100_000]
    assert [mainnet.epoch(mainnet.epoch_start_ms(3) + more) for more in (-1, 0)] == [2, 3]
    short = Schedule(genesis_ms=0, slot_ms=86_399_999, slots_per_epoch=1, attest_every_slots=1)
    assert [short.days(epoch) for epoch in (1, 2)] == [0, 1]


def test_every_probe_is_recomputed_and_none_is_taken_that_nobody_asked_for(chain: Any, kit: Any) -> None:
    """The interpreted one must be there; compiled ones may, those that were asked for, each right."""
    box = kit.box(1)
    ((probe, right),) = chain.probe_results(box, 0)
    header_hash = chain.at(0)[0]
    seed = bodies.challenge(header_hash, box.key.public_key)
    compiled = ((FP_ADD, recompute(seed, FP_ADD)), (PATCH, recompute(seed, PATCH)))

    def check(*results: tuple[int, int], asked: tuple[int, ...] = (FP_ADD, PATCH)) -> None:
        check_probes(Verdicts(chain.genesis.hash), header_hash, box.key.public_key, results, asked)

    check((probe, right))
    check((probe, right), *compiled)
    for wrong in ((probe, 0),), compiled, ((probe, right), (FP_ADD, 7)), ((probe, right), compiled[0], (PATCH, 0)):
        with pytest.raises(Rejection, match="PROBE_MISMATCH"):
            check(*wrong)
    with pytest.raises(Rejection, match="PROBE_MISMATCH"):
        check((probe, right), *compiled, asked=(FP_ADD,))


def test_what_is_put_again_counts_as_used() -> None:
    """The entry that nobody put or asked for longest goes first."""
    memory: Lru[str, int] = Lru(2)
    for key in "abac":
        memory.put(key, 1)
    assert [key for key in "abc" if memory.get(key)] == ["a", "c"]


def test_verdicts_and_probes_are_computed_once(chain: Any, kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An envelope is verified at the door and not again in the block; a wrong one shows no key to others."""
    memory = Verdicts(chain.genesis.hash)
    envelope = chain.transfer(kit.alice, kit.bob.account, 1)
    assert memory.verify([(forged(envelope), kit.alice.public_key)]) == [False]
    assert memory.hint(kit.alice.account) == b""
    assert memory.verify([(envelope, kit.alice.public_key)]) == [True]
    assert memory.hint(kit.alice.account) == kit.alice.public_key
    result = memory.probe(bytes(32), 1)
    module = "metanode.plugins.ledger.attested.verdicts"
    monkeypatch.setattr(f"{module}.run_keyed", None)
    monkeypatch.setattr(f"{module}.ed25519.verify_many", lambda checks: [False] * len(checks))
    assert memory.verify([(envelope, kit.alice.public_key)]) == [True]
    assert memory.probe(bytes(32), 1) == result


@pytest.mark.parametrize(
    ("text", "maximum", "good"),
    [("0", 0, True), ("1", 0, False), ("20", 20, True), ("21", 20, False), ("0" * 20, 5, True), ("0" * 21, 5, False),
     (str(2**64 - 1), 2**64 - 1, True), ("-1", 5, False), ("\u0663", 5, False), ("", 5, False), ("1.0", 5, False)],
)  # fmt: skip
def test_a_number_of_a_query_has_twenty_digits_and_its_own_maximum(text: str, maximum: int, good: bool) -> None:
    """Read without surprises."""
    if good:
        assert fields.whole_number(text, "n", maximum) == int(text)
    else:
        with pytest.raises(Rejection, match="BAD_REQUEST"):
            fields.whole_number(text, "n", maximum)


def test_a_page_holds_fifty_entries_unless_asked_otherwise() -> None:
    """At most 500, from at most a million on."""
    assert fields.page_of({}) == (50, 0)
    assert fields.page_of({"limit": "500", "offset": "1000000"}) == (500, 1_000_000)
    for query in ({"limit": "501"}, {"offset": "1000001"}):
        with pytest.raises(Rejection, match="BAD_REQUEST"):
            fields.page_of(query)


def test_hex_of_a_request_may_use_every_digit_of_either_case() -> None:
    """All 22 characters at once."""
    digits = "0123456789abcdefABCDEF"
    assert fields.hex_bytes(digits, "x") == fields.hex_bytes(digits, "x", 11) == bytes.fromhex(digits)
    for text in ("", "0", digits + "g0", "0x00"):
        with pytest.raises(Rejection, match="BAD_HEX"):
            fields.hex_bytes(text, "x")


async def test_the_rules_do_nothing_until_they_are_asked(chain: Any, autojump_clock: Any) -> None:
    """Started at once, and there for as long as the node is."""
    started = False
    with trio.move_on_after(1_000) as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(chain.ledger.run)
            started = True
    assert started
    assert scope.cancelled_caught


@pytest.mark.parametrize(("age_ms", "code"), [(1_000, 0), (1_001, 257)])
def test_a_record_rests_on_a_fresh_challenge(new_chain: Any, kit: Any, age_ms: int, code: int) -> None:
    """To the millisecond, also where attestations may look further back."""
    chain = new_chain(challenge_fresh_ms=1_000)
    body = chain.reveal_body(kit.box(1), chain.record(kit.box(1)))
    chain.block(chain.commit(body), after_ms=1)
    assert chain.codes(chain.reveal(body), after_ms=age_ms - 1) == [code]


def test_what_is_asked_for_among_others_counts_as_used() -> None:
    """Looking many up is looking each up."""
    memory: Lru[str, int] = Lru(3)
    for key in "abc":
        memory.put(key, 1)
    assert memory.get_many(["a", "x"]) == [1, None]
    memory.put("d", 1)
    assert [key for key in "abcd" if memory.get(key)] == ["a", "c", "d"]


def test_a_state_without_validators_has_nothing_bonded() -> None:
    """As before genesis."""
    assert supply_parts(StateMap.empty()) == {
        "supply": 0, "accounts": 0, "bonded": 0, "escrow": 0, "pot": 0, "settling": 0, "fees": 0, "treasury": 0,
    }  # fmt: skip

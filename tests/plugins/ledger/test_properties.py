"""Any sequence of blocks keeps money, replay keys and determinism: a state machine of random ones.

Every block goes through `LedgerChain`, which executes it on a ledger that has seen admissions and on one
that remembers nothing, and holds the outcomes against each other and the supply.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from metanode.core.model.bodies import ADMIT, APPROVE, CALIBRATE, PROPOSE, REMOVE, SEAT, proposal_id
from metanode.core.model.codec import encode
from metanode.core.model.envelope import Envelope
from metanode.core.model.kinds import ATTEST, EVIDENCE
from metanode.core.model.receipt import EventNumber
from metanode.core.model.state_tables import Table
from metanode.core.model.validators import decode_set
from metanode.core.testing.contracts.ledger import key_pair
from metanode.plugins.ledger.attested import escrow, tables
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts
from metanode.plugins.ledger.attested.tables import Global

PEOPLE = [key_pair(number) for number in (1, 2, 50, 51)]
"""Two of genesis and two whom nobody paid yet."""
PERSON, BOX = st.integers(0, len(PEOPLE) - 1), st.integers(0, 3)
TRANSFERS = st.tuples(
    st.just("transfer"),
    PERSON,
    PERSON,
    st.sampled_from([1, 1000, 10**9, 3 * 10**9]),
    st.sampled_from([100, 100, 250, 0]),
)
BLOCKS_BACK, RIGHT = st.sampled_from([0, 0, 1, 2, 5, 9]), st.sampled_from([True, True, False])
ATTESTS = st.tuples(st.just("attest"), BOX, BLOCKS_BACK, RIGHT)
MACHINES = st.one_of(st.tuples(st.just("commit"), BOX, PERSON), st.tuples(st.just("reveal"), st.integers(0, 9), PERSON))
OWNERS = st.tuples(st.just("unbind"), BOX, PERSON, st.sampled_from([None, None, 0, 1, 2]))
MEMBERS = st.tuples(st.sampled_from(["propose", "approve"]), st.integers(0, 3), st.integers(0, 1))
STAKE = st.one_of(
    st.tuples(st.just("bond"), st.integers(0, 4), st.sampled_from([1, 10**6, 10**6, 10**15]), st.integers(0, 4)),
    st.tuples(st.just("unbond"), st.integers(0, 4)),
    st.tuples(st.just("accuse"), st.integers(0, 4), st.integers(0, 6), st.integers(0, 1)),
)
SEATS = st.tuples(st.sampled_from(["propose", "approve"]), st.integers(0, 3), st.integers(2, 6))
ACTIONS = st.lists(
    st.one_of(TRANSFERS, ATTESTS, ATTESTS, MACHINES, OWNERS, MEMBERS, STAKE, STAKE, SEATS), min_size=1, max_size=6
)
GAPS_MS = st.sampled_from([1, 1, 400, 2_000, 9_001, 10_000, 35_000])
SEEDED = settings(
    derandomize=True, deadline=None, max_examples=60, stateful_step_count=24, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def machine_class(new_chain: Any, kit: Any, composer: Any) -> type[RuleBasedStateMachine]:
    """The state machine over this directory's chains: epochs of 10 s, intervals of 2 s."""
    owner = PEOPLE[0]
    boxes = [
        kit.box(0, owner=owner), kit.box(1, kit.pc, owner=owner), kit.box(2, kit.vm, owner=PEOPLE[1]),
        kit.box(3, tag=kit.box(0).tag, owner=owner),
    ]  # fmt: skip

    class Ledgers(RuleBasedStateMachine):
        """Each step is a block of random transfers, registrations and attestations after a random time."""

        @initialize(
            page=st.sampled_from([1, 1, 2, 2000]), attests=st.sampled_from([1, 1000]), registered=BOX,
            cap=st.sampled_from([0, 700_000_000, 1_500_000_000]),
        )  # fmt: skip
        def start(self, page: int, attests: int, registered: int, cap: int) -> None:
            self.used: set[tuple[bytes, int]] = set()
            self.last: list[Envelope] = []
            self.chain = new_chain(
                settle_per_block=page,
                attests_per_block_max=attests,
                reveal_window_blocks=12,
                machines_per_sponsor_epoch=3,
                challenge_fresh_ms=9_000,
                slot_ms=1_000,
                members=3,
                candidates=2,
                twins_per_sponsor=2,
                uncalibrated_cap=cap,
            )
            self.seen = self.chain.genesis.validators
            reports = [composer.signed(number, genesis_hash=self.chain.genesis.hash) for number in range(4)]
            self.proposals = [encode([CALIBRATE, ["ppc pvr 8003", *reports[at : at + 3]]]) for at in (0, 1)]
            self.proposals += [
                encode([SEAT, [kit.member(who).account, verdict]])
                for who, verdict in ((0, REMOVE), (0, ADMIT), (1, REMOVE), (3, ADMIT), (4, ADMIT))
            ]
            # The claim of the machine that shares a tag with the first, made before it.
            early = self.chain.reveal_body(boxes[3], self.chain.record(boxes[3]))
            self.chain.block(self.chain.commit(early, kit.alice), after_ms=1)
            self.reveals = [early]
            if registered:
                self.chain.register(*boxes[:registered])

        @rule(actions=ACTIONS, after_ms=GAPS_MS, shuffle=st.sampled_from([False, False, True]), replay=st.booleans())
        def block(self, actions: list[Any], after_ms: int, shuffle: bool, replay: bool) -> None:
            candidates = [*(self.last if replay else []), *self.envelopes(actions)]
            if shuffle:
                candidates.sort(key=lambda envelope: envelope.id)
            for envelope in candidates:
                self.door_and_block_agree(envelope)
            done = self.chain.assemble(*candidates, after_ms=after_ms)
            for envelope, receipt in zip(done.included, done.receipts, strict=True):
                for number, *values in receipt.events:
                    if number in (EventNumber.ATTEST_COUNTED, EventNumber.ATTEST_LATE):
                        key = (envelope.sender, values[1])
                        assert key not in self.used, "an interval is used once"
                        self.used.add(key)
            again = self.chain.ledger.execute(self.chain.head, self.chain.fields(), done.included, assemble=True)
            assert not again.included, "nothing that stood can stand again"
            self.last = list(done.included)

        @rule(epochs=st.sampled_from([1, 1, 2, 3, 40, 101]))
        def epoch(self, epochs: int) -> None:
            schedule = self.chain.ledger.rules.schedule
            self.chain.to_epoch(schedule.epoch(self.chain.head.time_ms) + epochs)

        def envelopes(self, actions: list[Any]) -> list[Envelope]:
            made: list[Envelope] = []
            for kind, *values in actions:
                if kind == "attest":
                    number, back, right = values
                    wrong = {} if right else {"probe_results": ((1, 1),)}
                    made.append(self.chain.attest(boxes[number], max(0, self.chain.head.height - back), **wrong))
                    continue
                if kind in ("propose", "approve"):
                    made.append(self.govern(kind, *values, made))
                    continue
                if kind == "accuse":
                    who, back, round_number = values
                    height = max(1, self.chain.head.height + 1 - back)
                    made.append(self.chain.accuse(self.chain.double_vote(who, height, round=round_number)))
                    continue
                if kind in ("bond", "unbond"):
                    made.append(self.stake(kind, *values, made))
                    continue
                sender = PEOPLE[values[0] if kind == "transfer" else values[1]]
                nonce = self.next_nonce(sender, made)
                if kind == "transfer":
                    _, to, amount, fee = values
                    made.append(self.chain.transfer(sender, PEOPLE[to].account, amount, fee=fee, nonce=nonce))
                elif kind == "commit":
                    body = self.chain.reveal_body(boxes[values[0]], self.chain.record(boxes[values[0]]))
                    self.reveals.append(body)
                    made.append(self.chain.commit(body, sender, nonce=nonce))
                elif kind == "unbind":
                    heir = b"" if values[2] is None else PEOPLE[values[2]].account
                    made.append(self.chain.unbind(sender, boxes[values[0]], heir, nonce=nonce))
                else:
                    body = self.reveals[-1 - values[0] % len(self.reveals)]
                    made.append(self.chain.reveal(body, sender, nonce=nonce))
            return made

        def stake(self, action: str, who: int, *rest: Any) -> Envelope:
            """Return a bond, at times for keys of another, or a withdrawal."""
            *numbers, made = rest
            nonce = self.next_nonce(kit.member(who), made)
            if action == "unbond":
                return self.chain.unbond(who, nonce=nonce)
            amount, keys = numbers
            return self.chain.bond(who, amount, keys=keys if amount == 1 else who, nonce=nonce)

        def next_nonce(self, sender: Any, made: list[Envelope]) -> int:
            waiting = sum(each.sender == sender.account and each.kind not in (ATTEST, EVIDENCE) for each in made)
            return self.chain.state.account(sender.account).nonce + waiting

        def govern(self, action: str, number: int, which: int, made: list[Envelope]) -> Envelope:
            """Return what a member says; number 3 is nobody's."""
            sender = kit.member(number) if number < 3 else PEOPLE[1]
            nonce = self.next_nonce(sender, made)
            proposal = self.proposals[which]
            if action == "propose":
                return self.chain.govern(sender, PROPOSE, proposal, nonce=nonce)
            return self.chain.govern(sender, APPROVE, proposal_id(proposal, self.chain.genesis.hash), nonce=nonce)

        def door_and_block_agree(self, envelope: Envelope) -> None:
            """What the door takes succeeds alone in the next block, unless it waits for an earlier nonce."""
            code = self.chain.door(envelope)
            alone = self.chain.ledger.execute(self.chain.head, self.chain.fields(1), [envelope], assemble=True)
            early = envelope.nonce > self.chain.state.account(envelope.sender).nonce
            stands = [receipt.code for receipt in alone.receipts] == [0]
            assert stands == (code is None) or early, (code, alone.receipts, alone.dropped)

        @invariant()
        def sums(self) -> None:
            assert is_whole(supply_parts(self.chain.head.state))

        @invariant()
        def a_key_leads_to_the_bond_that_names_it(self) -> None:
            state = self.chain.state
            prefix = bytes((Table.STAKE_KEY,))
            held = {key[1:]: value for key, value in state.base.items_with_prefix(prefix)}
            assert len(held) == sum(len(stake.keys) for _, stake in state.stakes())
            for account, stake in state.stakes():
                assert all(state.stake_holder(key) == account for key in stake.keys)
                assert stake.leaving or not stake.release

        @invariant()
        def seats_move_at_settlements_alone(self) -> None:
            state = self.chain.state
            members = decode_set(state.next_set())
            assert members
            if self.seen != state.next_set():
                _, height = state.epoch_starts().amounts[-1]
                assert height == self.chain.head.height, "the first block of an epoch"
                self.seen = state.next_set()
            for member in members:
                found = state.stake(member.account)
                assert found is not None, "whoever has a seat is bonded"
                assert not found.release
                assert found.consensus_key == member.consensus_key

        @invariant()
        def escrow_is_the_sum_of_its_claims(self) -> None:
            state = self.chain.state
            total: dict[int, int] = {}
            for index in range(state.number(Global.MACHINES)):
                for bucket, amount in escrow.claims(state, index).amounts:
                    total[bucket] = total.get(bucket, 0) + amount
                machine = state.machine(index)
                assert machine.payable <= machine.weight
            assert total == dict(state.escrow().amounts)
            assert len(total) <= escrow.ESCROW_BUCKETS_MAX

        @invariant()
        def twins_are_the_machines_on_record(self) -> None:
            state = self.chain.state
            found: dict[bytes, int] = {}
            for index in range(state.number(Global.MACHINES)):
                machine = state.machine(index)
                key = tables.twins_key(machine.sponsor, machine.inventory_digest)
                found[key] = found.get(key, 0) + (not machine.displaced and not machine.retired)
            for key, count in found.items():
                assert state.twins(key[1:21], key[21:]) == count <= 2

        @invariant()
        def an_index_leads_to_one_machine_and_a_tag_to_its_holder(self) -> None:
            state = self.chain.state
            for box in boxes:
                index = state.machine_index(box.key.account)
                if index is not None:
                    assert state.machine(index).machine_key == box.key.public_key
                    assert state.account(box.key.account).public_key == box.key.public_key
                tag = state.tag(box.tag)
                assert tag is None or not state.machine(tag.index).displaced

    return Ledgers


def test_random_blocks_keep_every_rule(machine_class: type[RuleBasedStateMachine]) -> None:
    """See the module's text."""
    run_state_machine_as_test(machine_class, settings=SEEDED)

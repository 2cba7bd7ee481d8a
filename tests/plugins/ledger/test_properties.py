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

from metanode.core.model.envelope import Envelope
from metanode.core.model.receipt import EventNumber
from metanode.core.testing.contracts.ledger import key_pair
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts

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
ACTIONS = st.lists(st.one_of(TRANSFERS, ATTESTS, ATTESTS, MACHINES), min_size=1, max_size=6)
GAPS_MS = st.sampled_from([1, 1, 400, 2_000, 9_001, 10_000, 35_000])
SEEDED = settings(
    derandomize=True, deadline=None, max_examples=60, stateful_step_count=24, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
def machine_class(new_chain: Any, kit: Any) -> type[RuleBasedStateMachine]:
    """The state machine over this directory's chains: epochs of 10 s, intervals of 2 s."""
    boxes = [kit.box(0), kit.box(1, kit.pc), kit.box(2, kit.vm), kit.box(3, tag=kit.box(0).tag)]

    class Ledgers(RuleBasedStateMachine):
        """Each step is a block of random transfers, registrations and attestations after a random time."""

        @initialize(page=st.sampled_from([1, 1, 2, 2000]), attests=st.sampled_from([1, 1000]), registered=BOX)
        def start(self, page: int, attests: int, registered: int) -> None:
            self.used: set[tuple[bytes, int]] = set()
            self.last: list[Envelope] = []
            self.chain = new_chain(
                settle_per_block=page,
                attests_per_block_max=attests,
                reveal_window_blocks=12,
                machines_per_sponsor_epoch=3,
                challenge_fresh_ms=9_000,
                slot_ms=1_000,
            )
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

        @rule(epochs=st.integers(1, 3))
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
                sender = PEOPLE[values[0] if kind == "transfer" else values[1]]
                waiting = sum(envelope.sender == sender.account and envelope.kind != 4 for envelope in made)
                nonce = self.chain.state.account(sender.account).nonce + waiting
                if kind == "transfer":
                    _, to, amount, fee = values
                    made.append(self.chain.transfer(sender, PEOPLE[to].account, amount, fee=fee, nonce=nonce))
                elif kind == "commit":
                    body = self.chain.reveal_body(boxes[values[0]], self.chain.record(boxes[values[0]]))
                    self.reveals.append(body)
                    made.append(self.chain.commit(body, sender, nonce=nonce))
                else:
                    body = self.reveals[-1 - values[0] % len(self.reveals)]
                    made.append(self.chain.reveal(body, sender, nonce=nonce))
            return made

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

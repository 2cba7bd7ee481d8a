"""Whatever happens to it, in whatever order, the pool stays within its bounds and its own rules."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from metanode.core.crypto import install
from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.kinds import TRANSFER, Lane
from metanode.core.model.limits import NONCE_AHEAD_MAX
from metanode.core.testing.contracts.pool_bench import attest, sender, transfer
from metanode.plugins.mempool.fifo.entry import Entry, Gone
from metanode.plugins.mempool.fifo.pool import LANE_PERCENT, Pool

ENTRIES_MAX = 20
BYTES_MAX = 4000
SENDERS = range(4)


def by_id(ids: Sequence[bytes]) -> Sequence[bytes]:
    """A rank that needs no head."""
    return ids


class PoolMachine(RuleBasedStateMachine):
    """The pool next to what its caller knows: nonces on chain, and who was let in."""

    @initialize()
    def start(self) -> None:
        install()
        self.pool = Pool(entries_max=ENTRIES_MAX, bytes_max=BYTES_MAX)
        self.nonces = {sender(who): 0 for who in SENDERS}
        self.entries: dict[bytes, Entry] = {}
        self.now_s = 0.0
        self.height = 0
        self.attests = 0

    @rule(
        who=st.sampled_from(SENDERS),
        ahead=st.one_of(st.integers(-1, 4), st.just(NONCE_AHEAD_MAX), st.just(NONCE_AHEAD_MAX + 1)),
        fee=st.integers(0, 40),
        size=st.sampled_from([0, 100, 3000]),
        life=st.integers(0, 20),
    )
    def submit_paying(self, who: int, ahead: int, fee: int, size: int, life: int) -> None:
        nonce = max(0, self.nonces[sender(who)] + ahead)
        envelope = transfer(who, nonce, fee=fee, valid_until=self.height + life, body=bytes(size))
        self._admit(envelope, Lane.TRANSACTION)

    @rule(who=st.sampled_from(SENDERS), lane=st.sampled_from([Lane.ATTESTATION, Lane.CONSENSUS]))
    def submit_free(self, who: int, lane: Lane) -> None:
        self.attests += 1
        self._admit(attest(who, self.attests, valid_until=self.height + 50), lane)

    def _admit(self, envelope: Envelope, lane: Lane) -> None:
        before = {entry.envelope.id: (entry.durable, entry.gone) for entry in self.pool.entries()}
        ready = self._selected()
        base = self.nonces[envelope.sender]
        admitted = self._try(envelope, lane, base)
        if isinstance(admitted, Rejection):
            assert admitted.code in {"REPLAYED", "BAD_NONCE", "FEE_TOO_LOW", "POOL_FULL"}
            # A refusal, also one after tentative evictions, leaves no trace.
            assert before == {entry.envelope.id: (entry.durable, entry.gone) for entry in self.pool.entries()}
            assert ready == self._selected()
            if admitted.code == "BAD_NONCE":
                assert not base <= envelope.nonce <= base + NONCE_AHEAD_MAX
            return
        entry, left = admitted
        assert entry.envelope.id not in before
        self.entries[envelope.id] = entry
        for gone in left:
            old = self.entries.pop(gone.envelope.id)
            assert old is gone
            assert gone.gone in {Gone.EVICTED, Gone.REPLACED}
            if gone.gone is Gone.REPLACED:
                assert (gone.envelope.sender, gone.envelope.nonce) == (envelope.sender, envelope.nonce)
                assert envelope.fee * 10 >= gone.envelope.fee * 11
                assert envelope.fee > gone.envelope.fee

    def _try(self, envelope: Envelope, lane: Lane, base: int) -> tuple[Entry, list[Entry]] | Rejection:
        try:
            return self.pool.admit(envelope, lane, base=base, expires_s=self.now_s + 30)
        except Rejection as error:
            return error

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def save_succeeds(self, data: st.DataObject) -> None:
        entry = self.entries[data.draw(st.sampled_from(sorted(self.entries)))]
        self.pool.confirm(entry)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def save_fails(self, data: st.DataObject) -> None:
        envelope_id = data.draw(st.sampled_from(sorted(self.entries)))
        assert self.pool.remove(envelope_id, Gone.UNSAVED) is self.entries.pop(envelope_id)
        assert self.pool.remove(envelope_id, Gone.UNSAVED) is None

    @rule(count_max=st.integers(0, 30), bytes_max=st.integers(0, 5000))
    def a_block_takes_what_it_can(self, count_max: int, bytes_max: int) -> None:
        chosen = self.pool.select(count_max=count_max, bytes_max=bytes_max, attests_max=3, rank=by_id)
        self._check_selection(chosen)
        assert len(chosen) <= count_max
        assert sum(len(envelope.raw) for envelope in chosen) <= bytes_max
        for envelope in chosen:
            entry = self.pool.remove(envelope.id, Gone.INCLUDED)
            assert entry is self.entries.pop(envelope.id)
            if envelope.kind == TRANSFER:
                self.nonces[envelope.sender] += 1
        self._advance()

    @rule(who=st.sampled_from(SENDERS), steps=st.integers(1, 3))
    def a_block_of_others_uses_nonces(self, who: int, steps: int) -> None:
        self.nonces[sender(who)] += steps
        self._advance()

    def _advance(self) -> None:
        self.height += 1
        for entry in self.pool.rebase(self.nonces):
            assert entry.envelope.nonce < self.nonces[entry.envelope.sender]
            assert self.entries.pop(entry.envelope.id).gone is Gone.STALE
        for entry in self.pool.expire(height=self.height, now_s=self.now_s):
            assert entry.envelope.valid_until < self.height or entry.expires_s <= self.now_s
            assert self.entries.pop(entry.envelope.id).gone is Gone.EXPIRED

    @rule(seconds=st.integers(1, 31))
    def time_passes(self, seconds: int) -> None:
        self.now_s += seconds
        self._advance()

    @invariant()
    def the_pool_holds_exactly_what_was_let_in(self) -> None:
        assert {entry.envelope.id: entry for entry in self.pool.entries()} == self.entries
        assert all(entry.gone is None for entry in self.entries.values())
        assert all(self.pool.get(envelope_id) is entry for envelope_id, entry in self.entries.items())

    @invariant()
    def bounds_hold_and_counts_are_true(self) -> None:
        stats = self.pool.stats()
        assert stats["entries"] == len(self.entries)
        assert stats["bytes"] == sum(entry.size for entry in self.entries.values())
        for lane, percent in LANE_PERCENT.items():
            assert stats[f"{lane.value}_entries"] <= ENTRIES_MAX * percent // 100
            assert stats[f"{lane.value}_bytes"] <= BYTES_MAX * percent // 100

    @invariant()
    def a_nonce_waits_once_and_selection_is_valid(self) -> None:
        paying = [e.envelope for e in self.entries.values() if e.envelope.kind == TRANSFER]
        assert len({(envelope.sender, envelope.nonce) for envelope in paying}) == len(paying)
        chosen = self._selected()
        self._check_selection(chosen)
        assert self.pool.has_ready == bool(chosen)

    @invariant()
    def the_next_nonce_is_the_first_that_is_free(self) -> None:
        for account, base in self.nonces.items():
            own = [e.envelope for e in self.entries.values() if e.envelope.sender == account]
            waiting = {envelope.nonce for envelope in own if envelope.kind == TRANSFER}
            nonce = self.pool.next_nonce(account, base)
            assert nonce not in waiting
            assert set(range(base, nonce)) <= waiting

    def _selected(self) -> list[Envelope]:
        return self.pool.select(count_max=1000, bytes_max=10**9, attests_max=1000, rank=by_id)

    def _check_selection(self, chosen: Sequence[Envelope]) -> None:
        assert len({envelope.id for envelope in chosen}) == len(chosen)
        expected = dict(self.nonces)
        for envelope in chosen:
            assert self.entries[envelope.id].durable
            if envelope.kind == TRANSFER:
                assert envelope.nonce == expected[envelope.sender]
                expected[envelope.sender] += 1


PoolMachine.TestCase.settings = settings(
    derandomize=True,
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestPool = PoolMachine.TestCase

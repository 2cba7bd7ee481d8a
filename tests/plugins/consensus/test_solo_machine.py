"""The lone validator's decisions: whatever happens, one hash per height, and the promise before the signature."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.plugins.consensus.solo.machine import (
    BlockStored,
    BuildProposal,
    CertifyAndStore,
    Effect,
    Event,
    PersistPromise,
    Phase,
    PromisePersisted,
    PromiseRecovered,
    ProposalBuilt,
    ProposalDue,
    State,
    step,
)

A, B = b"a" * 32, b"b" * 32


def run(state: State, *events: Event) -> tuple[State, list[Effect]]:
    """Feed events and collect the effects."""
    effects: list[Effect] = []
    for event in events:
        state, more = step(state, event)
        effects += more
    return state, effects


def test_a_block_is_built_promised_certified_and_stored_in_this_order() -> None:
    """A crash between any two effects must find the earlier one done."""
    state, effects = run(State(7), ProposalDue(), ProposalBuilt(7, A), PromisePersisted(7, A), BlockStored(7))
    assert effects == [BuildProposal(7), PersistPromise(7, A), CertifyAndStore(7, A)]
    assert state == State(8)


def test_a_recovered_promise_is_finished_before_anything_new_is_built() -> None:
    """What was promised may already be known elsewhere; only that block may be signed."""
    state, effects = run(State(7), PromiseRecovered(7, A), ProposalDue(), ProposalBuilt(7, B))
    assert effects == [CertifyAndStore(7, A)]
    assert state.promised == A


def test_a_promise_of_another_height_changes_nothing() -> None:
    """An old log must not disturb the current height."""
    assert run(State(7), PromiseRecovered(6, A)) == (State(7), [])


def test_the_signature_waits_until_the_very_promise_is_on_disk() -> None:
    """A promise persisted for another hash allows nothing."""
    state, effects = run(State(7), ProposalDue(), ProposalBuilt(7, A), PromisePersisted(7, B))
    assert CertifyAndStore(7, B) not in effects
    assert state.phase is Phase.PROMISED


heights = st.integers(6, 9)
hashes = st.sampled_from([A, B])
events = st.one_of(
    st.just(ProposalDue()),
    st.builds(ProposalBuilt, heights, hashes),
    st.builds(PromisePersisted, heights, hashes),
    st.builds(BlockStored, heights),
    st.builds(PromiseRecovered, heights, hashes),
)


@settings(derandomize=True, max_examples=500)
@given(st.lists(events, max_size=40))
def test_no_history_signs_two_hashes_at_one_height(history: list[Event]) -> None:
    """Safety of the vote: at most one hash per height, and never without a promise for it."""
    state, effects = run(State(7), *history)
    signed: dict[int, bytes] = {}
    promised = {(event.height, event.header_hash) for event in history if isinstance(event, PromiseRecovered)}
    for effect in effects:
        if isinstance(effect, PersistPromise):
            promised.add((effect.height, effect.header_hash))
        if isinstance(effect, CertifyAndStore):
            assert signed.setdefault(effect.height, effect.header_hash) == effect.header_hash
            assert (effect.height, effect.header_hash) in promised
    assert state.height >= 7

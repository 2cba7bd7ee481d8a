"""What every pool must do: see `metanode.core.roles.Mempool`.

A check takes a `Bench` with the pool's default settings.  `pool_bench.py` has what stands around it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio

from metanode.core.bus import EnvelopeAdmitted
from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import Rejection, StorageError
from metanode.core.model.limits import ENVELOPE_BYTES_MAX, NONCE_AHEAD_MAX
from metanode.core.roles import Admission, Mempool
from metanode.core.testing.contracts.pool_bench import (
    PARAMS,
    Bench,
    attest,
    head_at,
    sender,
    settled,
    transfer,
)

Check = Callable[[Bench], Awaitable[None]]

BLOCK = {"count_max": 1000, "bytes_max": 500_000}
"""A block with room for everything these checks submit."""


async def _submit(pool: Mempool, *envelopes: Envelope, source: str = "local") -> list[Admission]:
    return await pool.submit([envelope.raw for envelope in envelopes], source=source)


async def _accept(pool: Mempool, *envelopes: Envelope) -> None:
    for admission, envelope in zip(await _submit(pool, *envelopes), envelopes, strict=True):
        assert admission.error is None, admission.error
        assert admission.id == envelope.id


def _codes(admissions: Sequence[Admission]) -> list[str]:
    return ["ok" if admission.error is None else admission.error.code for admission in admissions]


async def what_is_accepted_is_durable(bench: Bench) -> None:
    """When the answer comes, the envelope is saved, waits, and was told on the bus."""
    one, two = transfer(1, 0), attest(2, 0)
    async with bench.pool() as pool, bench.bus.subscribe(EnvelopeAdmitted) as events:
        await _accept(pool, one, two)
        assert await bench.storage.load_pending() == [(one.id, one.raw), (two.id, two.raw)]
        assert pool.pending(one.id) == one
        assert pool.pending(bytes(32)) is None
        assert await events.__anext__() == EnvelopeAdmitted(one.id, one.kind, one.sender)
        assert pool.stats()["entries"] == 2
        assert pool.stats()["bytes"] == len(one.raw) + len(two.raw)


async def an_envelope_waits_for_its_save_before_a_block_may_take_it(bench: Bench) -> None:
    """Neither the answer nor `select` runs ahead of the disk."""
    gate, save = trio.Event(), bench.storage.save_pending

    async def slow(envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        await gate.wait()
        await save(envelopes)

    async with bench.pool() as pool:
        bench.storage.save_pending = slow  # type: ignore[method-assign]
        answers: list[Admission] = []

        async def submit() -> None:
            answers.extend(await _submit(pool, transfer(1, 0)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(submit)
            nursery.start_soon(submit)
            await settled()
            assert answers == []
            assert pool.select(**BLOCK) == []
            gate.set()
        assert sorted(answer.known for answer in answers) == [False, True]
        assert len(pool.select(**BLOCK)) == 1


async def the_same_bytes_are_accepted_again(bench: Bench) -> None:
    """A client that lost the answer may ask again, also within one batch; nothing is queued twice."""
    one = transfer(1, 0)
    async with bench.pool() as pool:
        first, twin = await _submit(pool, one, one)
        (again,) = await _submit(pool, one)
        assert _codes([first, twin, again]) == ["ok"] * 3
        assert [first.known, twin.known, again.known] == [False, True, True]
        assert pool.select(**BLOCK) == [one]


async def each_envelope_is_judged_alone(bench: Bench) -> None:
    """Bad bytes and refused envelopes get their own code; their neighbours are accepted."""
    good, refused = transfer(1, 0), transfer(2, 0)
    bench.ledger.refuse[refused.id] = Rejection("INSUFFICIENT_FUNDS", "nothing there")
    batch = [b"", good.raw, good.raw[:-1], bytes(ENVELOPE_BYTES_MAX + 1), refused.raw, transfer(3, 1).raw, b"\x80"]
    async with bench.pool() as pool:
        codes = _codes(await pool.submit(batch, source="local"))
        expected = ["NOT_CANONICAL", "ok", "NOT_CANONICAL", "TOO_LARGE", "INSUFFICIENT_FUNDS", "ok", "BAD_SHAPE"]
        assert codes == expected
        assert [raw for _, raw in await bench.storage.load_pending()] == [batch[1], batch[5]]


async def many_callers_share_a_batch(bench: Bench) -> None:
    """Single submissions that come together are checked together, at most a hundred at once."""
    async with bench.pool() as pool:
        async with trio.open_nursery() as nursery:
            for who in range(250):
                nursery.start_soon(_accept, pool, transfer(who, 0))
        assert sum(bench.ledger.batches) == 250
        assert max(bench.ledger.batches) <= 100
        assert len(bench.ledger.batches) < 50
        assert len(await pool.submit([transfer(who, 1).raw for who in range(250)], source="local")) == 250


async def blocks_take_the_best_fee_under_nonce_order(bench: Bench) -> None:
    """Nonces of a sender follow one another; among those whose turn it is, the fee decides."""
    cheap_then_dear = [transfer(1, 0, fee=100), transfer(1, 1, fee=900)]
    middle = transfer(2, 0, fee=500)
    gap = transfer(3, 1, fee=5000)
    async with bench.pool() as pool:
        await _accept(pool, gap, cheap_then_dear[1], cheap_then_dear[0], middle)
        assert pool.select(**BLOCK) == [middle, *cheap_then_dear]
        assert pool.select(count_max=2, bytes_max=500_000) == [middle, cheap_then_dear[0]]
        smallest = len(cheap_then_dear[0].raw)
        assert pool.select(count_max=9, bytes_max=smallest) == cheap_then_dear[:1]
        assert pool.select(count_max=9, bytes_max=smallest - 1) == []
        filler = transfer(3, 0, fee=100)
        await _accept(pool, filler)
        assert pool.select(**BLOCK) == [middle, *cheap_then_dear, filler, gap]


async def what_pays_nothing_has_its_own_place_and_no_bought_order(bench: Bench) -> None:
    """Attestations come before what pays, at most as many as a block may hold, in an order drawn per block."""
    attests = [attest(who, 0) for who in range(PARAMS.attests_per_block_max + 5)]
    paying = transfer(1, 0, fee=10**9)
    async with bench.pool() as pool:
        await _accept(pool, paying, *attests)
        first = pool.select(**BLOCK)
        assert first[-1] == paying
        assert len(first) == PARAMS.attests_per_block_max + 1
        assert first == pool.select(**BLOCK)
        pool.advance(head_at(1), [], [])
        second = pool.select(**BLOCK)
        assert [envelope.id for envelope in second] != [envelope.id for envelope in first]


async def a_nonce_may_lie_a_little_ahead(bench: Bench) -> None:
    """Up to NONCE_AHEAD_MAX above the next one, and never below it."""
    async with bench.pool(head_at(5, {sender(1): 10})) as pool:
        answers = await _submit(pool, transfer(1, 9), transfer(1, 10 + NONCE_AHEAD_MAX), transfer(1, 75))
        assert _codes(answers) == ["REPLAYED", "ok", "BAD_NONCE"]
        assert pool.next_nonce(sender(1)) == 10
        await _accept(pool, transfer(1, 10), transfer(1, 11), transfer(1, 13))
        assert pool.next_nonce(sender(1)) == 12
        assert pool.next_nonce(sender(2)) == 0


async def a_nonce_is_replaced_by_a_tenth_more_fee(bench: Bench) -> None:
    """Less is refused and changes nothing; the replaced one is forgotten, on disk too."""
    old, close, better = transfer(1, 0, fee=1000), transfer(1, 0, fee=1099), transfer(1, 0, fee=1100)
    async with bench.pool() as pool:
        await _accept(pool, old, transfer(1, 1))
        assert _codes(await _submit(pool, close)) == ["FEE_TOO_LOW"]
        assert pool.pending(old.id) == old
        await _accept(pool, better)
        assert pool.pending(old.id) is None
        assert pool.select(**BLOCK) == [better, transfer(1, 1)]
        await settled()
        assert old.id not in dict(await bench.storage.load_pending())


async def a_new_head_takes_out_what_is_done_and_what_can_never_be(bench: Bench) -> None:
    """Included, dropped, outdated by nonce, and expired envelopes leave; the rest stays in order."""
    included, rival, following = transfer(1, 0), transfer(2, 0), transfer(1, 1)
    expiring, dropped, kept = transfer(3, 0, valid_until=7), attest(4, 0), attest(5, 0, valid_until=8)
    async with bench.pool(head_at(6)) as pool:
        await _accept(pool, included, rival, following, expiring, dropped, kept)
        stranger = bytes(32)  # in the block, never seen here: somebody else's envelope with nonce 0 of sender 2
        head = head_at(7, {sender(1): 1, sender(2): 1})
        pool.advance(head, [included.id, stranger], [dropped.id])
        assert pool.select(**BLOCK) == [kept, following]
        assert pool.stats()["entries"] == 2
        await settled()
        # Storage itself forgets included and dropped ones, with the block.
        await bench.storage.drop_pending([included.id, dropped.id])
        assert dict(await bench.storage.load_pending()).keys() == {kept.id, following.id}
        assert _codes(await _submit(pool, rival)) == ["REPLAYED"]


async def what_was_acknowledged_is_there_after_a_restart(bench: Bench) -> None:
    """What can still be included waits again in its order; what cannot is forgotten, on disk too."""
    done, following, late = transfer(1, 0), transfer(1, 1), transfer(2, 0, valid_until=3)
    poor, free = transfer(3, 0), attest(4, 0)
    async with bench.pool() as pool:
        await _accept(pool, done, following, late, poor, free)
    bench.ledger.refuse[poor.id] = Rejection("INSUFFICIENT_FUNDS", "for now")
    async with bench.pool(head_at(5, {sender(1): 1})) as pool:
        assert pool.select(**BLOCK) == [free, following, poor]
        await settled()
        assert [saved for saved, _ in await bench.storage.load_pending()] == [following.id, poor.id, free.id]


async def a_pool_without_a_head_accepts_nothing(bench: Bench) -> None:
    """Until consensus has recovered there is nothing to check against."""
    async with bench.pool(recover=False) as pool:
        assert _codes(await _submit(pool, transfer(1, 0))) == ["NOT_READY"]
        assert pool.select(**BLOCK) == []


async def a_source_may_ask_a_hundred_times_a_minute(bench: Bench) -> None:
    """The next request is refused whole, other sources and the node itself are not; time heals."""
    async with bench.pool() as pool:
        for number in range(100):
            assert _codes(await _submit(pool, attest(1, number), source="10.0.0.1")) == ["ok"]
            bench.clock.seconds += 0.1
        assert _codes(await _submit(pool, transfer(1, 0), transfer(1, 1), source="10.0.0.1")) == ["RATE_LIMITED"] * 2
        assert _codes(await _submit(pool, transfer(1, 0), source="10.0.0.2")) == ["ok"]
        assert _codes(await _submit(pool, transfer(1, 1), source="local")) == ["ok"]
        bench.clock.seconds += 50.01
        assert _codes(await _submit(pool, transfer(1, 2), source="10.0.0.1")) == ["ok"]
        assert _codes(await _submit(pool, transfer(1, 3), source="10.0.0.1")) == ["RATE_LIMITED"]


async def waiting_ends_when_a_block_could_take_something(bench: Bench) -> None:
    """An envelope behind a gap wakes nobody; the one that fills it does."""
    async with bench.pool() as pool, trio.open_nursery() as nursery:
        woken = trio.Event()

        async def wait() -> None:
            await pool.wait_for_envelopes()
            woken.set()

        nursery.start_soon(wait)
        await _accept(pool, transfer(1, 1))
        await settled()
        assert not woken.is_set()
        await _accept(pool, transfer(1, 0))
        await settled()
        assert woken.is_set()
        await pool.wait_for_envelopes()


async def what_cannot_be_saved_is_not_accepted(bench: Bench) -> None:
    """A full disk is told to the client, and no block may take the envelope."""
    save = bench.storage.save_pending

    async def full(envelopes: Sequence[tuple[bytes, bytes]]) -> None:
        raise StorageError("STORAGE_FULL", "the disk is full")

    async with bench.pool() as pool:
        bench.storage.save_pending = full  # type: ignore[method-assign]
        assert _codes(await _submit(pool, transfer(1, 0))) == ["STORAGE_FULL"]
        assert pool.select(**BLOCK) == []
        assert pool.stats()["entries"] == 0
        bench.storage.save_pending = save  # type: ignore[method-assign]
        await _accept(pool, transfer(1, 0))


async def a_caller_that_goes_away_disturbs_nobody(bench: Bench) -> None:
    """Cancelling a submission leaves the pool consistent, and those who wait with it are answered."""
    async with bench.pool() as pool:
        async with trio.open_nursery() as nursery:
            for who in range(20):
                nursery.start_soon(_accept, pool, transfer(who, 0))
            with trio.CancelScope() as scope:
                scope.cancel()
                await _submit(pool, transfer(99, 0))
        assert {envelope.sender for envelope in pool.select(**BLOCK)} >= {sender(who) for who in range(20)}
        saved = {envelope_id for envelope_id, _ in await bench.storage.load_pending()}
        assert saved == {envelope.id for envelope in pool.select(**BLOCK)}


CHECKS: tuple[Check, ...] = (
    what_is_accepted_is_durable,
    an_envelope_waits_for_its_save_before_a_block_may_take_it,
    the_same_bytes_are_accepted_again,
    each_envelope_is_judged_alone,
    many_callers_share_a_batch,
    blocks_take_the_best_fee_under_nonce_order,
    what_pays_nothing_has_its_own_place_and_no_bought_order,
    a_nonce_may_lie_a_little_ahead,
    a_nonce_is_replaced_by_a_tenth_more_fee,
    a_new_head_takes_out_what_is_done_and_what_can_never_be,
    what_was_acknowledged_is_there_after_a_restart,
    a_pool_without_a_head_accepts_nothing,
    a_source_may_ask_a_hundred_times_a_minute,
    waiting_ends_when_a_block_could_take_something,
    what_cannot_be_saved_is_not_accepted,
    a_caller_that_goes_away_disturbs_nobody,
)
"""The suite."""

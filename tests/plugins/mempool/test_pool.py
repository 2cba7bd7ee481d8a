"""Who has to leave a full pool, and why."""

from __future__ import annotations

import pytest

from metanode.core.model.envelope import Envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.kinds import TRANSFER, Lane
from metanode.core.testing.contracts.pool_bench import attest, transfer
from metanode.plugins.mempool.fifo.entry import Entry, Gone
from metanode.plugins.mempool.fifo.heap import LazyHeap
from metanode.plugins.mempool.fifo.pool import Pool


def pool_of(entries_max: int, bytes_max: int = 10**6) -> Pool:
    """A pool with 70 % of its places for what pays and 25 % for attestations."""
    return Pool(entries_max=entries_max, bytes_max=bytes_max)


def admit(pool: Pool, envelope: Envelope) -> list[Envelope]:
    """Admit on a chain where every account is at nonce 0; return who had to leave."""
    lane = Lane.TRANSACTION if envelope.kind == TRANSFER else Lane.ATTESTATION
    entry, left = pool.admit(envelope, lane, base=0, expires_s=1e9)
    pool.confirm(entry)
    return [gone.envelope for gone in left]


def test_a_full_pool_gives_the_place_of_the_lowest_fee_to_a_higher_one() -> None:
    """Equal fees do not displace each other: the earlier one stays."""
    pool = pool_of(10)  # 7 places for what pays
    for who in range(7):
        admit(pool, transfer(who, 0, fee=100 + who))
    with pytest.raises(Rejection, match="7 of 7") as caught:
        admit(pool, transfer(8, 0, fee=100))
    assert caught.value.code == "POOL_FULL"
    assert admit(pool, transfer(8, 0, fee=101)) == [transfer(0, 0, fee=100)]


def test_the_last_of_a_queue_leaves_first() -> None:
    """A cheap envelope makes all behind it worth no more; the queue is shortened from its end."""
    pool = pool_of(10)
    for nonce in range(7):
        admit(pool, transfer(1, nonce, fee=100 if nonce == 2 else 900))
    assert admit(pool, transfer(2, 0, fee=500)) == [transfer(1, 6, fee=900)]
    assert [(e.sender[-1], e.nonce) for e in pool.select(count_max=99, bytes_max=10**6, attests_max=0, rank=list)] == [
        (1, 0), (1, 1), (2, 0), (1, 2), (1, 3), (1, 4), (1, 5),
    ]


def test_nobody_displaces_what_it_builds_on() -> None:
    """A sender cannot evict its own earlier nonces, but a missing one may displace its later ones."""
    pool = pool_of(10)
    for nonce in range(1, 8):
        admit(pool, transfer(1, nonce, fee=100))
    with pytest.raises(Rejection, match="bytes wait"):
        admit(pool, transfer(1, 8, fee=900))
    assert admit(pool, transfer(1, 0, fee=900)) == [transfer(1, 7, fee=100)]


def test_a_large_envelope_displaces_all_it_needs_or_none() -> None:
    """Bytes are bounded too; when even all cheaper ones would not make room, nobody leaves."""
    sizes = len(transfer(1, 0, fee=100).raw)
    pool = pool_of(100, bytes_max=sizes * 10)  # room for seven of these in the lane that pays
    for who in range(6):
        admit(pool, transfer(who, 0, fee=100))
    large = transfer(9, 0, fee=500, body=bytes(2 * sizes - 20))
    assert len(admit(pool, large)) == 2
    huge = transfer(8, 0, fee=400, body=bytes(6 * sizes))
    with pytest.raises(Rejection, match="POOL_FULL"):
        admit(pool, huge)
    assert len(pool.select(count_max=99, bytes_max=10**6, attests_max=0, rank=list)) == 5


def test_a_flood_of_attestations_displaces_itself() -> None:
    """Who has most waiting loses its newest when somebody with less comes."""
    pool = pool_of(40)  # 10 places for attestations
    for number in range(10):
        admit(pool, attest(1, number))
    with pytest.raises(Rejection, match="10 of 10"):
        admit(pool, attest(1, 10))
    for who in range(2, 7):
        assert [gone.sender[-1] for gone in admit(pool, attest(who, 0))] == [1]
    assert [gone.sender[-1] for gone in admit(pool, attest(2, 1))] == [1]
    assert [number for number in range(10) if pool.get(attest(1, number).id)] == [0, 1, 2, 3]


def test_lanes_do_not_displace_each_other() -> None:
    """However full the lane that pays is, attestations still enter, and the other way round."""
    pool = pool_of(40)
    for who in range(28):
        admit(pool, transfer(who, 0, fee=10**9))
    with pytest.raises(Rejection, match="28 of 28"):
        admit(pool, transfer(99, 0, fee=10**6))
    for who in range(10):
        assert admit(pool, attest(who, 0)) == []


def test_attestations_leave_half_of_a_block_to_what_pays() -> None:
    """Bytes are shared, so neither side can shut the other out of a block."""
    pool = pool_of(200)
    for who in range(40):
        admit(pool, attest(who, 0))
        admit(pool, transfer(who, 0))
    size = len(attest(0, 0).raw)
    chosen = pool.select(count_max=999, bytes_max=size * 20, attests_max=999, rank=list)
    assert sum(envelope.kind != TRANSFER for envelope in chosen) == 10
    assert sum(envelope.kind == TRANSFER for envelope in chosen) >= 9


def test_an_entry_tells_why_it_left() -> None:
    """The reason stays on the entry for whoever still holds it."""
    pool = pool_of(100)
    envelope = transfer(1, 0, valid_until=5)
    entry, _ = pool.admit(envelope, Lane.TRANSACTION, base=0, expires_s=10.0)
    assert pool.expire(height=5, now_s=9.9) == []
    assert pool.expire(height=6, now_s=0.0) == [entry]
    assert entry.gone is Gone.EXPIRED
    again, _ = pool.admit(envelope, Lane.TRANSACTION, base=0, expires_s=10.0)
    assert pool.expire(height=1, now_s=10.0) == [again]


def test_a_lazy_heap_stays_in_proportion() -> None:
    """Untrue items are swept out, so a heap of one true item cannot grow with its history."""
    true: dict[str, int] = {}
    heap: LazyHeap[str] = LazyHeap(lambda key, item: true.get(item) == key)
    for number in range(1000):
        true["a"] = number
        heap.push(number, "a", true_items=1)
    assert heap.smallest() == "a"
    assert len(heap._items) < 200
    true.clear()
    assert heap.smallest() is None


def test_entries_are_themselves_only() -> None:
    """Two entries of equal content are two claims to a place."""
    assert Entry(transfer(1, 0), Lane.TRANSACTION, 1, 0.0) != Entry(transfer(1, 0), Lane.TRANSACTION, 1, 0.0)

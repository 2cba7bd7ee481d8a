"""What every storage must do: see `metanode.core.roles.Storage`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from metanode.core.model.block import Block
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.limits import HEADERS_PER_READ_MAX, UINT_MAX
from metanode.core.roles import BlockCommit, BlockRecord, Row, Snapshot, Storage
from metanode.core.testing.contracts import refused, running

Factory = Callable[[], Storage]
"""Gives an unopened storage; every call stands for a restart of the node over the same data."""

GENESIS_HASH = bytes(range(32))


@asynccontextmanager
async def opened(factory: Factory) -> AsyncIterator[Storage]:
    """Open and run a storage around the block, then stop it cleanly."""
    storage = factory()
    await storage.open(GENESIS_HASH)
    async with running(storage):
        yield storage


def sample_commit(
    height: int,
    *,
    envelopes: Sequence[tuple[bytes, bytes]] = (),
    changes: Sequence[tuple[bytes, bytes | None]] = (),
    rows: Sequence[Row] = (),
    drop_pending: Sequence[bytes] = (),
) -> BlockCommit:
    """Return a commit of a block with a well-formed header; roots, proof and certificate are invented.

    :param envelopes: (id, bytes) of what the block holds.
    """
    mark = height.to_bytes(32, "big")
    header = Header(
        version=1,
        chain_id=1,
        height=height,
        time_ms=height * 1000,
        proposer_index=0,
        prev_hash=mark,
        roots=Roots(tx=mark, receipts=mark, state=mark),
        validator_set_hash=mark,
        next_validator_set_hash=mark,
        params_hash=mark,
        vrf_proof=bytes(80),
    ).encode()
    record = BlockRecord(
        block=Block.build(header, [raw for _, raw in envelopes]),
        header_hash=header_hash(header),
        certificate=b"certificate of %d" % height,
        receipts=[b"receipt of " + envelope_id for envelope_id, _ in envelopes],
    )
    return BlockCommit(
        record=record,
        envelope_ids=[envelope_id for envelope_id, _ in envelopes],
        changes=changes,
        rows=rows,
        drop_pending=drop_pending,
    )


def _transfer(number: int, height: int, sender: str = "mn1a", receiver: str = "mn1b", amount: int = 5) -> Row:
    return Row("transfers", (f"{number:064x}", 0, height, "transfer", sender, receiver, amount, 100, 0))


def _wallet(account: str, balance: int, height: int) -> Row:
    return Row("wallets", (account, balance, 0, height))


async def a_fresh_store_is_empty(factory: Factory) -> None:
    """Nothing is there before genesis is written."""
    async with opened(factory) as storage:
        assert await storage.load_state() == (0, [])
        assert await storage.load_pending() == []
        assert await storage.block(1) is None
        assert await storage.headers(1, 10) == []
        assert await storage.find_height(bytes(32)) is None
        assert await storage.find_envelope(bytes(32)) is None
        assert await storage.rows("wallets", where={}, limit=10, offset=0) == []


async def genesis_is_written_once(factory: Factory) -> None:
    """A second write of the genesis state changes nothing, not even after a restart."""
    entries = [(b"\x01b", b"2"), (b"\x01a", b"1")]
    async with opened(factory) as storage:
        await storage.put_genesis(entries, [_wallet("mn1a", 7, 0)])
        await storage.put_genesis([(b"\x01c", b"3")], [])
        assert await storage.load_state() == (0, sorted(entries))
    async with opened(factory) as storage:
        await storage.put_genesis([(b"\x01c", b"3")], [])
        assert await storage.load_state() == (0, sorted(entries))
        assert [row["balance"] for row in await storage.rows("wallets", where={}, limit=9, offset=0)] == [7]


async def a_block_comes_back_byte_for_byte(factory: Factory) -> None:
    """Header, body, offsets, certificate and receipts survive, also those of an empty block."""
    full = sample_commit(1, envelopes=[(b"i" * 32, b"first"), (b"j" * 32, b"x" * 70_000), (b"k" * 32, b"\x00")])
    empty = sample_commit(2)
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        await storage.commit(full)
        await storage.commit(empty)
    async with opened(factory) as storage:
        for height, commit in ((1, full), (2, empty)):
            record = await storage.block(height)
            assert record is not None
            assert record.block == commit.record.block
            assert record.header_hash == commit.record.header_hash
            assert record.certificate == commit.record.certificate
            assert list(record.receipts) == list(commit.record.receipts)
        assert await storage.block(3) is None
        assert await storage.block(0) is None
        assert await storage.block(UINT_MAX) is None


async def state_changes_are_applied_in_one_step_with_their_block(factory: Factory) -> None:
    """Entries are added, replaced and removed; they come back by rising key."""
    async with opened(factory) as storage:
        await storage.put_genesis([(b"\x01b", b"old"), (b"\x01c", b"gone")], [])
        await storage.commit(sample_commit(1, changes=[(b"\x01a", b"new"), (b"\x01b", b"newer"), (b"\x01c", None)]))
        await storage.commit(sample_commit(2, changes=[(b"\x00", b""), (b"\x01missing", None)]))
    async with opened(factory) as storage:
        assert await storage.load_state() == (2, [(b"\x00", b""), (b"\x01a", b"new"), (b"\x01b", b"newer")])


async def heights_rise_by_one(factory: Factory) -> None:
    """A block that is not the next one is refused and leaves no trace."""
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        with refused("BAD_HEADER"):
            await storage.commit(sample_commit(2, changes=[(b"k", b"v")]))
        await storage.commit(sample_commit(1))
        with refused("BAD_HEADER"):
            await storage.commit(sample_commit(1, changes=[(b"k", b"v")]))
        assert await storage.load_state() == (1, [])


async def a_refused_block_changes_nothing(factory: Factory) -> None:
    """When one part of a commit cannot be stored, no part is; the next commit stands at that height."""
    envelope = (b"i" * 32, b"bytes")
    bad = sample_commit(
        1,
        envelopes=[envelope],
        changes=[(b"k", b"v")],
        rows=[_wallet("mn1a", 1, 1), Row("no such view", (1,))],
        drop_pending=[envelope[0]],
    )
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        await storage.save_pending([envelope])
        with refused("PLUGIN_BROKEN"):
            await storage.commit(bad)
        assert await storage.load_state() == (0, [])
        assert await storage.load_pending() == [envelope]
        assert await storage.find_envelope(envelope[0]) is None
        assert await storage.rows("wallets", where={}, limit=9, offset=0) == []
        await storage.commit(sample_commit(1, envelopes=[envelope]))
        assert await storage.find_envelope(envelope[0]) == (1, 0)


async def headers_are_a_closed_and_bounded_range(factory: Factory) -> None:
    """A read of headers gives each height once, rising, and never more than its limit."""
    blocks = HEADERS_PER_READ_MAX + 2
    commits = [sample_commit(height) for height in range(1, blocks + 1)]
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        for commit in commits:
            await storage.commit(commit)
        expected = [(h, c.record.block.header, c.record.certificate) for h, c in enumerate(commits, 1)]
        assert await storage.headers(2, 4) == expected[1:4]
        assert await storage.headers(0, 1) == expected[:1]
        assert await storage.headers(blocks, blocks + 5) == expected[-1:]
        assert await storage.headers(4, 3) == []
        assert await storage.headers(1, UINT_MAX) == expected[:HEADERS_PER_READ_MAX]
        assert await storage.headers(UINT_MAX - 1, UINT_MAX) == []


async def lookups_find_what_was_included(factory: Factory) -> None:
    """Header hashes lead to heights, envelope ids to their place."""
    commit = sample_commit(1, envelopes=[(b"i" * 32, b"one"), (b"j" * 32, b"two")])
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        await storage.commit(commit)
        assert await storage.find_height(commit.record.header_hash) == 1
        assert await storage.find_envelope(b"j" * 32) == (1, 1)
        assert await storage.find_envelope(b"x" * 32) is None


async def pending_envelopes_keep_their_order(factory: Factory) -> None:
    """What waits survives a restart in the order it was saved; saving again keeps the first place."""
    first, second, third = ((letter * 32, letter) for letter in (b"z", b"a", b"m"))
    async with opened(factory) as storage:
        await storage.save_pending([first, second])
        await storage.save_pending([])
        await storage.save_pending([first, third])
        assert await storage.load_pending() == [first, second, third]
        await storage.drop_pending([second[0], b"unknown" * 4])
        await storage.drop_pending([])
    async with opened(factory) as storage:
        assert await storage.load_pending() == [first, third]


async def a_block_takes_its_envelopes_out_of_pending(factory: Factory) -> None:
    """An included envelope is no longer pending, in the same step."""
    kept, included = (b"k" * 32, b"kept"), (b"i" * 32, b"included")
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        await storage.save_pending([kept, included])
        await storage.commit(sample_commit(1, envelopes=[included], drop_pending=[included[0]]))
        assert await storage.load_pending() == [kept]


async def many_tasks_may_save_at_once(factory: Factory) -> None:
    """Concurrent saves all stand, and one that is cancelled takes no other with it."""
    envelopes = [(number.to_bytes(32, "big"), b"envelope %d" % number) for number in range(60)]

    async with opened(factory) as storage:
        async with trio.open_nursery() as nursery:
            for envelope in envelopes:
                nursery.start_soon(storage.save_pending, [envelope])
        assert sorted(await storage.load_pending()) == envelopes

        async def save_and_give_up(envelope: tuple[bytes, bytes], scope: trio.CancelScope) -> None:
            with scope:
                await storage.save_pending([envelope])

        scopes = [trio.CancelScope() for _ in range(20)]
        late = [(bytes([255, number]) * 16, b"late %d" % number) for number in range(40)]
        async with trio.open_nursery() as nursery:
            for number, envelope in enumerate(late):
                if number % 2:
                    nursery.start_soon(save_and_give_up, envelope, scopes[number // 2])
                else:
                    nursery.start_soon(storage.save_pending, [envelope])
            await trio.lowlevel.checkpoint()
            for scope in scopes:
                scope.cancel()
        saved = set(await storage.load_pending())
        assert saved >= {*envelopes, *late[::2]}


async def views_show_the_newest_row_of_each_key(factory: Factory) -> None:
    """A row replaces the one with its key; numbers keep their value up to 2^64 - 1, and None stays None."""
    epoch = Row("epochs", (3, None, UINT_MAX, 0, 2, UINT_MAX))
    async with opened(factory) as storage:
        await storage.put_genesis([], [_wallet("mn1a", 1, 0), _wallet("mn1b", 2, 0)])
        await storage.commit(sample_commit(1, rows=[_wallet("mn1a", UINT_MAX, 1), epoch, _transfer(1, 1)]))
    async with opened(factory) as storage:
        wallets = await storage.rows("wallets", where={}, limit=9, offset=0)
        assert wallets == [
            {"account": "mn1a", "balance": UINT_MAX, "nonce": 0, "updated_height": 1},
            {"account": "mn1b", "balance": 2, "nonce": 0, "updated_height": 0},
        ]
        assert await storage.rows("wallets", where={"balance": UINT_MAX}, limit=9, offset=0) == wallets[:1]
        (found,) = await storage.rows("epochs", where={"epoch": 3}, limit=9, offset=0)
        assert tuple(found.values()) == epoch.values


async def views_are_read_newest_first_in_pages(factory: Factory) -> None:
    """`where` compares columns, and pages join without gap or overlap."""
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        for height in range(1, 4):
            rows = [_transfer(10 * height + n, height, sender=f"mn1{'ab'[n % 2]}", amount=n + 1) for n in range(4)]
            await storage.commit(sample_commit(height, rows=rows))
        everything = await storage.rows("transfers", where={}, limit=100, offset=0)
        assert [row["height"] for row in everything] == [3] * 4 + [2] * 4 + [1] * 4
        sent = await storage.rows("transfers", where={"sender": "mn1b"}, limit=100, offset=0)
        assert sent == [row for row in everything if row["sender"] == "mn1b"]
        narrow = await storage.rows("transfers", where={"sender": "mn1b", "height": 2}, limit=100, offset=0)
        assert narrow == [row for row in sent if row["height"] == 2]
        pages = [await storage.rows("transfers", where={}, limit=5, offset=start) for start in (0, 5, 10, 15)]
        assert [len(page) for page in pages] == [5, 5, 2, 0]
        assert sum(pages, []) == everything


async def a_question_no_view_can_answer_is_refused(factory: Factory) -> None:
    """Unknown views and columns, values of the wrong type and negative pages are the caller's fault."""
    async with opened(factory) as storage:
        with refused("BAD_REQUEST"):
            await storage.rows("sqlite_master", where={}, limit=1, offset=0)
        with refused("BAD_REQUEST"):
            await storage.rows("wallets", where={"1=1 --": 1}, limit=1, offset=0)
        with refused("BAD_REQUEST"):
            await storage.rows("wallets", where={"balance": "1"}, limit=1, offset=0)
        with refused("BAD_REQUEST"):
            await storage.rows("wallets", where={}, limit=-1, offset=0)
        with refused("BAD_REQUEST"):
            await storage.rows("wallets", where={}, limit=1, offset=2**63)


async def a_chain_may_begin_at_a_snapshot(factory: Factory) -> None:
    """In place of genesis and of a chain without blocks: the block, its whole state, the ancestors; then it goes on."""
    first = sample_commit(
        40, envelopes=[(b"i" * 32, b"in it")], changes=[(b"b", b"2"), (b"c", b"3")], rows=[_wallet("mn1a", 7, 40)]
    )
    ancestors = [(bytes([height]) * 32, height * 1000) for height in (37, 38, 39)]
    async with opened(factory) as storage:
        assert await storage.origin() == (1, [])
        await storage.put_genesis([(b"a", b"1"), (b"b", b"1")], [_wallet("mn1z", 1, 0)])
        await storage.put_snapshot(Snapshot(first, ancestors))
    async with opened(factory) as storage:
        await storage.put_genesis([(b"a", b"1")], [])
        assert await storage.origin() == (40, ancestors)
        assert await storage.load_state() == (40, [(b"b", b"2"), (b"c", b"3")])
        assert await storage.block(39) is None
        assert await storage.block(40) == first.record
        assert await storage.find_envelope(b"i" * 32) == (40, 0)
        assert [row["account"] for row in await storage.rows("wallets", where={}, limit=9, offset=0)] == ["mn1a"]
        await storage.commit(sample_commit(41))
        assert [height for height, _, _ in await storage.headers(1, 99)] == [40, 41]
        with refused("BAD_HEADER"):
            await storage.put_snapshot(Snapshot(sample_commit(50), []))
    async with opened(factory) as storage:
        assert (await storage.load_state())[0] == 41


async def changes_of_the_set_are_kept_by_height(factory: Factory) -> None:
    """Who joins late hops over them."""
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
        for height in range(1, 6):
            await storage.commit(replace(sample_commit(height), next_set=b"%d" % height if height % 2 else b""))
        assert await storage.set_changes(0) == [(1, b"1"), (3, b"3"), (5, b"5")]
        assert await storage.set_changes(3) == [(5, b"5")]


async def data_of_another_chain_is_refused(factory: Factory) -> None:
    """A store remembers whose chain it holds."""
    async with opened(factory) as storage:
        await storage.put_genesis([(b"k", b"v")], [])
    with refused("WRONG_CHAIN", "STORAGE_VERSION"):
        await factory().open(bytes(32))
    async with opened(factory) as storage:
        assert await storage.load_state() == (0, [(b"k", b"v")])


async def health_tells_whether_writing_works(factory: Factory) -> None:
    """`db_rw` is the outcome of a write; there are no backups yet."""
    async with opened(factory) as storage:
        health = await storage.health()
        assert health["db_rw"] is True
        assert health["backup_age_hours"] == -1
    assert (await storage.health())["db_rw"] is False


async def a_stopped_store_refuses_work(factory: Factory) -> None:
    """After its end a store answers nothing, rather than from memory."""
    async with opened(factory) as storage:
        await storage.put_genesis([], [])
    with refused("NOT_READY"):
        await storage.load_state()
    with refused("NOT_READY"):
        await storage.save_pending([(bytes(32), b"late")])
    with refused("NOT_READY"):
        await storage.commit(sample_commit(1))


CHECKS: tuple[Callable[[Factory], Awaitable[None]], ...] = (
    a_fresh_store_is_empty,
    genesis_is_written_once,
    a_block_comes_back_byte_for_byte,
    state_changes_are_applied_in_one_step_with_their_block,
    heights_rise_by_one,
    a_refused_block_changes_nothing,
    headers_are_a_closed_and_bounded_range,
    lookups_find_what_was_included,
    pending_envelopes_keep_their_order,
    a_block_takes_its_envelopes_out_of_pending,
    many_tasks_may_save_at_once,
    views_show_the_newest_row_of_each_key,
    views_are_read_newest_first_in_pages,
    a_question_no_view_can_answer_is_refused,
    a_chain_may_begin_at_a_snapshot,
    changes_of_the_set_are_kept_by_height,
    data_of_another_chain_is_refused,
    health_tells_whether_writing_works,
    a_stopped_store_refuses_work,
)
"""The suite."""

"""The sign-guard: one value for a place, no way back to a round that was left, nothing without a memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from metanode.core.home import Home
from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError, StorageError
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Vote, VoteType
from metanode.plugins.consensus._shared.wal import WriteAheadLog
from metanode.plugins.consensus.qbft.guard import LockEntry, SignedEntry, SignGuard, record, start_record
from metanode.plugins.consensus.qbft.guard_log import export_text, import_text, raise_guard, read_guard
from metanode.plugins.consensus.qbft.messages import SignedVote
from metanode.plugins.consensus.qbft.votes import Prepared

KEY = b"\x01" * 32
A, B = b"\x0a" * 32, b"\x0b" * 32


def guard(floor: int | None = 0) -> SignGuard:
    """A guard that allows heights above `floor`."""
    made = SignGuard(KEY)
    if floor is not None:
        made.start(floor)
    return made


def entry(height: int, round_number: int, kind: VoteType, hash32: bytes = A, prepared: int = 0) -> SignedEntry:
    """Something signed."""
    return SignedEntry(height, round_number, kind, hash32, prepared, b"message")


@pytest.mark.parametrize("kind", VoteType)
def test_never_two_values_for_one_height_round_and_type(kind: VoteType) -> None:
    """All four types; what was signed is known, so that the identical bytes can be sent again."""
    memory = guard()
    prepared = NOT_PREPARED if kind is VoteType.ROUND_CHANGE else 0
    assert memory.refusal(5, 1, kind, A, prepared) == ""
    memory.remember(entry(5, 1, kind, A, prepared))
    assert "another value was signed" in memory.refusal(5, 1, kind, B, prepared)
    known = memory.known(5, 1, kind)
    assert known is not None
    assert known.message == b"message"
    assert memory.refusal(5, 2, kind, B, prepared) == ""


def test_a_key_without_a_guard_signs_nothing() -> None:
    """Fails closed."""
    assert "missing" in guard(None).refusal(1, 0, VoteType.PREPARE, A, 0)


def test_nothing_is_signed_at_or_below_the_floor() -> None:
    """Which rises with every final block."""
    memory = guard(7)
    assert "above 7" in memory.refusal(7, 0, VoteType.PREPARE, A, 0)
    assert memory.refusal(8, 0, VoteType.PREPARE, A, 0) == ""
    memory.settle(8)
    assert "above 8" in memory.refusal(8, 1, VoteType.PREPARE, A, 0)


@pytest.mark.parametrize("kind", [VoteType.PROPOSE, VoteType.PREPARE, VoteType.COMMIT, VoteType.ROUND_CHANGE])
def test_a_round_that_was_given_up_gets_no_vote(kind: VoteType) -> None:
    """After a restart a validator must not speak in the past."""
    memory = guard()
    memory.remember(entry(5, 3, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED))
    assert "given up" in memory.refusal(5, 2, kind, A, 0)
    assert memory.refusal(6, 0, VoteType.PREPARE, A, 0) == ""


def test_a_round_change_does_not_forget_a_commit() -> None:
    """The lock is part of what was signed."""
    memory = guard()
    memory.remember(entry(5, 2, VoteType.COMMIT))
    assert "forget the commit" in memory.refusal(5, 3, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED)
    assert "forget the commit" in memory.refusal(5, 3, VoteType.ROUND_CHANGE, A, 1)
    assert memory.refusal(5, 3, VoteType.ROUND_CHANGE, A, 2) == ""


def test_a_log_gives_back_the_guard() -> None:
    """Votes, lock and floor; what lies below the newest height is closed."""
    prepares = tuple(SignedVote(who, Vote(6, 1, VoteType.PREPARE, A, 0, bytes(64))) for who in range(3))
    lock = LockEntry(6, Prepared(1, A, prepares), b"block")
    records = [
        start_record(KEY, 2),
        record([entry(5, 0, VoteType.PREPARE)]),
        record([lock, entry(6, 1, VoteType.COMMIT)]),
    ]
    memory = guard(None)
    memory.restore(records, "log")
    assert memory.floor == 5
    assert memory.lock == lock
    assert memory.signed_at(6) == [entry(6, 1, VoteType.COMMIT)]
    again = guard(None)
    again.restore(memory.snapshot(), "log")
    assert again.snapshot() == memory.snapshot()


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", codec.encode([[9, 1]]), codec.encode([[2, 1, 0, 7, A, 0, b""]]), codec.encode(3)],
    ids=["nothing", "no CBOR", "unknown entry", "unknown type", "no list"],
)
def test_a_record_that_cannot_be_read_stops_the_start(raw: bytes) -> None:
    """A guard that is half understood is none."""
    with pytest.raises(StorageError) as caught:
        guard(None).restore([raw], "log")
    assert caught.value.code == "WAL_CORRUPT"


def test_another_keys_log_stops_the_start() -> None:
    """A guard belongs to a key."""
    with pytest.raises(StorageError, match="another consensus key"):
        guard(None).restore([start_record(b"\x02" * 32, 0)], "log")


def test_a_home_keeps_its_guard_and_never_lowers_it(tmp_path: Path) -> None:
    """Made once, raised later, refused downwards."""
    home = Home(tmp_path)
    assert read_guard(home, KEY).floor is None
    assert raise_guard(home, KEY, 0).floor == 0
    assert raise_guard(home, KEY, 9).floor == 9
    with pytest.raises(MetanodeError) as caught:
        raise_guard(home, KEY, 9)
    assert caught.value.code == "FILE_EXISTS"
    assert read_guard(home, KEY).floor == 9


def test_a_guard_is_carried_to_another_home(tmp_path: Path) -> None:
    """What the other may not sign: everything up to where this one may have."""
    memory = guard(4)
    memory.remember(entry(11, 0, VoteType.PREPARE))
    assert import_text(export_text(memory, KEY), KEY) == 11
    with pytest.raises(StorageError, match="is of consensus key"):
        import_text(export_text(memory, KEY), b"\x02" * 32)
    with pytest.raises(StorageError, match="no sign-guard"):
        export_text(guard(None), KEY)


@pytest.mark.parametrize("kind", [VoteType.PREPARE, VoteType.COMMIT, VoteType.ROUND_CHANGE])
def test_a_log_damaged_anywhere_in_its_last_record_never_leads_to_a_second_vote(tmp_path: Path, kind: VoteType) -> None:
    """Cut at every byte, and every byte flipped: the identical message is known, or the guard refuses to be read."""
    home = Home(tmp_path)
    raise_guard(home, KEY, 4)
    log = WriteAheadLog(home.data_dir("consensus.qbft") / "guard")
    memory = guard(None)
    memory.restore(log.open(), "log")
    log.append(record([entry(5, 0, VoteType.PREPARE)]))
    start = log.path.stat().st_size
    last = entry(5, 1, kind, A, NOT_PREPARED if kind is VoteType.ROUND_CHANGE else 0)
    log.append(record([last]))
    log.close()
    data = log.path.read_bytes()
    damaged = [data[:cut] for cut in range(start, len(data))]
    damaged += [
        data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(start, len(data)) for mask in (1, 128)
    ]
    for bad in [*damaged, data]:
        log.path.write_bytes(bad)
        if bad == data:
            found = read_guard(home, KEY)
            assert found.known(5, 1, kind) == last
            assert found.refusal(5, 1, kind, B, last.prepared_round) != ""
        else:
            with pytest.raises(StorageError) as refused:
                read_guard(home, KEY)
            assert refused.value.code == "WAL_CORRUPT"

"""A validator without I/O: what it says is on disk first, and after a restart it says the identical bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core import crypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.block import Block, decode_block, tx_root
from metanode.core.model.errors import MetanodeError
from metanode.core.model.header import Header, Roots
from metanode.core.model.leader import leader
from metanode.core.model.validators import Validator
from metanode.core.model.vote import Vote, VoteType, vote_digest
from metanode.plugins.consensus._shared.whole import whole_block_hash
from metanode.plugins.consensus.qbft import voter as voter_module
from metanode.plugins.consensus.qbft.events import Accuse, BlockBuilt, BlockChecked, BlockDue, TimerExpired
from metanode.plugins.consensus.qbft.guard import SignGuard, start_record
from metanode.plugins.consensus.qbft.messages import Ballot, Proposal, SignedVote, decode_message
from metanode.plugins.consensus.qbft.voter import (
    EARLY_MESSAGES_MAX,
    Action,
    Check,
    Finalize,
    PeerAhead,
    PeerBehind,
    Persist,
    Send,
    Voter,
)

crypto.install()
GENESIS, BETA, HEIGHT = b"\x09" * 32, b"\x01" * 64, 5
KEYS = [KeyPair.from_seed(bytes([i + 1]) * 32) for i in range(4)]
SET = tuple(Validator(bytes([i + 1]) * 20, key.public_key, bytes([i + 101]) * 32, 10) for i, key in enumerate(KEYS))
LEADER = leader(BETA, HEIGHT, 0, SET)
ME = next(who for who in range(4) if who != LEADER)
PEER = b"\x77" * 32


def block(number: int, height: int = HEIGHT) -> bytes:
    """An encoded block."""
    header = Header(
        1, 1, height, 1_000 + number, LEADER, bytes(32), Roots(tx_root([]), bytes(32), bytes(32)), bytes(32),
        bytes(32), bytes(32), bytes(80),
    )  # fmt: skip
    return Block.build(header.encode(), []).encode()


A = block(1)
HASH_A = whole_block_hash(A)


def vote(who: int, kind: VoteType, hash32: bytes = HASH_A, *, height: int = HEIGHT, round_number: int = 0) -> Vote:
    """A vote with a real signature."""
    return Vote(
        height, round_number, kind, hash32, 0, KEYS[who].sign(vote_digest(GENESIS, height, round_number, kind, hash32))
    )


def ballot(who: int, kind: VoteType, *, height: int = HEIGHT) -> bytes:
    """A ballot for block A."""
    return Ballot(who, vote(who, kind, height=height)).encode()


def proposed(data: bytes = A, who: int = LEADER) -> bytes:
    """The proposal of round 0."""
    return Proposal(who, vote(who, VoteType.PROPOSE, whole_block_hash(data)), data).encode()


class Running:
    """A voter and its disk."""

    def __init__(self, disk: list[bytes] | None = None, who: int = ME) -> None:
        self.disk = [start_record(KEYS[who].public_key, 0)] if disk is None else disk
        guard = SignGuard(KEYS[who].public_key)
        guard.restore(self.disk, "disk")
        self.voter = Voter(GENESIS, KEYS[who].public_key, KEYS[who].sign, 1_000, guard)
        self.sent: list[bytes] = []
        self.begun = self.do(self.voter.begin(HEIGHT, SET, BETA))

    def do(self, actions: list[Action]) -> list[Action]:
        """Run the actions on disk and wire, in order."""
        for action in actions:
            if isinstance(action, Persist):
                self.disk.append(action.record)
            elif isinstance(action, Send):
                self.sent.append(action.data)
        return actions

    def hear(self, *messages: bytes) -> list[Action]:
        """Receive messages from a peer."""
        return [action for data in messages for action in self.do(self.voter.receive(PEER, data))]

    def checked(self, valid: bool = True) -> list[Action]:
        """Answer the check of block A."""
        return self.do(self.voter.feed(BlockChecked(HEIGHT, 0, HASH_A, valid)))


def test_a_block_is_decided_by_what_others_say_and_what_is_on_disk() -> None:
    """Proposal, check, prepare, commit, certificate."""
    node = Running()
    others = [who for who in range(4) if who != ME]
    assert node.hear(proposed())[-1] == Check(HEIGHT, 0, HASH_A, A, LEADER)
    assert [type(action).__name__ for action in node.checked()] == ["Persist", "Send"]
    actions = node.hear(ballot(others[0], VoteType.PREPARE), ballot(others[1], VoteType.PREPARE))
    assert [type(action).__name__ for action in actions] == ["Persist", "Send"]
    actions = node.hear(ballot(others[0], VoteType.COMMIT), ballot(others[1], VoteType.COMMIT))
    (final,) = actions
    assert isinstance(final, Finalize)
    assert final.block == A
    assert len(final.certificate.signatures) == 3
    assert [decode_message(data).vote.type for data in node.sent] == [VoteType.PREPARE, VoteType.COMMIT]


def test_every_send_stands_behind_the_persist_it_relies_on() -> None:
    """Whatever is on the wire is in a record that came before."""
    node = Running(who=LEADER)
    others = [who for who in range(4) if who != LEADER]
    actions = [*node.do(node.voter.feed(BlockDue(HEIGHT)))]
    actions += node.do(node.voter.supply(A))
    actions += node.do(node.voter.feed(BlockBuilt(HEIGHT, 0, HASH_A)))
    actions += node.checked()
    actions += node.hear(*(ballot(who, VoteType.PREPARE) for who in others))
    actions += node.do(node.voter.feed(TimerExpired(HEIGHT, 0)))
    written = b""
    kinds = []
    for action in actions:
        if isinstance(action, Persist):
            written += action.record
        elif isinstance(action, Send):
            assert action.data in written
            kinds.append(action.type)
    assert kinds == [VoteType.PROPOSE, VoteType.PREPARE, VoteType.COMMIT, VoteType.ROUND_CHANGE]


@pytest.mark.parametrize("cut", [1, 2], ids=["after the prepare", "after the commit"])
def test_after_a_crash_the_identical_bytes_are_said_again(cut: int) -> None:
    """Never different ones: also another block proposed for the round changes nothing."""
    node = Running()
    others = [who for who in range(4) if who != ME]
    node.hear(proposed())
    node.checked()
    if cut == 2:
        node.hear(ballot(others[0], VoteType.PREPARE), ballot(others[1], VoteType.PREPARE))
    again = Running(node.disk)
    assert again.sent == node.sent
    other = block(2)
    again.hear(proposed(other))
    again.do(again.voter.feed(BlockChecked(HEIGHT, 0, whole_block_hash(other), True)))
    assert again.sent == node.sent
    assert "another value was signed" in again.voter.refused


def test_a_lock_outlives_a_crash() -> None:
    """The round-change after it names the locked value, its proof and its block are at hand."""
    node = Running()
    others = [who for who in range(4) if who != ME]
    node.hear(proposed())
    node.checked()
    node.hear(ballot(others[0], VoteType.PREPARE), ballot(others[1], VoteType.PREPARE))
    again = Running(node.disk)
    assert again.voter.block(HASH_A) == A
    again.do(again.voter.feed(BlockDue(HEIGHT)))
    again.do(again.voter.feed(TimerExpired(HEIGHT, 0)))
    change = decode_message(again.sent[-1])
    assert isinstance(change, Ballot)
    assert (change.vote.type, change.vote.hash, change.vote.prepared_round) == (VoteType.ROUND_CHANGE, HASH_A, 0)
    assert len(change.prepares) == 3


def test_without_a_guard_nothing_is_said() -> None:
    """It still follows and decides."""
    node = Running(disk=[])
    node.hear(proposed())
    node.checked()
    assert node.sent == []
    assert "missing" in node.voter.refused
    others = [who for who in range(4) if who != ME]
    assert isinstance(node.hear(*(ballot(who, VoteType.COMMIT) for who in others))[-1], Finalize)


def test_messages_of_the_next_height_wait_and_the_sender_is_known_to_be_ahead() -> None:
    """A bounded number; they count once the height begins."""
    node = Running()
    others = [who for who in range(4) if who != ME]
    early = [ballot(who, VoteType.COMMIT, height=HEIGHT + 1) for who in others]
    assert node.hear(early[0]) == [PeerAhead(PEER, HEIGHT + 1)]
    node.hear(*[early[0]] * (2 * EARLY_MESSAGES_MAX), *early)
    assert isinstance(node.do(node.voter.begin(HEIGHT + 1, SET, BETA))[-1], Finalize)


def test_a_peer_that_speaks_of_a_final_height_is_behind() -> None:
    """It is told, and nothing else happens."""
    assert Running().hear(ballot(LEADER, VoteType.COMMIT, height=HEIGHT - 1)) == [PeerBehind(PEER)]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Ballot(0, replace(vote(0, VoteType.COMMIT), signature=bytes(64))).encode(), "INVALID_SIGNATURE"),
        (Ballot(1, vote(0, VoteType.COMMIT)).encode(), "INVALID_SIGNATURE"),
        (Ballot(7, vote(0, VoteType.COMMIT)).encode(), "BAD_SHAPE"),
        (Proposal(LEADER, vote(LEADER, VoteType.PROPOSE, bytes(32)), A).encode(), "BAD_SHAPE"),
        (
            Proposal(LEADER, vote(LEADER, VoteType.PROPOSE), A, (SignedVote(0, vote(1, VoteType.ROUND_CHANGE)),)),
            "INVALID_SIGNATURE",
        ),
        (Proposal(LEADER, vote(LEADER, VoteType.PROPOSE), A, (), (SignedVote(0, vote(1, VoteType.PREPARE)),)), ""),
    ],
    ids=["bad signature", "another's signature", "stranger", "another block", "bad round-change", "bad prepare"],
)
def test_what_is_not_signed_by_whom_it_names_is_refused(message: bytes | Proposal, code: str) -> None:
    """Each signature in a message, before the machine hears of it."""
    if isinstance(message, Proposal):
        changes = tuple(
            SignedVote(item.validator, replace(item.vote, prepared_round=0)) for item in message.round_changes
        )
        message = replace(message, round_changes=changes).encode()
    node = Running()
    with pytest.raises(MetanodeError) as caught:
        node.hear(message)
    assert caught.value.code == (code or "INVALID_SIGNATURE")
    assert node.voter.state.candidates == {}


def test_a_body_that_is_not_the_headers_is_refused() -> None:
    """A vote names the header alone: another body on it must not look like the block."""
    parts = Block.build(decode_block(A).header, [b"\x01"]).encode()
    with pytest.raises(MetanodeError) as caught:
        Running().hear(Proposal(LEADER, vote(LEADER, VoteType.PROPOSE), parts).encode())
    assert caught.value.code == "BAD_ROOT"
    with pytest.raises(MetanodeError):
        Running().voter.supply(parts)


def test_blocks_nobody_may_propose_are_not_kept() -> None:
    """The bound on memory: what is no candidate, lock or decided value is forgotten."""
    node = Running()
    stranger = next(who for who in range(4) if who not in (LEADER, ME))
    node.hear(*(proposed(block(number), stranger) for number in range(2, 12)))
    assert all(node.voter.block(whole_block_hash(block(number))) is None for number in range(2, 12))
    node.hear(proposed(), proposed(block(3), stranger))
    assert node.voter.block(HASH_A) == A


def test_the_same_vote_again_costs_no_signature_and_a_different_one_is_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Duplicates are dropped before they are verified, and only duplicates."""
    node = Running()
    other = next(who for who in range(4) if who != ME)
    node.hear(ballot(other, VoteType.PREPARE))
    calls: list[int] = []
    verify = voter_module.check_message
    monkeypatch.setattr(voter_module, "check_message", lambda *given: (calls.append(1), verify(*given)))
    assert node.hear(ballot(other, VoteType.PREPARE)) == []
    assert calls == []
    (accuse,) = node.hear(Ballot(other, vote(other, VoteType.PREPARE, b"\x0b" * 32)).encode())
    assert isinstance(accuse, Accuse)
    assert accuse.evidence.validator == other

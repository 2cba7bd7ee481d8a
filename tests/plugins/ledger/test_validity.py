"""What may not stand in a block at all: every class of bad input with its code."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.model import codec, kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope, decode_envelope, signing_digest
from metanode.core.model.errors import InvalidBlock, MetanodeError, Rejection
from metanode.core.model.limits import ENVELOPE_BYTES_MAX
from metanode.core.testing.contracts.ledger import forged, key_pair

NOBODY = key_pair(41)


def invalid(chain: Any, *envelopes: Envelope) -> str:
    """Return the code of the invalid block that holds these envelopes."""
    with pytest.raises(InvalidBlock) as caught:
        chain.ledger.execute(chain.head, chain.fields(), envelopes, assemble=False)
    assert "\n" not in caught.value.line()
    return caught.value.code


def everywhere(chain: Any, envelope: Envelope) -> str:
    """Return the code that door, checker and proposer agree on."""
    code = invalid(chain, envelope)
    assert chain.door(envelope) == code
    built = chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=True)
    assert [dropped.error.code for dropped in built.dropped] == [code]
    assert not built.included
    return code


@pytest.fixture
def started(chain: Any, kit: Any) -> Any:
    """A chain on which the key of alice is known."""
    chain.block(chain.transfer(kit.alice, kit.bob.account, 1))
    return chain


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "NOT_CANONICAL"),
        (b"\x82\x40", "NOT_CANONICAL"),
        (b"\x82\x58\x01\xa0\x40", "NOT_CANONICAL"),
        (b"\xa0", "BAD_SHAPE"),
        (bytes(ENVELOPE_BYTES_MAX + 1), "TOO_LARGE"),
    ],
)
def test_bytes_that_are_no_envelope_are_refused(raw: bytes, code: str) -> None:
    """Malformed, non-canonical and oversized bytes never reach a rule."""
    with pytest.raises(MetanodeError) as caught:
        decode_envelope(raw)
    assert caught.value.code == code


def test_a_body_that_is_not_canonical_is_refused(started: Any, kit: Any) -> None:
    """Decoding a body is part of decoding the envelope."""
    good = Transfer(kit.bob.account, 5).encode()
    long_form = good.replace(b"\x01\x05", b"\x01\x18\x05")
    assert everywhere(started, started.envelope(kit.alice, kinds.TRANSFER, long_form)) == "NOT_CANONICAL"


def test_a_body_of_another_shape_is_refused(started: Any, kit: Any) -> None:
    """Canonical, but not what its kind says."""
    assert everywhere(started, started.envelope(kit.alice, kinds.TRANSFER, codec.encode({0: 1}))) == "BAD_SHAPE"


def test_a_transfer_of_nothing_is_refused(started: Any, kit: Any) -> None:
    """Zero micro-units are no transfer."""
    assert everywhere(started, started.transfer(kit.alice, kit.bob.account, 0)) == "ZERO_AMOUNT"


def test_a_wrong_signature_is_refused(started: Any, kit: Any) -> None:
    """One turned bit; the same envelope with its right signature stays good."""
    envelope = started.transfer(kit.alice, kit.bob.account, 1)
    assert everywhere(started, forged(envelope)) == "INVALID_SIGNATURE"
    assert started.codes(envelope) == [0]


def test_a_signature_for_another_genesis_is_refused(started: Any, kit: Any) -> None:
    """The genesis hash is part of what is signed, so even a chain of the same id cannot be replayed from."""
    envelope = build_envelope(
        chain_id=started.genesis.chain_id,
        kind=kinds.TRANSFER,
        sender=kit.alice.account,
        nonce=1,
        fee=100,
        valid_until=50,
        body=Transfer(kit.bob.account, 1).encode(),
        sign=kit.alice.sign,
        genesis_hash=bytes(32),
    )
    assert everywhere(started, envelope) == "INVALID_SIGNATURE"


def test_another_chain_s_envelope_is_refused(started: Any, kit: Any) -> None:
    """The chain_id must be this chain's."""
    assert everywhere(started, started.transfer(kit.alice, kit.bob.account, 1, chain_id=1)) == "WRONG_CHAIN"


def test_an_unknown_kind_is_refused(started: Any, kit: Any) -> None:
    """Reserved numbers too, until something is built for them."""
    for kind in (0, 10, 12, 16, 5_000):
        assert everywhere(started, started.envelope(kit.alice, kind, b"\xa0")) == "UNKNOWN_KIND"


def test_another_version_or_algorithm_is_refused(started: Any, kit: Any) -> None:
    """Both are fields of the envelope, so that later ones can differ."""
    for field, value, code in ((0, 2, "BAD_VERSION"), (8, 2, "BAD_ALGORITHM")):
        fields = codec.decode(started.transfer(kit.alice, kit.bob.account, 1).signed)
        assert isinstance(fields, dict)
        signed = codec.encode({**fields, field: value})
        signature = kit.alice.sign(signing_digest(signed, started.genesis.hash))
        assert everywhere(started, decode_envelope(codec.encode([signed, signature]))) == code


def test_a_replayed_envelope_is_refused(started: Any, kit: Any) -> None:
    """The same bytes again, in a later block or twice in one."""
    envelope = started.transfer(kit.alice, kit.bob.account, 1)
    assert invalid(started, envelope, envelope) == "REPLAYED"
    started.block(envelope)
    assert everywhere(started, envelope) == "REPLAYED"


def test_a_nonce_far_ahead_is_refused(started: Any, kit: Any) -> None:
    """The door lets 64 queue; a block takes only the next one."""
    assert everywhere(started, started.transfer(kit.alice, kit.bob.account, 1, nonce=1 + 65)) == "BAD_NONCE"
    queued = started.transfer(kit.alice, kit.bob.account, 1, nonce=1 + 64)
    assert started.door(queued) is None
    assert invalid(started, queued) == "BAD_NONCE"


def test_a_proposer_leaves_a_queued_nonce_waiting(started: Any, kit: Any) -> None:
    """It is neither included nor dropped: its turn is still to come."""
    queued = started.transfer(kit.alice, kit.bob.account, 1, nonce=2)
    built = started.assemble(queued)
    assert not built.included
    assert not built.dropped


def test_heights_bound_an_envelope(started: Any, kit: Any) -> None:
    """valid_until from the block's height to max_valid above it, both ends included."""
    height = started.head.height + 1
    for valid_until, code in ((height - 1, "EXPIRED"), (height + 10_001, "VALID_TOO_LONG")):
        assert everywhere(started, started.transfer(kit.alice, kit.bob.account, 1, valid_until=valid_until)) == code
    for valid_until in (height, height + 10_000):
        envelope = started.transfer(kit.alice, kit.bob.account, 1, valid_until=valid_until)
        assert started.door(envelope) is None
    assert started.codes(envelope) == [0]


def test_a_fee_below_the_minimum_is_refused(started: Any, kit: Any) -> None:
    """Spam must cost something."""
    assert everywhere(started, started.transfer(kit.alice, kit.bob.account, 1, fee=99)) == "FEE_TOO_LOW"


def test_an_account_that_cannot_pay_the_fee_is_refused(started: Any, kit: Any) -> None:
    """Underfunded at its position: there is nothing to take a fee from."""
    assert everywhere(started, started.transfer(NOBODY, kit.bob.account, 1)) == "INSUFFICIENT_FUNDS"


def test_the_first_envelope_of_an_account_shows_its_key(started: Any, kit: Any) -> None:
    """Present once, absent after, and always the sender's own."""
    first = started.transfer(kit.bob, kit.alice.account, 1)
    assert first.public_key
    bare = strip_key(started, first, kit.bob)
    assert everywhere(started, bare) == "PUBKEY_MISSING"
    again = add_key(started, started.transfer(kit.alice, kit.bob.account, 1), kit.alice, kit.alice.public_key)
    assert everywhere(started, again) == "PUBKEY_UNEXPECTED"
    stolen = add_key(started, first, kit.bob, kit.alice.public_key)
    assert everywhere(started, stolen) == "PUBKEY_UNEXPECTED"


def test_later_envelopes_of_a_new_account_queue_behind_its_first(chain: Any, kit: Any) -> None:
    """The door remembers the key that a first envelope showed; without one it asks for it."""
    first, second = (chain.transfer(kit.alice, kit.bob.account, 1, nonce=nonce) for nonce in (0, 1))
    assert chain.door(second) == "PUBKEY_MISSING"
    assert chain.ledger.check(chain.head, [first, second]) == [None, None]
    assert chain.door(second) is None
    assert chain.codes(first, second) == [0, 0]


def test_a_hit_in_the_signature_cache_counts_only_for_the_account_s_key(chain: Any, kit: Any) -> None:
    """A good verdict under one key says nothing under another."""
    envelope = chain.transfer(kit.alice, kit.bob.account, 1)
    assert chain.ledger.verdicts.verify([(envelope, kit.alice.public_key)]) == [True]
    assert chain.ledger.verdicts.verify([(envelope, kit.bob.public_key)]) == [False]
    assert chain.ledger.verdicts.verify([(envelope, kit.alice.public_key)]) == [True]


def test_a_full_block_leaves_the_rest_waiting(new_chain: Any, kit: Any) -> None:
    """Count and bytes are caps of a block, not faults of an envelope."""
    chain = new_chain(block_envelopes_max=2)
    envelopes = [chain.transfer(kit.alice, kit.bob.account, 1, nonce=nonce) for nonce in range(3)]
    assert invalid(chain, *envelopes) == "KIND_CAP"
    built = chain.assemble(*envelopes)
    assert [envelope.id for envelope in built.included] == [envelope.id for envelope in envelopes[:2]]
    assert not built.dropped

    chain = new_chain(block_bytes_max=ENVELOPE_BYTES_MAX)
    body = Transfer(kit.bob.account, 1, bytes(256)).encode()
    many = [chain.envelope(kit.alice, kinds.TRANSFER, body, nonce=nonce) for nonce in range(200)]
    built = chain.assemble(*many)
    assert sum(len(envelope.raw) for envelope in built.included) <= ENVELOPE_BYTES_MAX
    assert 100 < len(built.included) < 200
    assert not built.dropped


def test_a_nonceless_kind_carries_no_fee_and_no_nonce(chain: Any, kit: Any) -> None:
    """Both are checked to be zero."""
    machine = kit.box(1)
    chain.register(machine)
    body = chain.attest(machine).body
    for changes in ({"fee": 100}, {"nonce": 1}):
        assert everywhere(chain, chain.attest_envelope(machine.key, body, **changes)) == "FEE_NOT_ZERO"


def test_every_refusal_says_what_would_be_right(started: Any, kit: Any) -> None:
    """One line with code, message and expectation."""
    (error,) = started.ledger.check(started.head, [started.transfer(kit.alice, kit.bob.account, 1, nonce=0)])
    assert isinstance(error, Rejection)
    reply = error.reply()
    assert reply["ok"] is False
    assert reply["code"] == "REPLAYED"
    assert reply["expected"] == "nonce 1"


def strip_key(chain: Any, envelope: Envelope, key: Any) -> Envelope:
    """Return the envelope without its public key, signed again."""
    fields = codec.decode(envelope.signed)
    assert isinstance(fields, dict)
    signed = codec.encode({number: value for number, value in fields.items() if number != 9})
    return decode_envelope(codec.encode([signed, key.sign(signing_digest(signed, chain.genesis.hash))]))


def add_key(chain: Any, envelope: Envelope, key: Any, public_key: bytes) -> Envelope:
    """Return the envelope with a public key in it, signed again."""
    fields = codec.decode(envelope.signed)
    assert isinstance(fields, dict)
    signed = codec.encode({**fields, 9: public_key})
    return decode_envelope(codec.encode([signed, key.sign(signing_digest(signed, chain.genesis.hash))]))

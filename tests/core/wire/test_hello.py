"""The hello: both sides learn who is at the other end of this very channel, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.crypto import install
from metanode.core.crypto.keys import KeyPair, generate
from metanode.core.model.codec import decode, encode
from metanode.core.model.errors import PeerError
from metanode.core.model.hashing import H
from metanode.core.wire.hello import Handshake, Introduction, Side

GENESIS = bytes([9]) * 32
BINDING = bytes([7]) * 32
NONCES = {Side.INITIATOR: bytes([1]) * 32, Side.RESPONDER: bytes([2]) * 32}
KEYS: dict[Side, KeyPair] = {}


@pytest.fixture(scope="module", autouse=True)
def _keys() -> None:
    install()
    for side in Side:
        KEYS[side] = generate(bytes([40 + side]) * 32)


def introduction(side: Side, **change: Any) -> Introduction:
    pair = KEYS[side]
    me = Introduction(
        node_key=pair.public_key, sign=pair.sign, genesis_hash=GENESIS, roles=("node",), cluster=bytes(16),
        agent="metanode/test", transport="memory",
    )
    return replace(me, **change)


def handshake(side: Side, me: Introduction | None = None, **change: Any) -> Handshake:
    return Handshake(side, me or introduction(side), **{"binding": BINDING, "nonce": NONCES[side], **change})


def run(initiator: Handshake, responder: Handshake) -> None:
    """Pass messages to and fro in the one right order."""
    hello = responder.receive(initiator.first())
    assert hello is not None
    answer = initiator.receive(hello)
    assert answer is not None
    assert responder.receive(answer) is None


def test_both_sides_learn_who_is_there() -> None:
    """Initiator's nonce, responder's hello, initiator's hello; in that order and no more."""
    initiator = handshake(Side.INITIATOR, expected_peer=KEYS[Side.RESPONDER].public_key)
    responder = handshake(Side.RESPONDER)
    run(initiator, responder)
    assert initiator.peer is not None
    assert responder.peer is not None
    assert initiator.peer.node_key == KEYS[Side.RESPONDER].public_key
    assert responder.peer.node_key == KEYS[Side.INITIATOR].public_key
    assert (responder.peer.roles, responder.peer.agent) == (("node",), "metanode/test")
    for side in (initiator, responder):
        with pytest.raises(PeerError, match="after the last hello"):
            side.receive(b"more")


def test_what_is_signed_is_the_published_digest() -> None:
    """H(hello, genesis_hash || hello), and the hello's keys are 0 to 9."""
    message = handshake(Side.RESPONDER).receive(NONCES[Side.INITIATOR])
    assert message is not None
    hello, signature = decode(message)  # type: ignore[misc]  # a list of two
    assert isinstance(hello, bytes)
    assert decode(hello) == {
        0: 1, 1: 1, 2: NONCES[Side.INITIATOR], 3: NONCES[Side.RESPONDER], 4: ["node"], 5: bytes(16),
        6: "metanode/test", 7: "memory", 8: BINDING, 9: KEYS[Side.RESPONDER].public_key,
    }
    assert signature == KEYS[Side.RESPONDER].sign(H("hello", GENESIS + hello))


@pytest.mark.parametrize(
    ("change", "me", "code"),
    [
        ({"binding": bytes(32)}, {}, "CHANNEL_MISMATCH"),
        ({}, {"genesis_hash": bytes(32)}, "INVALID_SIGNATURE"),
        ({}, {"transport": "tcp"}, "BAD_HELLO"),
    ],
)
def test_a_responder_of_another_channel_chain_or_transport_is_refused(
    change: dict[str, Any], me: dict[str, Any], code: str
) -> None:
    """Whoever stands between two nodes cannot pass their hellos on; each reason has its code."""
    hello = handshake(Side.RESPONDER, introduction(Side.RESPONDER, **me), **change).receive(NONCES[Side.INITIATOR])
    assert hello is not None
    initiator = handshake(Side.INITIATOR)
    with pytest.raises(PeerError) as caught:
        initiator.receive(hello)
    assert caught.value.code == code
    assert initiator.peer is None


def test_another_node_than_the_one_asked_for_is_refused() -> None:
    """An address with a key means that node and no other."""
    hello = handshake(Side.RESPONDER).receive(NONCES[Side.INITIATOR])
    assert hello is not None
    with pytest.raises(PeerError) as caught:
        handshake(Side.INITIATOR, expected_peer=bytes(32)).receive(hello)
    assert caught.value.code == "WRONG_PEER"


def test_a_hello_cannot_be_replayed_into_another_exchange() -> None:
    """It covers both nonces, and the side it was made by."""
    old = handshake(Side.RESPONDER)
    old_hello = old.receive(NONCES[Side.INITIATOR])
    old_initiator = handshake(Side.INITIATOR)
    assert old_hello is not None
    old_answer = old_initiator.receive(old_hello)
    assert old_answer is not None
    with pytest.raises(PeerError, match="another initiator nonce"):
        handshake(Side.INITIATOR, nonce=bytes(32)).receive(old_hello)
    again = handshake(Side.RESPONDER, nonce=bytes(32))
    again.receive(NONCES[Side.INITIATOR])
    with pytest.raises(PeerError, match="another responder nonce"):
        again.receive(old_answer)
    with pytest.raises(PeerError, match="a hello of side 1"):
        old.receive(old_hello)


def test_a_hello_signed_by_another_key_is_refused() -> None:
    """Claiming a key is not having it."""
    me = introduction(Side.RESPONDER, sign=KEYS[Side.INITIATOR].sign)
    hello = handshake(Side.RESPONDER, me).receive(NONCES[Side.INITIATOR])
    assert hello is not None
    with pytest.raises(PeerError) as caught:
        handshake(Side.INITIATOR).receive(hello)
    assert caught.value.code == "INVALID_SIGNATURE"


@pytest.mark.parametrize("message", [b"", b"\x00", bytes(31), bytes(5000), encode([b"", bytes(64)]), encode({0: 1})])
def test_what_is_no_hello_is_refused(message: bytes) -> None:
    """On both sides, with one code."""
    for side in Side:
        with pytest.raises(PeerError) as caught:
            handshake(side).receive(message)
        assert caught.value.code == "BAD_HELLO"


@pytest.mark.parametrize("key", range(10))
def test_a_hello_with_a_wrong_field_is_refused(key: int) -> None:
    """Well signed, but not the layout."""
    fields: dict[int, Any] = {
        0: 1, 1: 1, 2: NONCES[Side.INITIATOR], 3: NONCES[Side.RESPONDER], 4: ["node"], 5: bytes(16),
        6: "agent", 7: "memory", 8: BINDING, 9: KEYS[Side.RESPONDER].public_key,
    }
    hello = encode({**fields, key: [["x"]]})
    with pytest.raises(PeerError) as caught:
        handshake(Side.INITIATOR).receive(encode([hello, KEYS[Side.RESPONDER].sign(H("hello", GENESIS + hello))]))
    assert caught.value.code == "BAD_HELLO"


@settings(derandomize=True, max_examples=200)
@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_one_changed_byte_never_passes(place: int, flip: int) -> None:
    """Hello and signature are covered whole."""
    hello = handshake(Side.RESPONDER).receive(NONCES[Side.INITIATOR])
    assert hello is not None
    changed = bytearray(hello)
    changed[place % len(changed)] ^= flip
    with pytest.raises(PeerError):
        handshake(Side.INITIATOR).receive(bytes(changed))

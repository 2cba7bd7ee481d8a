"""A whole connection without sockets: preamble, handshake, hello, records, and what a stranger may not do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.crypto import install
from metanode.core.crypto.channel import ChannelCrypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.edwards25519 import P
from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import PAYLOAD_BYTES_MAX, FrameEncoder, Lane
from metanode.core.wire.hello import Introduction, Side
from metanode.core.wire.noise import MESSAGE_BYTES_MAX, Pattern
from metanode.core.wire.secure import (
    HANDSHAKE_MESSAGE_BYTES_MAX,
    LINK_CHANNEL,
    CloseReason,
    Phase,
    SecureLink,
    is_channel_key,
)

CRYPTO = ChannelCrypto()
GENESIS = bytes([9]) * 32


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    install()


def key_of(side: Side) -> KeyPair:
    return KeyPair.from_seed(bytes([40 + side]) * 32)


def link(side: Side, *, expected_peer: bytes | None = None, genesis: bytes = GENESIS, **change: Any) -> SecureLink:
    """One end with fixed keys."""
    pair = key_of(side)
    me = Introduction(
        pair.public_key, change.get("sign", pair.sign), genesis, ("node",), bytes(16), "metanode/test", "noise"
    )
    secret = change.get("secret", CRYPTO.secret_of_seed(pair.seed))
    ephemeral, nonce = bytes([60 + side]) * 32, bytes([80 + side]) * 32
    return SecureLink(side, me, CRYPTO, secret=secret, ephemeral=ephemeral, nonce=nonce, expected_peer=expected_peer)


def meet(initiator: SecureLink, responder: SecureLink, *, piece: int = 1 << 20) -> int:
    """Move bytes in pieces until nobody has any to send; return how many messages crossed."""
    data, receiver, crossed = initiator.first(), responder, 0
    while data:
        crossed += 1
        answers = [receiver.receive(data[i : i + piece]) for i in range(0, len(data), piece)]
        data, receiver = b"".join(answers), initiator if receiver is responder else responder
    return crossed


@pytest.fixture(params=[Pattern.XX, Pattern.IK], ids=lambda pattern: pattern.name)
def ends(request: pytest.FixtureRequest) -> tuple[SecureLink, SecureLink]:
    """Two ends that have met."""
    known = key_of(Side.RESPONDER).public_key if request.param is Pattern.IK else None
    pair = link(Side.INITIATOR, expected_peer=known), link(Side.RESPONDER)
    meet(*pair)
    return pair


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("known", [True, False])
def test_both_ends_know_each_other_whatever_the_pieces(piece: int, known: bool) -> None:
    """Byte by byte too; a known key saves a message."""
    initiator = link(Side.INITIATOR, expected_peer=key_of(Side.RESPONDER).public_key if known else None)
    responder = link(Side.RESPONDER)
    crossed = meet(initiator, responder, piece=piece)
    assert crossed == 5  # with XX the last handshake message and the nonce go together
    for end, other in ((initiator, Side.RESPONDER), (responder, Side.INITIATOR)):
        assert end.phase is Phase.OPEN
        assert end.peer is not None
        assert end.peer.node_key == key_of(other).public_key


def test_messages_cross_whole_in_both_directions(ends: tuple[SecureLink, SecureLink]) -> None:
    """No record is longer than Noise allows."""
    for sender, receiver in (ends, ends[::-1]):
        sender.outbox.put(Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX))
        sender.outbox.put(Lane.VOTES, b"vote")
        while record := sender.record():
            assert len(record) <= 2 + MESSAGE_BYTES_MAX
            assert receiver.receive(record) == b""
        assert list(receiver.messages) == [(Lane.VOTES, b"vote"), (Lane.BLOCKS, bytes(PAYLOAD_BYTES_MAX))]


def test_a_keep_alive_says_nothing_and_a_close_ends_all(ends: tuple[SecureLink, SecureLink]) -> None:
    """What comes after a close is not read."""
    sender, receiver = ends
    sender.keep_alive()
    assert receiver.receive(sender.record()) == b""
    assert not receiver.messages
    sender.outbox.put(Lane.SYNC, b"last")
    data = sender.record()
    sender.say_goodbye(CloseReason.DUPLICATE)
    receiver.receive(data + sender.record() + b"whatever comes then")
    assert list(receiver.messages) == [(Lane.SYNC, b"last")]
    assert receiver.closed_by_peer is CloseReason.DUPLICATE


@pytest.mark.parametrize("message", [b"", b"\x02", b"\x01", b"\x01\x05", b"\x00\x00"])
def test_a_message_that_no_connection_sends_of_its_own_is_refused(
    ends: tuple[SecureLink, SecureLink], message: bytes
) -> None:
    """The connection's own channel is not for others."""
    sender, receiver = ends
    sender.outbox.put(Lane.CONTROL, message, channel=LINK_CHANNEL)
    with pytest.raises(PeerError) as caught:
        receiver.receive(sender.record())
    assert caught.value.code == "BAD_FRAME"


def test_an_altered_repeated_or_lost_record_ends_the_connection(ends: tuple[SecureLink, SecureLink]) -> None:
    """The first bad one, at once."""
    sender, receiver = ends
    records = []
    for number in range(2):
        sender.outbox.put(Lane.SYNC, bytes([number]))
        records.append(sender.record())
    with pytest.raises(PeerError) as caught:
        receiver.receive(records[1])
    assert caught.value.code == "BAD_RECORD"


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "HANDSHAKE_FAILED", "not metanode's"),
        (b"mn\x02", "HANDSHAKE_FAILED", "not metanode's"),
        (b"mn\x01\x02", "HANDSHAKE_FAILED", "pattern 2"),
        (b"mn\x01\x00\xff\xff", "HANDSHAKE_FAILED", "65535 bytes before the hello"),
        (b"mn\x01\x00\x00\x00", "HANDSHAKE_FAILED", "lacks 32 bytes"),
        (b"mn\x01\x01\x00\x20" + bytes([9]) * 32, "HANDSHAKE_FAILED", "lacks 48 bytes"),
    ],
)
def test_a_stranger_is_refused_at_the_first_byte_that_is_wrong(data: bytes, code: str, words: str) -> None:
    """Before anything of a message is kept."""
    with pytest.raises(PeerError, match=words) as caught:
        link(Side.RESPONDER).receive(data)
    assert caught.value.code == code


def test_a_long_record_before_the_hello_is_refused_unread() -> None:
    """An end that is not known yet takes little memory."""
    initiator, responder = link(Side.INITIATOR), link(Side.RESPONDER)
    responder.receive(initiator.receive(responder.receive(initiator.first()))[:66])
    assert responder.phase is Phase.HELLO
    with pytest.raises(PeerError, match="before the hello") as caught:
        responder.receive(b"\xff\xff")
    assert caught.value.code == "BAD_HELLO"


def test_nothing_but_hello_comes_before_the_hello() -> None:
    """A frame of another lane or channel in the first record."""
    for lane, channel in ((Lane.SYNC, LINK_CHANNEL), (Lane.CONTROL, 0)):
        initiator, responder = link(Side.INITIATOR), link(Side.RESPONDER)
        third = initiator.receive(responder.receive(initiator.first()))
        responder.receive(third[:66])
        assert initiator._noise is not None
        sealing, _ = initiator._noise.split()
        sealed = sealing.seal(b"", FrameEncoder().encode(lane, bytes(32), channel=channel))
        with pytest.raises(PeerError, match="before the hello") as caught:
            responder.receive(len(sealed).to_bytes(2, "big") + sealed)
        assert caught.value.code == "BAD_HELLO"


def test_nodes_of_two_chains_are_refused() -> None:
    """In either pattern, before any hello."""
    for known in (None, key_of(Side.RESPONDER).public_key):
        initiator = link(Side.INITIATOR, expected_peer=known, genesis=bytes(32))
        with pytest.raises(PeerError, match="another chain") as caught:
            meet(initiator, link(Side.RESPONDER))
        assert caught.value.code == "HANDSHAKE_FAILED"


def test_another_node_behind_an_address_is_refused() -> None:
    """With IK it cannot even read the first message."""
    stranger = KeyPair.from_seed(bytes(32)).public_key
    with pytest.raises(PeerError, match="another key"):
        meet(link(Side.INITIATOR, expected_peer=stranger), link(Side.RESPONDER))


def test_a_hello_on_a_channel_of_another_key_is_refused() -> None:
    """Who made the channel must be who signs."""
    initiator = link(Side.INITIATOR, secret=bytes([1]) * 32)
    with pytest.raises(PeerError, match="channel of another key") as caught:
        meet(initiator, link(Side.RESPONDER))
    assert caught.value.code == "WRONG_PEER"


@given(seed=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_a_channel_key_fits_its_node_key_and_no_other(seed: bytes, other: bytes) -> None:
    """As libsodium converts it; not another key, not the same number written otherwise, not a shorter text."""
    node_key = KeyPair.from_seed(seed).public_key
    channel_key = CRYPTO.public_of_node_key(node_key)
    assert CRYPTO.public_of_secret(CRYPTO.secret_of_seed(seed)) == channel_key
    assert is_channel_key(node_key, channel_key)
    assert not is_channel_key(node_key, b"")
    for wrong in (other, bytes(32), channel_key[:31] + bytes([channel_key[31] | 0x80])):
        assert is_channel_key(node_key, wrong) == (wrong == channel_key)
    larger = int.from_bytes(channel_key, "little") + P
    if larger < 2**256:
        assert not is_channel_key(node_key, larger.to_bytes(32, "little"))


def test_a_hello_that_the_node_key_did_not_sign_is_refused() -> None:
    """Holding the channel key alone is not enough."""
    initiator = link(Side.INITIATOR, sign=KeyPair.from_seed(bytes(32)).sign)
    with pytest.raises(PeerError) as caught:
        meet(initiator, link(Side.RESPONDER))
    assert caught.value.code == "INVALID_SIGNATURE"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=200), max_size=6), st.booleans())
def test_whatever_a_stranger_sends_is_refused_or_waited_for(pieces: list[bytes], begins_well: bool) -> None:
    """Nothing but a `PeerError` comes out, and little is kept."""
    responder = link(Side.RESPONDER)
    if begins_well:
        responder.receive(link(Side.INITIATOR).first())
    try:
        for piece in pieces:
            responder.receive(piece)
    except PeerError:
        pass
    else:
        assert responder.phase is not Phase.OPEN
        assert len(responder._buffer) <= HANDSHAKE_MESSAGE_BYTES_MAX + 2

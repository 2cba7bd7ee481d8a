"""Frames and hellos under mutated, cut and merged streams."""

from __future__ import annotations

from random import Random

import pytest

from fuzzkit import mutate
from fuzzkit.targets import one_line
from metanode.core.crypto import install
from metanode.core.crypto.keys import KeyPair
from metanode.core.model.errors import PeerError
from metanode.core.wire.frames import HEADER_BYTES, PAYLOAD_BYTES_MAX, Frame, FrameDecoder, FrameEncoder, Lane
from metanode.core.wire.hello import Handshake, Introduction, Side

ROUNDS = 1_500
SEED = 20_251_121


@pytest.fixture(scope="module", autouse=True)
def _crypto() -> None:
    install()


def read(pieces: list[bytes]) -> tuple[list[Frame], str]:
    """Return the frames that a stream gives in these pieces, and the code it ended with."""
    decoder = FrameDecoder()
    frames: list[Frame] = []
    for piece in pieces:
        try:
            decoder.receive_bytes(piece)
        except PeerError as error:
            one_line(error)
            frames += decoder.frames()
            with pytest.raises(PeerError):
                decoder.receive_bytes(b"\x00")
            return frames, error.code
        frames += decoder.frames()
        assert len(decoder._buffer) <= HEADER_BYTES + PAYLOAD_BYTES_MAX
    return frames, ""


def pieces_of(chance: Random, data: bytes) -> list[bytes]:
    """Cut a stream at random places."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, 8)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def test_a_broken_stream_gives_the_same_frames_however_it_is_cut() -> None:
    """Frames before the fault come out, the fault is a `PeerError`, and the cuts of the network change nothing."""
    chance = Random(SEED)
    codes: set[str] = set()
    for _ in range(ROUNDS):
        encoder = FrameEncoder()
        payloads = [chance.randbytes(chance.choice((0, 1, 17, 300))) for _ in range(chance.randint(0, 5))]
        stream = b"".join(encoder.encode(chance.choice(list(Lane)), payload) for payload in payloads)
        if chance.randrange(4):
            stream = mutate.mutate_bytes(chance, stream)
        whole = read([stream])
        assert read(pieces_of(chance, stream)) == whole
        assert read([stream[n : n + 1] for n in range(len(stream))]) == whole
        codes.add(whole[1])
        for counter, frame in enumerate(whole[0]):
            assert frame.counter == counter
            again = FrameEncoder()
            again._counter = counter
            assert again.encode(frame.lane, frame.payload, channel=frame.channel) in stream
    assert codes == {"", "BAD_FRAME", "TOO_LARGE"}


def handshake(side: Side) -> Handshake:
    """One side of a channel, with keys and nonces that never change."""
    pair = KeyPair.from_seed(bytes([40 + side]) * 32)
    me = Introduction(
        node_key=pair.public_key, sign=pair.sign, genesis_hash=bytes(32), roles=("node", "relay"),
        cluster=bytes(16), agent="metanode/test", transport="memory",
    )
    return Handshake(side, me, binding=bytes([7]) * 32, nonce=bytes([1 + side]) * 32)


def test_a_mutated_hello_is_refused_and_leaves_no_peer() -> None:
    """Whatever a stranger answers, the only outcome beside the right hello is a `PeerError`."""
    chance = Random(SEED)
    responder = handshake(Side.RESPONDER)
    hello = responder.receive(handshake(Side.INITIATOR).first())
    assert hello is not None
    codes: set[str] = set()
    for _ in range(ROUNDS):
        data = mutate.mutate_cbor(chance, hello) if chance.randrange(3) else mutate.mutate_bytes(chance, hello)
        initiator = handshake(Side.INITIATOR)
        if data == hello:
            continue
        with pytest.raises(PeerError) as caught:
            initiator.receive(data)
        assert caught.value.line().isprintable()
        assert initiator.peer is None
        codes.add(caught.value.code)
    assert {"BAD_HELLO", "INVALID_SIGNATURE"} <= codes


def test_a_mutated_first_message_is_refused_or_answered() -> None:
    """The responder takes exactly a nonce."""
    chance = Random(SEED)
    for _ in range(ROUNDS // 5):
        data = mutate.mutate_bytes(chance, handshake(Side.INITIATOR).first())
        responder = handshake(Side.RESPONDER)
        if len(data) == 32:
            assert responder.receive(data) is not None
        else:
            with pytest.raises(PeerError):
                responder.receive(data)

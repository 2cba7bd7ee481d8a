"""Noise XX and IK: the bytes of an independent implementation, and what must be refused."""

from __future__ import annotations

import hashlib
import json
import runpy
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from metanode.core.crypto.channel import ChannelCrypto
from metanode.core.model.errors import MetanodeError, PeerError
from metanode.core.wire.hello import Side
from metanode.core.wire.noise import NONCE_MAX, CipherState, NoiseHandshake, Pattern, hkdf

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "noise.json").read_text())["cases"]
CRYPTO = ChannelCrypto()
PROLOGUE = b"metanode/v1"
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]
"""Encodings of the points of small order: https://cr.yp.to/ecdh.html#validate"""


def secret(label: str) -> bytes:
    return hashlib.blake2b(label.encode(), digest_size=32).digest()


def end(pattern: Pattern, side: Side, *, prologue: bytes = PROLOGUE, **change: Any) -> NoiseHandshake:
    """One end with fixed keys, which knows what its pattern wants known."""
    known = pattern is Pattern.IK and side is Side.INITIATOR
    keys = {
        "static": secret(f"{side} s"), "ephemeral": secret(f"{side} e"),
        "remote_static": CRYPTO.public_of_secret(secret("1 s")) if known else None,
    }
    return NoiseHandshake(pattern, side, CRYPTO, prologue=prologue, **{**keys, **change})


def shake_hands(initiator: NoiseHandshake, responder: NoiseHandshake) -> None:
    """Pass messages until both are done."""
    while not (initiator.finished and responder.finished):
        writer, reader = (initiator, responder) if initiator.writes_next else (responder, initiator)
        reader.read(writer.write())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
@pytest.mark.parametrize("side", Side)
def test_a_handshake_is_byte_for_byte_that_of_an_independent_implementation(
    vector: dict[str, Any], side: Side
) -> None:
    """Every message, the handshake hash and the first records, for either end."""
    pattern = Pattern(vector["name"])
    secrets = {name: bytes.fromhex(value) for name, value in vector["secrets"].items()}
    me = "initiator" if side is Side.INITIATOR else "responder"
    other_static = secrets["responder static" if side is Side.INITIATOR else "initiator static"]
    ours = end(
        pattern, side, prologue=bytes.fromhex(vector["prologue"]), static=secrets[f"{me} static"],
        ephemeral=secrets[f"{me} ephemeral"],
        remote_static=CRYPTO.public_of_secret(other_static) if pattern is Pattern.IK and not side else None,
    )
    for message in map(bytes.fromhex, vector["handshake"]):
        if ours.writes_next:
            assert ours.write() == message
        else:
            ours.read(message)
    assert ours.finished
    assert ours.handshake_hash.hex() == vector["handshake_hash"]
    assert ours.remote_static == CRYPTO.public_of_secret(other_static)
    sending, receiving = ours.split()
    for number, row in enumerate(vector["messages"]):
        plaintext, sealed = bytes.fromhex(row["plaintext"]), bytes.fromhex(row["sealed"])
        if number % 2 == side:
            assert sending.seal(b"", plaintext) == sealed
        else:
            assert receiving.open(b"", sealed) == plaintext


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize("side", Side)
def test_it_talks_to_an_independent_implementation(pattern: Pattern, side: Side) -> None:
    """Fresh keys, either role, both directions; where that package is installed."""
    noise = pytest.importorskip("noise.connection", reason="pip install noiseprotocol to compare with it")
    other = noise.NoiseConnection.from_name(pattern.value.encode())
    other.set_prologue(PROLOGUE)
    (other.set_as_initiator if side is Side.RESPONDER else other.set_as_responder)()
    other_static = secret(f"{int(not side)} s")
    other.set_keypair_from_private_bytes(noise.Keypair.STATIC, other_static)
    if pattern is Pattern.IK and side is Side.RESPONDER:
        other.set_keypair_from_public_bytes(noise.Keypair.REMOTE_STATIC, CRYPTO.public_of_secret(secret("1 s")))
    ours = end(pattern, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other.start_handshake()
    while not ours.finished:
        if ours.writes_next:
            assert other.read_message(ours.write()) == b""
        else:
            ours.read(bytes(other.write_message()))
    assert other.get_handshake_hash() == ours.handshake_hash
    sending, receiving = ours.split()
    for text in (b"", b"a", bytes(60_000)):
        assert other.decrypt(sending.seal(b"", text)) == text
        assert receiving.open(b"", bytes(other.encrypt(text))) == text


@pytest.mark.parametrize("pattern", Pattern)
def test_every_byte_of_a_handshake_counts(pattern: Pattern) -> None:
    """One bit changed anywhere, or a message cut, and no two ends agree on a key."""
    lengths = []
    probe = end(pattern, Side.INITIATOR), end(pattern, Side.RESPONDER)
    while not probe[0].finished:
        writer, reader = probe if probe[0].writes_next else probe[::-1]
        lengths.append(len(message := writer.write()))
        reader.read(message)
    assert lengths == {Pattern.XX: [32, 96, 64], Pattern.IK: [96, 48]}[pattern]
    for number, length in enumerate(lengths):
        for position in range(length + 1):
            with pytest.raises(PeerError) as caught:
                _damaged_handshake(pattern, len(lengths), number, position if position < length else None)
            assert caught.value.code == "HANDSHAKE_FAILED"


def _damaged_handshake(pattern: Pattern, messages: int, number: int, position: int | None) -> None:
    """Change a bit of one message, or cut its last byte off."""
    ends = end(pattern, Side.INITIATOR), end(pattern, Side.RESPONDER)
    for step in range(messages):
        writer, reader = ends if step % 2 == 0 else ends[::-1]
        message = bytearray(writer.write())
        if step == number and position is None:
            message.pop()
        elif step == number and position is not None:
            message[position] ^= 1
        reader.read(bytes(message))


@pytest.mark.parametrize("pattern", Pattern)
def test_two_chains_never_agree_on_a_key(pattern: Pattern) -> None:
    """The prologue names the chain."""
    with pytest.raises(PeerError, match="another chain") as caught:
        shake_hands(end(pattern, Side.INITIATOR), end(pattern, Side.RESPONDER, prologue=b"metanode/v1 elsewhere"))
    assert caught.value.code == "HANDSHAKE_FAILED"


def test_an_initiator_that_knows_the_wrong_key_is_not_answered() -> None:
    """IK: nobody but the owner of the key can read the first message."""
    initiator = end(Pattern.IK, Side.INITIATOR, remote_static=CRYPTO.public_of_secret(secret("somebody else")))
    with pytest.raises(PeerError, match="does not verify"):
        end(Pattern.IK, Side.RESPONDER).read(initiator.write())


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_key_of_low_order_is_refused(point: bytes) -> None:
    """As an ephemeral key, where all results would be one known value; the unused top bit changes nothing."""
    for key in (point, point[:31] + bytes([point[31] | 0x80])):
        responder = end(Pattern.XX, Side.RESPONDER)
        responder.read(key)
        with pytest.raises(PeerError, match="low order") as caught:
            responder.write()
        assert caught.value.code == "HANDSHAKE_FAILED"


def test_a_payload_before_both_are_known_is_refused() -> None:
    """Noise would allow one; this protocol says nothing to strangers."""
    initiator = end(Pattern.XX, Side.INITIATOR)
    with pytest.raises(PeerError, match="with a payload"):
        end(Pattern.XX, Side.RESPONDER).read(initiator.write() + b"early")


def test_the_last_nonce_is_never_used() -> None:
    """2^64 - 1 is reserved: a key that has done all it may ends the connection."""
    sealing, opening = (CipherState(CRYPTO, bytes(32), NONCE_MAX) for _ in range(2))
    assert opening.open(b"", sealing.seal(b"", b"last")) == b"last"
    for use in (lambda: sealing.seal(b"", b"one more"), lambda: opening.open(b"", bytes(32))):
        with pytest.raises(PeerError) as caught:
            use()
        assert caught.value.code == "CONNECTION_CLOSED"


def test_records_are_opened_once_and_in_order() -> None:
    """Lost, repeated, reordered or altered ones are refused."""
    def pair() -> tuple[CipherState, CipherState]:
        return CipherState(CRYPTO, bytes(32)), CipherState(CRYPTO, bytes(32))

    sealing, _ = pair()
    first, second = sealing.seal(b"", b"first"), sealing.seal(b"", b"second")
    for sequence in ([second], [first, first], [first[:-1] + bytes([first[-1] ^ 1])], [first[:15]]):
        _, opening = pair()
        for record in sequence[:-1]:
            with suppress(PeerError):
                opening.open(b"", record)
        with pytest.raises(PeerError) as caught:
            opening.open(b"", sequence[-1])
        assert caught.value.code == "BAD_RECORD"


def test_without_libsodium_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no pure fallback: one would leak the secret by its timing."""
    monkeypatch.setattr("metanode.core.crypto.channel.library", lambda: None)
    with pytest.raises(MetanodeError, match="libsodium") as caught:
        ChannelCrypto()
    assert caught.value.code == "CRYPTO_MISSING"


def test_hkdf_is_two_rounds_of_hmac() -> None:
    """By the formula of section 4.3, written out with the standard library's HMAC."""
    import hmac

    temporary = hmac.new(b"key", b"material", hashlib.blake2b).digest()
    first = hmac.new(temporary, b"\x01", hashlib.blake2b).digest()
    assert hkdf(b"key", b"material") == (first, hmac.new(temporary, first + b"\x02", hashlib.blake2b).digest())


def test_a_node_key_has_one_channel_key() -> None:
    """Derived from the seed by its owner and from the public key by others; what is no key is refused."""
    from metanode.core.crypto.keys import KeyPair

    pair = KeyPair.from_seed(secret("node"))
    assert CRYPTO.public_of_secret(CRYPTO.secret_of_seed(pair.seed)) == CRYPTO.public_of_node_key(pair.public_key)
    for wrong in (bytes(32), b"\x01" + bytes(31), b"\x02" + bytes(31), bytes(31)):
        with pytest.raises(PeerError) as caught:
            CRYPTO.public_of_node_key(wrong)
        assert caught.value.code == "WRONG_PEER"


def test_the_vectors_are_what_their_script_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody edits them by hand; the script asks the other implementation alone, where it is installed."""
    pytest.importorskip("noise.connection", reason="pip install noiseprotocol to make the vectors anew")
    folder = Path(__file__).parents[2] / "vectors"
    made = runpy.run_path(str(folder / "make_noise.py"))
    monkeypatch.setitem(made["main"].__globals__, "TARGET", tmp_path / "noise.json")
    made["main"]()
    assert (tmp_path / "noise.json").read_bytes() == (folder / "noise.json").read_bytes()

"""Make noise.json: transcripts of Noise handshakes, both ends played by the package `noiseprotocol`, none by ours.

Run: python tests/vectors/make_noise.py   (deterministic: same bytes every time; needs `pip install noiseprotocol`)
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from noise.connection import Keypair, NoiseConnection

TARGET = Path(__file__).resolve().parent / "noise.json"
NAMES = ("Noise_XX_25519_ChaChaPoly_BLAKE2b", "Noise_IK_25519_ChaChaPoly_BLAKE2b")
PROLOGUE = b"metanode/v1" + bytes(range(32))
ENDS = ("initiator", "responder")
SOURCE = (
    "the Python package noiseprotocol 0.3.1, both ends; "
    "the rules: https://noiseprotocol.org/noise.html revision 34"
)
NOTE = (
    "Whole handshakes with fixed ephemeral keys and empty payloads, the initiator first, then messages after it, "
    "the initiator first. secrets are X25519 scalars."
)


def secret(label: str) -> bytes:
    """Return an X25519 secret drawn from a label."""
    return hashlib.blake2b(label.encode(), digest_size=32).digest()


def case(name: str) -> dict[str, Any]:
    """Play one handshake and four messages."""
    ends = [NoiseConnection.from_name(name.encode()) for _ in ENDS]
    ends[0].set_as_initiator()
    ends[1].set_as_responder()
    for end, label in zip(ends, ENDS, strict=True):
        end.set_prologue(PROLOGUE)
        end.set_keypair_from_private_bytes(Keypair.STATIC, secret(f"{label} static"))
        end.set_keypair_from_private_bytes(Keypair.EPHEMERAL, secret(f"{label} ephemeral"))
    if "_IK_" in name:
        public = ends[1].noise_protocol.keypairs["s"].public_bytes
        ends[0].set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, public)
    for end in ends:
        end.start_handshake()
    handshake = []
    while not ends[0].handshake_finished:
        writer, reader = ends if len(handshake) % 2 == 0 else ends[::-1]
        message = bytes(writer.write_message())
        assert reader.read_message(message) == b""
        handshake.append(message.hex())
    hashes = {end.get_handshake_hash() for end in ends}
    messages = []
    for number in range(4):
        writer, reader = ends if number % 2 == 0 else ends[::-1]
        text = f"message {number}".encode() * number
        sealed = bytes(writer.encrypt(text))
        assert reader.decrypt(sealed) == text
        messages.append({"plaintext": text.hex(), "sealed": sealed.hex()})
    return {
        "name": name,
        "prologue": PROLOGUE.hex(),
        "secrets": {f"{end} {key}": secret(f"{end} {key}").hex() for end in ENDS for key in ("static", "ephemeral")},
        "handshake": handshake,
        "handshake_hash": hashes.pop().hex(),
        "messages": messages,
    }


def main() -> None:
    """Write the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of ephemeral keys that are set, which is the point here
        cases = [case(name) for name in NAMES]
    TARGET.write_text(json.dumps({"source": SOURCE, "note": NOTE, "cases": cases}, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()

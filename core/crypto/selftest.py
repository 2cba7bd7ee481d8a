"""Does a cryptographic library agree with this chain?  Asked at every start, of whatever is installed.

Libraries differ on odd signatures, and a node that accepts what others refuse forks away from
them; so each case of `core/model/data/ed25519_edge.json` must get the verdict written there.
"""

from __future__ import annotations

import json
from pathlib import Path

from metanode.core import model
from metanode.core.model import ecvrf, ed25519, hashing
from metanode.core.model.blake3 import PureProvider
from metanode.core.model.errors import MetanodeError

_HASH_LENGTHS = (0, 1, 64, 65, 1024, 1025, 2049)
"""Around the borders of BLAKE3's 64-byte blocks and 1,024-byte chunks."""

# RFC 9381 appendix B.3, example 16 (empty alpha).
_VRF_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
_VRF_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
_VRF_PROOF = bytes.fromhex(
    "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97"
    "27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805"
)
_VRF_BETA = bytes.fromhex(
    "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af02679"
    "8e8f81cd2e333de5cdf4f3e140fdd8ae"
)


def edge_cases() -> list[tuple[str, ed25519.Check, bool]]:
    """Return (name, (public key, message, signature), accept) of every edge case."""
    source = Path(model.__file__).parent / "data" / "ed25519_edge.json"
    return [
        (row["name"], (bytes.fromhex(row["public_key"]), bytes.fromhex(row["message"]),
                       bytes.fromhex(row["signature"])), row["accept"])
        for row in json.loads(source.read_text(encoding="ascii"))["cases"]
    ]  # fmt: skip


def check_signatures(backend: ed25519.Backend) -> None:
    """Compare a backend's verdicts on the edge cases, one by one and as a batch, and its own signature.

    :raises MetanodeError: CRYPTO_DIFFERS, with the first case that differs.
    """
    cases = edge_cases()
    batch = backend.verify_many([check for _, check, _ in cases])
    for (name, check, accept), verdict in zip(cases, batch, strict=True):
        if verdict is not accept or backend.verify(*check) is not accept:
            raise _differs(backend.name, f"{'refuses' if accept else 'accepts'} the signature '{name}'")
    pure = ed25519.PureBackend()
    if backend.public_key(_VRF_SEED) != _VRF_KEY or backend.sign(_VRF_SEED, b"metanode") != pure.sign(
        _VRF_SEED, b"metanode"
    ):
        raise _differs(backend.name, "signs with other bytes")


def check_vrf(backend: ecvrf.Backend) -> None:
    """Compare a backend with the published proof and a damaged one.

    :raises MetanodeError: CRYPTO_DIFFERS.
    """
    if backend.prove(_VRF_SEED, b"") != _VRF_PROOF or backend.verify(_VRF_KEY, b"", _VRF_PROOF) != _VRF_BETA:
        raise _differs(backend.name, "differs from RFC 9381 example 16")
    if backend.verify(_VRF_KEY, b"\x00", _VRF_PROOF) is not None:
        raise _differs(backend.name, "accepts a VRF proof of another input")


def check_hash(provider: hashing.Provider) -> None:
    """Compare a hash provider with the pure reference at the borders of blocks and chunks.

    :raises MetanodeError: CRYPTO_DIFFERS.
    """
    pure = PureProvider()
    context = hashing.CONTEXT_PREFIX + "leaf"
    items = [bytes(i % 251 for i in range(length)) for length in _HASH_LENGTHS]
    if provider.derive_key_many(context, items) != [pure.derive_key(context, item) for item in items]:
        raise _differs(provider.name, "derives other BLAKE3 keys in a batch")
    if provider.derive_key(context, items[-1]) != pure.derive_key(context, items[-1]):
        raise _differs(provider.name, "derives another BLAKE3 key")
    if provider.digest(items[-1]) != pure.digest(items[-1]):
        raise _differs(provider.name, "gives another BLAKE3 digest")
    tree = hashing.tree_of(provider)
    if tree is not None:
        three = items[:3]
        left, right, last = (pure.derive_key(context, item) for item in three)
        pair = pure.derive_key(hashing.CONTEXT_PREFIX + "node", left + right)
        top = pure.derive_key(hashing.CONTEXT_PREFIX + "node", pair + last)
        root = pure.derive_key(hashing.CONTEXT_PREFIX + "root", len(three).to_bytes(8, "big") + top)
        if tree.root(three) != root or tree.path(three, 2) != [pair]:
            raise _differs(provider.name, "makes other list trees")


def _differs(library: str, how: str) -> MetanodeError:
    return MetanodeError("CRYPTO_DIFFERS", f"{library} {how}")

"""libsodium's signatures and proofs are the reference's, byte for byte and verdict for verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.core.crypto import selftest, sodium, vrf
from metanode.core.model import ecvrf, ed25519
from metanode.core.model import edwards25519 as group

PURE, PURE_VRF = ed25519.PureBackend(), ecvrf.PureBackend()
T8 = group.decode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
seeds = st.binary(min_size=32, max_size=32)
identical = settings(derandomize=True, deadline=None, max_examples=40)


def signatures() -> sodium.SodiumBackend:
    backend = sodium.load()
    assert backend is not None
    return backend


def proofs() -> vrf.SodiumVrf:
    backend = vrf.load()
    assert backend is not None
    return backend


def test_both_give_the_verdicts_of_the_edge_cases() -> None:
    """The self-test that every start runs."""
    selftest.check_signatures(signatures())
    selftest.check_signatures(PURE)
    selftest.check_vrf(proofs())
    selftest.check_vrf(PURE_VRF)


@identical
@given(seeds, st.binary(max_size=100))
def test_signatures_are_identical(seed: bytes, message: bytes) -> None:
    """Keys and signatures do not tell which library made them."""
    assert signatures().public_key(seed) == PURE.public_key(seed)
    assert signatures().sign(seed, message) == PURE.sign(seed, message)


@identical
@given(seeds, st.integers(0, 95), st.integers(1, 255))
def test_verdicts_on_damaged_signatures_are_identical(seed: bytes, place: int, mask: int) -> None:
    """Neither accepts what the other refuses."""
    blob = bytearray(PURE.public_key(seed) + PURE.sign(seed, b"m"))
    blob[place] ^= mask
    key, signature = bytes(blob[:32]), bytes(blob[32:])
    assert signatures().verify(key, b"m", signature) is PURE.verify(key, b"m", signature) is False


@pytest.mark.parametrize("count", [0, 1, sodium.BATCH_MIN - 1, sodium.BATCH_MIN, sodium.BATCH_MIN + 1, 150])
def test_a_batch_has_the_verdicts_of_its_items(count: int) -> None:
    """With the loop in C and without it, below the size that is worth packing and above, right and wrong ones mixed."""
    cases = (selftest.edge_cases() * 3)[:count]
    checks = [(key, message, signature[: 64 - (place % 5 == 4)]) for place, (_, (key, message, signature), _) in
              enumerate(cases)]  # fmt: skip
    expected = [accept and place % 5 != 4 for place, (_, _, accept) in enumerate(cases)]
    without = sodium.SodiumBackend(sodium.library())
    assert signatures().verify_many(checks) == without.verify_many(checks) == expected


def test_without_the_shim_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package without it, one whose extension was not built, and a libsodium that is nowhere to be found."""
    nacl = sodium.library()
    assert sodium.SodiumBackend(nacl).batching() == "one by one"
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims._ed25519", None)
    assert "one by one: the Ed25519 extension is not built" in signatures().batching()
    monkeypatch.delattr("metanode.platforms.shims.ed25519", raising=False)
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims.ed25519", None)
    assert "one by one: this package has no Ed25519 shim" in signatures().batching()
    batch, reason = sodium.find_batch(SimpleNamespace())
    assert batch is None
    assert "no shared object" in reason


class Recorder:
    """A batch that says how many threads it was given."""

    threads = 0

    def verify_many(self, checks: Sequence[ed25519.Check], *, threads: int) -> list[bool]:
        self.threads = threads
        return [True] * len(checks)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (64, 2)])
def test_a_batch_takes_two_threads_where_there_are_two_cores(
    cores: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more: the loop and the other workers want to run as well."""
    monkeypatch.setattr(sodium, "_cores", lambda: cores)
    recorder = Recorder()
    backend = sodium.SodiumBackend(sodium.library(), recorder)
    assert backend.verify_many([(b"", b"", b"")] * sodium.BATCH_MIN) == [True] * sodium.BATCH_MIN
    assert recorder.threads == threads
    assert ("two threads" in backend.batching()) == (threads == 2)


def test_cores_are_counted_where_a_system_hides_which_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has no affinity, and some systems tell no number at all."""
    assert sodium._cores() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert sodium._cores() == 1


@pytest.mark.parametrize(("key", "signature"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_wrong_lengths_never_reach_the_library(key: int, signature: int) -> None:
    """The binding passes bare pointers: a short key would be read beyond its end."""
    assert signatures().verify(bytes(key), b"", bytes(signature)) is False
    assert proofs().verify(bytes(key), b"", bytes(signature + 16 if key == 32 else 80)) is None


def test_a_seed_of_another_length_is_our_mistake() -> None:
    """As in the reference."""
    with pytest.raises(ValueError, match="32 bytes"):
        signatures().sign(bytes(33), b"")
    with pytest.raises(ValueError, match="32 bytes"):
        proofs().prove(bytes(33), b"")


@identical
@given(seeds, st.binary(max_size=100))
def test_proofs_are_identical(seed: bytes, alpha: bytes) -> None:
    """Every validator computes the same proof, whatever it runs on."""
    proof = proofs().prove(seed, alpha)
    assert proof == PURE_VRF.prove(seed, alpha)
    key = PURE.public_key(seed)
    beta = proofs().verify(key, alpha, proof)
    assert beta is not None
    assert beta == PURE_VRF.verify(key, alpha, proof) == ecvrf.proof_to_hash(proof)


@identical
@given(seeds, st.integers(0, 111), st.integers(1, 255))
def test_verdicts_on_damaged_proofs_are_identical(seed: bytes, place: int, mask: int) -> None:
    """Damage in key, Gamma, c or s is seen by both."""
    blob = bytearray(PURE.public_key(seed) + proofs().prove(seed, b"a"))
    blob[place] ^= mask
    key, proof = bytes(blob[:32]), bytes(blob[32:])
    assert proofs().verify(key, b"a", proof) is None
    assert PURE_VRF.verify(key, b"a", proof) is None


def mixed_gamma(seed: bytes, alpha: bytes) -> bytes:
    """Return a proof whose Gamma has a part of order 8; it satisfies the RFC when 8 divides its c."""
    assert T8 is not None
    secret, prefix = ecvrf.split_secret(seed)
    x, key = int.from_bytes(secret, "little"), PURE.public_key(seed)
    h = ecvrf._encode_to_curve(key, alpha)
    gamma = group.encode(group.add(group.multiply(x, h), T8))
    k = int.from_bytes(ecvrf.nonce_hash(prefix, group.encode(h)), "little") % group.L
    u, v = group.encode(group.multiply_base(k)), group.encode(group.multiply(k, h))
    c = ecvrf.challenge(key, group.encode(h), gamma, u, v)
    return gamma + c + ((k + int.from_bytes(c, "little") * x) % group.L).to_bytes(32, "little")


def test_a_gamma_of_mixed_order_gets_the_verdict_of_the_rfc() -> None:
    """libsodium cannot multiply such a point; the answer must be the reference's, and beta the honest one."""
    seed, seen = bytes(32), set()
    key = PURE.public_key(seed)
    for i in range(40):
        alpha = bytes([i])
        proof = mixed_gamma(seed, alpha)
        expected = PURE_VRF.verify(key, alpha, proof)
        assert proofs().verify(key, alpha, proof) == expected
        assert (expected is not None) == (proof[32] % 8 == 0)
        if expected is not None:
            assert expected == ecvrf.proof_to_hash(PURE_VRF.prove(seed, alpha))
        seen.add(expected is None)
    assert seen == {True, False}


@pytest.mark.parametrize("encoding", sorted(group.SMALL_ORDER_ENCODINGS))
def test_points_of_small_order_get_the_same_verdict(encoding: bytes) -> None:
    """As key and as Gamma, with ordinary and zero scalars."""
    key, honest = PURE.public_key(bytes(32)), PURE_VRF.prove(bytes(32), b"")
    for public_key, proof in (
        (encoding, honest),
        (key, encoding + honest[32:]),
        (key, encoding + bytes(48)),
        (key, honest[:32] + bytes(48)),
        (encoding, encoding + bytes(48)),
    ):
        assert proofs().verify(public_key, b"", proof) is None
        assert PURE_VRF.verify(public_key, b"", proof) is None


def test_spellings_that_libsodium_would_take_are_refused() -> None:
    """y >= p, a sign on x = 0, and s >= L: libsodium's additions do not look at these."""
    for value in (group.P, group.P + 1, 1 | 1 << 255, group.P - 1 | 1 << 255):
        assert not vrf._is_canonical(value.to_bytes(32, "little"))
        assert group.decode(value.to_bytes(32, "little")) is None
    assert vrf._is_canonical((group.P - 1).to_bytes(32, "little"))
    proof = proofs().prove(bytes(32), b"")
    s = int.from_bytes(proof[48:], "little") + group.L
    assert proofs().verify(PURE.public_key(bytes(32)), b"", proof[:48] + s.to_bytes(32, "little")) is None

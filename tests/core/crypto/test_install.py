"""Choosing cryptographic libraries: what differs is refused, what is absent is replaced."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from metanode.core import crypto
from metanode.core.crypto import selftest, sodium, vrf
from metanode.core.model import ecvrf, ed25519, hashing
from metanode.core.model.blake3 import PureProvider
from metanode.core.model.errors import MetanodeError


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test install from nothing, and put back what stood before."""
    before = hashing.provider(), ed25519.backend(), ecvrf.backend()
    monkeypatch.setattr(crypto, "_installed", None)
    yield
    hashing.install(before[0])
    ed25519.install(before[1])
    ecvrf.install(before[2])


def test_libsodium_is_used_where_it_is_present() -> None:
    """PyNaCl is installed in the test environment, and passes."""
    chosen = crypto.install()
    assert (chosen.signatures, chosen.vrf) == ("libsodium", "libsodium")
    assert ed25519.backend().name == ecvrf.backend().name == "libsodium"
    assert hashing.provider().name == chosen.hash


def test_a_second_install_changes_nothing() -> None:
    """Libraries call it freely."""
    first = crypto.install()
    backend = ed25519.backend()
    assert crypto.install() is first
    assert ed25519.backend() is backend


def test_without_libraries_the_pure_code_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without compiler and wheels is still a node."""
    monkeypatch.setattr(sodium, "library", lambda: None)
    monkeypatch.setattr(vrf, "library", lambda: None)
    monkeypatch.setattr(crypto, "_load_hash_shim", lambda: None)
    assert crypto.install() == crypto.InstalledCrypto("pure", "pure", "pure")


def test_pynacl_that_does_not_import_is_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """None in sys.modules makes the import fail, as a missing package does."""
    monkeypatch.setitem(sys.modules, "nacl.bindings", None)
    assert sodium.library() is None
    assert sodium.load() is None
    assert vrf.load() is None


def test_a_package_without_the_hash_shim_still_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel builds without a compiler, minus the extension."""
    monkeypatch.delattr("metanode.platforms.shims.blake3", raising=False)
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims.blake3", None)
    assert crypto.install().hash == "pure"


class BatchCofactored(ed25519.PureBackend):
    """Right one by one, wrong in a batch."""

    name = "batch"

    def verify_many(self, checks: object) -> list[bool]:
        return [True] * len(selftest.edge_cases())


class OtherNonce(ed25519.PureBackend):
    """Verifies rightly and signs validly, but not deterministically as RFC 8032 says."""

    name = "nonce"

    def sign(self, seed: bytes, message: bytes) -> bytes:
        return super().sign(seed, message + b"!")


class EagerVrf(ecvrf.PureBackend):
    """Accepts any proof."""

    name = "eager"

    def verify(self, public_key: bytes, alpha: bytes, proof: bytes) -> bytes | None:
        return ecvrf.proof_to_hash(proof)


class OtherVrf(ecvrf.PureBackend):
    """Proves something else."""

    name = "other"

    def prove(self, seed: bytes, alpha: bytes) -> bytes:
        return super().prove(seed, alpha + b"!")


@pytest.mark.parametrize("backend", [BatchCofactored(), OtherNonce()])
def test_a_signature_library_that_differs_stops_the_start(
    backend: ed25519.Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the library; nothing is installed."""
    before = ed25519.backend()
    monkeypatch.setattr(sodium, "load", lambda: backend)
    with pytest.raises(MetanodeError) as caught:
        crypto.install()
    assert caught.value.code == "CRYPTO_DIFFERS"
    assert backend.name in caught.value.message
    assert ed25519.backend() is before


@pytest.mark.parametrize("index", range(len(selftest.edge_cases())))
def test_one_wrong_verdict_is_enough(index: int) -> None:
    """Each edge case is needed: a library that errs in it alone is named with the case."""
    name, check, accept = selftest.edge_cases()[index]

    class Wrong(ed25519.PureBackend):
        name = "wrong"

        def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
            if (public_key, message, signature) == check:
                return not accept
            return known[public_key, message, signature]

    known = {case: verdict for _, case, verdict in selftest.edge_cases()}
    with pytest.raises(MetanodeError, match="CRYPTO_DIFFERS") as caught:
        selftest.check_signatures(Wrong())
    assert f"'{name}'" in caught.value.message


@pytest.mark.parametrize("backend", [EagerVrf(), OtherVrf()])
def test_a_vrf_that_differs_stops_the_start(backend: ecvrf.Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that others cannot check would fork the chain."""
    monkeypatch.setattr(vrf, "load", lambda: backend)
    with pytest.raises(MetanodeError, match=f"CRYPTO_DIFFERS: {backend.name}"):
        crypto.install()


@pytest.mark.parametrize("method", ["digest", "derive_key", "derive_key_many"])
def test_a_hash_that_differs_stops_the_start(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry of the provider is compared."""
    provider = PureProvider()
    wrong = [bytes(32)] if method.endswith("many") else bytes(32)
    monkeypatch.setattr(provider, method, lambda *arguments: wrong)
    monkeypatch.setattr(crypto, "_load_hash_shim", lambda: provider)
    with pytest.raises(MetanodeError, match="CRYPTO_DIFFERS: pure"):
        crypto.install()


@pytest.mark.parametrize(("root", "path"), [(bytes(32), None), (None, [bytes(32)]), (None, [])])
def test_list_trees_that_differ_stop_the_start(
    root: bytes | None, path: list[bytes] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider may make them in one call, and then of the same bytes."""
    real = crypto._load_hash_shim()
    tree = None if real is None else hashing.tree_of(real)
    if tree is None:
        pytest.skip("no provider here has list trees")

    class Wrong:
        def root(self, items: list[bytes]) -> bytes:
            return tree.root(items) if root is None else root

        def path(self, items: list[bytes], index: int) -> list[bytes]:
            return tree.path(items, index) if path is None else path

    provider = PureProvider()
    monkeypatch.setattr(provider, "list_tree", lambda *contexts: Wrong(), raising=False)
    monkeypatch.setattr(crypto, "_load_hash_shim", lambda: provider)
    with pytest.raises(MetanodeError, match="CRYPTO_DIFFERS: pure makes other list trees"):
        crypto.install()


def test_the_crypto_layer_loads_no_trio() -> None:
    """Miners on machines without OpenSSL import it."""
    code = "import sys, metanode.core.crypto, metanode.core.crypto.keystore; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trio", "pluggy", "ssl"} & set(run.stdout.split())

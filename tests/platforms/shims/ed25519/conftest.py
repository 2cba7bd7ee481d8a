"""What the tests of the Ed25519 shim share: a verifier over PyNaCl's libsodium, and right signatures."""

from __future__ import annotations

import importlib
from random import Random

import pytest

from metanode.core.model import ed25519 as model
from metanode.platforms.shims import ed25519 as shim

SEED = 20_251_121
SIGNATURES = 30


@pytest.fixture(scope="session")
def library() -> str:
    """The shared object in which PyNaCl's libsodium lies."""
    pytest.importorskip("nacl.bindings")
    path = importlib.import_module("nacl._sodium").__file__
    assert path is not None
    return path


@pytest.fixture(scope="session")
def verifier(library: str) -> shim.BatchVerifier:
    """The verifier, or a skip that says why there is none."""
    loaded = shim.load(library)
    if loaded is None:
        pytest.skip(shim.problem(library))
    return loaded


@pytest.fixture(scope="session")
def checks() -> tuple[shim.Check, ...]:
    """Right signatures of messages of 0 to 200 bytes, some of them empty and some of one byte."""
    chance, pure, made = Random(SEED), model.PureBackend(), []
    for _ in range(SIGNATURES):
        secret, message = chance.randbytes(32), chance.randbytes(chance.choice((0, 1, 32, 32, 32, 200)))
        made.append((pure.public_key(secret), message, pure.sign(secret, message)))
    return tuple(made)

"""Batches in Python: libsodium's verdicts in order, on one thread or two, and mistakes refused in words."""

from __future__ import annotations

import importlib
import sys
import threading
from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.core.crypto import selftest
from metanode.platforms.shims import ed25519 as shim
from metanode.platforms.shims.ed25519 import batch as machinery

OK = 0
SHARED = machinery.SHARED_MIN
Checks = tuple[shim.Check, ...]


def packed(checks: Checks) -> tuple[bytes, bytes, bytes, array[int]]:
    """Return keys, signatures, messages and offsets as C takes them."""
    keys, messages, signatures = zip(*checks, strict=True)
    offsets = array("Q", [0])
    for message in messages:
        offsets.append(offsets[-1] + len(message))
    return b"".join(keys), b"".join(signatures), b"".join(messages), offsets


@pytest.mark.parametrize("threads", [1, 2])
def test_the_edge_cases_get_the_verdicts_of_the_chain(verifier: shim.BatchVerifier, threads: int) -> None:
    """Where libraries differ, a batch must not; as one batch, and each case alone."""
    cases = selftest.edge_cases()
    expected = [accept for _, _, accept in cases]
    assert verifier.verify_many([check for _, check, _ in cases], threads=threads) == expected
    assert [verifier.verify_many([check], threads=threads)[0] for _, check, _ in cases] == expected


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, SHARED - 1, SHARED, SHARED + 1, 65])
def test_one_bad_signature_is_the_only_one_refused(
    verifier: shim.BatchVerifier, checks: Checks, count: int, threads: int
) -> None:
    """Each item is judged on its own, at every place of a batch and on either thread."""
    right = (checks[:8] * 9)[:count]
    assert verifier.verify_many(right, threads=threads) == [True] * count
    for place in {0, count // 2 - 1, count // 2, count - 1} & set(range(count)):
        key, message, signature = right[place]
        wrong = [*right]
        wrong[place] = (key, message + b"!", signature)
        assert verifier.verify_many(wrong, threads=threads) == [other != place for other in range(count)]


@pytest.mark.parametrize("threads", [1, 2])
def test_wrong_lengths_are_false_and_move_nothing(verifier: shim.BatchVerifier, checks: Checks, threads: int) -> None:
    """A short key must neither be read beyond its end nor shift its neighbours."""
    right = checks[:20]
    key, message, signature = right[0]
    odd = [(key[:31], message, signature), (key + b"\x00", message, signature), (b"", b"", b""),
           (key, message, signature[:63]), (key, message, signature + b"\x00")]  # fmt: skip
    mixed = [check for pair in zip(right, odd * 4, strict=True) for check in pair]
    assert verifier.verify_many(mixed, threads=threads) == [True, False] * 20
    assert verifier.verify_many(odd, threads=threads) == [False] * 5


def test_packed_buffers_of_any_kind_are_read_in_place(verifier: shim.BatchVerifier, checks: Checks) -> None:
    """Read-only and writable, views into larger ones, and messages that do not begin at 0 or that overlap nothing."""
    keys, signatures, messages, offsets = packed(checks[:20])
    for wrap in (bytes, bytearray, lambda data: memoryview(b"x" + data)[1:]):
        assert verifier.verify_packed(wrap(keys), wrap(signatures), wrap(messages), offsets) == b"\x01" * 20
    moved = array("Q", (place + 3 for place in offsets))
    assert verifier.verify_packed(keys, signatures, b"abc" + messages + b"d", moved, threads=2) == b"\x01" * 20
    assert verifier.verify_packed(b"", b"", b"", array("Q", [0])) == b""


def test_buffers_that_do_not_fit_are_refused_in_words(verifier: shim.BatchVerifier, checks: Checks) -> None:
    """Nothing out of bounds is read for a caller's mistake."""
    keys, signatures, messages, offsets = packed(checks[:4])
    gaps = memoryview(bytes(2 * len(keys)))[::2]
    crooked = memoryview(b"\x00" + offsets.tobytes())[1:]
    odd = memoryview(bytes(16))[1:9] if _address(verifier, bytes(16)) % 8 == 0 else crooked
    for arguments, words in (
        ((keys[:-1], signatures, messages, offsets), "128 bytes of keys"),
        ((keys, signatures + b"x", messages, offsets), "256 bytes of signatures"),
        ((keys, signatures, messages[:-1], offsets), "offsets fall or leave"),
        ((keys, signatures, messages, offsets[:-1]), "96 bytes of keys go with 4 offsets"),
        ((keys, signatures, messages, b""), "at least one"),
        ((keys, signatures, messages, offsets.tobytes()[:-1]), "aligned integers"),
        ((keys, signatures, messages, odd), "aligned integers"),
        ((gaps, signatures, messages, offsets), "keys must be a contiguous buffer"),
        ((keys, signatures, "text", offsets), "messages must be a contiguous buffer"),
    ):
        with pytest.raises(ValueError, match=words):
            verifier.verify_packed(*arguments)


def _address(verifier: shim.BatchVerifier, data: bytes) -> int:
    return int(verifier._ffi.cast("uintptr_t", verifier._ffi.from_buffer(data)))


@pytest.mark.parametrize("place", [0, 5, 19, 20])
@pytest.mark.parametrize("value", [2**32, 2**63, 2**64 - 1])
def test_an_offset_that_falls_or_leaves_refuses_the_batch(
    verifier: shim.BatchVerifier, checks: Checks, place: int, value: int
) -> None:
    """Also when the second thread is the one that meets it."""
    keys, signatures, messages, offsets = packed(checks[:20])
    offsets[place] = value
    for threads in (1, 2):
        with pytest.raises(ValueError, match="offsets fall or leave"):
            verifier.verify_packed(keys, signatures, messages, offsets, threads=threads)


def test_a_batch_is_verified_when_no_thread_can_be_started(
    verifier: shim.BatchVerifier, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small machines run out of threads; the verdicts stay."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert verifier.verify_many(checks[:4] * 8, threads=2) == [True] * 32


def test_a_second_thread_that_dies_leaves_no_verdicts(
    verifier: shim.BatchVerifier, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros that nobody wrote would refuse good signatures; the first thread does what is missing."""
    monkeypatch.setattr(threading.Thread, "run", lambda self: None)
    assert verifier.verify_many(checks[:4] * 8, threads=2) == [True] * 32


def test_what_cannot_verify_is_none_with_a_reason(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such file, a shared object without the function, and no extension at all."""
    if shim.load(library) is not None:
        other = importlib.import_module("_cffi_backend").__file__
        assert other is not None
        for absent in ("/nonexistent.so", other, __file__):
            assert shim.load(absent) is None
            assert "crypto_sign_ed25519_verify_detached" in shim.problem(absent)
        assert shim.problem(library) == ""
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims._ed25519", None)
    assert shim.load(library) is None
    assert "not built" in shim.problem(library)


@pytest.mark.parametrize("verdict", [0, 1])
def test_a_library_with_wrong_verdicts_is_not_handed_out(
    verifier: shim.BatchVerifier, monkeypatch: pytest.MonkeyPatch, verdict: int
) -> None:
    """One that says yes to all, and one that says no to all."""

    class Wrong:
        """The extension around a verify that does not look."""

        MN_OK = OK

        def mn_ed25519_find(self, path: bytes) -> int:
            return verifier._verify

        def mn_ed25519_verify_many(self, *arguments: Any) -> int:
            out, count = arguments[-2:]
            verifier._ffi.buffer(out, count)[:] = bytes([verdict]) * count
            return OK

    module = SimpleNamespace(ffi=verifier._ffi, lib=Wrong())
    monkeypatch.setitem(sys.modules, "metanode.platforms.shims._ed25519", module)
    assert shim.load("any") is None
    assert "wrong verdicts" in shim.problem("any")

"""The loop in C: bounds checked before anything is written, and each offset used as it was checked."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from metanode.platforms.shims import ed25519 as shim

OK, NULL, RANGE = 0, 1, 2
UNTOUCHED = b"\xaa"
Checks = tuple[shim.Check, ...]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, OK),
        ({"verify": 0}, NULL),
        ({"keys": None}, NULL),
        ({"signatures": None}, NULL),
        ({"messages": None}, NULL),
        ({"offsets": None}, NULL),
        ({"ok": None}, NULL),
        ({"keys_len": 63}, RANGE),
        ({"keys_len": 96}, RANGE),
        ({"signatures_len": 127}, RANGE),
        ({"signatures_len": 64}, RANGE),
        ({"ok_len": 1}, RANGE),
        ({"ok_len": 3}, RANGE),
        ({"count": 1}, RANGE),
        ({"count": sys.maxsize // 16 + 1}, RANGE),
        ({"len": 1}, RANGE),
        ({"offsets": [0, 2, 1]}, RANGE),
        ({"offsets": [3, 2, 2]}, RANGE),
        ({"offsets": [0, 1, 2**64 - 1]}, RANGE),
    ],
    ids=str,
)
def test_a_refused_call_writes_nothing(
    verifier: shim.BatchVerifier, checks: Checks, change: dict[str, Any], status: int
) -> None:
    """Null pointers, sizes that do not fit the count, and offsets, straight into C."""
    ffi = verifier._ffi
    (key, message, signature), (key2, message2, signature2) = [check for check in checks if len(check[1]) == 1][:2]
    keys, signatures, messages = key + key2, signature + signature2, message + message2
    given: dict[str, Any] = {
        "verify": verifier._verify, "keys": keys, "keys_len": 64, "signatures": signatures, "signatures_len": 128,
        "messages": messages, "len": 2, "offsets": [0, 1, 2], "count": 2, "ok": ffi.new("uint8_t[]", UNTOUCHED * 2),
        "ok_len": 2,
    }  # fmt: skip
    out = given["ok"]
    given.update(change)
    given["offsets"] = given["offsets"] and ffi.new("uint64_t[]", given["offsets"])
    arguments = [ffi.NULL if value is None else value for value in given.values()]
    assert verifier._lib.mn_ed25519_verify_many(*arguments) == status
    assert ffi.buffer(out, 2)[:] == (UNTOUCHED * 2 if status else b"\x01\x01")


def test_empty_messages_need_no_buffer(verifier: shim.BatchVerifier, checks: Checks) -> None:
    """A null pointer may stand where the length is 0."""
    ffi = verifier._ffi
    key, message, signature = next(check for check in checks if not check[1])
    out = ffi.new("uint8_t[]", 1)
    assert verifier._lib.mn_ed25519_verify_many(
        verifier._verify, key, 32, signature, 64, ffi.NULL, 0, ffi.new("uint64_t[]", [0, 0]), 1, out, 1
    ) == OK  # fmt: skip
    assert out[0] == 1
    assert message == b""


def test_offsets_that_change_during_the_call_read_nothing_out_of_bounds(verifier: shim.BatchVerifier) -> None:
    """The lock is free: each offset is checked again as it is used, and a batch that was raced is all 0.

    The verify of this test changes the offsets itself, so the moment is the same in every run.
    """
    ffi = verifier._ffi
    offsets = ffi.new("uint64_t[]", [0, 1, 2, 3])
    calls = []

    def verify(signature: Any, message: Any, length: int, key: Any) -> int:
        calls.append((bytes(ffi.buffer(message, length)), length))
        offsets[2] = 2**63
        return 0

    out = ffi.new("uint8_t[]", UNTOUCHED * 3)
    called = ffi.callback("int(uint8_t *, uint8_t *, unsigned long long, uint8_t *)", verify)
    address = int(ffi.cast("uintptr_t", called))
    arguments = (address, bytes(96), 96, bytes(192), 192, b"abc", 3, offsets, 3, out, 3)
    assert verifier._lib.mn_ed25519_verify_many(*arguments) == RANGE
    assert calls == [(b"a", 1)]
    assert bytes(ffi.buffer(out, 3)) == bytes(3)


def test_null_is_no_path(verifier: shim.BatchVerifier) -> None:
    """The finder refuses it like a missing file."""
    assert verifier._lib.mn_ed25519_find(verifier._ffi.NULL) == 0

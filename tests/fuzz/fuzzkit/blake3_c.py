"""The BLAKE3 shim in C against the pure Python reference, built with address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import NamedTuple

from metanode.core.model import blake3

ROOT = Path(__file__).resolve().parents[3]
SHIMS = ROOT / "platforms" / "shims"
SOURCES = (ROOT / "tests" / "fuzz" / "blake3_cases.c", SHIMS / "blake3_portable.c")
FLAGS = ("-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fno-omit-frame-pointer",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip
EDGE_LENGTHS = (0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 4096, 4097, 5121)
CANARY = b"\xa5"
OK, NULL, RANGE = 0, 1, 2


class Case(NamedTuple):
    """One call: what goes in, and the status and output that must come out."""

    data: bytes
    status: int
    output: bytes


def build(directory: Path) -> tuple[Path | None, str]:
    """Compile the case runner; return it, or None and why it cannot be built here."""
    if sys.byteorder != "little":
        return None, "the case runner reads offsets in this machine's byte order, which must be little-endian"
    compiler = next(filter(None, map(shutil.which, ("clang", "gcc", "cc"))), None)
    if compiler is None:
        return None, "no C compiler"
    program = directory / "blake3_cases"
    command = [compiler, *FLAGS, f"-I{SHIMS}", *map(str, SOURCES), "-o", str(program)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if made.returncode:
        if "sanitize" in made.stderr or "asan" in made.stderr or "ubsan" in made.stderr:
            return None, f"{compiler} has no sanitizers: {made.stderr.strip().splitlines()[-1]}"
        raise AssertionError(made.stderr)
    return program, ""


def run(program: Path, cases: list[Case]) -> None:
    """Run cases and hold every answer to what it must be; a sanitizer's report is a failure."""
    done = subprocess.run(
        [str(program)], input=b"".join(case.data for case in cases), capture_output=True, timeout=300, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[:4000]
    at = 0
    for case in cases:
        end = at + 1 + len(case.output)
        status, output = done.stdout[at], done.stdout[at + 1 : end]
        assert status == case.status, (status, case.status, case.data[:80].hex())
        assert output == case.output, f"another output than the reference's: case {case.data[:80].hex()}"
        at = end
    assert at == len(done.stdout)


def cases(chance: Random, count: int) -> list[Case]:
    """Make cases: right ones of all lengths, and wrong lengths, offsets and pointers."""
    return [_many(chance) if chance.randrange(3) == 0 else _single(chance) for _ in range(count)]


def _length(chance: Random) -> int:
    return chance.choice(EDGE_LENGTHS) if chance.randrange(2) else chance.randrange(chance.choice((80, 1200, 4000)))


def _single(chance: Random) -> Case:
    operation = chance.randrange(4)
    key_len = 32 if chance.randrange(6) else chance.choice((0, 1, 31, 33, 64))
    out_len = chance.choice((0, 1, 31, 32, 33, 63, 64, 65, 131, 200)) if chance.randrange(3) else 32
    key, data = chance.randbytes(key_len), chance.randbytes(_length(chance))
    nulls = 0 if chance.randrange(5) else chance.randrange(8)
    head = struct.pack("<BBIIII", operation, nulls, key_len, len(data), out_len, 0)
    status = OK
    if operation in (1, 3):
        status = NULL if nulls & 1 else OK if key_len == 32 else RANGE
    elif operation == 2 and out_len != 32:
        status = RANGE
    if status == OK and ((nulls & 2 and data) or (nulls & 4 and out_len)):
        status = NULL
    output = CANARY * out_len
    if status == OK and out_len:
        output = _reference(operation, key, data, out_len)
    return Case(head + key + data, status, output)


def _reference(operation: int, key: bytes, data: bytes, out_len: int) -> bytes:
    if operation == 0:
        return blake3.digest(data, out_len)
    if operation == 1:
        return blake3.keyed(key, data, out_len)
    if operation == 2:
        return blake3._subtree(blake3._IV, data, 0, blake3._DERIVE_KEY_CONTEXT).root(32)
    return _derived(key, data, out_len)


def _derived(key: bytes, data: bytes, out_len: int) -> bytes:
    """Derive under a key that need not come from a context, which no function of the reference offers."""
    return blake3._subtree(blake3._key(key), data, 0, blake3._DERIVE_KEY_MATERIAL).root(out_len)


def _many(chance: Random) -> Case:
    count = chance.randrange(9)
    parts = [chance.randbytes(_length(chance) % chance.choice((70, 1100, 3000))) for _ in range(count)]
    key, data = chance.randbytes(32), b"".join(parts) + chance.randbytes(chance.randrange(3))
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    out_len, key_len, nulls = 32 * count, 32, 0
    match chance.randrange(6):
        case 0:
            edges = (0, 1, len(data), len(data) + 1, 2**32, 2**63, 2**64 - 1)
            offsets[chance.randrange(count + 1)] = chance.choice(edges)
        case 1:
            out_len = chance.choice((0, 31, 33, 32 * count + 1, 32 * count + 32))
        case 2:
            key_len = chance.choice((0, 31, 32, 33))
            key = chance.randbytes(key_len)
        case 3:
            nulls = chance.randrange(16)
        case _:
            pass
    head = struct.pack("<BBIIII", 4, nulls, key_len, len(data), out_len, count)
    rising = all(before <= after for before, after in zip(offsets, offsets[1:], strict=False))
    if nulls & 9 or (nulls & 2 and data) or (nulls & 4 and out_len):
        status = NULL
    elif key_len != 32 or out_len != 32 * count or not rising or offsets[-1] > len(data):
        status = RANGE
    else:
        status = OK
    output = CANARY * out_len
    if status == OK:
        items = [data[start:end] for start, end in zip(offsets, offsets[1:], strict=False)]
        output = b"".join(_derived(key, item, 32) for item in items)
    return Case(head + key + data + struct.pack(f"<{count + 1}Q", *offsets), status, output)

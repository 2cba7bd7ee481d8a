"""The BLAKE3 shim in C against the pure Python reference: calls of every kind, right and wrong, and their answers."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from typing import NamedTuple

from fuzzkit import native
from metanode.core.model import blake3

EDGE_LENGTHS = (0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 4096, 4097, 5121)
CANARY = b"\xa5"
OK, NULL, RANGE = 0, 1, 2
HASH, KEYED, DERIVE = 0, 1, 2
PORTABLE = 0
PATHS_MAX = 32


class Case(NamedTuple):
    """One call: what goes in, and the status and output that must come out."""

    data: bytes
    status: int
    output: bytes


def usable_paths(program: Path) -> list[int]:
    """Return the numbers of the paths that were built and that this machine can run."""
    printed, _ = native.run([str(program)])
    return [number for number in range(PATHS_MAX) if int(printed) >> number & 1]


def run(program: Path, cases: list[Case], path: int = PORTABLE) -> None:
    """Run cases on a path and hold every answer to what it must be; a sanitizer's report is a failure."""
    answers, _ = native.run([str(program), str(path)], input=b"".join(case.data for case in cases))
    at = 0
    for case in cases:
        end = at + 1 + len(case.output)
        status, output = answers[at], answers[at + 1 : end]
        assert status == case.status, (path, status, case.status, case.data[:80].hex())
        assert output == case.output, f"path {path}: another output than the reference's: {case.data[:80].hex()}"
        at = end
    assert at == len(answers)


def cases(chance: Random, count: int) -> list[Case]:
    """Make cases: right ones of all lengths, and wrong lengths, offsets and pointers."""
    kinds = (_single, _single, _many, _root)
    return [kinds[chance.randrange(len(kinds))](chance) for _ in range(count)]


def fault() -> Case:
    """Make an operation that reads one byte too far."""
    return Case(_head(5, 0, data=8) + bytes(8), OK, b"")


def _head(
    operation: int, nulls: int, *, mode: int = 0, key: int = 0, data: int = 0, out: int = 0, count: int = 0
) -> bytes:
    return struct.pack("<BBIIIII", operation, nulls, mode, key, data, out, count)


def _length(chance: Random) -> int:
    return chance.choice(EDGE_LENGTHS) if chance.randrange(2) else chance.randrange(chance.choice((80, 1200, 4000)))


def _single(chance: Random) -> Case:
    operation = chance.randrange(4)
    key_len = 32 if chance.randrange(6) else chance.choice((0, 1, 31, 33, 64))
    out_len = chance.choice((0, 1, 31, 32, 33, 63, 64, 65, 131, 200)) if chance.randrange(3) else 32
    key, data = chance.randbytes(key_len), chance.randbytes(_length(chance))
    nulls = 0 if chance.randrange(5) else chance.randrange(8)
    head = _head(operation, nulls, key=key_len, data=len(data), out=out_len)
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
    count = chance.randrange(chance.choice((9, 9, 40)))
    mode = chance.randrange(3) if chance.randrange(9) else chance.choice((3, 255, 2**32 - 1))
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
    head = _head(4, nulls, mode=mode, key=key_len, data=len(data), out=out_len, count=count)
    rising = all(before <= after for before, after in zip(offsets, offsets[1:], strict=False))
    if nulls & 8 or (nulls & 2 and data) or (nulls & 4 and out_len) or (nulls & 1 and mode != HASH):
        status = NULL
    elif mode > DERIVE or (mode != HASH and key_len != 32):
        status = RANGE  # of the key
    elif out_len != 32 * count or not rising or offsets[-1] > len(data):
        status = RANGE
    else:
        status = OK
    output = CANARY * out_len
    if status == OK:
        items = [data[start:end] for start, end in zip(offsets, offsets[1:], strict=False)]
        output = b"".join(_digest(mode, key, item) for item in items)
    return Case(head + key + data + struct.pack(f"={count + 1}Q", *offsets), status, output)


def _digest(mode: int, key: bytes, item: bytes) -> bytes:
    if mode == HASH:
        return blake3.digest(item)
    return blake3.keyed(key, item) if mode == KEYED else _derived(key, item, 32)


def _root(chance: Random) -> Case:
    """The root of a list, by the words of docs/wire_format.md section 8."""
    count = chance.randrange(chance.choice((4, 40)))
    parts = [chance.randbytes(chance.randrange(chance.choice((1, 100, 1100)))) for _ in range(count)]
    keys, data = chance.randbytes(96), b"".join(parts)
    ends = [sum(map(len, parts[:place])) for place in range(count + 1)]
    head = _head(6, 0, key=96, data=len(data), out=32, count=count)
    leaf, node, root = keys[:32], keys[32:64], keys[64:]
    level = [_derived(leaf, part, 32) for part in parts]
    while len(level) > 1:
        pairs = [_derived(node, level[at] + level[at + 1], 32) for at in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    top = _derived(root, count.to_bytes(8, "big") + b"".join(level), 32)
    return Case(head + keys + data + struct.pack(f"={count + 1}Q", *ends), OK, top)

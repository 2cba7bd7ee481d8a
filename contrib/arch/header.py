"""Write vectors.h: blake3.json, hashing.json and merkle.json of tests/vectors as constants for a C program."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

OUTPUT_BYTES = 131
"""Output of each extendable-output vector."""


def write_header(folder: Path, vectors: Path) -> None:
    """Write `vectors.h` into a folder, from the JSON files in another."""
    blake3, hashing, merkle = (
        json.loads((vectors / f"{name}.json").read_text(encoding="utf-8")) for name in ("blake3", "hashing", "merkle")
    )
    lines = [
        "/* Written by contrib/arch/header.py from the JSON files in tests/vectors. */",
        "#include <stdint.h>",
        "",
        *_blake3(blake3),
        *_hashing(hashing),
        *_merkle(merkle),
    ]
    write_if_new(folder / "vectors.h", "\n".join(lines) + "\n")


def write_if_new(path: Path, text: str) -> None:
    """Write a file whole; one that already says this is left alone."""
    if not path.is_file() or path.read_text("ascii") != text:
        fresh = path.with_name(f"{os.getpid()}-{path.name}")
        fresh.write_text(text, "ascii")
        fresh.replace(path)


def _blake3(data: Any) -> Iterable[str]:
    cases = data["cases"]
    yield f"#define BLAKE3_CASES {len(cases)}"
    yield f"#define BLAKE3_OUTPUT {OUTPUT_BYTES}"
    yield f"static const uint8_t BLAKE3_KEY[32] = {_bytes(data['key'].encode())};"
    yield f"static const char BLAKE3_CONTEXT[] = {json.dumps(data['context'])};"
    lengths = ", ".join(str(case["input_len"]) for case in cases)
    yield f"static const uint32_t BLAKE3_LENGTHS[BLAKE3_CASES] = {{{lengths}}};"
    for field in ("hash", "keyed_hash", "derive_key"):
        yield f"static const uint8_t BLAKE3_{field.upper()}[BLAKE3_CASES][BLAKE3_OUTPUT] = {{"
        for case in cases:
            digest = bytes.fromhex(case[field])
            assert len(digest) == OUTPUT_BYTES
            yield f"    {_bytes(digest)},"
        yield "};"


def _hashing(data: Any) -> Iterable[str]:
    cases = data["cases"]
    longest = max(len(case["data"]) // 2 for case in cases)
    yield f"#define HASHING_CASES {len(cases)}"
    yield "static const struct {"
    yield "    const char *context;"
    yield "    uint32_t len;"
    yield f"    uint8_t data[{longest}];"
    yield "    uint8_t digest[32];"
    yield "} HASHING[HASHING_CASES] = {"
    for case in cases:
        item = bytes.fromhex(case["data"])
        context = json.dumps(f"metanode/v1/{case['purpose']}")
        yield f"    {{{context}, {len(item)}, {_bytes(item or bytes(1))}, {_bytes(bytes.fromhex(case['digest']))}}},"
    yield "};"


def _merkle(data: Any) -> Iterable[str]:
    lists: list[str] = []
    paths: list[str] = []
    hashes = bytearray()
    for case in data["cases"]:
        root = _bytes(bytes.fromhex(case["root"]))
        lists.append(f"    {{{case['count']}, {len(paths)}, {len(case['paths'])}, {root}}},")
        for proof in case["paths"]:
            paths.append(f"    {{{proof['index']}, {len(hashes) // 32}, {len(proof['path'])}}},")
            hashes += bytes.fromhex("".join(proof["path"]))
    yield f"#define MERKLE_LISTS {len(lists)}"
    yield f"#define MERKLE_ITEMS {max(case['count'] for case in data['cases'])}"
    yield "static const struct {"
    yield "    uint32_t count, first_path, paths;"
    yield "    uint8_t root[32];"
    yield "} MERKLE[MERKLE_LISTS] = {"
    yield from lists
    yield "};"
    yield "/* Path i of a list is `hashes` hashes of MERKLE_HASHES from `first_hash` on. */"
    yield "static const struct {"
    yield "    uint32_t index, first_hash, hashes;"
    yield f"}} MERKLE_PATHS[{len(paths)}] = {{"
    yield from paths
    yield "};"
    yield f"static const uint8_t MERKLE_HASHES[{len(hashes)}] = {_bytes(bytes(hashes))};"


def _bytes(data: bytes) -> str:
    return "{" + ",".join(map(str, data)) + "}"

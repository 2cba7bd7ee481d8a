"""What mutations start from: every byte string and text of the shared vectors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "vectors"

_HEX = re.compile(r"(?:[0-9a-f]{2})+")


@cache
def vector_bytes() -> tuple[bytes, ...]:
    """Return every hex string of every vector file as bytes, valid and refused cases alike, each once."""
    found: dict[bytes, None] = {}
    for path in sorted(VECTORS.glob("*.json")):
        for text in _texts(json.loads(path.read_text(encoding="utf-8"))):
            if _HEX.fullmatch(text):
                found.setdefault(bytes.fromhex(text))
    return tuple(found)


@cache
def json_texts() -> tuple[str, ...]:
    """Return the JSON texts of the strict reader's vectors, valid and refused."""
    rows = json.loads((VECTORS / "decimal_json.json").read_text(encoding="utf-8"))
    return tuple(row["json"] for row in (*rows["accept"], *rows["reject"]))


@cache
def genesis_texts() -> tuple[str, ...]:
    """Return the genesis files of the vectors as text."""
    rows = json.loads((VECTORS / "genesis.json").read_text(encoding="utf-8"))
    return tuple(json.dumps(row["genesis"]) for row in rows["cases"])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)

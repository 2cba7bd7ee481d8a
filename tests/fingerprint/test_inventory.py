"""The canonical inventory: small, redacted, strict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from metanode.core.model.codec import decode, encode
from metanode.core.model.errors import CodecError, MetanodeError, Rejection
from metanode.core.model.limits import INVENTORY_BYTES_MAX
from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.inventory import (
    EVIDENCE_BYTES_MAX,
    FEATURE_BYTES_MAX,
    FEATURES_MAX,
    SIGNS_MAX,
    TEXT_BYTES_MAX,
    Board,
    Cpu,
    Sign,
    decode_inventory,
)
from metanode.fingerprint.parsers.cache import CACHES_MAX, Cache

Replay = Callable[[str], Report]


def test_every_dump_survives_encoding(replay: Replay, machines: tuple[str, ...]) -> None:
    """decode(encode(x)) == x, and encoding again gives the same bytes."""
    assert len(machines) >= 6
    for name in machines:
        inventory = replay(name).inventory
        raw = inventory.encode()
        assert decode_inventory(raw) == inventory
        assert decode_inventory(raw).encode() == raw


def test_the_largest_possible_inventory_fits(replay: Replay) -> None:
    """Every list and text at its bound stays below 4 KiB, so `encode` never refuses what `collect` makes."""
    text, huge = "x" * TEXT_BYTES_MAX, 2**64 - 1
    inventory = replace(
        replay("epyc-kvm-guest").inventory,
        platform=text,
        machine=text,
        cpu=Cpu("v" * 16, text, *(huge,) * 8),
        features=tuple(sorted(f"{i:03d}".ljust(FEATURE_BYTES_MAX, "f") for i in range(FEATURES_MAX))),
        caches=tuple(Cache(*(2**31,) * 6) for _ in range(CACHES_MAX)),
        memory_mib=huge,
        board=Board(text, text, text, text, text, text, 255),
        signs=tuple(Sign(i, "e" * EVIDENCE_BYTES_MAX) for i in range(SIGNS_MAX)),
    )
    raw = inventory.encode()
    assert len(raw) <= INVENTORY_BYTES_MAX
    assert decode_inventory(raw) == inventory


def test_no_identifier_stands_in_the_inventory(
    replay: Replay, load: Callable[..., tuple[object, object]], machines: tuple[str, ...]
) -> None:
    """Neither addresses nor serial numbers nor ids, in clear or as bytes, whole or without separators."""
    for name in machines:
        report = replay(name)
        raw = report.inventory.encode()
        assert report.identifiers
        for identifier in report.identifiers:
            bare = identifier.value.replace(":", "").replace("-", "")
            for form in (identifier.value, identifier.value.upper(), bare, bare.upper()):
                assert form.encode() not in raw
            if len(bare) % 2 == 0 and all(char in "0123456789abcdefABCDEF" for char in bare):
                assert bytes.fromhex(bare) not in raw
            assert identifier.value not in repr(identifier)


def test_what_changes_by_itself_does_not_change_the_inventory(load: Callable[..., tuple[object, object]]) -> None:
    """Clock now, free memory, kernel-dependent flags and plugged-in devices leave the digest alone."""
    dump, facts = load("thinkpad-ivy-bridge")
    before = read_machine(dump, facts).inventory.encode()  # type: ignore[arg-type]
    files = dict(dump.files)  # type: ignore[attr-defined]
    files["proc/cpuinfo"] = files["proc/cpuinfo"].replace("1197.302", "3301.000").replace(" pts", " pts brand_new_flag")
    files["proc/meminfo"] = "MemTotal:        7898112 kB\n"
    files["link:sys/block/sdc"] = (
        "../devices/pci0000:00/0000:00:14.0/usb3/3-2/3-2:1.0/host7/target7:0:0/7:0:0:0/block/sdc"
    )
    files["etc/os-release"] = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
    changed = replace(dump, files=files)  # type: ignore[type-var]
    assert read_machine(changed, facts).inventory.encode() == before  # type: ignore[arg-type]


def _with(raw: bytes, key: int, value: object) -> bytes:
    fields = decode(raw)
    assert isinstance(fields, dict)
    return encode({**fields, key: value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (0, 2, "BAD_VERSION"),
        (1, 7, "BAD_SHAPE"),
        (1, "x" * (TEXT_BYTES_MAX + 1), "BAD_SHAPE"),
        (2, "caf\u00e9", "BAD_SHAPE"),
        (3, 129, "BAD_SHAPE"),
        (4, 2, "BAD_SHAPE"),
        (5, [1], "BAD_SHAPE"),
        (6, ["sse", "fpu"], "BAD_SHAPE"),
        (6, ["fpu", "fpu"], "BAD_SHAPE"),
        (7, [[2, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]], "BAD_SHAPE"),
        (7, [[1, 1, 1]], "BAD_SHAPE"),
        (9, ["", "", "", "", "", "", 256], "BAD_SHAPE"),
        (10, [[2, "a"], [1, "a"]], "BAD_SHAPE"),
        (10, [[256, "a"]], "BAD_SHAPE"),
        (11, 4, "BAD_SHAPE"),
        (12, 1 << 8, "BAD_SHAPE"),
        (13, 0, "BAD_SHAPE"),
    ],
)
def test_a_malformed_field_is_refused(replay: Replay, key: int, value: object, code: str) -> None:
    """Another version, type, order, length, range or key."""
    raw = _with(replay("thinkpad-ivy-bridge").inventory.encode(), key, value)
    with pytest.raises(Rejection) as caught:
        decode_inventory(raw)
    assert caught.value.code == code


def test_an_oversized_inventory_is_refused_unread() -> None:
    """The bound comes before the decoder."""
    with pytest.raises(Rejection) as caught:
        decode_inventory(b"\xff" * (INVENTORY_BYTES_MAX + 1))
    assert caught.value.code == "INVENTORY_TOO_LARGE"


def test_every_cut_and_every_flipped_byte_is_refused_or_decodes(replay: Replay) -> None:
    """Damage ends as a named refusal, never as another exception."""
    raw = replay("epyc-kvm-guest").inventory.encode()
    for end in range(len(raw)):
        with pytest.raises(CodecError):
            decode_inventory(raw[:end])
    for at in range(len(raw)):
        flipped = raw[:at] + bytes([raw[at] ^ 0x81]) + raw[at + 1 :]
        assert _outcome(flipped) in ("ok", "NOT_CANONICAL", "BAD_SHAPE", "BAD_VERSION")


def _outcome(data: bytes) -> str:
    try:
        decode_inventory(data)
    except MetanodeError as error:
        return error.code
    return "ok"

"""The revision codes that Raspberry Pi boards print in /proc/cpuinfo: model, memory and chip.

Source: raspberrypi.com/documentation, "Raspberry Pi revision codes", old-style and new-style tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from metanode.fingerprint.parsers.text import hexadecimal

_NEW_STYLE = 1 << 23
_OLD_MASK = 0xFFFF
_OVERVOLTED_OLD = 1 << 24
_OLD: dict[int, tuple[str, str, int]] = {
    0x02: ("B", "1.0", 256), 0x03: ("B", "1.0", 256), 0x04: ("B", "2.0", 256), 0x05: ("B", "2.0", 256),
    0x06: ("B", "2.0", 256), 0x07: ("A", "2.0", 256), 0x08: ("A", "2.0", 256), 0x09: ("A", "2.0", 256),
    0x0D: ("B", "2.0", 512), 0x0E: ("B", "2.0", 512), 0x0F: ("B", "2.0", 512), 0x10: ("B+", "1.2", 512),
    0x11: ("Compute Module 1", "1.0", 512), 0x12: ("A+", "1.1", 256), 0x13: ("B+", "1.2", 512),
    0x14: ("Compute Module 1", "1.0", 512), 0x15: ("A+", "1.1", 512),
}
"""Old codes to (model, board revision, MiB); 0015 was made with 256 as well as 512, and the larger bounds it."""
_MODELS: dict[int, str] = {
    0x00: "A", 0x01: "B", 0x02: "A+", 0x03: "B+", 0x04: "2 Model B", 0x05: "Alpha", 0x06: "Compute Module 1",
    0x08: "3 Model B", 0x09: "Zero", 0x0A: "Compute Module 3", 0x0C: "Zero W", 0x0D: "3 Model B+", 0x0E: "3 Model A+",
    0x10: "Compute Module 3+", 0x11: "4 Model B", 0x12: "Zero 2 W", 0x13: "400", 0x14: "Compute Module 4",
    0x15: "Compute Module 4S", 0x17: "5 Model B", 0x18: "Compute Module 5", 0x19: "500", 0x1A: "Compute Module 5 Lite",
}
CHIPS: tuple[tuple[str, int, bool], ...] = (
    ("BCM2835", 0xB76, False), ("BCM2836", 0xC07, False), ("BCM2837", 0xD03, True), ("BCM2711", 0xD08, True),
    ("BCM2712", 0xD0B, True),
)
"""(name, ARM part number, 64 bit) by the code's chip number."""
_CHIP_NAMES = ("BCM27", "BCM28")


@dataclass(frozen=True)
class PiBoard:
    """What a revision code says."""

    model: str
    """`Raspberry Pi 3 Model B Rev 1.2`, as newer kernels print it."""
    memory_mib: int
    chip: str
    part: int
    """ARM part number of the chip's cores."""


def is_raspberry_pi(machine: str) -> bool:
    """Whether a Hardware or Model line is of such a board; other boards use other codes."""
    return machine.startswith((*_CHIP_NAMES, "Raspberry Pi"))


def decode_revision(code: str) -> PiBoard | None:
    """Return what a code says; None when it is no code of a known board."""
    number = hexadecimal(code)
    if number is None:
        return None
    if not number & _NEW_STYLE:
        row = _OLD.get(number & _OLD_MASK) if number & ~_OVERVOLTED_OLD <= _OLD_MASK else None
        if row is None:
            return None
        model, revision, memory = row
        return PiBoard(_name(model, revision), memory, CHIPS[0][0], CHIPS[0][1])
    model_name, chip = _MODELS.get(number >> 4 & 0xFF), number >> 12 & 0xF
    if model_name is None or chip >= len(CHIPS):
        return None
    name, part, _ = CHIPS[chip]
    return PiBoard(_name(model_name, f"1.{number & 0xF}"), 256 << (number >> 20 & 7), name, part)


def _name(model: str, revision: str) -> str:
    return f"Raspberry Pi {'Model ' if len(model) <= 2 and model[0] in 'AB' else ''}{model} Rev {revision}"

"""Two sources of one machine that cannot both be true.

Only what no real machine can show: a board's chip with cores of another one, a kernel that the cores
cannot run.  Clocks, bogomips and revisions vary on real machines and are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from metanode.fingerprint.parsers.architectures.arm_names import ARM11_PARTS, ARM_LTD, FIRST_PART_OF_VERSION_8
from metanode.fingerprint.parsers.architectures.powerpc_names import pvr_name, version_of
from metanode.fingerprint.parsers.cpuinfo import CpuInfo
from metanode.fingerprint.parsers.lscpu import Lscpu
from metanode.fingerprint.parsers.raspberry_pi import PiBoard
from metanode.fingerprint.parsers.text import hexadecimal

_TREE_CPUS = "proc/device-tree/cpus/PowerPC,"
_MIB_ABOVE_BOARD = 64
"""Total memory may lie above a board's by rounding alone, never by more."""
_PI_2_OF_TWO_CHIPS = {0xC07, 0xD03}
"""The second model was made with BCM2836 and later with BCM2837 under the same chip number in early codes."""


def linux_disagreements(
    info: CpuInfo, machine: str, board: PiBoard | None, total_kib: int, lscpu: Lscpu, files: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what does not fit, in a fixed order."""
    return (
        *_kernel_and_core(info, machine), *_board(info, board, total_kib), *_counts(info, lscpu), *_tree(info, files),
        *_numbers(info),
    )  # fmt: skip


def _kernel_and_core(info: CpuInfo, machine: str) -> Iterator[str]:
    """A kernel's name of the machine is that of the core it found, so an ARM11 never shows as armv7l."""
    if info.kind != "arm" or hexadecimal(info.vendor) != ARM_LTD:
        return
    if info.model in ARM11_PARTS and machine.startswith(("armv7", "armv8", "aarch64")):
        yield f"{machine} on {info.name} (ARMv6)"
    elif 0 < info.model < FIRST_PART_OF_VERSION_8 and machine.startswith("aarch64"):
        yield f"aarch64 on {info.name} (32 bit)"


def _board(info: CpuInfo, board: PiBoard | None, total_kib: int) -> Iterator[str]:
    if board is None or info.kind != "arm":
        return
    if info.model != board.part and not {info.model, board.part} <= _PI_2_OF_TWO_CHIPS:
        yield f"{board.chip} board with {info.name or 'other cores'}"
    if total_kib > (board.memory_mib + _MIB_ABOVE_BOARD) * 1024:
        yield f"{total_kib // 1024} MiB on a board of {board.memory_mib}"


def _counts(info: CpuInfo, lscpu: Lscpu) -> Iterator[str]:
    if info.processors and lscpu.online and info.processors != lscpu.online:
        yield f"{info.processors} listed, lscpu counts {lscpu.online}"


def _tree(info: CpuInfo, files: Mapping[str, str]) -> Iterator[str]:
    """Open Firmware names each processor's node after it: PowerPC,POWER8@0; an older one where a newer imitates it."""
    if info.kind != "powerpc" or not info.pvr or "(architected)" in info.name:
        return
    names = sorted({path[len(_TREE_CPUS) :].partition("@")[0] for path in files if path.startswith(_TREE_CPUS)})
    for name in names:
        version = version_of(name)
        ours = pvr_name(info.pvr)
        if version and ours and not ours.startswith(pvr_name(version << 16)):
            yield f"device tree {name}, version {ours}"


def _numbers(info: CpuInfo) -> Iterator[str]:
    if info.kind == "x86" and info.family < 3 and "lm" in info.flags:
        yield f"long mode in family {info.family}"

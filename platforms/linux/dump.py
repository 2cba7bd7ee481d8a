"""Everything this project reads from Linux, as one mapping from path to text.

The keys are those of `metanode.platforms.captured`.
"""

from __future__ import annotations

from pathlib import Path

from metanode.platforms.captured import Dump
from metanode.platforms.files import link_target, read_files, read_hex, read_text

FILES = (
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/self/stat",
    "proc/1/cgroup",
    "proc/xen/capabilities",
    "proc/hardware",
    "proc/sysinfo",
    "etc/os-release",
    "etc/machine-id",
    "run/systemd/container",
    "sys/hypervisor/type",
    "sys/devices/system/cpu/present",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
    "sys/devices/system/clocksource/clocksource0/available_clocksource",
    "proc/device-tree/model",
    "proc/device-tree/compatible",
    "proc/device-tree/hypervisor/compatible",
    "proc/device-tree/serial-number",
    "sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
    "sys/devices/soc0/machine",
    "sys/devices/soc0/family",
    "sys/devices/soc0/soc_id",
    *(f"sys/class/dmi/id/{name}" for name in (
        "sys_vendor", "product_name", "board_vendor", "board_name", "bios_vendor", "bios_version", "chassis_type",
        "product_uuid", "product_serial", "board_serial",
    )),
)
"""Single files.  The last three, the machine id, the device tree's serial number, and MAC and disk serials are
identifiers: hashed, never shown.  proc/hardware names m68k machines, proc/sysinfo those of s390."""

PATTERNS = (
    "sys/devices/system/cpu/cpu0/cache/index*/level",
    "sys/devices/system/cpu/cpu0/cache/index*/type",
    "sys/devices/system/cpu/cpu0/cache/index*/size",
    "sys/devices/system/cpu/cpu0/cache/index*/coherency_line_size",
    "sys/devices/system/cpu/cpu0/cache/index*/ways_of_associativity",
    "sys/devices/system/cpu/cpu0/cache/index*/shared_cpu_list",
    "sys/devices/system/cpu/cpu*/topology/thread_siblings_list",
    "sys/devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq",
    "proc/device-tree/cpus/*/compatible",
    "sys/bus/pci/devices/*/vendor",
    "sys/bus/pci/devices/*/device",
    "sys/class/net/*/address",
    "sys/class/net/*/addr_assign_type",
    "sys/class/net/*/bonding_slave/perm_hwaddr",
    "sys/class/net/*/phy80211/macaddress",
    "sys/block/*/removable",
    "sys/block/*/serial",
    "sys/block/*/device/serial",
    "sys/block/*/device/wwid",
    "sys/block/*/device/vendor",
    "sys/block/*/device/model",
    "sys/block/*/wwid",
    "sys/block/*/device/cid",
)
"""Files that exist once per cache, device, interface or disk."""

HEX_PATTERNS = (
    "proc/device-tree/system/linux,revision",
    *(f"proc/device-tree/cpus/*/{name}" for name in (
        "cpu-version", "clock-frequency", "timebase-frequency", "i-cache-size", "d-cache-size", "l2-cache/d-cache-size",
    )),
)
"""Binary cells: the revision code of a Raspberry Pi, and what Open Firmware keeps for each processor."""

LINKS = ("sys/class/net/*", "sys/block/*")
"""Links whose target tells which bus a device sits on."""

MARKS = (".dockerenv", "run/.containerenv")
"""Files that container engines leave at the root."""

MATCHES_MAX = 512
"""Most files read for one pattern; a server with more PCI functions is cut, and the dump says so."""


def read_dump(root: Path = Path("/")) -> Dump:
    """Read every source below `root`.  Never raises for a missing or odd file."""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    read_files(root, FILES, files, unread)
    for pattern in PATTERNS:
        for path in _matches(root, pattern, unread):
            text, _ = read_text(path, bytes_max=4_096)
            if text is not None:
                files[path.relative_to(root).as_posix()] = text
    for pattern in HEX_PATTERNS:
        for path in _matches(root, pattern, unread):
            digits = read_hex(path)
            if digits is not None:
                files[f"hex:{path.relative_to(root).as_posix()}"] = digits
    for pattern in LINKS:
        for path in _matches(root, pattern, unread):
            target, _ = link_target(path)
            if target is not None:
                files[f"link:{path.relative_to(root).as_posix()}"] = target
    for name in MARKS:
        if (root / name).exists():
            files[f"mark:{name}"] = ""
    return Dump(files, unread)


def _matches(root: Path, pattern: str, unread: dict[str, str]) -> list[Path]:
    found = sorted(root.glob(pattern))
    if len(found) > MATCHES_MAX:
        unread[pattern] = f"{len(found)} matches, only the first {MATCHES_MAX} read"
    return found[:MATCHES_MAX]

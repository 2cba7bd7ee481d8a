"""Everything this project reads from Linux, as one mapping from path to text.

A dump is plain data: the same dump always gives the same inventory, so a machine that
nobody here owns can be replayed in a test.  Keys are paths without the leading slash;
`link:` before a path means the target of that symbolic link, `mark:` an existing file
whose content does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from metanode.platforms.linux.files import link_target, read_text

FILES = (
    "proc/cpuinfo",
    "proc/meminfo",
    "proc/self/stat",
    "proc/1/cgroup",
    "proc/xen/capabilities",
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
    *(f"sys/class/dmi/id/{name}" for name in (
        "sys_vendor", "product_name", "board_vendor", "board_name", "bios_vendor", "bios_version", "chassis_type",
        "product_uuid", "product_serial", "board_serial",
    )),
)
"""Single files.  The last three, the machine id, and MAC and disk serials are identifiers: hashed, never shown."""

PATTERNS = (
    "sys/devices/system/cpu/cpu0/cache/index*/level",
    "sys/devices/system/cpu/cpu0/cache/index*/type",
    "sys/devices/system/cpu/cpu0/cache/index*/size",
    "sys/devices/system/cpu/cpu0/cache/index*/coherency_line_size",
    "sys/devices/system/cpu/cpu0/cache/index*/ways_of_associativity",
    "sys/devices/system/cpu/cpu0/cache/index*/shared_cpu_list",
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
    "sys/block/*/wwid",
    "sys/block/*/device/cid",
)
"""Files that exist once per cache, device, interface or disk."""

LINKS = ("sys/class/net/*", "sys/block/*")
"""Links whose target tells which bus a device sits on."""

MARKS = (".dockerenv", "run/.containerenv")
"""Files that container engines leave at the root."""

MATCHES_MAX = 512
"""Most files read for one pattern; a server with more PCI functions is cut, and the dump says so."""


@dataclass(frozen=True)
class Dump:
    """What was read from a machine, and what was not."""

    files: Mapping[str, str]
    """Path (or `link:` path) to text."""
    unread: Mapping[str, str]
    """Path of a single file that could not be read, to the reason."""


def read_dump(root: Path = Path("/")) -> Dump:
    """Read every source below `root`.  Never raises for a missing or odd file."""
    files: dict[str, str] = {}
    unread: dict[str, str] = {}
    for name in FILES:
        text, reason = read_text(root / name)
        if text is None:
            unread[name] = reason
        else:
            files[name] = text
    for pattern in PATTERNS:
        for path in _matches(root, pattern, unread):
            text, _ = read_text(path, bytes_max=4_096)
            if text is not None:
                files[path.relative_to(root).as_posix()] = text
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

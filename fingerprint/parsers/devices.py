"""PCI functions, network interfaces and disks from sysfs paths.

Source: Documentation/ABI/testing/sysfs-bus-pci and sysfs-class-net of the Linux sources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from metanode.fingerprint.parsers.text import clean, decimal, hexadecimal

PCI_DIRECTORY = "sys/bus/pci/devices/"
_VIRTUAL = "/devices/virtual/"
_REMOVABLE_BUSES = ("/usb", "/thunderbolt")


@dataclass(frozen=True)
class Nic:
    """A network interface that is backed by a device; software interfaces are left out."""

    name: str
    mac: str
    """Permanent hardware address, `aa:bb:cc:dd:ee:ff`; "" when only a changed one is known."""
    device_path: str
    removable: bool
    """Behind USB or Thunderbolt."""

    @property
    def locally_administered(self) -> bool:
        """Whether the address was made up by software (second-lowest bit of the first byte)."""
        return self.mac != "" and int(self.mac[:2], 16) & 2 != 0


@dataclass(frozen=True)
class Disk:
    """A disk that is backed by a device; loop, RAM and mapped disks are left out."""

    name: str
    serial: str
    """Serial number or world-wide id: an identifier, never to be shown."""
    device_path: str
    removable: bool


def parse_pci(files: Mapping[str, str]) -> tuple[tuple[int, int], ...]:
    """Return the distinct (vendor, device) ids, rising; functions with unreadable ids are left out."""
    found = set()
    for path, text in files.items():
        if path.startswith(PCI_DIRECTORY) and path.endswith("/vendor"):
            vendor = hexadecimal(text)
            device = hexadecimal(files.get(path[: -len("vendor")] + "device", ""))
            if vendor is not None and device is not None and vendor < 1 << 16 and device < 1 << 16:
                found.add((vendor, device))
    return tuple(sorted(found))


def parse_nics(files: Mapping[str, str]) -> tuple[Nic, ...]:
    """Return the hardware interfaces by name."""
    nics = []
    for path, target in sorted(files.items()):
        if not path.startswith("link:sys/class/net/") or _is_virtual(target):
            continue
        name = path.rsplit("/", 1)[1]
        base = f"sys/class/net/{name}/"
        permanent = files.get(base + "bonding_slave/perm_hwaddr") or files.get(base + "phy80211/macaddress")
        if permanent is None and decimal(files.get(base + "addr_assign_type", "")) == 0:
            permanent = files.get(base + "address")
        bus = clean(target, chars_max=256)
        nics.append(Nic(clean(name, chars_max=16), _mac(permanent or ""), bus, _removable(target)))
    return tuple(nics)


def parse_disks(files: Mapping[str, str]) -> tuple[Disk, ...]:
    """Return the hardware disks by name."""
    disks = []
    for path, target in sorted(files.items()):
        if not path.startswith("link:sys/block/") or _is_virtual(target):
            continue
        name = path.rsplit("/", 1)[1]
        base = f"sys/block/{name}/"
        serial = ""
        for field in ("device/serial", "serial", "wwid", "device/wwid", "device/cid"):
            serial = serial or clean(files.get(base + field, ""))
        removable = _removable(target) or decimal(files.get(base + "removable", "")) == 1
        disks.append(Disk(clean(name, chars_max=16), serial, clean(target, chars_max=256), removable))
    return tuple(disks)


def _is_virtual(target: str) -> bool:
    # A drive reachable over two controllers sits under a virtual subsystem, yet is hardware.
    return _VIRTUAL in "/" + target.lstrip("./") and "nvme-subsystem" not in target


def _removable(target: str) -> bool:
    return any(bus in target for bus in _REMOVABLE_BUSES)


def _mac(text: str) -> str:
    stripped = text.strip().lower()
    good = re.fullmatch(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", stripped) is not None
    return stripped if good and stripped not in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff") else ""

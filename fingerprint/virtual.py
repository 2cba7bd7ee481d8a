"""Signs of virtual machines, containers and emulators.

A sign is *declared* when the machine itself says what it is (a hypervisor flag, firmware
strings, paravirtual devices) and a *hint* when it only fits (a hardware address range, a disk
name).  One declared sign decides; hints never do, but those about sources are contradictions.
Nothing is read into a processor's name beyond what emulators put there themselves: "EPYC" or
"Xeon" is no sign, and software interfaces such as those of VMware Fusion on a Mac are not looked at.

Same-architecture virtual machines hide from timing, and whoever controls a machine can hide
these signs as well: their presence is decisive, their absence proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from metanode.fingerprint.inventory import EVIDENCE_BYTES_MAX, SIGNS_MAX, Board, Inventory, Sign
from metanode.fingerprint.parsers.devices import parse_disks, parse_nics, parse_pci
from metanode.fingerprint.parsers.text import clean

DECLARED = "declared"
HINT = "hint"


class SignKind(NamedTuple):
    """One row of the table of signs."""

    code: int
    name: str
    about: str
    """vm, container, emulator, or sources: what does not fit together, which is a contradiction."""
    severity: str
    words: str


_KINDS = (
    SignKind(1, "CPU_HYPERVISOR_FLAG", "vm", DECLARED, "the processor reports that a hypervisor runs below the kernel"),
    SignKind(2, "CPU_NAME_VIRTUAL", "vm", DECLARED, "the processor's name is one that an emulator gives"),
    SignKind(3, "SYS_HYPERVISOR", "vm", DECLARED, "the kernel names the hypervisor it runs on"),
    SignKind(4, "FIRMWARE_VIRTUAL", "vm", DECLARED, "firmware strings name a virtual machine"),
    SignKind(5, "PCI_VIRTUAL", "vm", DECLARED, "a device on the PCI bus exists only in virtual machines"),
    SignKind(6, "VIRTIO_DEVICE", "vm", DECLARED, "a disk or network card is a virtio device"),
    SignKind(7, "CLOCK_VIRTUAL", "vm", DECLARED, "the kernel offers a clock that only a hypervisor provides"),
    SignKind(8, "DEVICE_TREE_VIRTUAL", "vm", DECLARED, "the device tree describes a virtual machine"),
    SignKind(9, "MAC_VENDOR_VIRTUAL", "vm", HINT, "a network card's address is of virtual machine software"),
    SignKind(10, "DISK_NAME_VIRTUAL", "vm", HINT, "a disk has the name of a paravirtual one"),
    SignKind(11, "FIRMWARE_OF_EMULATORS", "vm", HINT, "the firmware is one that emulators ship"),
    SignKind(12, "XEN_CONTROL_DOMAIN", "vm", HINT, "this is the control domain of a Xen host, which owns the hardware"),
    SignKind(20, "CONTAINER_MARKER", "container", HINT, "a container engine left its marker file at the root"),
    SignKind(21, "CONTAINER_DECLARED", "container", HINT, "the container manager names itself"),
    SignKind(22, "CONTAINER_CGROUP", "container", HINT, "process 1 sits in the control group of a container"),
    SignKind(30, "NO_VDSO", "emulator", HINT, "the kernel mapped no vDSO, which user-mode emulators leave out"),
    SignKind(31, "PROCESS_STATE_BLANK", "emulator", DECLARED, "this process's state is blank, as emulators write it"),
    SignKind(32, "CPU_OF_ANOTHER_KIND", "emulator", DECLARED, "the listed processor is not of the kernel's kind"),
    SignKind(40, "FEATURES_MASKED", "sources", HINT, "features are missing that every processor of this kind has"),
    SignKind(41, "SOURCES_DISAGREE", "sources", HINT, "two sources of this machine contradict each other"),
)
SIGNS: dict[int, SignKind] = {kind.code: kind for kind in _KINDS}
"""Every sign by its number.  Numbers stand in inventories on chain and never change."""

XEN_CONTROL_DOMAIN = 12
FEATURES_MASKED = 40
SOURCES_DISAGREE = 41
_EXPLAINED_BY_DOM0 = {1, 3, 7}
"""Declared signs that a Xen control domain shows although it owns the hardware."""

_CPU_NAMES = ("qemu virtual cpu", "common kvm processor", "common 32-bit kvm processor", "bochs", "virtualapple")
_FIRMWARE: dict[str, tuple[str, ...]] = {
    "sys_vendor": (
        "qemu", "vmware", "innotek gmbh", "xen", "bochs", "parallels", "openstack foundation", "ovirt", "kubevirt",
        "digitalocean", "nutanix",
    ),
    "product_name": (
        "virtualbox", "vmware", "kvm", "bhyve", "virtual machine", "google compute engine", "alibaba cloud ecs",
        "standard pc (", "apple virtualization", "hvm domu", "parallels", "openstack", "qemu", "vserver",
    ),
    "board_vendor": ("qemu",),
    "bios_vendor": ("bochs", "xen", "bhyve"),
}
"""How a firmware text begins, in lower case, when it is a virtual machine's.  Source: systemd's src/basic/virt.c
and the vendors' manuals; "Oracle Corporation" and "Microsoft Corporation" also make real machines, so they need
the product's name."""
_FIRMWARE_HINTS = ("seabios", "ovmf", "edk ii")
_PCI_VENDORS = {
    0x1AF4: "virtio", 0x1B36: "qemu", 0x15AD: "vmware", 0x80EE: "virtualbox", 0x1AB8: "parallels", 0x5853: "xen",
}
_PCI_DEVICES = {(0x1234, 0x1111): "qemu display", (0x1414, 0x5353): "hyper-v display"}
_CLOCKS = ("kvm-clock", "hyperv_clocksource", "xen", "vmware")
_TREE_WORDS = ("linux,dummy-virt", "qemu", "linux,kvm", "xen,xen-", "virtual-machine")
_MAC_VENDORS = {
    "00:05:69": "vmware", "00:0c:29": "vmware", "00:1c:14": "vmware", "00:50:56": "vmware", "08:00:27": "virtualbox",
    "52:54:00": "qemu", "00:16:3e": "xen", "00:15:5d": "hyper-v", "00:1c:42": "parallels",
}
_DISKS = ("qemu harddisk", "vbox harddisk", "vmware virtual", "virtual disk")
"""How a disk begins to name itself when a virtual machine invented it."""
_CGROUP_WORDS = ("docker", "lxc", "kubepods", "containerd", "libpod", "machine.slice", "garden")


def find_signs(
    files: Mapping[str, str],
    *,
    cpu_name: str,
    features: Iterable[str],
    board: Board,
    machine: str,
    has_vdso: bool | None,
    pci: Iterable[tuple[int, int]] = (),
    macs: Iterable[str] = (),
    own: Iterable[tuple[int, str]] = (),
) -> tuple[Sign, ...]:
    """Return the signs that a dump shows, by code; past `SIGNS_MAX`, what an inventory may carry, hints go first.

    :param pci: PCI functions where they are not found in `files`, that is on other systems than Linux.
    :param macs: likewise the hardware addresses.
    :param own: (code, evidence) that the platform's own parser found.
    """
    found: set[tuple[int, str]] = {*_from_names(cpu_name, features, board), *own}
    if hypervisor := clean(files.get("sys/hypervisor/type", "")):
        found.add((3, hypervisor))
    if "control_d" in files.get("proc/xen/capabilities", ""):
        found.add((XEN_CONTROL_DOMAIN, "control_d"))
    found.update((5, name) for name in _pci_names((*parse_pci(files), *pci)))
    nics, disks = parse_nics(files), parse_disks(files)
    found.update((6, "network card") for nic in nics if "/virtio" in nic.device_path)
    found.update((6, "disk") for disk in disks if "/virtio" in disk.device_path)
    for clock in files.get("sys/devices/system/clocksource/clocksource0/available_clocksource", "").split():
        if clock.startswith(_CLOCKS):
            found.add((7, clock))
    vendors = {mac[:8] for mac in (*macs, *(nic.mac for nic in nics))}
    found.update((9, _MAC_VENDORS[vendor]) for vendor in vendors if vendor in _MAC_VENDORS)
    found.update((4, f"disk {name}") for name in _disk_models(files) if name.lower().startswith(_DISKS))
    found.update((10, disk.name.rstrip("0123456789")) for disk in disks if disk.name.startswith(("vd", "xvd")))
    tree = " ".join(text for path, text in files.items() if path.startswith("proc/device-tree/"))
    tree = f"{tree} {board.model}".lower()  # kernels repeat the tree's model in /proc/cpuinfo
    found.update((8, word) for word in _TREE_WORDS if word in tree)
    found.update(_container_signs(files))
    found.update(_emulator_signs(files, machine=machine, has_vdso=has_vdso))
    by_weight = sorted(_tidy(found), key=lambda sign: (SIGNS[sign.code].severity == HINT, sign))
    return tuple(sorted(by_weight[:SIGNS_MAX]))


def signs_of(inventory: Inventory) -> tuple[Sign, ...]:
    """Return the signs an inventory carries, and those its own names and features show.

    A validator calls this: leaving a sign out of the list helps nobody while the fact stays in,
    and neither does filling the list, for what is derived is not bounded by `SIGNS_MAX`.
    """
    derived = _from_names(inventory.cpu.name, inventory.features, inventory.board)
    return tuple(sorted(_tidy({(sign.code, sign.evidence) for sign in inventory.signs} | derived)))


def decided_by(signs: Sequence[Sign], about: str) -> tuple[Sign, ...]:
    """Return the declared signs about `vm` or `emulator` that stand.

    Under a Xen control domain the signs that Xen itself causes do not count.
    """
    control_domain = any(sign.code == XEN_CONTROL_DOMAIN for sign in signs)
    return tuple(
        sign
        for sign in signs
        if sign.code in SIGNS
        and SIGNS[sign.code].about == about
        and SIGNS[sign.code].severity == DECLARED
        and not (control_domain and sign.code in _EXPLAINED_BY_DOM0)
    )


def hints_of(signs: Sequence[Sign], about: str) -> tuple[Sign, ...]:
    """Return the hints about `vm`, `container` or `emulator`."""
    known = (sign for sign in signs if sign.code in SIGNS)
    return tuple(sign for sign in known if SIGNS[sign.code].about == about and SIGNS[sign.code].severity == HINT)


def _from_names(cpu_name: str, features: Iterable[str], board: Board) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    if "hypervisor" in features:
        found.add((1, "hypervisor"))
    lowered = cpu_name.lower()
    found.update((2, name) for name in _CPU_NAMES if name in lowered)
    for field, beginnings in _FIRMWARE.items():
        text: str = getattr(board, field)
        if text.lower().startswith(beginnings):
            found.add((4, f"{field}={text}"))
    # A rented server without a hypervisor has the same vendor and ends in ".metal".
    if board.sys_vendor.lower() == "amazon ec2" and ".metal" not in board.product_name:
        found.add((4, f"sys_vendor={board.sys_vendor}"))
    found.update((11, word) for word in _FIRMWARE_HINTS if word in board.bios_vendor.lower())
    return {(code, clean(evidence, chars_max=EVIDENCE_BYTES_MAX)) for code, evidence in found}


def _pci_names(functions: Iterable[tuple[int, int]]) -> set[str]:
    names = {f"{_PCI_VENDORS[vendor]} ({vendor:04x})" for vendor, _ in functions if vendor in _PCI_VENDORS}
    return names | {f"{_PCI_DEVICES[pair]} ({pair[0]:04x}:{pair[1]:04x})" for pair in functions if pair in _PCI_DEVICES}


def _disk_models(files: Mapping[str, str]) -> set[str]:
    """Return what disks call themselves: `vendor model`, and the model alone."""
    found = set()
    for path, text in files.items():
        if path.startswith("sys/block/") and path.endswith("/device/model"):
            vendor = files.get(path[: -len("model")] + "vendor", "")
            found |= {clean(text), clean(f"{vendor} {text}")}
    return found


def _container_signs(files: Mapping[str, str]) -> set[tuple[int, str]]:
    found = {(20, path.removeprefix("mark:")) for path in files if path.startswith("mark:")}
    if manager := clean(files.get("run/systemd/container", "")):
        found.add((21, manager))
    groups = files.get("proc/1/cgroup", "").lower()
    found.update((22, word) for word in _CGROUP_WORDS if word in groups)
    return found


def _emulator_signs(files: Mapping[str, str], *, machine: str, has_vdso: bool | None) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    # Kernels for 32-bit ARM may lack a vDSO on real boards, so its absence says nothing there.
    if has_vdso is False and machine.startswith(("x86_64", "i", "aarch64", "ppc")):
        found.add((30, "auxiliary vector"))
    _, _, after_name = files.get("proc/self/stat", "").rpartition(")")
    fields = after_name.split()
    if fields and fields[0] == "0":
        found.add((31, "state 0"))
    listed = files.get("proc/cpuinfo", "")
    x86_listed = "vendor_id\t: GenuineIntel" in listed or "vendor_id\t: AuthenticAMD" in listed
    x86_kernel = machine in ("x86_64", "i386", "i486", "i586", "i686")
    if listed and x86_listed and not x86_kernel:
        found.add((32, f"x86 under {machine}"))
    return found


def _tidy(found: Iterable[tuple[int, str]]) -> set[Sign]:
    """Return signs with evidence that fits."""
    return {Sign(code, clean(evidence, chars_max=EVIDENCE_BYTES_MAX)) for code, evidence in found}

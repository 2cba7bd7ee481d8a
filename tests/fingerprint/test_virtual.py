"""Signs of virtual machines: found where declared, not read into innocent machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.declared import check_container, check_emulator, check_virtual_machine
from metanode.fingerprint.inventory import SIGNS_MAX, Sign
from metanode.fingerprint.virtual import SIGNS, decided_by, hints_of, signs_of

Load = Callable[[str], tuple[Any, Any]]
Replay = Callable[[str], Report]


def _changed(load: Load, name: str, files: dict[str, str], **facts: Any) -> Report:
    dump, process = load(name)
    return read_machine(replace(dump, files={**dump.files, **files}), replace(process, **facts))


def test_a_kvm_guest_is_named_with_all_its_signs(replay: Replay) -> None:
    """Flag, PCI, virtio disk and network card, and clock are declared; the disk's name is a hint."""
    inventory = replay("epyc-kvm-guest").inventory
    assert [sign.code for sign in decided_by(inventory.signs, "vm")] == [1, 5, 6, 6, 7]
    assert [sign.code for sign in hints_of(inventory.signs, "vm")] == [10]
    check = check_virtual_machine(inventory)
    assert (check.verdict, check.reason) == ("fail", "VM_DETECTED")


@pytest.mark.parametrize(
    "name", ["mac-mini-with-vmware", "epyc-bare-metal", "thinkpad-ivy-bridge", "raspberry-pi-4", "pentium-iii"]
)
def test_a_real_machine_is_not_called_virtual(replay: Replay, name: str) -> None:
    """Software for virtual machines on a Mac mini, guests on an EPYC server, or a name: no sign."""
    inventory = replay(name).inventory
    assert inventory.signs == ()
    check = check_virtual_machine(inventory)
    assert (check.verdict, check.reason) == ("pass", "NO_SIGN")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("sys_vendor", "QEMU"),
        ("sys_vendor", "VMware, Inc."),
        ("sys_vendor", "innotek GmbH"),
        ("sys_vendor", "Xen"),
        ("sys_vendor", "Amazon EC2"),
        ("product_name", "VirtualBox"),
        ("product_name", "Virtual Machine"),
        ("product_name", "Google Compute Engine"),
        ("product_name", "Standard PC (Q35 + ICH9, 2009)"),
        ("bios_vendor", "BHYVE"),
    ],
)
def test_firmware_of_a_virtual_machine_decides(load: Load, field: str, text: str) -> None:
    """One declared sign is enough."""
    report = _changed(load, "thinkpad-ivy-bridge", {f"sys/class/dmi/id/{field}": text + "\n"})
    assert check_virtual_machine(report.inventory).verdict == "fail"


@pytest.mark.parametrize(
    ("vendor", "product"),
    [
        ("Microsoft Corporation", "Surface Pro 4"),
        ("Oracle Corporation", "SUN SERVER X4-2"),
        ("Amazon EC2", "c5.metal"),
        ("Google", "Eve"),
    ],
)
def test_a_vendor_that_also_makes_real_machines_is_no_sign(load: Load, vendor: str, product: str) -> None:
    """The same company sells hardware and virtual machines."""
    files = {"sys/class/dmi/id/sys_vendor": vendor, "sys/class/dmi/id/product_name": product}
    assert check_virtual_machine(_changed(load, "thinkpad-ivy-bridge", files).inventory).verdict == "pass"


def test_hints_alone_are_not_a_verdict(load: Load) -> None:
    """An address range may be borrowed: unmeasured, not failed."""
    report = _changed(load, "thinkpad-ivy-bridge", {"sys/class/net/enp0s25/address": "00:0c:29:00:00:01\n"})
    check = check_virtual_machine(report.inventory)
    assert (check.verdict, check.reason) == ("unmeasured", "VM_HINTED")


def test_the_control_domain_of_a_xen_host_is_not_called_virtual(load: Load) -> None:
    """It owns the hardware; a guest on the same host is a virtual machine."""
    cpuinfo = load("epyc-bare-metal")[0].files["proc/cpuinfo"].replace(" svm_lock", " svm_lock hypervisor")
    files = {"proc/cpuinfo": cpuinfo, "sys/hypervisor/type": "xen\n"}
    guest = _changed(load, "epyc-bare-metal", files)
    assert check_virtual_machine(guest.inventory).verdict == "fail"
    control = _changed(load, "epyc-bare-metal", {**files, "proc/xen/capabilities": "control_d\n"})
    assert check_virtual_machine(control.inventory).verdict == "unmeasured"


def test_a_sign_left_out_of_the_list_is_derived_again(replay: Replay) -> None:
    """A validator reads the facts, not only the list a client sent."""
    inventory = replace(replay("epyc-kvm-guest").inventory, signs=())
    assert Sign(1, "hypervisor") in signs_of(inventory)
    assert check_virtual_machine(inventory).verdict == "fail"


@pytest.mark.parametrize("code", [0, 9, 200], ids=["unknown, small", "hint", "unknown, large"])
def test_a_full_list_does_not_push_out_a_derived_sign(replay: Replay, code: int) -> None:
    """What an inventory may carry is bounded, what a validator considers is not."""
    noise = tuple(Sign(code, f"{number:02d}") for number in range(SIGNS_MAX))
    inventory = replace(replay("epyc-kvm-guest").inventory, signs=noise)
    assert signs_of(inventory) == tuple(sorted((*noise, Sign(1, "hypervisor"))))
    check = check_virtual_machine(inventory)
    assert (check.verdict, check.reason) == ("fail", "VM_DETECTED")


def test_a_machine_with_too_many_signs_lists_the_declared_ones_first(load: Load) -> None:
    """Hints are what an inventory can spare."""
    markers = {f"mark:{number:02d}": "" for number in range(SIGNS_MAX)}
    report = _changed(load, "thinkpad-ivy-bridge", {**markers, "proc/self/stat": "1 (cat) 0 0"})
    assert len(report.inventory.signs) == SIGNS_MAX
    assert Sign(31, "state 0") in report.inventory.signs
    assert report.inventory.encode()


def test_an_unknown_sign_number_changes_nothing(replay: Replay) -> None:
    """A newer client may list signs this version does not know."""
    inventory = replace(replay("thinkpad-ivy-bridge").inventory, signs=(Sign(200, "new"),))
    assert check_virtual_machine(inventory).verdict == "pass"


def test_nothing_to_look_at_is_unmeasured(replay: Replay) -> None:
    """Absence of evidence is said as such."""
    inventory = replace(replay("thinkpad-ivy-bridge").inventory, sources=0)
    assert check_virtual_machine(inventory).reason == "NOT_LOOKED_AT"
    assert check_emulator(inventory).reason == "NOT_LOOKED_AT"


def test_a_container_is_told_and_not_punished(load: Load) -> None:
    """Hints about containers are shown apart from those about virtual machines."""
    report = _changed(
        load, "thinkpad-ivy-bridge", {"mark:run/.containerenv": "", "proc/1/cgroup": "0::/kubepods/pod1\n"}
    )
    assert check_container(report.inventory).reason == "CONTAINER_HINTED"
    assert check_virtual_machine(report.inventory).verdict == "pass"


def test_a_user_mode_emulator_is_detected(load: Load) -> None:
    """An x86 processor list under an ARM kernel name, or a blank process state, gives it away."""
    cpuinfo = load("epyc-bare-metal")[0].files["proc/cpuinfo"]
    assert check_emulator(_changed(load, "raspberry-pi-4", {"proc/cpuinfo": cpuinfo}).inventory).verdict == "fail"
    assert (
        check_emulator(_changed(load, "thinkpad-ivy-bridge", {"proc/self/stat": "1 (x) 0 0 0\n"}).inventory).verdict
        == "fail"
    )


def test_a_missing_vdso_is_a_hint_and_none_on_32_bit_arm(load: Load) -> None:
    """Real 32-bit ARM boards run without one."""
    assert (
        check_emulator(_changed(load, "thinkpad-ivy-bridge", {}, has_vdso=False).inventory).reason == "EMULATOR_HINTED"
    )
    assert (
        check_emulator(_changed(load, "raspberry-pi-4", {}, has_vdso=False, machine="armv6l").inventory).verdict
        == "pass"
    )


def test_sign_numbers_and_names_are_unique() -> None:
    """Numbers stand on chain."""
    assert len({kind.name for kind in SIGNS.values()}) == len(SIGNS)
    about = ("vm", "container", "emulator", "sources")
    assert all(kind.code == code and kind.about in about for code, kind in SIGNS.items())

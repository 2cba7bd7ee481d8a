"""What lies exactly on a bound of the fingerprint, and the numbers that chains have written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.model.codec import decode, encode
from metanode.core.model.errors import CodecError, Rejection, SettingsError
from metanode.core.model.hashing import H
from metanode.fingerprint import declared, models, multipliers, samples, scoring, virtual
from metanode.fingerprint.checks import Check
from metanode.fingerprint.inventory import (
    BINDINGS,
    FEATURES,
    SOURCES,
    Board,
    Cpu,
    Inventory,
    Sign,
    decode_inventory,
)
from metanode.fingerprint.multipliers import SCALE, Row, parse_table
from metanode.fingerprint.probes import envelopes
from metanode.fingerprint.samples import Measurement, Summary, decode_samples, encode_samples, judge
from metanode.fingerprint.scoring import CAP_MAX, Policy, decayed, score

BOARD = Board("", "", "", "", "", "", 3)
PAYING = Policy("edge", SCALE, CAP_MAX, CAP_MAX)
"""Pays virtual machines in full and caps nothing."""
PC = Inventory(
    platform="linux", machine="x86_64", word_bits=64, byte_order="little",
    cpu=Cpu("GenuineIntel", "Intel(R) Xeon(R) CPU", 6, 143, 8, 0, 2100, 1, 4, 8),
    features=("cmov", "cx8", "fpu", "lm", "mmx", "nx", "pae", "sse", "sse2"), caches=(), memory_mib=1024,
    board=BOARD, signs=(), binding="mac", sources=(1 << len(SOURCES)) - 1,
)  # fmt: skip
ROW = Row("x86", "modern", "a PC", "modern", {"edge": SCALE, "rustchain": SCALE}, copy_mb_s_max=1_000, listed=True)
UNBOUND = replace(ROW, copy_mb_s_max=0)


def refused(data: Any) -> str:
    """Return the code with which an inventory of these fields is refused, or nothing."""
    try:
        decode_inventory(encode(data))
    except (Rejection, CodecError) as error:
        return error.code
    return ""


def fields(**changes: Any) -> dict[int, Any]:
    """Return the fields of a good inventory, some replaced: `f6=...`."""
    found: dict[int, Any] = decode(PC.encode())  # type: ignore[assignment]
    return {**found, **{int(name[1:]): value for name, value in changes.items()}}


def cpu(**changes: Any) -> list[Any]:
    """Return the field of the processor with some items replaced: `i0=...`."""
    found: list[Any] = list(fields()[5])
    for name, value in changes.items():
        found[int(name[1:])] = value
    return found


@pytest.mark.parametrize(
    ("good", "bad", "code"),
    [
        ({"f0": 1}, {"f0": 2}, "BAD_VERSION"),
        ({"f0": 1}, {"f0": 0}, "BAD_VERSION"),
        ({"f1": "x" * 64}, {"f1": "x" * 65}, "BAD_SHAPE"),
        ({"f1": " ~"}, {"f1": "\x1f"}, "BAD_SHAPE"),
        ({"f1": " ~"}, {"f1": "\x7f"}, "BAD_SHAPE"),
        ({"f3": 128}, {"f3": 129}, "BAD_SHAPE"),
        ({"f4": 1}, {"f4": 2}, "BAD_SHAPE"),
        ({"f5": cpu(i0="v" * 64)}, {"f5": cpu(i0="v" * 65)}, "BAD_SHAPE"),
        ({"f6": ["f" * 16]}, {"f6": ["f" * 17]}, "BAD_SHAPE"),
        ({"f6": [f"{n:03}" for n in range(48)]}, {"f6": [f"{n:03}" for n in range(49)]}, "BAD_SHAPE"),
        ({"f6": ["a", "b"]}, {"f6": ["a", "a"]}, "BAD_SHAPE"),
        ({"f9": ["", "", "", "", "", "", 255]}, {"f9": ["", "", "", "", "", "", 256]}, "BAD_SHAPE"),
        ({"f10": [[n, ""] for n in range(24)]}, {"f10": [[n, ""] for n in range(25)]}, "BAD_SHAPE"),
        ({"f10": [[255, "e" * 40]]}, {"f10": [[255, "e" * 41]]}, "BAD_SHAPE"),
        ({"f10": [[255, ""]]}, {"f10": [[256, ""]]}, "BAD_SHAPE"),
        ({"f11": 3}, {"f11": 4}, "BAD_SHAPE"),
        ({"f12": 255}, {"f12": 256}, "BAD_SHAPE"),
    ],
)
def test_an_inventory_may_hold_what_fits_and_nothing_beyond(good: Any, bad: Any, code: str) -> None:
    """Validators must agree on every bound: one that takes more registers what another refuses."""
    assert refused(fields(**good)) == ""
    assert refused(fields(**bad)) == code


def test_names_that_are_encoded_as_numbers_keep_them() -> None:
    """Old inventories stand on chain."""
    assert decode_inventory(encode(fields(f4=1))).byte_order == "big"
    assert [decode_inventory(encode(fields(f11=number))).binding for number in range(4)] == list(BINDINGS)
    assert BINDINGS == ("none", "machine_id", "disk", "mac")
    assert SOURCES[:8] == ("cpuinfo", "cache", "dmi", "pci", "devices", "clocksource", "device_tree", "process")
    assert max(map(len, FEATURES)) <= 16


@pytest.mark.parametrize(
    ("rows", "good"),
    [
        ([[1, 1, 0, 0, 0]], True), ([[0, 1, 5, 5, 5]], True), ([[1, 0, 0, 0, 0]], False), ([[1, 1, 2, 1, 3]], False),
        ([[1, 1, 1, 3, 2]], False), ([[1, 1, 1, 2, 3], [1, 1, 1, 2, 3]], False),
        ([[0, 1, 1, 2, 3], [1, 1, 1, 2, 3]], True), ([[1, 1, 1, 2, 3], [3, 1, 1, 2, 3], [2, 1, 1, 2, 3]], False),
    ],
)  # fmt: skip
def test_samples_rise_and_there_is_at_least_one(rows: list[list[int]], good: bool) -> None:
    """Minimum, median, maximum; one row a probe."""
    if good:
        assert decode_samples(encode(rows)) == tuple(Summary(*row) for row in rows)
    else:
        with pytest.raises(Rejection, match="BAD_SHAPE"):
            decode_samples(encode(rows))


def test_a_summary_may_have_256_bytes_and_no_more() -> None:
    """The limit of an attestation."""
    big = 2**64 - 1
    fitting = [Measurement(kind, (big,)) for kind in range(24, 32)]
    sizes = [len(encode_samples(fitting[:count])) for count in range(9)]
    assert sizes[8] == 1 + 8 * 31
    # 7 bytes more: a smaller last row of one-byte numbers.
    exact = [*fitting, Measurement(32, (5,))]
    assert len(encode_samples(exact)) == 256
    assert len(decode_samples(encode_samples(exact))) == 9
    with pytest.raises(Rejection, match="TOO_LARGE"):
        encode_samples([*fitting, Measurement(32, (24,))])


def check_of(name: str, *summaries: Summary, row: Row = ROW) -> Check:
    """Return one check of a judgement."""
    (check,) = [check for check in judge(summaries, row) if check.name == name]
    return check


def steps(nanoseconds: int, backwards: int = 0) -> tuple[Summary, Summary]:
    """Return the measurements that the timer is judged by."""
    step = Summary(samples.TIMER_STEP, 9, nanoseconds, nanoseconds, nanoseconds)
    return step, Summary(samples.TIMER_BACKWARDS, 9, 0, 0, backwards)


def test_a_timer_steps_by_at_most_a_tenth_of_a_millisecond() -> None:
    """And never backwards; half a measurement is none."""
    assert check_of("timer", *steps(100_000)).reason == "TIMER_STEADY"
    assert check_of("timer", *steps(100_001)).reason == "TIMER_COARSE"
    failed = check_of("timer", *steps(50, backwards=1))
    assert (failed.verdict, failed.reason, failed.numbers) == (
        "fail", "TIMER_BACKWARDS", (("step_ns", 50), ("backwards", 1)),
    )  # fmt: skip
    for half in steps(50):
        assert check_of("timer", half).reason == "NOT_RUN"


@pytest.mark.parametrize(
    ("count", "minimum", "reason", "speed"),
    [
        (5, 1_000_000, "WITHIN_CEILING", 1_000), (5, 999_000, "MEMORY_TOO_FAST", 1_001),
        (4, 999_000, "TOO_NOISY", 1_001), (5, 3, "MEMORY_TOO_FAST", 333_333_333),
        (5, 1_000_000_000, "WITHIN_CEILING", 1), (5, 1_000_000_001, "WITHIN_CEILING", 0),
    ],
)  # fmt: skip
def test_memory_is_as_fast_as_its_fastest_sample(count: int, minimum: int, reason: str, speed: int) -> None:
    """Picoseconds per 1000 bytes become megabytes per second; five samples are enough to fail."""
    copy = Summary(samples.MEMORY_COPY, count, minimum, 2 * minimum, 9 * minimum)
    check = check_of("memory_speed", copy)
    assert check.reason == reason
    assert check.numbers == (
        ("copy_mb_s", speed), ("ceiling_mb_s", 1_000), ("samples", count), ("spread_permille", 1_000),
    )  # fmt: skip
    assert check_of("memory_speed", copy, row=UNBOUND).reason == "NO_ENVELOPE"
    assert check_of("memory_speed", replace(copy, minimum=0)).reason == "NOT_RUN"


@pytest.mark.parametrize(
    ("medians", "reason"), [((20, 10), "NO_ENVELOPE"), ((21, 10), "TOO_NOISY"), ((10, 21), "TOO_NOISY")]
)
def test_a_ratio_tells_the_worse_of_its_two_measurements(medians: tuple[int, int], reason: str) -> None:
    """Samples of which the median lies at most twice as high as the minimum."""
    above = Summary(samples.FLOAT_ADD, 7, 10, medians[0], 99)
    below = Summary(samples.INT_ADD, 6, 10, medians[1], 99)
    check = check_of("float_int_add_ratio", above, below)
    assert (check.verdict, check.reason) == ("unmeasured", reason)
    assert check.numbers == (
        ("ratio_permille", 1_000), ("samples", 6), ("spread_permille", (max(medians) - 10) * 100),
    )  # fmt: skip
    assert check_of("float_int_add_ratio", replace(above, minimum=5), below).numbers[0] == ("ratio_permille", 500)


def test_a_ratio_needs_something_to_divide_by() -> None:
    """One picosecond is enough, none is not."""
    above = Summary(samples.FLOAT_ADD, 7, 1, 1, 1)
    below = Summary(samples.INT_ADD, 6, 1, 1, 1)
    assert check_of("float_int_add_ratio", above, below).reason == "NO_ENVELOPE"
    assert check_of("float_int_add_ratio", above, replace(below, minimum=0)).reason == "NOT_RUN"
    assert check_of("float_int_add_ratio", above).reason == "NOT_RUN"
    assert replace(below, minimum=0).spread_permille == 0


def test_memory_latency_is_told_without_a_verdict() -> None:
    """Until ranges are calibrated."""
    check = check_of("memory_latency", Summary(samples.MEMORY_LATENCY, 3, 1, 2, 3))
    assert (check.verdict, check.reason) == ("unmeasured", "NO_ENVELOPE")
    assert check.numbers == (("minimum_ps", 1), ("median_ps", 2), ("samples", 3))


def test_the_rules_of_scoring_have_a_number() -> None:
    """Chains name it in their genesis: whoever changes a weight changes it."""
    assert scoring.SCORING_VERSION == 2
    assert (scoring.DECAY_DAY_PARTS, scoring.DECAY_PARTS_PER_DAY) == (36_500, 15)


@pytest.mark.parametrize(
    ("base", "days", "left"),
    [
        (SCALE, 0, SCALE), (SCALE, 10_000, SCALE), (SCALE - 1, 5, SCALE - 1), (SCALE + 1, 0, SCALE + 1),
        (SCALE + 1, 1, SCALE), (2_500_000_000, 1, 2_499_383_561), (2_500_000_000, 2_433, SCALE + 205_479),
        (2_500_000_000, 2_434, SCALE), (0, 3, 0),
    ],
)  # fmt: skip
def test_a_bonus_melts_by_15_in_36500_a_day(base: int, days: int, left: int) -> None:
    """To the billionth, until nothing of it is left."""
    assert decayed(base, days) == left


@pytest.mark.parametrize(
    ("binding", "verdict", "reason", "strength"),
    [
        ("none", "unmeasured", "NO_IDENTIFIER", 0), ("machine_id", "unmeasured", "BOUND_TO_SOFTWARE", 1),
        ("disk", "pass", "BOUND_TO_HARDWARE", 2), ("mac", "pass", "BOUND_TO_HARDWARE", 3),
    ],
)  # fmt: skip
def test_a_tag_rests_on_hardware_software_or_nothing(binding: str, verdict: str, reason: str, strength: int) -> None:
    """Told, and without any weight."""
    check = declared.check_binding(replace(PC, binding=binding))
    assert (check.verdict, check.reason, check.numbers) == (verdict, reason, (("strength", strength),))


def test_signs_are_counted_in_the_checks() -> None:
    """Declared ones and hints apart; a container's hints cost nothing."""
    plain = declared.check_container(PC)
    assert (plain.verdict, plain.numbers) == ("pass", (("hints", 0),))
    inside = replace(PC, signs=(Sign(20, "a"), Sign(21, "b")))
    assert declared.check_container(inside).numbers == (("hints", 2),)
    policy = PAYING
    assert score(inside, (), policy).weight == score(PC, (), policy).weight
    vm = replace(PC, signs=(Sign(3, "xen"), Sign(9, "xen"), Sign(10, "xvd")))
    check = declared.check_virtual_machine(vm)
    assert (check.verdict, check.numbers) == ("fail", (("declared", 1), ("hints", 2)))


def test_what_was_not_looked_at_caps_only_what_lies_above_one() -> None:
    """A machine worth 1.0 or less loses nothing, and is told of no cap."""
    policy = PAYING
    quiet = replace(PC.cpu, model=8, clock_mhz=0, cores=1, threads=1)
    vintage = replace(PC, machine="i686", word_bits=32, cpu=quiet, features=("cmov", "mmx", "sse"))
    seen, unseen = score(vintage, (), policy), score(replace(vintage, sources=0), (), policy)
    assert seen.base_multiplier > SCALE
    assert (unseen.base_multiplier, unseen.weight, unseen.caps) == (SCALE, SCALE, ("not_looked_at",))
    modern = score(replace(PC, sources=0), (), policy)
    assert modern.base_multiplier <= SCALE
    assert modern.caps == ()


def test_a_number_of_the_table_has_63_bits() -> None:
    """Products of it and a pot stay within 128."""
    document = {
        "version": 1, "scale": SCALE, "rows": [
            {"family": "unknown", "arch": "unknown", "name": "", "class": "unknown", "edge": 2**63 - 1, "rustchain": 0},
        ],
    }  # fmt: skip
    row = parse_table(json.dumps(document)).row("unknown", "unknown")
    assert row.multipliers == {"edge": 2**63 - 1, "rustchain": 0}
    for bad in (2**63, -1, 1.0, True):
        document["rows"][0]["edge"] = bad  # type: ignore[index]
        with pytest.raises(SettingsError):
            parse_table(json.dumps(document))


def test_a_published_sign_keeps_its_number() -> None:
    """Inventories on chain name it; what it is about and how much it says decide about pay."""
    published = [
        (1, "CPU_HYPERVISOR_FLAG", "vm", "declared"), (2, "CPU_NAME_VIRTUAL", "vm", "declared"),
        (3, "SYS_HYPERVISOR", "vm", "declared"), (4, "FIRMWARE_VIRTUAL", "vm", "declared"),
        (5, "PCI_VIRTUAL", "vm", "declared"), (6, "VIRTIO_DEVICE", "vm", "declared"),
        (7, "CLOCK_VIRTUAL", "vm", "declared"), (8, "DEVICE_TREE_VIRTUAL", "vm", "declared"),
        (9, "MAC_VENDOR_VIRTUAL", "vm", "hint"), (10, "DISK_NAME_VIRTUAL", "vm", "hint"),
        (11, "FIRMWARE_OF_EMULATORS", "vm", "hint"), (12, "XEN_CONTROL_DOMAIN", "vm", "hint"),
        (20, "CONTAINER_MARKER", "container", "hint"), (21, "CONTAINER_DECLARED", "container", "hint"),
        (22, "CONTAINER_CGROUP", "container", "hint"), (30, "NO_VDSO", "emulator", "hint"),
        (31, "PROCESS_STATE_BLANK", "emulator", "declared"), (32, "CPU_OF_ANOTHER_KIND", "emulator", "declared"),
    ]  # fmt: skip
    for number, *meaning in published:
        kind = virtual.SIGNS[number]
        assert [kind.name, kind.about, kind.severity] == meaning


def found(cpu_name: str = "", files: dict[str, str] | None = None, **board: str) -> set[tuple[int, str]]:
    """Return the signs that a dump shows."""
    signs = virtual.find_signs(
        files or {}, cpu_name=cpu_name, features=(), board=replace(BOARD, **board), machine="x86_64", has_vdso=True,
    )  # fmt: skip
    return {(sign.code, sign.evidence) for sign in signs}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("QEMU Virtual CPU version 2.5+", 2), ("Common KVM processor", 2), ("Common 32-bit KVM processor", 2),
        ("BOCHS CPU", 2), ("VirtualApple @ 2.50GHz", 2), ("AMD EPYC 7B12", 0), ("Intel(R) Xeon(R) CPU", 0),
    ],
)  # fmt: skip
def test_a_processor_s_name_tells_only_what_emulators_put_there(name: str, number: int) -> None:
    """Whatever case it is in; a server's processor in a rented machine is no sign."""
    assert {code for code, _ in found(name)} == ({number} if number else set())


@pytest.mark.parametrize(
    ("board", "sign"),
    [
        ({"sys_vendor": "QEMU"}, (4, "sys_vendor=QEMU")), ({"product_name": "KVM"}, (4, "product_name=KVM")),
        ({"board_vendor": "QEMU"}, (4, "board_vendor=QEMU")), ({"bios_vendor": "Xen"}, (4, "bios_vendor=Xen")),
        ({"sys_vendor": "Amazon EC2"}, (4, "sys_vendor=Amazon EC2")),
        ({"bios_vendor": "SeaBIOS"}, (11, "seabios")), ({"bios_vendor": "EDK II"}, (11, "edk ii")),
        ({"bios_vendor": "x OVMF"}, (11, "ovmf")), ({"sys_vendor": "Amazon EC2", "product_name": "m5.metal"}, None),
        ({"sys_vendor": "Microsoft Corporation"}, None), ({"sys_vendor": "not QEMU"}, None),
    ],
)  # fmt: skip
def test_firmware_s_words_are_signs_by_how_they_begin(board: dict[str, str], sign: tuple[int, str] | None) -> None:
    """With the field and its text as evidence."""
    assert found(**board) == ({sign} if sign else set())


@pytest.mark.parametrize(
    ("path", "text", "sign"),
    [
        ("sys/hypervisor/type", "xen\n", (3, "xen")),
        ("proc/xen/capabilities", "control_d\n", (12, "control_d")),
        ("proc/device-tree/compatible", "linux,dummy-virt", (8, "linux,dummy-virt")),
        ("proc/device-tree/hypervisor/compatible", "Linux,KVM", (8, "linux,kvm")),
        ("proc/device/compatible", "linux,dummy-virt", None),
        ("run/systemd/container", "lxc\n", (21, "lxc")),
        ("proc/1/cgroup", "0::/Docker/1234", (22, "docker")),
        ("proc/1/cgroup", "0::/init.scope", None),
        ("mark:.dockerenv", "", (20, ".dockerenv")),
        ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc kvm-clock", (7, "kvm-clock")),
        ("proc/self/stat", "1 (a) b) 0 0", (31, "state 0")),
        ("proc/self/stat", "1 (a) R 0", None),
    ],
)
def test_a_place_in_the_system_shows_one_sign(path: str, text: str, sign: tuple[int, str] | None) -> None:
    """With what was found there as evidence."""
    assert found(files={path: text}) == ({sign} if sign else set())


def test_pci_devices_of_hypervisors_are_known_by_number() -> None:
    """Vendors that make nothing else, and single devices of vendors that do."""
    assert virtual._PCI_VENDORS == {
        0x1AF4: "virtio", 0x1B36: "qemu", 0x15AD: "vmware", 0x80EE: "virtualbox", 0x1AB8: "parallels", 0x5853: "xen",
    }  # fmt: skip
    assert virtual._pci_names([(0x1234, 0x1111)]) == {"qemu display (1234:1111)"}
    assert virtual._pci_names([(0x1414, 0x5353)]) == {"hyper-v display (1414:5353)"}
    assert virtual._pci_names([(0x15AD, 0x0405)]) == {"vmware (15ad)"}
    assert virtual._pci_names([(0x1234, 0x1112), (0x1414, 0x1111), (0x8086, 0x5353)]) == set()


@pytest.mark.parametrize(
    ("mac", "maker"), [("52:54:00:12:34:56", "qemu"), ("08:00:27:00:00:01", "virtualbox"), ("00:11:22:33:44:55", "")]
)
def test_a_network_card_s_address_hints_at_who_made_it(mac: str, maker: str) -> None:
    """By its first half."""
    files = {
        "link:sys/class/net/eth0": "../../devices/pci0000:00/0000:00:03.0/net/eth0", "sys/class/net/eth0/address": mac,
        "sys/class/net/eth0/addr_assign_type": "0",
    }  # fmt: skip
    assert found(files=files) == ({(9, maker)} if maker else set())


def test_samples_twice_as_slow_as_the_fastest_are_still_a_measurement() -> None:
    """One in a thousand more is noise."""
    quiet, loud = (Summary(samples.FLOAT_ADD, 7, 1_000, median, 9_999) for median in (2_000, 2_001))
    below = Summary(samples.INT_ADD, 7, 1_000, 1_000, 1_000)
    assert check_of("float_int_add_ratio", quiet, below).reason == "NO_ENVELOPE"
    assert check_of("float_int_add_ratio", loud, below).reason == "TOO_NOISY"


def test_a_machine_worth_exactly_one_is_not_capped_at_one() -> None:
    """A cap that takes nothing away is not told."""
    rows = [
        {"family": family, "arch": arch, "name": "", "class": "modern", "edge": worth, "rustchain": worth}
        for family, arch, worth in (("unknown", "unknown", 0), ("x86", "modern", SCALE), ("x86", "386", SCALE + 1))
    ]
    table = parse_table(json.dumps({"version": 1, "scale": SCALE, "rows": rows}))
    unseen = replace(PC, sources=0, features=())
    assert score(unseen, (), PAYING, table=table).caps == ()
    old = replace(PC.cpu, family=3, clock_mhz=0, cores=1, threads=1, name="")
    above = score(replace(unseen, machine="i386", word_bits=32, cpu=old), (), PAYING, table=table)
    assert (above.base_multiplier, above.caps) == (SCALE, ("not_looked_at",))


def test_rules_are_named_by_their_version_and_their_data() -> None:
    """So that a node with another table, other envelopes or models refuses the chain instead of forking from it."""
    table = multipliers.load_table()
    digests = (table.digest, envelopes.digest(), models.digest())
    assert scoring.scoring_name(table) == f"2-{H('params', b''.join(digests)).hex()}"
    assert {len(digest) for digest in digests} == {32}


def test_a_missing_table_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And a damaged one."""
    path = tmp_path / "multipliers.json"
    monkeypatch.setattr(multipliers, "_FILE", path)
    for content, word in ((None, "FileNotFoundError"), (b"\xff", "UnicodeDecodeError")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SettingsError, match=word):
            multipliers.load_table.__wrapped__()


def test_an_inventory_may_have_4096_bytes_and_no_more() -> None:
    """Written and looked at alike; what is read has its own bounds on each text."""

    def named(chars: int) -> Inventory:
        return replace(PC, cpu=replace(PC.cpu, name="n" * chars))

    chars = 3_000 + 4_096 - len(named(3_000).encode())
    assert len(named(chars).encode()) == 4_096
    with pytest.raises(Rejection, match="INVENTORY_TOO_LARGE"):
        named(chars + 1).encode()
    with pytest.raises(Rejection, match="BAD_SHAPE"):
        decode_inventory(named(chars).encode())
    with pytest.raises(Rejection, match="INVENTORY_TOO_LARGE"):
        decode_inventory(named(chars).encode() + b"\0")


@pytest.mark.parametrize("code", [code for code, kind in virtual.SIGNS.items() if kind.severity == "declared"])
def test_a_xen_control_domain_explains_three_signs_and_no_other(code: int) -> None:
    """The flag, the kernel's word and the clock; it owns the hardware all the same."""
    about = virtual.SIGNS[code].about
    alone, explained = (Sign(code, "x"),), (Sign(code, "x"), Sign(12, "control_d"))
    assert virtual.decided_by(alone, about) == alone
    assert bool(virtual.decided_by(explained, about)) == (code not in (1, 3, 7))

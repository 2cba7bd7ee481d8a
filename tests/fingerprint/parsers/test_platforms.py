"""One kind of source at a time: sysctl, system_profiler, ioreg, dmesg, ifconfig, lscpu, board codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from metanode.fingerprint.collect import Report, read_machine
from metanode.fingerprint.parsers.architectures.arm_names import midr, part_name, part_of
from metanode.fingerprint.parsers.architectures.powerpc_names import NAMES, pvr_name, version_of
from metanode.fingerprint.parsers.cpuinfo import parse_cpuinfo
from metanode.fingerprint.parsers.feature_names import linux_features
from metanode.fingerprint.parsers.ifconfig import hardware_addresses
from metanode.fingerprint.parsers.lscpu import cpufreq_limit_khz, parse_lscpu
from metanode.fingerprint.parsers.macos_tools import hardware_overview, ioreg_values
from metanode.fingerprint.parsers.masked import masked_features
from metanode.fingerprint.parsers.raspberry_pi import decode_revision, is_raspberry_pi
from metanode.fingerprint.parsers.sysctl import boot_lines, sysctl_values
from metanode.fingerprint.parsers.text import LINES_MAX, SOURCE_CHARS_MAX, bounded_lines, clock_khz, pairs, size_kib
from metanode.fingerprint.parsers.x86_signature import family_model_stepping
from metanode.platforms.captured import Dump, ProcessFacts


def read(system: str, machine: str, files: Mapping[str, str]) -> Report:
    """Read a dump of a 32-bit big-endian or 64-bit little-endian machine."""
    big = machine in ("Power Macintosh", "macppc", "powerpc", "ppc")
    return read_machine(
        Dump(files, {}), ProcessFacts(system, machine, 32 if big else 64, "big" if big else "little", None)
    )


@pytest.mark.parametrize(
    ("code", "model", "memory", "chip"),
    [
        ("0002", "Raspberry Pi Model B Rev 1.0", 256, "BCM2835"),
        ("000e", "Raspberry Pi Model B Rev 2.0", 512, "BCM2835"),
        ("1000010", "Raspberry Pi Model B+ Rev 1.2", 512, "BCM2835"),
        ("0012", "Raspberry Pi Model A+ Rev 1.1", 256, "BCM2835"),
        ("900092", "Raspberry Pi Zero Rev 1.2", 512, "BCM2835"),
        ("9000c1", "Raspberry Pi Zero W Rev 1.1", 512, "BCM2835"),
        ("a01041", "Raspberry Pi 2 Model B Rev 1.1", 1024, "BCM2836"),
        ("a22042", "Raspberry Pi 2 Model B Rev 1.2", 1024, "BCM2837"),
        ("a02082", "Raspberry Pi 3 Model B Rev 1.2", 1024, "BCM2837"),
        ("902120", "Raspberry Pi Zero 2 W Rev 1.0", 512, "BCM2837"),
        ("c03114", "Raspberry Pi 4 Model B Rev 1.4", 4096, "BCM2711"),
        ("d04170", "Raspberry Pi 5 Model B Rev 1.0", 8192, "BCM2712"),
        ("c03130", "Raspberry Pi 400 Rev 1.0", 4096, "BCM2711"),
    ],
)
def test_a_revision_code_names_model_memory_and_chip(code: str, model: str, memory: int, chip: str) -> None:
    """Old style up to 0015, with the bit of a lost warranty; new style after it."""
    board = decode_revision(code)
    assert board is not None
    assert (board.model, board.memory_mib, board.chip) == (model, memory, chip)


@pytest.mark.parametrize("code", ["", "x", "0001", "0016", "0000", "ffffff", "8ff000", "20000", "80f041"])
def test_a_code_of_no_known_board_says_nothing(code: str) -> None:
    """Rather than a guess."""
    assert decode_revision(code) is None


def test_other_boards_use_codes_of_their_own() -> None:
    """An ODROID's revision must not be read as a Raspberry Pi's."""
    assert is_raspberry_pi("BCM2708")
    assert is_raspberry_pi("Raspberry Pi 4 Model B Rev 1.4")
    assert not is_raspberry_pi("ODROID-C2")


@pytest.mark.parametrize(
    "text", ["hw.a: 1\nhw.b: x: y", "hw.a = 1\nhw.b = x: y", "hw.a=1\nhw.b=x: y", "hw.a: 1\nhw.b = x: y"]
)
def test_sysctl_is_read_with_every_separator(text: str) -> None:
    """macOS and FreeBSD print `: `, Mac OS X 10.4 and NetBSD ` = `, OpenBSD `=`."""
    assert sysctl_values({"cmd:sysctl hw": text}) == {"hw.a": "1", "hw.b": "x: y"}


def test_the_overview_of_a_mac_reads_the_same_from_text_and_xml() -> None:
    """Today's words, those of Mac OS X 10.4, and the keys of the XML."""
    now = "Hardware:\n\n      Model Identifier: PowerMac3,1\n      Memory: 1 GB\n      Serial Number (system): X1\n"
    old = "      Machine Model: PowerMac3,1\n      Memory: 1 GB\n      Serial Number: X1\n"
    xml = (
        "<key>machine_model</key>\n\t<string>PowerMac3,1</string><key>physical_memory</key><string>1 GB</string>"
        "<key>serial_number</key><string>X1</string>"
    )
    expected = {"model": "PowerMac3,1", "memory": "1 GB", "serial": "X1"}
    for text in (now, old, xml):
        assert hardware_overview({"cmd:system_profiler": text}) == expected


def test_a_power_mac_is_read_from_system_profiler_alone() -> None:
    """What people paste: no sysctl, only the overview."""
    text = (
        "      Machine Model: PowerMac3,1\n      CPU Type: PowerPC G4  (2.9)\n      Number Of CPUs: 1\n"
        "      CPU Speed: 400 MHz\n      L2 Cache (per CPU): 1 MB\n      Memory: 512 MB\n"
    )
    report = read("darwin", "Power Macintosh", {"cmd:system_profiler": text})
    cpu = report.inventory.cpu
    assert (cpu.cores, cpu.clock_mhz, report.inventory.memory_mib) == (1, 400, 512)
    assert [(cache.level, cache.size_kib) for cache in report.inventory.caches] == [(2, 1024)]
    assert report.details["named"] == "PowerPC G4 (2.9)"
    assert cpu.name == ""
    assert "processor: not named" in report.problems


def test_ioreg_gives_text_and_data() -> None:
    """Data as hexadecimal digits."""
    text = '  "cpu-version" = <80030102>\n  "name" = <"cpus">\n  "IOPlatformUUID" = "A-B"\n'
    assert ioreg_values({"cmd:ioreg -l": text}) == {"cpu-version": "80030102", "name": "cpus", "IOPlatformUUID": "A-B"}


@pytest.mark.parametrize("subtype", [9, 10, 11, 100])
def test_a_kind_of_processor_is_not_called_a_version(subtype: int) -> None:
    """Mac OS X tells 745x from 750, not 7447A from 7450; the report says that only the kind is known."""
    report = read("darwin", "Power Macintosh", {"cmd:sysctl hw": f"hw.cputype: 18\nhw.cpusubtype: {subtype}\n"})
    assert report.inventory.cpu.pvr & 0xFFFF == 0
    assert "processor: only the kind is known, not the version" in report.problems


@pytest.mark.parametrize("name", ["sysctl.proc_translated: 1", "sysctl.proc_native: 0"])
def test_both_rosettas_show(name: str) -> None:
    """Of Apple Silicon, and of the first Intel Macs."""
    report = read("darwin", "x86_64", {"cmd:sysctl a": f"{name}\nhw.ncpu: 8\n"})
    assert [sign.code for sign in report.inventory.signs] == [32]


@pytest.mark.parametrize(
    ("name", "part"), [("Apple M1", 0x22), ("Apple M1 Max", 0x28), ("Apple M2 Pro", 0x34), ("Apple M4", 0)]
)
def test_an_apple_chip_has_the_number_it_has_under_linux(name: str, part: int) -> None:
    """One machine, one row, whichever system runs on it; a chip without a known number is named all the same."""
    inventory = read("darwin", "arm64", {"cmd:sysctl machdep": f"machdep.cpu.brand_string: {name}\n"}).inventory
    assert (inventory.cpu.vendor, inventory.cpu.model, inventory.cpu.name) == ("0x61", part, name)


@pytest.mark.parametrize(
    ("signature", "numbers"),
    [
        (0x206A7, (6, 42, 7)),
        (0x800F82, (23, 8, 2)),
        (0x306C3, (6, 60, 3)),
        (0x673, (6, 7, 3)),
        (0x543, (5, 4, 3)),
        (0, (0, 0, 0)),
    ],
)
def test_a_signature_is_family_model_and_stepping(signature: int, numbers: tuple[int, int, int]) -> None:
    """Extended numbers count where the architecture says so."""
    assert family_model_stepping(signature) == numbers


def test_numbers_printed_beside_another_signature_disagree() -> None:
    """An edited boot message."""
    text = (
        'CPU: A (1000.00-MHz K8-class CPU)\n  Origin="GenuineIntel"  Id=0x206a7  Family=0x6  Model=0x3a  Stepping=7\n'
    )
    report = read("freebsd14", "amd64", {"var/run/dmesg.boot": text})
    assert report.disagreements == ("model 3a beside signature 206a7",)


def test_addresses_come_from_cards_only() -> None:
    """Bridges, tunnels and VMware's interfaces stand for no card; an address that software made up is weak."""
    text = (
        "en0: flags=8863<UP> mtu 1500\n\tether 0:11:24:0:0:1\nbridge0: flags=1\n\tether 00:11:24:00:00:02\n"
        "vmnet8: flags=1\n\tether 00:50:56:c0:00:08\nem0: flags=1\n\tether 02:00:00:00:00:09\n"
        "\thwaddr 00:11:24:00:00:03\ngem0: flags=1\n\tlladdr 06:11:24:00:00:04\n"
    )
    assert hardware_addresses(text) == (
        ("mac", "00:11:24:00:00:01"),
        ("mac", "00:11:24:00:00:03"),
        ("weak_mac", "06:11:24:00:00:04"),
    )


def test_boot_messages_lose_their_time_stamps() -> None:
    """NetBSD prints them since 8."""
    assert boot_lines({"var/run/dmesg.boot": "[     1.000000] a\nb\n"}) == ["a", "b"]
    assert boot_lines({}) == []


def test_lscpu_understands_decimal_commas_and_sums() -> None:
    """Caches are sums over all instances since util-linux 2.36."""
    found = parse_lscpu(
        "CPU(s): 4\nThread(s) per core: 2\nCPU max MHz: 1200,5000\nL1d cache: 128 KiB (4 instances)\nL2 cache: 2M\n"
    )
    assert (found.threads, found.threads_per_core, found.max_khz) == (4, 2, 1_200_500)
    assert [(cache.level, cache.size_kib) for cache in found.caches] == [(1, 32), (2, 2048)]
    assert (
        cpufreq_limit_khz("  hardware limits: 200 MHz - 1.40 GHz\n  hardware limits: 200 MHz - 2.00 GHz\n") == 2_000_000
    )


@pytest.mark.parametrize(
    ("text", "khz"),
    [("@ 2.60GHz", 2_600_000), ("1449MHz", 1_449_000), ("2793.73-MHz", 2_793_730), ("x", 0), ("9999999MHz", 0)],
)
def test_a_stated_clock_is_read_exactly(text: str, khz: int) -> None:
    """No floats."""
    assert clock_khz(text) == khz


@pytest.mark.parametrize(
    ("text", "kib"), [("512K", 512), ("1.5 GB", 1_572_864), ("8 MiB", 8192), ("64", 64), ("big", None)]
)
def test_sizes_are_kibibytes(text: str, kib: int | None) -> None:
    """With every unit that tools print."""
    assert size_kib(text) == kib


def test_names_and_numbers_of_processors_fit_each_other() -> None:
    """What one system calls by name and another by number is one processor."""
    assert (part_name(0x41, 0xD03), part_of("Cortex-A53"), part_of("nothing")) == ("Cortex-A53", 0xD03, 0)
    assert midr(0x41, 0, 0xD08, 3) == 0x410FD083
    for version, name in NAMES.items():
        assert pvr_name(version << 16) == name
    assert [version_of(name) for name in ("7447A", "PowerPC 750", "Motorola PowerPC 7455", "POWER8", "x")] == [
        0x8003,
        0x0008,
        0x8001,
        0x004D,
        0,
    ]


def test_features_have_one_name() -> None:
    """Whatever the system calls them; `64` is Haiku's word for long mode."""
    assert linux_features(["SSE3", "SSE4.1", "64", "VMM", "DS", " AVX1.0 "]) == {
        "pni",
        "sse4_1",
        "lm",
        "hypervisor",
        "dts",
        "avx",
    }


@pytest.mark.parametrize(
    ("vendor", "family", "model", "flags", "missing"),
    [
        ("GenuineIntel", 6, 42, "msr sse4_2", "acpi, tm, pbe and dts missing"),
        ("GenuineIntel", 6, 42, "msr sse4_2 tm", ""),
        ("GenuineIntel", 6, 42, "ssse3", "sse4_2 missing"),
        ("GenuineIntel", 6, 8, "msr sse", ""),
        ("GenuineIntel", 6, 42, "msr hypervisor", ""),
        ("GenuineIntel", 6, 42, "", ""),
        ("AuthenticAMD", 23, 8, "avx", "fma missing"),
        ("AuthenticAMD", 23, 8, "avx fma", ""),
        ("AuthenticAMD", 21, 2, "avx", ""),
        ("GenuineIntel", 15, 2, "msr sse2", "acpi, tm, pbe and dts missing"),
    ],
)
def test_masked_features_are_a_hint(vendor: str, family: int, model: int, flags: str, missing: str) -> None:
    """Only what every processor of a generation has; a Pentium III had less."""
    assert masked_features(vendor, family, model, frozenset(flags.split())) == missing


def test_a_source_is_cut_at_its_bounds() -> None:
    """Characters and lines."""
    assert len(bounded_lines("\n" * (LINES_MAX + 5))) == LINES_MAX
    assert pairs("x" * SOURCE_CHARS_MAX + "\na: b") == {}


def test_an_unknown_architecture_is_said_to_be_unknown() -> None:
    """Neither guessed nor an error."""
    info = parse_cpuinfo("Type : quantum\nqubits : 7\n")
    assert info.kind == ""
    assert info.problems
    assert read("aix7", "00F6", {}).inventory.platform == "aix"


def test_only_the_platform_at_hand_is_loaded() -> None:
    """A resting miner on a PC keeps no table of ARM cores and no parser of Macs in memory."""
    code = (
        "import sys\n"
        "from metanode.fingerprint.collect import read_machine\n"
        "from metanode.platforms.captured import Dump, ProcessFacts\n"
        "text = 'processor : 0\\nvendor_id : GenuineIntel\\ncpu family : 6\\nmodel : 58\\nflags : fpu\\n'\n"
        "read_machine(Dump({'proc/cpuinfo': text}, {}), ProcessFacts('linux', 'x86_64', 64, 'little', True))\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in run.stdout.split() if "metanode.fingerprint" in name}
    assert {"linux", "cpuinfo", "x86"} <= loaded
    others = {"arm", "arm_names", "powerpc_names", "raspberry_pi", "linux_more", "macos", "freebsd", "openbsd", "haiku"}
    assert not loaded & {*others, "solaris", "windows", "lscpu", "capture", "redact", "guess"}


PI = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd08\n"


def test_a_newer_kernel_keeps_the_revision_code_in_the_device_tree() -> None:
    """Same board, same words."""
    tree = {
        "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4",
        "hex:proc/device-tree/system/linux,revision": "00c03114",
    }
    for files in (
        {"proc/cpuinfo": PI, **tree},
        {"proc/cpuinfo": PI + "\nRevision : c03114\nModel : Raspberry Pi 4 Model B Rev 1.4\n"},
    ):
        assert (
            read("linux", "aarch64", files)
            .details["revision code"]
            .startswith("Raspberry Pi 4 Model B Rev 1.4, 4096 MiB, BCM2711")
        )


def test_a_32_bit_view_of_a_64_bit_core_is_called_one() -> None:
    """Whether the kernel or only the process is of 32 bits."""
    for machine, words in (("armv7l", "32-bit kernel"), ("aarch64", "32-bit process")):
        facts = ProcessFacts("linux", machine, 32, "little", None)
        assert words in read_machine(Dump({"proc/cpuinfo": PI}, {}), facts).details["width"]
    assert "width" not in read("linux", "aarch64", {"proc/cpuinfo": PI}).details


POWER = "processor\t: 0\ncpu\t\t: POWER8 ({})\nclock\t\t: 3425.0MHz\nrevision\t: 2.0 (pvr 004d 0200)\n"


@pytest.mark.parametrize(
    ("mode", "node", "fits"),
    [("raw", "POWER8", True), ("raw", "POWER7", False), ("architected", "POWER7", True), ("raw", "G4", True)],
)
def test_a_processor_may_imitate_an_older_one(mode: str, node: str, fits: bool) -> None:
    """A partition in a compatibility mode shows the older name; the kernel says so."""
    files = {"proc/cpuinfo": POWER.format(mode), f"proc/device-tree/cpus/PowerPC,{node}@0/compatible": ""}
    assert (read("linux", "ppc64le", files).disagreements == ()) is fits


def test_cores_that_are_switched_off_are_no_contradiction() -> None:
    """lscpu counts them, /proc/cpuinfo does not."""
    lscpu = "CPU(s): 4\nOn-line CPU(s) list: 0\nThread(s) per core: 1\nSocket(s): 1\n"
    report = read("linux", "aarch64", {"proc/cpuinfo": PI, "cmd:lscpu": lscpu})
    assert report.disagreements == ()
    assert (report.inventory.cpu.cores, report.inventory.cpu.threads) == (4, 4)


def test_an_open_firmware_machine_has_the_caches_of_its_device_tree() -> None:
    """Old kernels list none below /sys."""
    cells = {
        "d-cache-size": "00008000",
        "i-cache-size": "00008000",
        "l2-cache/d-cache-size": "00080000",
        "cpu-version": "80030102",
    }
    files = {f"hex:proc/device-tree/cpus/PowerPC,G4@0/{name}": digits for name, digits in cells.items()}
    found = read(
        "linux", "ppc", {"proc/cpuinfo": "processor : 0\ncpu : 7447A\nrevision : 1.2 (pvr 8003 0102)\n", **files}
    )
    assert [(cache.level, cache.size_kib) for cache in found.inventory.caches] == [(1, 32), (1, 32), (2, 512)]


@pytest.mark.parametrize("text", ["revision : 1.1 (pvr 8003 0101)", "revision : 0.1 (pvr 8003 0101)"])
@pytest.mark.parametrize("bogomips", ["36.73", "747.52", "1333.33"])
def test_a_g4_is_one_whatever_its_kernel_prints_for_revision_and_bogomips(text: str, bogomips: str) -> None:
    """Both revisions belong to one PVR; bogomips follow the clock or the timebase."""
    cpuinfo = f"processor : 0\ncpu : 7447A, altivec supported\nclock : 1333.3MHz\n{text}\nbogomips : {bogomips}\n"
    report = read("linux", "ppc", {"proc/cpuinfo": cpuinfo})
    assert report.inventory.cpu.pvr == 0x80030101
    assert report.disagreements == ()


def test_a_power_mac_has_one_serial_number_under_every_system() -> None:
    """Else it could be registered once per system."""
    tree = "XXX" + " " * 10 + "W8000000" + " " * 20
    cpuinfo = "processor : 0\ncpu : 7447A\nrevision : 1.2 (pvr 8003 0102)\n"
    linux = read("linux", "ppc", {"proc/cpuinfo": cpuinfo, "proc/device-tree/serial-number": tree})
    mac = read("darwin", "Power Macintosh", {"cmd:ioreg": '"IOPlatformSerialNumber" = "W8000000XXX"\n'})
    assert [item.value for item in linux.identifiers] == [item.value for item in mac.identifiers] == ["w8000000xxx"]


def test_what_is_plugged_in_never_binds() -> None:
    """A USB adapter may go to another machine tomorrow; on a Mac only en0 is surely built in."""
    cards = {"ue0": "00:11:24:00:00:01", "en5": "00:11:24:00:00:02", "en0": "00:11:24:00:00:03"}
    text = "".join(f"{name}: flags=1\n\tether {address}\n" for name, address in cards.items())
    assert ("weak_mac", "00:11:24:00:00:01") in hardware_addresses(text)
    assert [kind for kind, _ in hardware_addresses(text, ("en0",))] == ["mac", "weak_mac", "weak_mac"]


def test_what_all_processors_share_may_stand_after_the_last_one() -> None:
    """Kernels for 64-bit ARM before 3.19 print it once, without a blank line."""
    shared = "Features\t: fp asimd\nCPU implementer\t: 0x4e\nCPU architecture: AArch64\nCPU part\t: 0x000\n"
    text = f"Processor\t: Denver rev 0 (aarch64)\nprocessor\t: 0\nprocessor\t: 1\n{shared}\nHardware\t: Board\n"
    info = parse_cpuinfo(text)
    assert (info.name, info.family, info.processors, info.machine) == ("Denver", 8, 2, "Board")
    assert info.flags == {"fp", "asimd"}
    assert info.problems == ()

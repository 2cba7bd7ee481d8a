"""Parsers: captured text to typed facts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metanode.fingerprint.collect import read_machine
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.parsers.cache import Cache, parse_caches
from metanode.fingerprint.parsers.cpuinfo import parse_cpuinfo
from metanode.fingerprint.parsers.devices import parse_disks, parse_nics, parse_pci
from metanode.fingerprint.parsers.dmi import parse_dmi
from metanode.fingerprint.parsers.meminfo import parse_total_kib, rounded_mib
from metanode.fingerprint.parsers.osrelease import parse_os_release, pretty_name
from metanode.fingerprint.parsers.text import clean, count_cpu_list, decimal, hexadecimal, megahertz_to_khz
from metanode.platforms.captured import Dump, ProcessFacts
from metanode.platforms.linux.dump import FILES, PATTERNS

DATA = Path(__file__).parent / "data"
SAMPLE = (DATA / "thinkpad-ivy-bridge.txt").read_text("utf-8")

G4 = """\
processor\t: 0
cpu\t\t: 7447A, altivec supported
clock\t\t: 1333.333000MHz
revision\t: 0.2 (pvr 8003 0102)
bogomips\t: 36.73

timebase\t: 18432000
platform\t: PowerMac
model\t\t: PowerBook5,6
machine\t\t: PowerBook5,6
motherboard\t: PowerBook5,6 MacRISC3 Power Macintosh
detected as\t: 287 (PowerBook G4)
L2 cache\t: 512K unified
"""

PI_1 = """\
Processor\t: ARMv6-compatible processor rev 7 (v6l)
BogoMIPS\t: 697.95
Features\t: swp half thumb fastmult vfp edsp java tls
CPU implementer\t: 0x41
CPU architecture: 7
CPU variant\t: 0x0
CPU part\t: 0xb76
CPU revision\t: 7

Hardware\t: BCM2708
Revision\t: 000e
Serial\t\t: 00000000deadbeef
"""


def test_cpuinfo_of_an_intel_laptop_is_read_whole(load) -> None:  # type: ignore[no-untyped-def]
    """Vendor, numbers, clocks, topology and flags come out as lscpu shows them."""
    dump, _ = load("thinkpad-ivy-bridge")
    info = parse_cpuinfo(dump.files["proc/cpuinfo"])
    assert (info.vendor, info.family, info.model, info.stepping) == ("GenuineIntel", 6, 58, 9)
    assert (info.processors, info.sockets, info.cores) == (4, 1, 2)
    assert (info.khz, info.name_khz) == (1_197_302, 2_600_000)
    assert {"vmx", "avx", "sse4_2"} <= info.flags
    assert "hypervisor" not in info.flags
    assert info.problems == ()


def test_cpuinfo_of_a_powerpc_names_the_processor_version() -> None:
    """PVR, clock and machine of a G4 are read; a missing model number is no problem there."""
    info = parse_cpuinfo(G4)
    assert info.name == "7447A, altivec supported"
    assert info.pvr == 0x8003_0102
    assert info.khz == 1_333_333
    assert info.machine == "PowerBook5,6"
    assert "altivec" in info.flags
    assert info.problems == ()


def test_cpuinfo_of_an_old_arm_kernel_is_read_without_processor_blocks() -> None:
    """Kernels before 3.8 print one `Processor` line and no numbered blocks."""
    info = parse_cpuinfo(PI_1)
    assert (info.vendor, info.model) == ("0x41", 0xB76)
    assert info.serial == "00000000deadbeef"
    assert "thumb" in info.flags
    assert info.problems == ()


def test_a_flag_counts_only_when_every_processor_has_it() -> None:
    """Hybrid processors differ; what one core lacks must not be promised."""
    info = parse_cpuinfo("processor : 0\nflags : fpu avx512f\n\nprocessor : 1\nflags : fpu\n")
    assert info.flags == {"fpu"}


def test_cpuinfo_says_what_it_did_not_understand() -> None:
    """A strange number is named, not guessed."""
    info = parse_cpuinfo("processor : 0\nvendor_id : X\ncpu family : six\nstepping : unknown\nflags : fpu\n")
    assert info.problems == ("cpuinfo: cpu family is not a number",)
    assert parse_cpuinfo("").problems == ("cpuinfo: no `key : value` line",)


def test_caches_are_sorted_and_odd_ones_are_named() -> None:
    """An index without a readable size is left out and reported."""
    base = "sys/devices/system/cpu/cpu0/cache/"
    files = {
        f"{base}index1/level": "2",
        f"{base}index1/type": "Unified\n",
        f"{base}index1/size": "2M\n",
        f"{base}index0/level": "1",
        f"{base}index0/type": "Data\n",
        f"{base}index0/size": "32K\n",
        f"{base}index0/shared_cpu_list": "0,4-6\n",
        f"{base}index2/level": "3",
        f"{base}index2/type": "Unified",
        f"{base}index2/size": "big",
    }
    caches, problems = parse_caches(files)
    assert caches == (Cache(1, 1, 32, 0, 0, 4), Cache(2, 3, 2048, 0, 0, 0))
    assert problems == ("cache index2: level, type or size not understood",)
    assert parse_caches({}) == ((), ("cache: sysfs shows none",))


def test_firmware_placeholders_are_no_names() -> None:
    """Boards ship with texts nobody filled in."""
    base = "sys/class/dmi/id/"
    dmi = parse_dmi(
        {base + "sys_vendor": "To Be Filled By O.E.M.\n", base + "board_name": "X570\n", base + "chassis_type": "3\n"}
    )
    assert (dmi.sys_vendor, dmi.board_name, dmi.chassis_type, dmi.problems) == ("", "X570", 3, ())
    assert parse_dmi({}).problems == ("dmi: this machine shows no SMBIOS strings",)


@pytest.mark.parametrize(
    ("kib", "mib"),
    [(24_684_084, 24_576), (507_320, 512), (3_884_360, 3_840), (4_194_304, 4_096), (1, 64), (131_829_876, 129_024)],
)
def test_memory_is_rounded_up_to_a_stable_size(kib: int, mib: int) -> None:
    """64 MiB steps up to 4 GiB, whole GiB above."""
    assert parse_total_kib(f"MemTotal:  {kib} kB\nMemFree: 1 kB\n") == kib
    assert rounded_mib(kib) == mib


def test_os_release_is_unquoted() -> None:
    """Quotes of both kinds go; comments and broken lines are left out."""
    text = "# comment\nNAME='A B'\nPRETTY_NAME=\"Debian GNU/Linux\"\nnonsense\n=x\n"
    assert parse_os_release(text) == {"NAME": "A B", "PRETTY_NAME": "Debian GNU/Linux"}
    assert pretty_name(text) == "Debian GNU/Linux"
    assert pretty_name("") == ""


def test_software_interfaces_and_disks_are_left_out(load) -> None:  # type: ignore[no-untyped-def]
    """Bridges, containers' and virtual machines' interfaces tell about guests, not about this machine."""
    files = load("epyc-bare-metal")[0].files
    assert [nic.name for nic in parse_nics(files)] == ["eno1np0"]
    # Multipath drives sit under a virtual subsystem and still are hardware.
    assert [disk.name for disk in parse_disks(files)] == ["nvme0n1"]
    assert (0x1022, 0x1480) in parse_pci(files)


def test_a_randomised_address_is_replaced_by_the_permanent_one(load) -> None:  # type: ignore[no-untyped-def]
    """Wireless cards change their address per network; the radio keeps its own."""
    nics = {nic.name: nic for nic in parse_nics(load("thinkpad-ivy-bridge")[0].files)}
    assert nics["wlp3s0"].mac == "60:67:20:00:00:02"
    assert not nics["wlp3s0"].locally_administered


def test_the_permanent_address_of_a_bonded_card_is_used() -> None:
    """A bond gives all its cards one address; each keeps its own below."""
    files = {
        "link:sys/class/net/eth0": "../../devices/pci0000:00/0000:00:19.0/net/eth0",
        "sys/class/net/eth0/address": "00:00:5e:00:00:ff",
        "sys/class/net/eth0/addr_assign_type": "3",
        "sys/class/net/eth0/bonding_slave/perm_hwaddr": "00:00:5e:00:00:01",
    }
    assert parse_nics(files)[0].mac == "00:00:5e:00:00:01"


@pytest.mark.parametrize(
    ("text", "count"), [("0-3,8", 5), ("0", 1), ("", None), ("3-1", None), ("0-", None), ("a", None), ("0-1,16-17", 4)]
)
def test_cpu_lists_are_counted(text: str, count: int | None) -> None:
    """The kernel's list format, and nothing else."""
    assert count_cpu_list(text) == count


def test_numbers_are_read_exactly_or_not_at_all() -> None:
    """No floats, no signs, no overlong digits."""
    assert megahertz_to_khz("2596.1209") == 2_596_120
    assert megahertz_to_khz("900MHz") == 900_000
    assert megahertz_to_khz("-1") is None
    assert decimal("9" * 19) is None
    assert decimal(" 12\n") == 12
    assert decimal("٣") is None
    assert hexadecimal("0x1aF4") == 0x1AF4
    assert hexadecimal("g") is None
    assert clean(" a\tb\n\x00é ") == "a b ??"


ANY_TEXT = st.text(max_size=400)
MANGLED = st.builds(
    lambda at, cut, junk: SAMPLE[at : at + cut] + junk + SAMPLE[at + cut : at + cut + 400],
    st.integers(0, len(SAMPLE)),
    st.integers(0, 600),
    st.text(max_size=20),
)
PATHS = [
    *FILES,
    *(pattern.replace("*", "x0") for pattern in PATTERNS),
    "link:sys/class/net/x0",
    "link:sys/block/x0",
    "mark:.dockerenv",
]


@settings(derandomize=True, max_examples=300)
@given(text=st.one_of(ANY_TEXT, MANGLED))
def test_no_parser_raises_on_any_text(text: str) -> None:
    """A file from an unknown kernel is a fact to report, never a crash."""
    parse_cpuinfo(text)
    parse_total_kib(text)
    parse_os_release(text)
    parse_dmi({"sys/class/dmi/id/sys_vendor": text, "sys/class/dmi/id/chassis_type": text})
    cleaned = clean(text)
    assert cleaned.isascii()
    assert len(cleaned) <= 64


@settings(derandomize=True, max_examples=300)
@given(
    files=st.dictionaries(st.sampled_from(PATHS), st.one_of(ANY_TEXT, MANGLED), max_size=len(PATHS)),
    vdso=st.sampled_from([True, False, None]),
    machine=st.one_of(
        st.sampled_from(["x86_64", "i686", "aarch64", "armv6l", "ppc", "riscv64"]), st.text(max_size=100)
    ),
)
def test_any_dump_gives_an_inventory_that_fits_and_decodes(
    files: dict[str, str], vdso: bool | None, machine: str
) -> None:
    """Whatever the files say, the inventory is canonical, bounded and read back as it was."""
    report = read_machine(Dump(files, {}), ProcessFacts("linux", machine, 64, "little", vdso))
    raw = report.inventory.encode()
    assert decode_inventory(raw) == report.inventory

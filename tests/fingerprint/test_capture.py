"""Captures: identifiers do not leave the machine, and what is left reads the same."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from metanode.core.model.errors import MetanodeError
from metanode.fingerprint import capture
from metanode.fingerprint.capture import parse_capture, read_capture, write_capture
from metanode.fingerprint.collect import look, read_machine, unsupported_reason
from metanode.fingerprint.redact import redact
from metanode.platforms.captured import Dump, ProcessFacts

ROOT = Path(__file__).parents[1]
DUMPS = sorted([*(ROOT / "corpus").glob("*/*.txt"), *(ROOT / "fingerprint" / "data").glob("*.txt")])
SALT = bytes(range(32))


def redacted(path: Path) -> tuple[Dump, ProcessFacts]:
    """Return a dump without identifiers."""
    dump, facts = read_capture(path)
    return redact(dump, read_machine(dump, facts).identifiers, [], SALT), facts


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_a_redacted_dump_reads_like_the_machine_it_came_from(path: Path) -> None:
    """Only identifiers change: the inventory is the same byte for byte."""
    before = read_machine(*read_capture(path))
    after = read_machine(*redacted(path))
    assert after.inventory == before.inventory
    assert [item.kind for item in after.identifiers] == [item.kind for item in before.identifiers]


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_no_identifier_of_a_dump_survives(path: Path) -> None:
    """Neither as it is written nor without separators nor as hexadecimal digits of its text."""
    identifiers = read_machine(*read_capture(path)).identifiers
    text = write_capture(*redacted(path)).lower()
    for item in identifiers:
        for form in (item.value, re.sub("[:-]", "", item.value), item.value.encode().hex()):
            assert form.lower() not in text, f"{item.kind} of {path.stem}"


@pytest.mark.skipif(bool(unsupported_reason(sys.platform)), reason="no collector for this platform")
def test_no_identifier_of_this_machine_survives() -> None:
    """Hardware addresses, machine and boot ids, disk serials, host name, found by other ways than our own."""
    dump, facts = look()
    names = [socket.gethostname(), socket.getfqdn()]
    text = write_capture(redact(dump, read_machine(dump, facts).identifiers, names, os.urandom(32)), facts).lower()
    found = {socket.gethostname(), f"{uuid.getnode():012x}"}
    for pattern in ("etc/machine-id", "sys/class/net/*/address", "sys/block/*/serial", "sys/block/*/device/serial",
                    "sys/block/*/wwid", "sys/block/*/device/cid", "sys/class/dmi/id/*serial",
                    "sys/class/dmi/id/product_uuid"):  # fmt: skip
        for path in Path("/").glob(pattern):
            try:
                found.add(path.read_text("utf-8").strip())
            except (OSError, ValueError):
                continue
    for value in found - {"", "00:00:00:00:00:00", "localhost", "0", "none"}:
        for form in {value.lower(), re.sub("[:-]", "", value.lower())}:
            assert len(form) < 4 or form not in text, f"{value!r} of this machine"
    again, _ = parse_capture(text)
    assert again.files.keys()


def test_equal_identifiers_stay_equal_and_salts_tell_captures_apart() -> None:
    """A serial number that stands in two places is one; another capture of the same machine shows another."""
    files = {
        "proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\n\nSerial : 00000000feedbeef\n",
        "proc/device-tree/serial-number": "00000000feedbeef",
    }
    facts = ProcessFacts("linux", "aarch64", 64, "little", True)
    identifiers = read_machine(Dump(files, {}), facts).identifiers
    first = read_machine(redact(Dump(files, {}), identifiers, [], SALT), facts).identifiers
    assert len(first) == len(identifiers) == 1
    other = read_machine(redact(Dump(files, {}), identifiers, [], bytes(32)), facts).identifiers
    assert len({identifiers[0].value, first[0].value, other[0].value}) == 3


def test_the_maker_of_a_network_card_stays() -> None:
    """It tells a virtual card from a real one, and millions of machines share it."""
    dump = redact(Dump({"cmd:ifconfig -a": "en0: flags=1\n\tether 52:54:00:12:34:56\n"}, {}), [], [], SALT)
    assert "52:54:00:" in dump.files["cmd:ifconfig -a"]
    assert "12:34:56" not in dump.files["cmd:ifconfig -a"]


@pytest.mark.parametrize(
    ("key", "text", "secret"),
    [
        ("cmd:ifconfig -a", "en0: flags=1\n\tinet 10.1.2.3 netmask 0xff\n\tinet6 fe80::1:2 prefixlen 64\n", "10.1.2.3"),
        ("cmd:ifconfig -a", "en0: flags=1\n\tinet6 fe80::1:2 prefixlen 64\n", "fe80::1:2"),
        ("cmd:system_profiler", "      Serial Number (system): C02ABCDEFGH\n", "C02ABCDEFGH"),
        ("cmd:system_profiler", "<key>serial_number</key>\n<string>C02ABCDEFGH</string>", "C02ABCDEFGH"),
        ("cmd:ioreg", '  "Serial Number"="WD-WCAV5"\n', "WD-WCAV5"),
        ("cmd:ioreg", '  "serial-number" = <433032414243>\n', "433032414243"),
        ("cmd:kenv", 'smbios.system.uuid="01234567-89ab-cdef-0123-0123456789ab"\n', "0123456789ab"),
        ("cmd:sysctl hw", "hw.serialno=4H400\nhw.uuid=01234567-89ab-cdef-0123-0123456789ab\n", "4H400"),
        ("cmd:sysctl -a", "kern.hostname: bobs-imac.home\n", "bobs-imac"),
        ("cmd:geom disk list", "   ident: S1AXNSAD\n", "S1AXNSAD"),
        ("proc/cpuinfo", "processor 0: version = FF,  identification = 14C047,  machine = 2827\n", "14C047"),
        ("proc/cpuinfo", "software id\t: 1234567890\n", "1234567890"),
        ("proc/sysinfo", "Sequence Code:        00000000000ABCDE\n", "ABCDE"),
        ("proc/1/cgroup", f"0::/docker/{'ab' * 32}\n", "abababab"),
        ("var/run/dmesg.boot", "    bob@workshop.home:/usr/obj/GENERIC amd64\n", "workshop"),
        ("link:sys/class/net/enx001122334455", "../devices/usb1/net/enx001122334455", "334455"),
        ("sys/block/nvme0n1/wwid", "nvme.144d-533344-53616d-00000001\n", "533344"),
    ],
)  # fmt: skip
def test_whatever_has_the_shape_or_the_name_of_an_identifier_goes(key: str, text: str, secret: str) -> None:
    """Also where no reading found it."""
    dump = redact(Dump({key: text}, {}), [], [], SALT)
    assert secret.lower() not in (repr(dict(dump.files))).lower()


def test_placeholders_stay_what_they_are() -> None:
    """They say that there is no serial number."""
    files = {"sys/class/dmi/id/product_serial": "To Be Filled By O.E.M.\n"}
    assert redact(Dump(files, {}), [], [], SALT).files["sys/class/dmi/id/product_serial"].strip().startswith("To Be")


def test_a_written_capture_is_read_back() -> None:
    """Texts, what was not read, and the facts."""
    dump = Dump({"proc/cpuinfo": "processor : 0\n", "cmd:a": "\x00\u20ac"}, {"etc/x": "not there"})
    for vdso in (True, False, None):
        facts = ProcessFacts("linux", "ppc", 32, "big", vdso)
        assert parse_capture(write_capture(dump, facts)) == (dump, facts)


@pytest.mark.parametrize(
    ("name", "text", "system", "machine"),
    [
        ("cpuinfo.txt", "processor\t: 0\ncpu\t: 7447A\nrevision : 1.1 (pvr 8003 0101)\n", "linux", "ppc"),
        ("cpuinfo", "vendor_id       : IBM/S390\n# processors : 1\n", "linux", "s390x"),
        ("sysctl.txt", "hw.model: PowerMac3,1\nhw.cputype: 18\n", "darwin", "Power Macintosh"),
        ("sysctl-all", "hw.machine=macppc\nkern.ostype=OpenBSD\n", "openbsd", "macppc"),
        ("dmesg.boot", "Copyright (c) 1992-2023 The FreeBSD Project.\nCPU: AMD\n", "freebsd", "amd64"),
        ("system_profiler.xml", "<plist><key>cpu_type</key><string>PowerPC G4</string>", "darwin", "Power Macintosh"),
        ("lscpu.out", "Architecture:  riscv64\nCPU(s): 4\n", "linux", ""),
    ],
)
def test_a_plain_output_is_recognised_alone_and_in_a_directory(
    tmp_path: Path, name: str, text: str, system: str, machine: str
) -> None:
    """What people have at hand: one text file, whatever they called it."""
    (tmp_path / name).write_text(text, "utf-8")
    for path in (tmp_path / name, tmp_path):
        _, facts = read_capture(path)
        assert (facts.system, facts.machine) == (system, machine)


def test_a_copied_root_file_system_is_read_as_it_lies(tmp_path: Path) -> None:
    """`proc`, `sys` and a `uname` beside them."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nCPU implementer : 0x41\nCPU part : 0xd08\n", "utf-8")
    (tmp_path / "uname.txt").write_text("Linux pi 6.1.0 #1 SMP aarch64 GNU/Linux\n", "utf-8")
    dump, facts = read_capture(tmp_path)
    assert (facts.system, facts.machine, facts.word_bits) == ("linux", "aarch64", 64)
    assert read_machine(dump, facts).inventory.cpu.name == "Cortex-A72"


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "BAD_SHAPE"), ("hello", "BAD_SHAPE"), ("{", "BAD_SHAPE"), ("{}", "BAD_SHAPE"), ("[1]", "BAD_SHAPE"),
     ('{"format": "metanode-capture", "version": 2}', "BAD_SHAPE"), ("[" * 100_000, "BAD_SHAPE"),
     ('{"format": "metanode-capture", "version": 1, "files": {"a": 1}}', "BAD_SHAPE"),
     ('{"a":' * 100_000, "BAD_SHAPE")],
)  # fmt: skip
def test_what_is_no_capture_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """One line, with the file's name, and what would be right."""
    with pytest.raises(MetanodeError) as caught:
        parse_capture(text)
    assert caught.value.code == code
    (tmp_path / "odd.json").write_text(text, "utf-8")
    with pytest.raises(MetanodeError, match="odd.json: ") as caught:
        read_capture(tmp_path / "odd.json")
    assert (caught.value.code, "\n" in caught.value.message) == (code, False)


def test_files_that_are_missing_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is parsed."""
    with pytest.raises(MetanodeError, match="FILE_MISSING"):
        read_capture(tmp_path / "none")
    with pytest.raises(MetanodeError, match="BAD_SHAPE"):
        read_capture(tmp_path)
    (tmp_path / "big").write_text("x" * 100, "utf-8")
    monkeypatch.setattr(capture, "CAPTURE_BYTES_MAX", 99)
    with pytest.raises(MetanodeError, match="longer than 99"):
        read_capture(tmp_path / "big")
    monkeypatch.setattr(capture, "SOURCES_MAX", 1)
    with pytest.raises(MetanodeError, match="more than 1 sources"):
        parse_capture("==> a <==\n==> b <==\n")


def test_facts_that_make_no_sense_are_guessed_instead() -> None:
    """A capture from a stranger names any word size it likes."""
    given = {"system": 7, "machine": ["x"], "word_bits": 7, "byte_order": "middle", "has_vdso": "x"}
    files = {"proc/cpuinfo": "MMU: 68040\nCPU: 68040\n"}
    document = {"format": "metanode-capture", "version": 1, "files": files, "facts": given}
    _, facts = parse_capture(json.dumps(document))
    assert facts == ProcessFacts("linux", "m68k", 32, "big", None)
    assert replace(facts, word_bits=32) == facts

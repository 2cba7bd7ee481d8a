"""Captures: a machine's dump in one file, to be sent to others and replayed.

Written as JSON with identifiers replaced (`redact`); read as JSON, as text of `==> key <==` sections, as a
directory laid out like a root file system or holding plainly named outputs, or as one such output alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metanode.core.model.errors import MetanodeError
from metanode.platforms.captured import Dump, ProcessFacts
from metanode.platforms.files import read_text

FORMAT, VERSION = "metanode-capture", 1
CAPTURE_BYTES_MAX = 16 << 20
"""Longest capture read or written."""
SOURCES_MAX = 20_000
"""Most sources of one capture."""
NAMES_MAX = 1_000
"""Most plain files looked at in a directory."""

_SECTION = re.compile(r"^==> (.{1,300}) <==\n", re.MULTILINE)
_PLAIN_NAMES: tuple[tuple[str, str], ...] = (
    ("cpuinfo", "proc/cpuinfo"), ("meminfo", "proc/meminfo"), ("os-release", "etc/os-release"),
    ("lscpu", "cmd:lscpu"), ("cpufreq", "cmd:cpufreq-info"), ("sysctl", "cmd:sysctl -a"),
    ("system_profiler", "cmd:system_profiler"), ("ioreg", "cmd:ioreg"), ("pciconf", "cmd:pciconf -lv"),
    ("ifconfig", "cmd:ifconfig -a"), ("kenv", "cmd:kenv"), ("dmesg", "var/run/dmesg.boot"), ("sw_vers", "cmd:sw_vers"),
    ("uname", "cmd:uname -a"), ("sysinfo", "cmd:sysinfo -cpu"), ("kstat", "cmd:kstat -m cpu_info"),
    ("isainfo", "cmd:isainfo -vb"), ("facts", "facts"),
)
"""How a plain file's name begins, to the key it is read under: `sysctl.txt`, `dmesg.boot`, `system_profiler.xml`."""
_CONTENT: tuple[tuple[str, str], ...] = (
    (r"^(processor|cpu model|CPU implementer|Processor|vendor_id|MMU|ncpus active)\s*:", "proc/cpuinfo"),
    (r"<plist|^\s*Hardware Overview:", "cmd:system_profiler"),
    (r"^(hw|machdep|kern)\.\w+ ?[:=]", "cmd:sysctl -a"),
    (r"^(\[ *[0-9.]+\] )?(Copyright \(c\) .*(FreeBSD|Regents|NetBSD|OpenBSD)|CPU: |cpu0 at )", "var/run/dmesg.boot"),
    (r"^Architecture: ", "cmd:lscpu"),
    (r"^CPU #0: ", "cmd:sysinfo -cpu"),
    (r"^module: cpu_info", "cmd:kstat -m cpu_info"),
)
"""What a lone text holds, to the key it is read under."""


def read_capture(path: Path) -> tuple[Dump, ProcessFacts]:
    """Read a capture, a directory or a lone output.

    :raises MetanodeError: FILE_MISSING; BAD_SHAPE, it is too large or holds nothing that is known.
    """
    if path.is_dir():
        return _read_directory(path)
    try:
        with path.open("rb") as file:
            data = file.read(CAPTURE_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise MetanodeError("FILE_MISSING", f"{path} does not exist", "a capture, or a directory of outputs") from error
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(data) > CAPTURE_BYTES_MAX:
        raise _bad(f"{path} is longer than {CAPTURE_BYTES_MAX} bytes")
    try:
        return parse_capture(data.decode("utf-8", "replace"))
    except MetanodeError as error:
        raise _bad(f"{path}: {error.message}") from error


def parse_capture(text: str) -> tuple[Dump, ProcessFacts]:
    """Read a capture's text, whichever of the forms it has.

    :raises MetanodeError: BAD_SHAPE.
    """
    if text.lstrip()[:1] == "{":
        return _parse_json(text)
    sections = _SECTION.split(text)
    if len(sections) > 1:
        files = dict(zip(sections[1::2], sections[2::2], strict=True))
        return _dump(files, {}, _parse_facts(sections[0]))
    for pattern, key in _CONTENT:
        if re.search(pattern, text, re.MULTILINE):
            return _dump({key: text}, {}, {})
    raise _bad("this is no capture and no output that is known")


def write_capture(dump: Dump, facts: ProcessFacts) -> str:
    """Return the JSON text of a dump, as it is: what is to leave the machine goes through `redact` first."""
    process = {
        "system": facts.system, "machine": facts.machine, "word_bits": facts.word_bits,
        "byte_order": facts.byte_order, "has_vdso": facts.has_vdso,
    }  # fmt: skip
    document = {
        "format": FORMAT, "version": VERSION, "facts": process, "files": dict(dump.files), "unread": dict(dump.unread),
    }  # fmt: skip
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _parse_json(text: str) -> tuple[Dump, ProcessFacts]:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("it is not JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT or document.get("version") != VERSION:
        raise _bad(f"it is not {FORMAT} of version {VERSION}")
    facts = document.get("facts")
    return _dump(_texts(document, "files"), _texts(document, "unread"), facts if isinstance(facts, dict) else {})


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str]:
    found = document.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _bad(f"{name} is not a table of texts")
    return found


def _read_directory(path: Path) -> tuple[Dump, ProcessFacts]:
    """Read a directory laid out like a root file system, or one of plainly named outputs."""
    if (path / "proc").is_dir() or (path / "sys").is_dir():
        from metanode.platforms.linux.dump import read_dump

        dump = read_dump(path)
        files, unread = dict(dump.files), dict(dump.unread)
    else:
        files, unread = {}, {}
    for item in sorted(path.iterdir())[:NAMES_MAX]:
        key = next((key for beginning, key in _PLAIN_NAMES if item.name.lower().startswith(beginning)), "")
        if key and item.is_file():
            text, reason = read_text(item)
            # Two files of one kind stay apart: `sysctl-hw.txt` and `sysctl-machdep.txt`.
            key = f"{key} {item.name}" if key in files and key.startswith("cmd:") else key
            if text is None:
                unread[key] = reason
            else:
                files.setdefault(key, text)
    if not files:
        raise _bad(f"{path} holds no output that is known")
    return _dump(files, unread, _parse_facts(files.pop("facts", "")))


def _parse_facts(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines()[:NAMES_MAX] if " " in line)


def _dump(files: dict[str, str], unread: dict[str, str], given: Mapping[str, Any]) -> tuple[Dump, ProcessFacts]:
    if len(files) > SOURCES_MAX:
        raise _bad(f"it has more than {SOURCES_MAX} sources")
    from metanode.fingerprint.guess import guess_facts

    return Dump(files, unread), guess_facts(files, given)


def _bad(message: str) -> MetanodeError:
    return MetanodeError("BAD_SHAPE", message, "a file of --capture, or outputs as docs/fingerprint.md lists them")

"""Take identifiers out of a dump before it leaves the machine, in place, so that it still reads as it did.

Every hardware address, serial number, UUID, machine id, host name and network address is replaced by a hash
under a salt that is thrown away: within one capture equal values stay equal, and nothing can be guessed back.
The maker's half of a hardware address stays, because it tells a virtual network card from a real one.

The identifiers that a reading finds, and the names of this host, are replaced wherever they stand, in texts and in
keys; so is whatever has the shape of one, and what stands behind a name that tells of one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable

from metanode.fingerprint.identifiers import PLACEHOLDERS, Identifier
from metanode.platforms.captured import Dump

SALT_BYTES = 32
VALUE_CHARS_MIN = 4
"""Shorter values stand in too many other words to be replaced wherever they stand."""
DEFAULT_NAMES = frozenset({
    "localhost", "linux", "debian", "ubuntu", "fedora", "raspberrypi", "freebsd", "openbsd", "netbsd", "macbook",
    "imac", "mac", "mini", "powerbook", "root", "amd64", "x86_64", "powerpc", "none", "(none)",
})
"""Host names that systems come with: they name nobody, and stand in other texts."""

_HEX2 = "[0-9A-Fa-f]{2}"
_MAC = re.compile(rf"(?<![0-9A-Fa-f:])((?:{_HEX2}:){{2}}{_HEX2}):((?:{_HEX2}:){{2}}{_HEX2})(?![0-9A-Fa-f:])")
_MAC_IN_NAME = re.compile(r"(?<=enx)[0-9a-f]{12}(?![0-9a-f])|(?<=wlx)[0-9a-f]{12}(?![0-9a-f])")
_SHAPES = (
    re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"),  # UUIDs
    re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{24,128}(?![0-9A-Za-z])"),  # machine ids, containers
    re.compile(r"\b(?:naa|eui|nvme|t10|wwn)\.[^\s\"]{6,120}", re.IGNORECASE),  # world-wide names of disks
    re.compile(r"(?<=inet )[0-9.]{7,15}|(?<=broadcast )[0-9.]{7,15}|(?<=--> )[0-9.]{7,15}"),
    re.compile(r"(?<=inet6 )[0-9A-Fa-f:.]{3,45}"),
    re.compile(r"[\w.+-]{1,64}@[\w-][\w.-]{0,64}(?=:/)"),  # who built a kernel, and where
    re.compile(r"(?<=identification = )[0-9A-F]{1,8}"),  # s390: the serial number of the machine
)
_TELLING = (
    r"serial|uuid|udid|host_?name|host name|host id|asset|sequence code|nodename|computer name|user_?name|lpar name|"
    r"vm[0-9]{2} name|system id|software id|mac-address"
)
_BEHIND_NAMES = (
    re.compile(
        rf"^([^\n:=<]{{0,80}}?(?:{_TELLING})[^\n:=<]{{0,40}}[:=][ \t]*[\"<]?)([^\n\"<>]{{1,200}})",
        re.IGNORECASE | re.M,
    ),
    re.compile(
        rf"(<key>[^<\n]{{0,40}}(?:{_TELLING})[^<\n]{{0,40}}</key>\s{{0,40}}<string>)([^<]{{1,200}})", re.IGNORECASE
    ),
    re.compile(rf"(\"[^\"\n]{{0,40}}(?:{_TELLING})[^\"\n]{{0,40}}\" ?= ?[\"<]?)([^\">\n]{{1,120}})", re.IGNORECASE),
    re.compile(r"^(\s*(?:ident|lunid|lunname): )(\S.{0,120})$", re.M),
)
_WHOLE = ("machine-id", "/serial", "/wwid", "/cid", "_serial", "product_uuid", "/serial-number", "_asset_tag")
"""Ends of keys whose whole text is an identifier."""
_KEPT_VALUES = PLACEHOLDERS | {"(null)", "unknown", "uninitialized"}
"""What says that there is no identifier."""


def redact(dump: Dump, identifiers: Iterable[Identifier], names: Iterable[str], salt: bytes) -> Dump:
    """Return the dump without identifiers.

    :param identifiers: what a reading found in it.
    :param names: names of this host, wherever they may stand.
    :param salt: random bytes that are kept nowhere.
    """
    assert len(salt) >= SALT_BYTES
    values = {item.value for item in identifiers}
    values |= {text.strip() for key, text in dump.files.items() if key.endswith(_WHOLE)}
    mask = _Mask(values, names, salt)
    files = {mask(key): mask.whole(text) if key.endswith(_WHOLE) else mask(text) for key, text in dump.files.items()}
    return Dump(files, {mask(key): mask(reason) for key, reason in dump.unread.items()})


def host_names() -> tuple[str, ...]:
    """Return the names of this host, with and without its domain."""
    name = os.uname().nodename
    return name, name.partition(".")[0]


class _Mask:
    """Replaces identifiers in texts; the same one always by the same hash."""

    def __init__(self, values: Iterable[str], names: Iterable[str], salt: bytes) -> None:
        self._salt = salt
        self._made: set[str] = set()
        """What was put in: later patterns leave it alone."""
        self._values = _any_of(_forms(values), "")
        self._names = _any_of({name for name in names if len(name) > 1 and name.lower() not in DEFAULT_NAMES}, r"\b")

    def __call__(self, text: str) -> str:
        text = _MAC.sub(self._mac, text)
        text = _MAC_IN_NAME.sub(lambda match: match[0][:6] + self._digits(match[0], 6), text)
        for pattern in (self._values, self._names, *_SHAPES):
            if pattern is not None:
                text = pattern.sub(lambda match: self._replacement(match[0]), text)
        for pattern in _BEHIND_NAMES:
            text = pattern.sub(lambda match: match[1] + self._replacement(match[2]), text)
        return text

    def whole(self, text: str) -> str:
        """Replace a text that is nothing but an identifier."""
        value = text.strip()
        return text if _MAC.fullmatch(value) else f"{self._replacement(value)}\n"

    def _replacement(self, value: str) -> str:
        """Return a hash in the shape of the value: a UUID stays one, hexadecimal digits stay as many."""
        stripped = value.strip()
        if stripped.lower() in _KEPT_VALUES or stripped in self._made:
            return value
        if _SHAPES[0].fullmatch(stripped):
            digits = self._digits(stripped, 32)
            made = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        elif len(stripped) >= 8 and re.fullmatch("[0-9a-fA-F]+", stripped):
            made = self._digits(stripped, len(stripped))
        else:
            made = f"salted-{self._digits(stripped, 12)}"
        self._made.add(made)
        return made

    def _mac(self, match: re.Match[str]) -> str:
        """Keep the maker's half; what is left of the other is its hash."""
        if match[0] in self._made or set(match[0]) <= set("0:") or set(match[0].lower()) <= set("f:"):
            return match[0]
        digits = self._digits(match[0], 6)
        made = f"{match[1].lower()}:{digits[:2]}:{digits[2:4]}:{digits[4:]}"
        self._made.add(made)
        return made

    def _digits(self, value: str, count: int) -> str:
        found = ""
        while len(found) < count:
            found += hashlib.blake2b(value.lower().encode() + found.encode(), key=self._salt).hexdigest()
        return found[:count]


def _forms(values: Iterable[str]) -> set[str]:
    """Return the values and the ways they are also written: without separators, as hexadecimal digits of their text."""
    forms: set[str] = set()
    for value in values:
        stripped = value.strip()
        if stripped.lower() not in _KEPT_VALUES:
            forms |= {stripped, re.sub(r"[:\-. ]", "", stripped), stripped.encode().hex()}
    # A hardware address keeps its maker's half, so it is not replaced as a whole.
    return {form for form in forms if len(form) >= VALUE_CHARS_MIN and not _MAC.fullmatch(form)}


def _any_of(forms: Iterable[str], edge: str) -> re.Pattern[str] | None:
    """Return a pattern of all of them, longest first; None when there are none."""
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    if not longest_first:
        return None
    return re.compile(f"{edge}(?:{'|'.join(map(re.escape, longest_first))}){edge}", re.IGNORECASE)

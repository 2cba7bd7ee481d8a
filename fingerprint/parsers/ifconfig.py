"""Hardware addresses from `ifconfig -a` of macOS and the BSDs."""

from __future__ import annotations

import re

from metanode.fingerprint.parsers.text import bounded_lines

INTERFACES_MAX = 512
"""Most network cards looked at."""
_HEAD = re.compile(r"([a-zA-Z][\w.-]{0,15}): flags=")
_ADDRESS = re.compile(r"\s+(ether|hwaddr|lladdr|address:?) ([0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5})\b")
_SOFTWARE = (
    "lo", "gif", "stf", "bridge", "vmnet", "utun", "awdl", "llw", "p2p", "ap", "tap", "tun", "vlan", "feth", "anpi",
    "vboxnet", "epair", "lagg", "carp", "wg", "pflog", "pfsync", "enc", "vether", "veb", "trunk", "aggr", "vm-", "fw",
)  # fmt: skip
"""How interfaces begin that no network card stands behind."""


_PLUGGED = (
    "ue", "axe", "axen", "aue", "cue", "kue", "udav", "url", "ure", "ugl", "cdce", "urndis", "umb", "rum", "run",
    "ural", "urtw", "urtwn", "rsu", "uath", "upgt", "zyd", "atu", "otus", "bwfm",
)  # fmt: skip
"""Drivers of the BSDs for what is plugged into USB."""


def hardware_addresses(text: str, built_in: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
    """Return (`mac` or `weak_mac`, address) of each card.

    Weak is what may change tomorrow: an address that software made up, and a card behind USB.

    :param built_in: the only interfaces that are surely built in, where names do not tell; () all but USB drivers.
    """
    found: dict[str, str] = {}
    name = ""
    for line in bounded_lines(text):
        head = _HEAD.match(line)
        if head:
            name = head.group(1)
        elif line[:1].isalnum():
            name = ""
        address = _ADDRESS.match(line)
        if address is None or not name or name.startswith(_SOFTWARE) or len(found) == INTERFACES_MAX:
            continue
        # FreeBSD shows the permanent address as `hwaddr` where another is in use.
        if address.group(1) == "hwaddr" or name not in found:
            found[name] = ":".join(byte.zfill(2) for byte in address.group(2).lower().split(":"))
    return tuple(sorted({
        ("weak_mac" if int(mac[:2], 16) & 2 or _may_go(name, built_in) else "mac", mac)
        for name, mac in found.items() if mac not in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")
    }))  # fmt: skip


def _may_go(name: str, built_in: tuple[str, ...]) -> bool:
    return name not in built_in if built_in else name.rstrip("0123456789") in _PLUGGED

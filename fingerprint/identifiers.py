"""Identifiers of a machine, and the one tag that binds a machine to its record.

Identifiers never leave the machine in clear.  The binding tag is a hash over the strongest
kind that any user of the machine may read, so that one box gives one tag whoever runs the
miner; what only root may read is shown (hashed) but does not enter it.  A tag is a
pseudonym, not anonymity: who knows the identifiers can recompute it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from metanode.core.model.codec import encode
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.fingerprint.parsers.cpuinfo import parse_cpuinfo
from metanode.fingerprint.parsers.devices import parse_disks, parse_nics
from metanode.fingerprint.parsers.dmi import DMI_DIRECTORY
from metanode.fingerprint.parsers.text import clean

SHOWN_HASH_BYTES = 8
"""Bytes of a salted hash that a report shows."""
PLACEHOLDERS = {
    "", "0", "none", "not specified", "default string", "to be filled by o.e.m.", "system serial number",
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009", "0000000000000000",
}
"""Values that many machines share; they identify nothing."""


@dataclass(frozen=True, order=True)
class Identifier:
    """One identifier.  `kind` is mac, disk, soc_serial, machine_id, dmi_uuid, dmi_serial, board_serial or weak_*."""

    kind: str
    value: str
    """The identifier in clear: stays in memory."""

    def __repr__(self) -> str:
        return f"Identifier({self.kind!r}, <hidden>)"


def find_identifiers(files: Mapping[str, str], more: Iterable[tuple[str, str]] = ()) -> tuple[Identifier, ...]:
    """Return the identifiers in a dump, sorted, and those of `more` (kind, value) that identify anything.

    Made-up hardware addresses, virtual disks and removable devices are weak: they are shown
    with a `weak_` kind and never bind.
    """
    found: set[Identifier] = set()
    for nic in parse_nics(files):
        if nic.mac:
            weak = nic.locally_administered or nic.removable or "/virtio" in nic.device_path
            found.add(Identifier("weak_mac" if weak else "mac", nic.mac))
    for disk in parse_disks(files):
        if disk.serial.lower() not in PLACEHOLDERS:
            weak = disk.removable or disk.name.startswith(("vd", "xvd", "fd", "sr")) or "qemu" in disk.serial.lower()
            found.add(Identifier("weak_disk" if weak else "disk", disk.serial))
    single = {
        "machine_id": files.get("etc/machine-id", ""),
        "dmi_uuid": files.get(DMI_DIRECTORY + "product_uuid", ""),
        "dmi_serial": files.get(DMI_DIRECTORY + "product_serial", ""),
        "board_serial": files.get(DMI_DIRECTORY + "board_serial", ""),
        "soc_serial": parse_cpuinfo(files.get("proc/cpuinfo", "")).serial,
    }
    for kind, text in single.items():
        value = clean(text).lower()
        if value not in PLACEHOLDERS and value != "uninitialized":
            found.add(Identifier(kind, value))
    found.update(Identifier(kind, value) for kind, value in more if value.lower() not in PLACEHOLDERS)
    return tuple(sorted(found))


def binding_basis(identifiers: Sequence[Identifier]) -> tuple[str, tuple[Identifier, ...]]:
    """Return (one of `inventory.BINDINGS`, the identifiers the tag is made of)."""
    for name, kinds in (("mac", ("mac", "soc_serial")), ("disk", ("disk",)), ("machine_id", ("machine_id",))):
        basis = tuple(sorted(item for item in identifiers if item.kind in kinds))
        if basis:
            return name, basis
    return "none", ()


def binding_tag(identifiers: Sequence[Identifier], genesis_hash: bytes) -> bytes:
    """Return the 32-byte tag of this machine on one chain; the order given does not matter.

    H(identity, genesis_hash || CBOR array of [kind, value] by rising kind and value).

    :raises Rejection: UNSUPPORTED_PLATFORM, nothing readable tells this machine from another.
    """
    _, basis = binding_basis(identifiers)
    if not basis:
        raise Rejection(
            "UNSUPPORTED_PLATFORM",
            "nothing readable tells this machine from another",
            "a network card or disk of its own, or a readable /etc/machine-id",
        )
    return H("identity", genesis_hash + encode([[item.kind, item.value] for item in basis]))


def salted_hash(identifier: Identifier, salt: bytes) -> str:
    """Return a short hash to show: equal only under the same salt, worthless for guessing under a random one."""
    return H("identity", salt + encode([identifier.kind, identifier.value]))[:SHOWN_HASH_BYTES].hex()

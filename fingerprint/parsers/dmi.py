"""Names that PC firmware gives to the machine (SMBIOS through sysfs), without serial numbers.

Source: DMTF DSP0134 (SMBIOS), types 0 to 3; drivers/firmware/dmi-id.c of the Linux sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metanode.fingerprint.parsers.text import clean, decimal

DMI_DIRECTORY = "sys/class/dmi/id/"
_PLACEHOLDERS = {
    "", "to be filled by o.e.m.", "default string", "system manufacturer", "system product name", "not specified",
    "none", "n/a", "o.e.m.", "unknown",
}


@dataclass(frozen=True)
class Dmi:
    """Vendor and product strings.  "" where firmware is silent or says a placeholder."""

    sys_vendor: str = ""
    product_name: str = ""
    board_vendor: str = ""
    board_name: str = ""
    bios_vendor: str = ""
    bios_version: str = ""
    chassis_type: int = 0
    """SMBIOS chassis type, for example 3 desktop, 10 notebook, 23 rack mount; 0 unknown."""
    problems: tuple[str, ...] = ()


def parse_dmi(files: Mapping[str, str]) -> Dmi:
    """Read the strings from a dump; never raises."""

    def text(name: str) -> str:
        cleaned = clean(files.get(DMI_DIRECTORY + name, ""))
        return "" if cleaned.lower() in _PLACEHOLDERS else cleaned

    if not any(path.startswith(DMI_DIRECTORY) for path in files):
        return Dmi(problems=("dmi: this machine shows no SMBIOS strings",))
    chassis = decimal(files.get(DMI_DIRECTORY + "chassis_type", ""))
    return Dmi(
        sys_vendor=text("sys_vendor"),
        product_name=text("product_name"),
        board_vendor=text("board_vendor"),
        board_name=text("board_name"),
        bios_vendor=text("bios_vendor"),
        bios_version=text("bios_version"),
        chassis_type=chassis if chassis is not None and chassis < 256 else 0,
        problems=() if chassis is not None else ("dmi: no chassis type",),
    )

"""Features that every processor of a generation has and that hypervisors are known to hide.

A processor without them is none that was sold.  It is a hint, because a kernel can be told to hide
features as well.  Names are Linux's.
"""

from __future__ import annotations

_THERMAL = frozenset({"acpi", "tm", "pbe", "dts"})
"""On every Intel processor from the Pentium 4 and the Pentium M on; no hypervisor passes all of them on."""
_WITHOUT_THERMAL = {1, 3, 5, 6, 7, 8, 10, 11}
_NEHALEM_OR_LATER = {
    26, 30, 31, 46, 37, 44, 47, 42, 45, 58, 62, 60, 63, 69, 70, 61, 71, 79, 86, 78, 94, 85, 142, 158, 165, 166,
}
_FIRST_ZEN = 0x17
_NAMED_EARLIER = "ssse3"
"""A kernel that has no name for this feature (Linux before 2.6.20) has none for sse4_2 either."""
_WHOLE_LIST = "msr"
"""Listings that name this feature of kernels name all; `isainfo` of Solaris only lists what programs may use."""


def masked_features(vendor: str, family: int, model: int, flags: frozenset[str]) -> str:
    """Return what is missing, in a few words; "" when nothing is, or when it cannot be told."""
    if not flags or "hypervisor" in flags:
        return ""
    if vendor == "GenuineIntel":
        thermal = (family == 6 and model not in _WITHOUT_THERMAL and model > 0) or family == 15
        if thermal and _WHOLE_LIST in flags and not flags & _THERMAL:
            return "acpi, tm, pbe and dts missing"
        if family == 6 and model in _NEHALEM_OR_LATER and _NAMED_EARLIER in flags and "sse4_2" not in flags:
            return "sse4_2 missing"
    if vendor == "AuthenticAMD" and family >= _FIRST_ZEN and "fma" not in flags:
        return "fma missing"
    return ""

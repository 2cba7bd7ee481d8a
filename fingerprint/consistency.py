"""Contradictions within an inventory: facts that no one real machine shows together.

Real machines vary, so only what the architecture itself rules out counts: a feature on a
processor generation that cannot have it, a width the kernel could not run on.  Rules about
clock, bogomips or memory sizes would reject real machines and are left out on purpose.
"""

from __future__ import annotations

from metanode.fingerprint.checks import FAIL, PASS, UNMEASURED, Check
from metanode.fingerprint.classes import X86_MACHINES
from metanode.fingerprint.inventory import Inventory

FEATURE_NEEDS: dict[str, tuple[str, ...]] = {
    "sse": ("mmx",),
    "sse2": ("sse",),
    "pni": ("sse2",),
    "ssse3": ("pni",),
    "sse4_1": ("ssse3",),
    "sse4_2": ("sse4_1",),
    "lm": ("sse2", "pae", "cx8", "cmov"),
}
"""x86: a processor with the left feature has the right ones.  AVX and later are left out: kernels and
firmware can mask parts of them.  Source: Intel SDM volume 1, chapters 11 and 12."""

FIRST_INTEL_FAMILY: dict[str, int] = {"cmov": 6, "sse": 6, "sse2": 6, "lm": 6, "avx": 6, "mmx": 5, "tsc": 5, "cx8": 5}
"""No Intel processor of an earlier family has the feature; other makers mixed them more freely."""

_32_BIT_MODELS = (1, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14)
OLD_MODELS_WITHOUT: dict[str, tuple[str, tuple[int, ...]]] = {
    "avx": ("Westmere or older", (*_32_BIT_MODELS, 15, 22, 23, 26, 28, 29, 30, 31, 37, 44, 46, 47)),
    "avx2": ("Ivy Bridge or older", (42, 45, 58, 62)),
    "lm": ("32-bit generation", _32_BIT_MODELS),
}
"""Intel family 6: models that came out before the feature existed."""


def contradictions(inventory: Inventory) -> tuple[str, ...]:
    """Return each contradiction in words, in a fixed order; empty when everything fits."""
    cpu, features = inventory.cpu, set(inventory.features)
    found: list[str] = []
    if inventory.machine not in X86_MACHINES:
        return ()
    for feature, needed in FEATURE_NEEDS.items():
        missing = [name for name in needed if name not in features]
        if feature in features and missing:
            found.append(f"{feature} without {missing[0]}")
    if cpu.vendor == "GenuineIntel":
        for feature, family in FIRST_INTEL_FAMILY.items():
            if feature in features and 3 <= cpu.family < family:
                found.append(f"{feature} on an Intel processor of family {cpu.family}")
        for feature, (words, models) in OLD_MODELS_WITHOUT.items():
            if feature in features and cpu.family == 6 and cpu.model in models:
                found.append(f"{feature} on Intel model {cpu.model} ({words})")
    if cpu.vendor == "AuthenticAMD" and "avx" in features and cpu.family < 0x15:
        found.append(f"avx on an AMD processor of family {cpu.family}")
    if inventory.machine in ("x86_64", "amd64") and features and "lm" not in features:
        found.append("a 64-bit kernel on a processor without long mode")
    if inventory.byte_order != "little":
        found.append("x86 with big-endian byte order")
    if cpu.threads and cpu.cores > cpu.threads:
        found.append(f"{cpu.cores} cores but {cpu.threads} threads")
    return tuple(found)


def check_consistency(inventory: Inventory) -> Check:
    """Return the check over all rules: unmeasured where no rule fits the architecture."""
    if inventory.machine not in X86_MACHINES or not inventory.cpu.vendor or not inventory.features:
        return Check("consistency", UNMEASURED, "NO_MODEL_DATA")
    found = contradictions(inventory)
    if found:
        return Check("consistency", FAIL, "CONTRADICTION", (("contradictions", len(found)),))
    return Check("consistency", PASS, "CONSISTENT", (("contradictions", 0),))

"""The signature of an x86 processor (CPUID leaf 1, EAX) as family, model and stepping.

Source: Intel SDM volume 2, CPUID; AMD's CPUID specification uses the same rule.
"""

from __future__ import annotations


def family_model_stepping(signature: int) -> tuple[int, int, int]:
    """Return the three numbers as every system shows them."""
    family, model = signature >> 8 & 0xF, signature >> 4 & 0xF
    if family in (6, 15):
        model |= (signature >> 16 & 0xF) << 4
    if family == 15:
        family += signature >> 20 & 0xFF
    return family, model, signature & 0xF

"""x86 features by the names of Linux, from those that macOS, the BSDs, Solaris and Haiku print."""

from __future__ import annotations

from collections.abc import Iterable

_NAMES: dict[str, str] = {
    "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "avx1.0": "avx", "em64t": "lm", "xd": "nx", "64": "lm",
    "vmm": "hypervisor", "hv": "hypervisor", "ds": "dts", "clfsh": "clflush", "cflush": "clflush", "htt": "ht",
    "amd_sse4a": "sse4a", "amd_svm": "svm", "aesni": "aes", "sha": "sha_ni", "rdrnd": "rdrand", "fxstr": "fxsr",
    "mon": "monitor", "3dnow!": "3dnow", "pclmuldq": "pclmulqdq", "moveb": "movbe",
    "amd-mmx": "mmxext", "mmx+": "mmxext",
}
FEATURES_MAX = 1_024
"""Most names looked at."""


def linux_features(names: Iterable[str]) -> frozenset[str]:
    """Return the features of a listing."""
    found = set()
    for count, name in enumerate(names):
        if count == FEATURES_MAX:
            break
        lowered = name.strip().lower()
        if lowered and lowered.isascii() and lowered.isprintable():
            found.add(_NAMES.get(lowered, lowered))
    return frozenset(found)

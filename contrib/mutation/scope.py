"""Which modules are mutated, and which tests look at each: its own first, those of its whole part for what survives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PARTS = {
    "core/model": ("tests/core/model",),
    "plugins/ledger/attested": ("tests/plugins/ledger",),
    "fingerprint": ("tests/fingerprint",),
    "fingerprint/consistency": ("tests/fingerprint",),
}
"""Folder of modules, and the tests of the part."""
NOT_RULES = frozenset({"plugin", "routes", "routes_views", "replies", "records", "sponsor"})
"""Of the ledger: its wiring and its HTTP face, which are not rules of the chain."""
SCORING = ("scoring", "classes", "models", "samples", "keyed", "multipliers", "virtual", "inventory")
OWN = {
    "core/model/edwards25519": ("test_ed25519.py", "test_ecvrf.py"),
    "core/model/params": ("test_genesis.py",),
    "core/model/sorted_map": ("test_state_map.py",),
    "core/model/strict_json": ("test_decimal_json.py", "test_genesis.py"),
    "plugins/ledger/attested/admission": ("test_validity.py",),
    "plugins/ledger/attested/challenges": ("test_attest.py",),
    "plugins/ledger/attested/entries": ("test_state.py",),
    "plugins/ledger/attested/execute": ("test_transfer.py", "test_machines.py"),
    "plugins/ledger/attested/fields": ("test_state.py",),
    "plugins/ledger/attested/ledger": ("test_contract.py",),
    "plugins/ledger/attested/rules": ("test_contract.py",),
    "plugins/ledger/attested/schedule": ("test_settlement.py", "test_attest.py"),
    "plugins/ledger/attested/supply": ("test_state.py", "test_settlement.py"),
    "plugins/ledger/attested/tables": ("test_state.py",),
    "plugins/ledger/attested/verdicts": ("test_validity.py",),
    "plugins/ledger/attested/views": ("test_contract.py",),
    "fingerprint/consistency/board": ("test_consistency.py",),
    "fingerprint/consistency/contradiction": ("test_consistency.py",),
    "fingerprint/consistency/processor": ("test_consistency.py", "test_consistency_x86.py"),
    "fingerprint/classes": ("test_every_model.py", "test_scoring.py", "test_multipliers.py"),
}
"""Own tests of a module where they are not `test_<module>.py`."""


@dataclass(frozen=True)
class Scope:
    """A module that is mutated, and its tests."""

    name: str
    path: Path
    own: tuple[str, ...]
    wider: tuple[str, ...]

    @property
    def dotted(self) -> str:
        return "metanode." + self.name.replace("/", ".")


def scopes(root: Path) -> list[Scope]:
    """Return the modules in scope, in a fixed order."""
    found = []
    for part, wider in PARTS.items():
        for path in sorted((root / part).glob("*.py")):
            if path.stem in {"__init__"} | NOT_RULES or (part == "fingerprint" and path.stem not in SCORING):
                continue
            name = f"{part}/{path.stem}"
            own = [f"{wider[0]}/{test}" for test in OWN.get(name, (f"test_{path.stem}.py",))]
            found.append(Scope(name, path, tuple(test for test in own if (root / test).is_file()), wider))
    return found

"""Hold the line budgets of the architecture: `python contrib/ci/size.py`.  Over budget needs a page in docs/decisions/."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
KERNEL = (
    "core/kernel.py",
    "core/supervision.py",
    "core/loading.py",
    "core/settings.py",
    "core/roles.py",
    "core/hooks.py",
)
KERNEL_LINES_MAX = 1_500
CORE_LINES_MAX = 8_000
PLUGIN_LINES_MAX = 1_500
SHIPPED_LINES_MAX = 45_000


def lines(paths: Iterable[Path]) -> int:
    """Count the lines of source files, blank and comment lines included."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def sources(folder: Path) -> list[Path]:
    """Python and C files below a folder."""
    return [path for pattern in ("*.py", "*.c", "*.h") for path in sorted(folder.rglob(pattern))]


def main() -> int:
    """Print each budget and return 1 when one is overrun."""
    rows = [
        ("kernel", lines(ROOT / name for name in KERNEL if (ROOT / name).exists()), KERNEL_LINES_MAX),
        ("core", lines(sources(ROOT / "core")), CORE_LINES_MAX),
    ]
    for manifest in sorted((ROOT / "plugins").glob("*/*/plugin.toml")):
        folder = manifest.parent
        rows.append((f"plugins/{folder.parent.name}/{folder.name}", lines(sources(folder)), PLUGIN_LINES_MAX))
    rows.append(("shipped", sum(lines(sources(ROOT / folder)) for folder in SHIPPED), SHIPPED_LINES_MAX))
    for name, count, budget in rows:
        print(f"{name:32} {count:6} of {budget:6}{'' if count <= budget else '  OVER'}")
    return int(any(count > budget for _, count, budget in rows))


if __name__ == "__main__":
    sys.exit(main())

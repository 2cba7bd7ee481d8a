"""Hold the line budgets of the architecture: `python contrib/ci/size.py`.

A budget counts lines of code: neither blank nor only a comment nor a docstring (docs/decisions/0006-line-budgets.md).
Over budget needs a decision page, named in `DECIDED`.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
KERNEL = ("kernel", "supervision", "dispatch", "loading", "settings", "roles", "hooks")
KERNEL_LINES_MAX = 1_500
CORE_LINES_MAX = 8_000
VERBS_LINES_MAX = 4_500
KIT_LINES_MAX = 2_500
PLUGIN_LINES_MAX = 1_500
SHIPPED_LINES_MAX = 45_000
DECIDED = {"plugins/ledger/attested": (3_000, "docs/decisions/0006-line-budgets.md")}
"""Other budgets for single folders, and the page that says why."""

_SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(path: Path) -> int:
    """Count a file's lines of code; in C, those that are not blank."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return sum(1 for line in text.splitlines() if line.strip())
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def count(paths: Iterable[Path]) -> int:
    """Count the lines of code of several files."""
    return sum(code_lines(path) for path in paths)


def sources(folder: Path) -> list[Path]:
    """Python and C files below a folder."""
    return [path for pattern in ("*.py", "*.c", "*.h") for path in sorted(folder.rglob(pattern))]


def main() -> int:
    """Print each budget and return 1 when one is overrun."""
    kit, verbs = sources(ROOT / "core" / "testing"), sources(ROOT / "core" / "cli")
    rows = [
        ("kernel", count(ROOT / "core" / f"{name}.py" for name in KERNEL), KERNEL_LINES_MAX),
        ("core", count(set(sources(ROOT / "core")) - set(kit) - set(verbs)), CORE_LINES_MAX),
        ("core/cli", count(verbs), VERBS_LINES_MAX),
        ("core/testing", count(kit), KIT_LINES_MAX),
    ]
    for manifest in sorted((ROOT / "plugins").glob("*/*/plugin.toml")):
        name = str(manifest.parent.relative_to(ROOT))
        rows.append((name, count(sources(manifest.parent)), DECIDED.get(name, (PLUGIN_LINES_MAX, ""))[0]))
    rows.append(("shipped", sum(count(sources(ROOT / folder)) for folder in SHIPPED), SHIPPED_LINES_MAX))
    for name, lines, budget in rows:
        page = DECIDED.get(name, (0, ""))[1]
        print(f"{name:28} {lines:6} of {budget:6}{'' if lines <= budget else '  OVER'}{f'  ({page})' if page else ''}")
    return int(any(lines > budget for _, lines, budget in rows))


if __name__ == "__main__":
    sys.exit(main())

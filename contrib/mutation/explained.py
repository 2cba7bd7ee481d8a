"""The survivors that docs/mutation.md explains: rows `| module | line | function | change | why |` of its tables."""

from __future__ import annotations

from pathlib import Path


def explained(page: Path) -> dict[tuple[str, str, str], str]:
    """Return (module, function, change) and the reason for each row; a `\\|` in a cell is a bar."""
    found = {}
    for line in page.read_text("utf-8").splitlines() if page.is_file() else []:
        cells = [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip().strip("|").split("|")]
        if len(cells) == 5 and " => " in cells[3]:
            module, _, function, change, why = (cell.strip("`") for cell in cells)
            found[module, function, change] = why
    return found

"""What a verb is, its exit codes, and where verbs are found.

A verb is announced by data (`verbs.toml`: where its code is, one line of help, a group and
examples) and imported only when it is used, so that `metanode --help` loads nothing.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from metanode.core.discovery import PACKAGE_DIR, data_files
from metanode.core.manifests import read_toml, shown
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError

ENTRY_POINT_GROUP = "metanode.verbs"
"""Values name a package and its verbs file, `package:verbs.toml`."""

EXIT_OK = 0
EXIT_FAILED = 1
"""A `MetanodeError`: one line says what was wrong and what is expected."""
EXIT_USAGE = 2
EXIT_POLICY = 10
EXIT_CONSENSUS = 20
EXIT_DA = 30
EXIT_ANCHOR = 40
EXIT_INTERRUPTED = 130

GROUPS: dict[str, str] = {
    "start": "Get going",
    "operate": "Operate a node",
    "money": "Keys, money and proofs",
    "machine": "Machines and mining",
    "understand": "Understand",
    "other": "More",
}
"""Headings of `metanode --help`, in order."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Verb(Protocol):
    """What the object named by `import` in verbs.toml must be."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments.

        The frame has already added the global ones (`--json`, `--home`, `--no-color`), the
        help line and, as the epilog, the examples of verbs.toml.
        """

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code.

        :param args: the parsed arguments, and from the frame `json` (bool), `home` (`Path`)
            and `console` (`metanode.core.cli.console.Console`), through which a verb answers.
        :raises MetanodeError: refused; the frame prints its one line and returns EXIT_FAILED
            (EXIT_USAGE for code USAGE).
        """


@dataclass(frozen=True)
class VerbEntry:
    """One verb as its file announces it."""

    name: str
    import_path: str
    """`module:OBJECT`."""
    help: str
    group: str
    examples: tuple[str, ...]
    source: Path

    def load(self) -> Verb:
        """Import the verb.

        :raises PluginError: its module or object cannot be loaded.
        """
        module_name, _, attribute = self.import_path.partition(":")
        try:
            verb: Verb = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError, SyntaxError) as error:
            raise PluginError(
                "PLUGIN_BROKEN",
                f"command {self.name} cannot be loaded: {type(error).__name__}: {error}",
                f"{self.import_path} importable, as {self.source} says",
            ) from error
        return verb


def find_verbs() -> dict[str, VerbEntry]:
    """Read every verbs file that is installed; the first to name a verb keeps it.

    Built-in files come first.  A file of another package that cannot be read costs only its own verbs.
    """
    found: dict[str, VerbEntry] = {}
    builtin = [*sorted(PACKAGE_DIR.glob("*/verbs.toml")), *sorted(PACKAGE_DIR.glob("*/*/verbs.toml"))]
    known = {path.resolve() for path in builtin}
    for path in builtin:
        for entry in read_verbs(path):
            found.setdefault(entry.name, entry)
    for data in data_files(ENTRY_POINT_GROUP):
        if data.path is None or data.path.resolve() in known:
            continue
        try:
            entries = list(read_verbs(data.path))
        except MetanodeError:
            continue  # `metanode plugins` lists what is broken; help must stay usable
        for entry in entries:
            found.setdefault(entry.name, entry)
    return found


def read_verbs(path: Path) -> Iterator[VerbEntry]:
    """Yield the verbs that one file announces.

    :raises SettingsError: the file is not TOML, or a verb lacks `import` or `help`, as texts.
    """
    verbs: Any = read_toml(path).get("verbs", {})
    if not isinstance(verbs, dict):
        raise SettingsError("BAD_SETTING", f"{path}: verbs = {shown(verbs)}", "a table [verbs.<name>] per verb")
    for name, row in verbs.items():
        if not _NAME.fullmatch(name):
            raise SettingsError("BAD_SETTING", f"{path}: a verb is named {shown(name)}", "letters, digits and hyphens")
        examples = row.get("examples", []) if isinstance(row, dict) else None
        if not isinstance(examples, list) or not all(
            isinstance(text, str) for text in (row.get("import"), row.get("help"), *examples)
        ):
            expected = "import and help, texts; examples, a list of texts"
            raise SettingsError("BAD_SETTING", f"{path}: [verbs.{name}] lacks import or help", expected)
        group = row.get("group", "other")
        yield VerbEntry(
            name=name,
            import_path=row["import"],
            help=row["help"],
            group=group if isinstance(group, str) and group in GROUPS else "other",
            examples=tuple(examples),
            source=path,
        )

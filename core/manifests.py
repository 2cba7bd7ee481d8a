"""Plugin manifests: what a plugin says of itself as data, before any of its code runs.

A manifest says what a plugin is called, which role it fills, which hook versions it was
written for, what its settings may be and what it costs.  It is a `plugin.toml`, a comment
block on top of a single file, or a mapping that the embedding program passes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metanode.core.model.errors import PluginError, SettingsError
from metanode.core.roles import MANY_ROLES, SINGLE_ROLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOML_BYTES_MAX = 256 * 1024
"""Largest TOML file read, bytes."""
SINGLE_FILE_BLOCK_BYTES_MAX = 16 * 1024
"""A single-file plugin's manifest block ends within these first bytes."""
INTEGER_MAX = 2**63 - 1
"""Largest integer of a setting, and with a minus sign the smallest: what TOML promises to carry."""
START_TIMEOUT_S_MAX = 3600
"""Longest start deadline a manifest may ask for, seconds."""
SHOWN_CHARS_MAX = 200
"""How much of a wrong value an error message repeats."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\.[a-z][a-z0-9_]{0,31}")
# The block of PEP 723, with our own type.
_BLOCK = re.compile(r"(?m)^# /// metanode$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEYS = {"name", "role", "import", "summary", "failure", "ram_mib", "start_timeout_s", "api", "settings"}
_TYPES: dict[str, type] = {"int": int, "text": str, "bool": bool, "list": list}


@dataclass(frozen=True)
class SettingSpec:
    """What one setting may be.  A setting without a default must be given."""

    type: str
    """int, text, bool, or list (of text)."""
    default: Any = None
    required: bool = False
    min: int | None = None
    max: int | None = None
    choices: tuple[str, ...] = ()
    """Allowed texts; for a list, of each item."""
    help: str = ""

    def fault(self, value: object) -> str:
        """Return what would be allowed when `value` is not, else an empty text."""
        fits = type(value) is _TYPES[self.type]  # exact: a bool is no int here
        if self.type == "list" and fits:
            assert isinstance(value, list)
            fits = all(type(item) is str and (not self.choices or item in self.choices) for item in value)
        elif self.choices and fits:
            fits = value in self.choices
        if fits and isinstance(value, int) and self.type == "int":
            low = -INTEGER_MAX if self.min is None else self.min
            fits = low <= value <= (INTEGER_MAX if self.max is None else self.max)
        return "" if fits else self.allowed()

    def allowed(self) -> str:
        """Return in words what may stand here."""
        if self.choices:
            return ("a list of " if self.type == "list" else "") + "one of " + ", ".join(self.choices)
        if self.type == "int" and (self.min is not None or self.max is not None):
            low = "" if self.min is None else f" from {self.min}"
            return f"an integer{low}" + ("" if self.max is None else f" to {self.max}")
        return {"int": "an integer", "text": "a text", "bool": "true or false", "list": "a list of texts"}[self.type]


@dataclass(frozen=True)
class Manifest:
    """What a plugin says of itself before any of its code runs."""

    name: str
    """Full name, `<role>.<name>`."""
    role: str
    summary: str
    source: str
    """File that holds the manifest, or `inline`."""
    import_path: str = ""
    """Module with the hook implementations; empty for single-file and inline plugins."""
    file: Path | None = None
    """The code of a single-file plugin."""
    critical: bool = False
    """Its failure stops the node; always so for single roles."""
    ram_mib: int = 0
    start_timeout_s: int = 0
    """Start deadline in seconds; 0 takes the node's own."""
    api: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, SettingSpec] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """The name within its role, as `[roles]` spells it."""
        return self.name.partition(".")[2]


def shown(value: object) -> str:
    """Return a value as an error message shows it: one line, bounded, whatever stands in the file."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python spells no integer of thousands of digits, and no endless nesting
        return f"a {type(value).__name__} beyond all measure"
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 3]}..."


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    :raises SettingsError: it is missing, too large, not UTF-8 or not TOML; names file and line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(TOML_BYTES_MAX + 1)
    except FileNotFoundError:
        raise SettingsError("FILE_MISSING", f"{path} does not exist") from None
    except OSError as error:
        raise SettingsError("BAD_SETTING", f"{path} cannot be read: {error.strerror}", "a readable file") from error
    if len(data) > TOML_BYTES_MAX:
        raise SettingsError("TOO_LARGE", f"{path} is too large", f"at most {TOML_BYTES_MAX} bytes")
    return parse_toml(data, str(path))


def parse_toml(data: bytes, source: str) -> dict[str, Any]:
    """Parse TOML bytes; `source` names them in errors.

    :raises SettingsError: not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, bad UTF-8, an integer beyond all measure
        raise SettingsError("BAD_SETTING", f"{source}: {error}", "valid TOML, see https://toml.io") from error


def read_manifest(path: Path) -> Manifest:
    """Read a `plugin.toml`.

    :raises SettingsError: not TOML.
    :raises PluginError: not a manifest.
    """
    return manifest_from_mapping(read_toml(path), source=str(path))


def read_single_file(path: Path) -> Manifest:
    """Read the manifest block on top of a single-file plugin; the file is not executed.

    The block is that of PEP 723 with the type `metanode`: `# /// metanode`, TOML lines
    each behind `# `, `# ///`.

    :raises PluginError: there is no such block, or it is not a manifest.
    """
    try:
        with path.open("rb") as file:
            top = file.read(SINGLE_FILE_BLOCK_BYTES_MAX).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError as error:
        raise PluginError("PLUGIN_BROKEN", f"{path} cannot be read: {error.strerror}", "a readable file") from error
    match = _BLOCK.search(top)
    if match is None:
        expected = "`# /// metanode`, TOML in comments, `# ///` on top of the file"
        raise PluginError("PLUGIN_BROKEN", f"{path} has no manifest block", expected)
    content = "".join(
        line[2:] if line.startswith("# ") else line[1:] for line in match["content"].splitlines(keepends=True)
    )
    return manifest_from_mapping(parse_toml(content.encode(), str(path)), source=str(path), file=path)


def manifest_from_mapping(table: Mapping[str, Any], *, source: str, file: Path | None = None) -> Manifest:
    """Check a manifest's keys and build it.

    :param file: the code, for a single-file plugin, which needs no `import`.
    :raises PluginError: a key is unknown, missing or has a wrong value; names source and key.
    """

    def refuse(what: str, expected: str) -> PluginError:
        return PluginError("PLUGIN_BROKEN", f"{source}: {what}", expected)

    if unknown := sorted(set(table) - _KEYS):
        raise refuse(f"unknown manifest key {shown(unknown[0])}", "only " + ", ".join(sorted(_KEYS)))
    for key in ("name", "role", "import", "summary", "failure"):
        if key in table and not isinstance(table[key], str):
            raise refuse(f"{key} = {shown(table[key])}", "a text")
    name, role = table.get("name", ""), table.get("role", "")
    if not _NAME.fullmatch(name):
        raise refuse(f"name = {shown(name)}", "`<role>.<name>` in lower-case letters, digits and underscores")
    if role not in SINGLE_ROLES + MANY_ROLES:
        raise refuse(f"role = {shown(role)}", "one of " + ", ".join(SINGLE_ROLES + MANY_ROLES))
    if name.partition(".")[0] != role:
        raise refuse(f"name {name!r} does not begin with its role", f"name = \"{role}.{name.partition('.')[2]}\"")
    failure = table.get("failure", "critical" if role in SINGLE_ROLES else "restart")
    if failure not in ("critical", "restart") or (role in SINGLE_ROLES and failure != "critical"):
        allowed = '"critical"' if role in SINGLE_ROLES else '"critical" or "restart"'
        raise refuse(f"failure = {shown(failure)} for the role {role}", allowed)
    for key, limit in (("ram_mib", 1 << 20), ("start_timeout_s", START_TIMEOUT_S_MAX)):
        if fault := SettingSpec("int", min=0, max=limit).fault(table.get(key, 0)):
            raise refuse(f"{key} = {shown(table[key])}", fault)
    api = table.get("api", {})
    if not isinstance(api, Mapping) or not all(type(version) is int for version in api.values()):
        raise refuse(f"api = {shown(api)}", "a table of hook groups and version numbers, e.g. roles = 1")
    settings = table.get("settings", {})
    if not isinstance(settings, Mapping):
        raise refuse(f"settings = {shown(settings)}", "a table per setting")
    return Manifest(
        name=name,
        role=role,
        summary=table.get("summary", ""),
        source=source,
        import_path=table.get("import", ""),
        file=file,
        critical=failure == "critical",
        ram_mib=table.get("ram_mib", 0),
        start_timeout_s=table.get("start_timeout_s", 0),
        api=dict(api),
        settings={key: _setting_spec(key, row, source) for key, row in settings.items()},
    )


def _setting_spec(key: str, row: Any, source: str) -> SettingSpec:
    where = f"{source}: [settings.{key}]"
    if not _SETTING.fullmatch(key):
        expected = "lower-case letters, digits and underscores, a letter first"
        raise PluginError("PLUGIN_BROKEN", f"{source}: a setting is named {shown(key)}", expected)
    if not isinstance(row, Mapping) or not _fits(row):
        expected = "type = int, text, bool or list; default; min and max integers; choices a list of texts; help a text"
        raise PluginError("PLUGIN_BROKEN", f"{where} is not a setting", expected)
    spec = SettingSpec(
        type=row["type"],
        default=row.get("default"),
        required="default" not in row,
        min=row.get("min"),
        max=row.get("max"),
        choices=tuple(row.get("choices", ())),
        help=row.get("help", ""),
    )
    if not spec.required and (fault := spec.fault(spec.default)):
        raise PluginError("PLUGIN_BROKEN", f"{where} default = {shown(spec.default)}", fault)
    return spec


def _fits(row: Mapping[str, Any]) -> bool:
    """Whether a setting's row has the right keys and types; its default is checked against them later."""
    choices = row.get("choices", [])
    return (
        set(row) <= {"type", "default", "min", "max", "choices", "help"}
        and isinstance(row.get("type"), str)
        and row["type"] in _TYPES
        and all(type(row.get(end, 0)) is int and abs(row.get(end, 0)) <= INTEGER_MAX for end in ("min", "max"))
        and isinstance(choices, (list, tuple))
        and all(type(choice) is str and choice.isprintable() for choice in choices)
        and type(row.get("help", "")) is str
    )

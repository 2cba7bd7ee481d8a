"""The operating system's name from /etc/os-release.  Source: os-release(5)."""

from __future__ import annotations

from metanode.fingerprint.parsers.text import bounded_lines, clean


def parse_os_release(text: str) -> dict[str, str]:
    """Return the assignments of the file, unquoted; lines that are not assignments are left out."""
    fields: dict[str, str] = {}
    for line in bounded_lines(text):
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#") or not key.isidentifier():
            continue
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        fields[key] = clean(value)
    return fields


def pretty_name(text: str) -> str:
    """Return the name to show, or "" when the file names none."""
    fields = parse_os_release(text)
    return fields.get("PRETTY_NAME") or fields.get("NAME", "")

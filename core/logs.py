"""Log lines for people and machines: key=value text or JSON, one line each, secrets left out.

Only a program that owns its process calls `configure`; an embedded node uses the logging that
its host has set up.  Fields of their own are passed as `extra={"fields": {...}}`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from metanode.core.current import REQUEST

LINE_CHARS_MAX = 4096
"""A longer message is cut: what a peer sends must not fill the disk."""
REDACTED = "[redacted]"

_SECRET_WORDS = "secret|seed|passphrase|password|token|private"
_SECRET_NAME = re.compile(_SECRET_WORDS, re.IGNORECASE)
_SECRET_TEXT = re.compile(rf"(?i)(\b\w*(?:{_SECRET_WORDS})\w*\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|\S+)")
_PLAIN = re.compile(r"[^\s\"=\\]+")


def redact(name: str, value: object) -> object:
    """Return `value`, or a placeholder when the name says that it is a secret."""
    return REDACTED if _SECRET_NAME.search(name) else value


def configure(level: str, *, as_json: bool = False, stream: TextIO | None = None) -> logging.Handler:
    """Send metanode's log lines to `stream` (standard error by default) and nowhere else.

    :param level: debug, info, warning or error.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger("metanode")
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
    return handler


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line holds, in order."""
    at_ms = int(record.created * 1000)
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms // 1000)) + f".{at_ms % 1000:03d}Z"
    text = _SECRET_TEXT.sub(rf"\1{REDACTED}", record.getMessage())
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    if len(text) > LINE_CHARS_MAX:
        text = text[:LINE_CHARS_MAX] + "..."
    part = record.name.removeprefix("metanode.")
    fields: dict[str, Any] = {"time": when, "level": record.levelname.lower(), "part": part}
    if request := REQUEST.get():
        fields["request"] = request
    fields["msg"] = text
    extra = getattr(record, "fields", None)
    if isinstance(extra, Mapping):
        for name, value in extra.items():
            fields.setdefault(str(name), redact(str(name), value))
    return fields


class TextFormatter(logging.Formatter):
    """`time=... level=info part=storage.sqlite msg="..." key=value`, one line whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_quoted(value)}" for name, value in _fields(record).items())


class JsonFormatter(logging.Formatter):
    """The same fields as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), default=str)


def _quoted(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)

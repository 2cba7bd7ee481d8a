"""An OpenAPI 3.1 document made from the routes alone, so it cannot name one that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from metanode.core.http import Route
from metanode.core.version import VERSION

_PART = re.compile(r"{(\w+)}")

_ERROR = {
    "type": "object",
    "required": ["ok", "error", "code", "message", "expected"],
    "properties": {
        "ok": {"const": False},
        "error": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "expected": {"type": "string"},
    },
}


def openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the document as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "metanode", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }


def _operation(route: Route) -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "responses": {
            "2XX": {"description": "done" + ("; signed by the node" if route.signed else "")},
            "default": {"description": "refused", "content": refused},
        },
    }
    parts = _PART.findall(route.path)
    if parts:
        operation["parameters"] = [
            {"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts
        ]
    if route.method in ("POST", "PUT", "PATCH"):
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return operation

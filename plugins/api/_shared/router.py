"""From a method and a path to a route: sans-IO matching of `core.http.Route`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from metanode.core.http import Route
from metanode.core.model.errors import PluginError, Rejection
from metanode.plugins.api._shared.messages import bad_request

NEAR_PATH_CHARS_MAX = 80
"""Longest unknown path for which similar routes are searched: the search costs by length."""
NEAR_ROUTES_MAX = 3
"""Similar routes named in a refusal."""


class MethodNotAllowed(Rejection):
    """The path exists, the method does not.  `allow` is the Allow header's value."""

    def __init__(self, method: str, path: str, allow: str) -> None:
        super().__init__("METHOD_NOT_ALLOWED", f"{method} on {path}", f"one of {allow}")
        self.allow = allow


class Match(NamedTuple):
    """A route and the values of its path's `{name}` parts."""

    route: Route
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A path with `{name}` parts, by segments; None stands for a part."""

    segments: tuple[str | None, ...]
    methods: dict[str, Route]

    def values(self, parts: list[str]) -> list[str] | None:
        """Return the parts' values when the segments fit, all of them non-empty."""
        found = []
        for segment, part in zip(self.segments, parts, strict=True):
            if segment is None and part:
                found.append(part)
            elif segment != part:
                return None
        return found


class Router:
    """All routes of a node.  Fixed segments win over `{name}` parts.

    :raises PluginError: the same method and path twice, or a path that is not one.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed: dict[str, dict[str, Route]] = {}
        patterns: dict[tuple[str | None, ...], _Pattern] = {}
        for route in self.routes:
            if not route.path.startswith("/"):
                raise PluginError("PLUGIN_BROKEN", f"route path {route.path!r} does not begin with /")
            if "{" in route.path:
                shape = tuple(None if part.startswith("{") else part for part in route.path.split("/")[1:])
                methods = patterns.setdefault(shape, _Pattern(shape, {})).methods
            else:
                methods = self._fixed.setdefault(route.path, {})
            if route.method in methods:
                raise PluginError("PLUGIN_BROKEN", f"route {route.method} {route.path} is registered twice")
            methods[route.method] = route
        ordered = sorted(patterns.values(), key=lambda pattern: pattern.segments.count(None))
        self._patterns: dict[int, list[_Pattern]] = {}
        for pattern in ordered:
            self._patterns.setdefault(len(pattern.segments), []).append(pattern)

    def match(self, method: str, path: str) -> Match:
        """Return who answers.  HEAD is answered by the GET route.

        :raises Rejection: NOT_FOUND, naming similar routes; METHOD_NOT_ALLOWED; BAD_REQUEST.
        """
        methods, values = self._find(path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise MethodNotAllowed(method, path[:NEAR_PATH_CHARS_MAX], _allow(methods))
        if not values:
            return Match(route, {})
        names = (part[1:-1] for part in route.path.split("/") if part.startswith("{"))
        return Match(route, dict(zip(names, map(_decoded, values), strict=True)))

    def allowed(self, path: str) -> str:
        """Return the Allow header's value for a path, or for the whole server when it is `*`.

        :raises Rejection: NOT_FOUND.
        """
        return "GET, HEAD, OPTIONS, POST" if path == "*" else _allow(self._find(path)[0])

    def _find(self, path: str) -> tuple[dict[str, Route], list[str]]:
        if fixed := self._fixed.get(path):
            return fixed, []
        parts = path.split("/")[1:]
        for pattern in self._patterns.get(len(parts), ()):
            values = pattern.values(parts)
            if values is not None:
                return pattern.methods, values
        raise self._not_found(path)

    def _not_found(self, path: str) -> Rejection:
        near: list[str] = []
        if len(path) <= NEAR_PATH_CHARS_MAX:
            known = sorted({route.path for route in self.routes})
            near = difflib.get_close_matches(path, known, n=NEAR_ROUTES_MAX)
        expected = f"a route of docs/api.md, perhaps {' or '.join(near)}" if near else "a route of docs/api.md"
        return Rejection("NOT_FOUND", f"no route {path[:NEAR_PATH_CHARS_MAX]}", expected)


def _allow(methods: Mapping[str, Route]) -> str:
    extra = {"HEAD"} if "GET" in methods else set()
    return ", ".join(sorted({*methods, *extra, "OPTIONS"}))


def _decoded(value: str) -> str:
    if "%" not in value:
        return value
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(f"path segment {value[:40]!r} is not UTF-8", "percent-encoded UTF-8") from error

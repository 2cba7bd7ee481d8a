"""From a method and a path to a route."""

from __future__ import annotations

import pytest

from metanode.core.http import Request, Response, Route
from metanode.core.model.errors import MetanodeError, PluginError
from metanode.plugins.api._shared.openapi import openapi
from metanode.plugins.api._shared.router import MethodNotAllowed, Router


async def answer(request: Request) -> Response:
    """No test calls it."""
    raise AssertionError


def route(method: str, path: str, *, signed: bool = False) -> Route:
    """A route that is only looked for."""
    return Route(method, path, answer, "does nothing", signed=signed)


ROUTES = [
    route("GET", "/v1/head"),
    route("GET", "/v1/blocks/{height}"),
    route("GET", "/v1/blocks/newest"),
    route("POST", "/v1/tx"),
    route("GET", "/v1/tx/{id}"),
    route("POST", "/v1/tx/{tx_id}"),
    route("GET", "/v1/tx/{id}/proof"),
]


def test_a_fixed_path_wins_over_a_part() -> None:
    """Whatever the order of registration."""
    router = Router(ROUTES)
    assert router.match("GET", "/v1/blocks/newest").route.path == "/v1/blocks/newest"
    found = router.match("GET", "/v1/blocks/12")
    assert (found.route.path, dict(found.params)) == ("/v1/blocks/{height}", {"height": "12"})


def test_parts_are_decoded_after_the_path_is_cut() -> None:
    """An encoded slash is part of a value, not of the path."""
    assert Router(ROUTES).match("GET", "/v1/tx/a%2Fb%20%C3%A9").params == {"id": "a/b é"}


def test_a_part_that_is_no_text_is_refused() -> None:
    """Percent-encoding may hide any byte."""
    with pytest.raises(MetanodeError, match="BAD_REQUEST"):
        Router(ROUTES).match("GET", "/v1/tx/%ff")


def test_routes_of_one_shape_keep_their_own_part_names() -> None:
    """Two plugins may name the same place differently for two methods."""
    router = Router(ROUTES)
    assert router.match("GET", "/v1/tx/ab").params == {"id": "ab"}
    assert router.match("POST", "/v1/tx/ab").params == {"tx_id": "ab"}


def test_head_is_answered_by_get() -> None:
    """RFC 9110 section 9.3.2."""
    assert Router(ROUTES).match("HEAD", "/v1/head").route.method == "GET"


def test_another_method_is_told_the_allowed_ones() -> None:
    """RFC 9110 section 15.5.6 wants them in Allow."""
    router = Router(ROUTES)
    with pytest.raises(MethodNotAllowed) as refused:
        router.match("DELETE", "/v1/head")
    assert refused.value.allow == "GET, HEAD, OPTIONS"
    with pytest.raises(MethodNotAllowed, match="HEAD on /v1/tx"):
        router.match("HEAD", "/v1/tx")
    assert router.allowed("/v1/tx/ab") == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    "path", ["/v1/heads", "/v1/head/", "//v1/head", "/V1/HEAD", "/v1/blocks/", "/v1/../v1/head", "*", "/" + "a" * 9000]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    """Paths are compared exactly."""
    with pytest.raises(MetanodeError) as refused:
        Router(ROUTES).match("GET", path)
    assert refused.value.code == "NOT_FOUND"
    assert len(refused.value.message) < 120


def test_a_near_miss_names_what_was_probably_meant() -> None:
    """So a typing mistake needs no look into the documentation."""
    with pytest.raises(MetanodeError) as refused:
        Router(ROUTES).match("GET", "/v1/haed")
    assert "/v1/head" in refused.value.expected


def test_a_route_cannot_be_registered_twice() -> None:
    """Which of the two would answer?"""
    with pytest.raises(PluginError, match="GET /v1/head is registered twice"):
        Router([*ROUTES, route("GET", "/v1/head")])
    with pytest.raises(PluginError, match="twice"):
        Router([*ROUTES, route("GET", "/v1/tx/{other}")])


def test_a_path_that_is_none_is_the_plugins_mistake() -> None:
    """It could never match."""
    with pytest.raises(PluginError, match="'v1/head'"):
        Router([route("GET", "v1/head")])


def test_the_openapi_document_names_every_route_and_part() -> None:
    """It is made from the routes, so it cannot be out of date."""
    document = openapi([*ROUTES, route("POST", "/v1/signed", signed=True)])
    assert set(document["paths"]) == {made.path for made in ROUTES} | {"/v1/signed"}
    assert document["paths"]["/v1/tx/{id}"]["get"]["parameters"][0]["name"] == "id"
    assert "signed by the node" in document["paths"]["/v1/signed"]["post"]["responses"]["2XX"]["description"]

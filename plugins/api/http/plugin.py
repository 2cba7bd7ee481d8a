"""Joins the parts: settings to a listener, routes of all plugins to one router."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.http import Route
from metanode.core.roles import Api
from metanode.plugins.api._shared.messages import RequestParser
from metanode.plugins.api._shared.router import Router
from metanode.plugins.api._shared.sources import Origins, Sources
from metanode.plugins.api.http.answering import Answerer
from metanode.plugins.api.http.bodies import BodyBudget
from metanode.plugins.api.http.connection import Shared
from metanode.plugins.api.http.listener import Listener, bind, load_tls, url
from metanode.plugins.api.http.routes_accounts import AccountRoutes
from metanode.plugins.api.http.routes_chain import ChainRoutes
from metanode.plugins.api.http.routes_metrics import MetricsRoutes
from metanode.plugins.api.http.routes_node import NodeRoutes
from metanode.plugins.api.http.routes_submit import SubmitRoutes
from metanode.plugins.api.http.signing import ReplySigner


@hookimpl
def register_api(context: PluginContext) -> Api:
    """Answer the hook with the listener."""
    return HttpApi(context)


@hookimpl
def register_routes(context: PluginContext) -> Sequence[Route]:
    """Answer the hook with the routes of this plugin."""
    parts = (
        NodeRoutes(context),
        MetricsRoutes(context),
        ChainRoutes(context),
        AccountRoutes(context),
        SubmitRoutes(context),
    )
    return [route for part in parts for route in part.routes()]


class HttpApi:
    """The listener as the kernel runs it.

    :raises SettingsError: the certificate, a proxy or an origin cannot be used.
    """

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._tls = load_tls(context.settings["tls_certificate"], context.settings["tls_key"])
        self._sources = Sources(context.settings["trusted_proxies"])
        self._origins = Origins(context.settings["cors_origins"])
        self._addresses: tuple[str, ...] = ()

    @property
    def addresses(self) -> Sequence[str]:
        """The URLs it serves once started."""
        return self._addresses

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled.

        :raises SettingsError: the port is taken, or the host is not this machine's.
        """
        context = self._context
        settings = context.settings
        parser_name, new_parser = choose_parser(settings["body_bytes_max"])
        signer = ReplySigner(context.identity, context.genesis.hash)
        router = Router(context.http.routes())
        shared = Shared(
            answerer=Answerer(context, router, signer, self._sources, self._origins),
            new_parser=new_parser,
            header_timeout_s=settings["header_timeout_s"],
            idle_timeout_s=settings["idle_timeout_s"],
            log=context.log,
            bodies=BodyBudget(settings["bodies_mib_max"] << 20),
        )
        gauge = context.metrics.gauge("http_connections", "connections held by the HTTP listener")
        listener = Listener(shared, self._tls, settings["connections_max"], gauge)
        sockets = await bind(settings["host"], settings["port"])
        self._addresses = tuple(url(socket, tls=self._tls is not None) for socket in sockets)
        context.log.info("serving %s (%s)", " ".join(self._addresses), parser_name)
        try:
            await listener.serve(sockets, task_status=task_status)
        finally:
            self._addresses = ()


def choose_parser(body_bytes_max: int) -> tuple[str, Callable[[], RequestParser]]:
    """Return the name and a maker of the fastest parser this machine has."""
    try:
        from metanode.plugins.api._shared.parser_httptools import HttptoolsParser
    except ImportError:
        from metanode.plugins.api._shared.parser_h11 import H11Parser

        return "h11", lambda: H11Parser(body_bytes_max)
    return "httptools", lambda: HttptoolsParser(body_bytes_max)

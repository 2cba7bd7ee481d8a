"""Calling plugins' hooks: one context per plugin, role objects in, routes joined, events told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING

from metanode.core.bus import BlockFinalized, Subscription
from metanode.core.current import at_work
from metanode.core.hooks import PluginContext
from metanode.core.http import EventStream, Request, Response, Route
from metanode.core.loading import Plugin, guarded, in_words, passes
from metanode.core.model.errors import MetanodeError, PluginError
from metanode.core.roles import Service

if TYPE_CHECKING:
    from metanode.core.home import Home
    from metanode.core.kernel import Node

_log = logging.getLogger("metanode.kernel")


class Dispatcher:
    """Calls the hooks of a node's plugins; to a listener it is the `RouteSource`."""

    def __init__(self, node: Node, plugins: Mapping[str, Plugin], home: Home | None) -> None:
        self._node = node
        self._plugins = plugins
        self._contexts = {name: self._context(plugin, home) for name, plugin in plugins.items()}
        self._routes: tuple[Route, ...] | None = None
        self._withdrawn: set[str] = set()

    def _context(self, plugin: Plugin, home: Home | None) -> PluginContext:
        node = self._node
        return PluginContext(
            plugin=plugin.name,
            settings=plugin.settings,
            data_dir=None if home is None else home.data_dir(plugin.name),
            genesis=node.genesis,
            identity=node.identity,
            roles=node.roles,
            clock=node.clock,
            randomness=node.randomness,
            workers=node.workers,
            peers=node.peers,
            bus=node.bus,
            health=node.health,
            metrics=node.metrics,
            log=logging.getLogger(f"metanode.{plugin.name}"),
            http=self,
        )

    def provide(self, plugin: Plugin) -> Service:
        """Fill a single role.

        :raises PluginError: the hook failed or answered None.
        """
        hook = f"provide_{plugin.manifest.role}"
        provided: Service | None = plugin.call(hook, context=self._contexts[plugin.name])
        if provided is None:
            raise PluginError("PLUGIN_BROKEN", f"{plugin.name} answered {hook} with None", "a role object")
        self._node.roles.fill(plugin.manifest.role, plugin.manifest.short_name, provided)
        return provided

    def register(self, plugin: Plugin) -> Service | None:
        """Make the role object of a plugin of a many-role; None when it only has other hooks.

        :raises PluginError: the hook failed.
        """
        hook = f"register_{plugin.manifest.role}"
        provided: Service | None = plugin.call(hook, context=self._contexts[plugin.name])
        if provided is not None:
            self._node.roles.fill(plugin.manifest.role, plugin.manifest.short_name, provided)
        return provided

    def withdraw(self, plugin: Plugin) -> None:
        """Take back what `register` filled, answer its routes with NOT_READY and call no more of its hooks."""
        self._withdrawn.add(plugin.name)
        self._node.roles.empty(plugin.manifest.role, plugin.manifest.short_name)

    def routes(self) -> Sequence[Route]:
        """Return the routes of all plugins; they are asked once.

        :raises PluginError: one method and path is registered twice; names both plugins.
        """
        if self._routes is None:
            owners: dict[tuple[str, str], str] = {}
            routes: list[Route] = []
            for plugin in self._plugins.values():
                for route in self._ask_routes(plugin):
                    # A parameter's name does not tell two paths apart, only its place does.
                    shape = "/".join("{}" if part.startswith("{") else part for part in route.path.split("/"))
                    key = (route.method, shape)
                    if key in owners:
                        raise PluginError(
                            "PLUGIN_BROKEN",
                            f"{owners[key]} and {plugin.name} both register {route.method} {route.path}",
                            "each method and path registered once",
                        )
                    owners[key] = plugin.name
                    routes.append(self._answering(plugin.name, route))
            self._routes = tuple(routes)
        return self._routes

    def _ask_routes(self, plugin: Plugin) -> Sequence[Route]:
        try:
            answer = plugin.call("register_routes", context=self._contexts[plugin.name]) or ()
            with guarded(plugin.name, "register_routes"):
                routes = tuple(answer)
                if wrong := [route for route in routes if not isinstance(route, Route)]:
                    raise TypeError(f"{type(wrong[0]).__name__} is no Route")
                return routes
        except PluginError as error:
            if plugin.manifest.critical:
                raise
            self._failed(plugin.name, "register_routes", error)
            self._node.health.report(f"{plugin.name}.routes", False, in_words(error))
            return ()

    def _answering(self, name: str, route: Route) -> Route:
        """Return the route with its plugin's name on it and on whatever its handler does."""
        handler = route.handler

        @wraps(handler)
        async def handle(request: Request) -> Response | EventStream:
            if name in self._withdrawn:
                raise MetanodeError("NOT_READY", f"{name} is quarantined", "what `metanode plugins` says of it, cured")
            try:
                with at_work(name):
                    return await handler(request)
            except MetanodeError:
                raise
            except BaseException as error:  # the boundary to a plugin's code
                if passes(error):
                    raise
                self._failed(name, f"{route.method} {route.path}", error)
                if isinstance(error, Exception):
                    raise
                raise RuntimeError(in_words(error)) from error  # a listener expects no SystemExit

        return replace(route, handler=handle, plugin=name)

    async def tell_blocks(self, blocks: Subscription) -> None:
        """Forward finalised blocks to `on_block_finalized`; what a plugin raises there goes no further."""
        listeners = [plugin for plugin in self._plugins.values() if "on_block_finalized" in plugin.hooks]
        async for event in blocks:
            for plugin in listeners:
                if plugin.name not in self._withdrawn:
                    self._tell(plugin, event)

    def _tell(self, plugin: Plugin, event: BlockFinalized) -> None:
        context = self._contexts[plugin.name]
        try:
            plugin.call("on_block_finalized", context=context, height=event.height, header_hash=event.header_hash)
        except MetanodeError as error:  # `call` lets nothing else out
            self._failed(plugin.name, "on_block_finalized", error)

    def _failed(self, name: str, doing: str, error: BaseException) -> None:
        """Name and count a failure that goes no further."""
        _log.warning("%s failed in %s: %s", name, doing, in_words(error))
        self._node.metrics.counter("hook_failures_total", "Failures in hooks and routes", plugin=name).add()
        self._node.health.report(f"{name}.calls", True, f"last failure in {doing}: {in_words(error)}")

"""The life of a node: start in order, fail closed, forgive what can be spared, close in reverse."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from metanode.core.bus import BlockFinalized
from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.kernel import Node, PluginState
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError
from metanode.core.testing.standins import bare_settings, open_bare_node, stand_in, stand_ins

STATES = {f"{role}.standin": PluginState("running", "") for role in ("storage", "ledger", "mempool", "consensus")}


# -- order ------------------------------------------------------------------------------------------


async def test_roles_are_filled_in_order_and_closed_in_reverse(autojump_clock: MockClock) -> None:
    """Storage is open and running before the ledger is asked for; listeners come last and go first."""
    journal: list[str] = []
    async with open_bare_node(stand_in("api", journal=journal), journal=journal) as node:
        assert journal == [
            "provide storage.standin", "open storage.standin", "start storage.standin",
            "provide ledger.standin", "provide mempool.standin", "provide consensus.standin",
            "start ledger.standin", "start mempool.standin", "start consensus.standin",
            "register api.standin", "start api.standin",
        ]
        assert node.plugins == {**STATES, "api.standin": PluginState("running", "")}
        assert node.health.ok
        assert set(node.roles.many("api")) == {"standin"}
        journal.clear()
    assert journal == [f"stop {role}.standin" for role in ("api", "consensus", "mempool", "ledger", "storage")]
    assert {state for state, _ in node.plugins.values()} == {"stopped"}


async def test_cancelling_the_program_around_a_node_closes_it_in_order(autojump_clock: MockClock) -> None:
    """The storage must not be gone while consensus still writes."""
    journal: list[str] = []
    with trio.move_on_after(5) as limit:
        async with open_bare_node(stand_in("api", journal=journal), journal=journal):
            journal.clear()
            await trio.sleep_forever()
    assert limit.cancelled_caught
    assert journal == [f"stop {role}.standin" for role in ("api", "consensus", "mempool", "ledger", "storage")]


async def test_a_start_that_is_cancelled_closes_what_had_started(autojump_clock: MockClock) -> None:
    """Also before the block is entered."""
    journal: list[str] = []

    async def never_start(task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    with trio.move_on_after(5) as limit:
        async with open_bare_node(stand_in("consensus", body=never_start, journal=journal), journal=journal):
            pytest.fail("the node has not started")
    assert limit.cancelled_caught
    assert journal[-4:] == [f"stop {role}.standin" for role in ("consensus", "mempool", "ledger", "storage")]


async def test_a_start_that_fails_closes_what_had_started() -> None:
    """A hook that refuses leaves no storage open behind it."""
    journal: list[str] = []

    def refuse(context: PluginContext) -> None:
        raise SettingsError("BAD_SETTING", "no consensus like this")

    with pytest.raises(SettingsError, match="no consensus like this"):
        async with open_bare_node(stand_in("consensus", hooks={"provide_consensus": refuse}), journal=journal):
            pytest.fail("the node has not started")
    assert journal[-1] == "stop storage.standin"
    assert "start ledger.standin" not in journal


async def test_an_exception_of_the_block_comes_out_as_it_is() -> None:
    """Never wrapped in a group, and after the roles were closed."""
    journal: list[str] = []
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with open_bare_node(journal=journal):
            raise error
    assert caught.value is error
    assert journal[-1] == "stop storage.standin"


async def test_a_context_gives_a_plugin_all_it_may_use() -> None:
    """Settings complete with defaults, a private directory, and the node's own clock, keys and registries."""
    seen: list[PluginContext] = []
    plugin = stand_in(
        "api", hooks={"register_api": lambda context: seen.append(context)},
        settings={"greeting": {"type": "text", "default": "hi"}},
    )
    async with open_bare_node(plugin) as node:
        (context,) = seen
        assert context.plugin == "api.standin"
        assert context.settings == {"greeting": "hi"}
        assert context.data_dir is None
        assert context.genesis is node.genesis
        assert context.identity is node.identity
        assert (context.bus, context.health, context.metrics) == (node.bus, node.health, node.metrics)
        assert context.clock is node.clock
        assert context.log.name == "metanode.api.standin"
        assert node.plugins["api.standin"].state == "running", "a plugin with hooks only is running too"


async def test_without_genesis_and_keys_a_node_is_a_fresh_devnet() -> None:
    """Two of them differ; one seed gives the same keys."""
    async with open_bare_node() as first, open_bare_node() as again:
        assert first.genesis.chain_name == "devnet"
        assert first.identity == again.identity
        keys = {pair.public_key for pair in vars(first.identity).values()}
        assert len(keys) == 4
    async with Node.open(bare_settings(), plugins=stand_ins()) as other:
        assert other.genesis.hash != first.genesis.hash


# -- hooks -----------------------------------------------------------------------------------------------


async def test_plugins_are_told_of_finalised_blocks_and_cannot_disturb_each_other() -> None:
    """An exception is counted and goes no further."""
    told: list[tuple[str, int, bytes]] = []

    def wrong(context: PluginContext, height: int, header_hash: bytes) -> None:
        raise MetanodeError("TIMEOUT", "boom") if height == 2 else ValueError("boom")

    def note(context: PluginContext, height: int, header_hash: bytes) -> None:
        told.append((context.plugin, height, header_hash))

    plugins = [
        stand_in("consensus", hooks={"on_block_finalized": wrong}),
        stand_in("api", "a", hooks={"on_block_finalized": note}),
        stand_in("api", "b", hooks={"on_block_finalized": note}),
    ]
    async with open_bare_node(*plugins) as node:
        for height in (1, 2):
            node.bus.publish(BlockFinalized(height, bytes([height]) * 32, height * 1000, 0))
        await wait_all_tasks_blocked()
        assert sorted(told) == [(f"api.{name}", n, bytes([n]) * 32) for name in "ab" for n in (1, 2)]
        assert 'hook_failures_total{plugin="consensus.standin"} 2' in node.metrics.exposition()
        assert node.plugins["consensus.standin"].state == "running"


async def answer(request: Request) -> Response:
    return json_response({})


def routes_of(*paths: str) -> Any:
    def register_routes(context: PluginContext) -> Sequence[Route]:
        return [Route("GET", path, answer, "a route") for path in paths]

    return register_routes


async def test_a_listener_is_given_the_routes_of_every_plugin() -> None:
    """Single roles may register them too."""
    contexts: list[PluginContext] = []
    ledger = stand_in("ledger", hooks={"register_routes": routes_of("/v1/miners")})
    hooks = {"register_api": lambda context: contexts.append(context), "register_routes": routes_of("/health")}
    api = stand_in("api", hooks=hooks)
    async with open_bare_node(ledger, api):
        assert [route.path for route in contexts[0].http.routes()] == ["/v1/miners", "/health"]


@pytest.mark.parametrize("path", ["/v1/blocks/{height}", "/v1/blocks/{other}"])
async def test_two_plugins_with_one_route_stop_the_start(path: str) -> None:
    """Both are named; what a parameter is called makes no difference."""
    ledger = stand_in("ledger", hooks={"register_routes": routes_of("/v1/blocks/{height}")})
    with pytest.raises(PluginError, match="ledger.standin and api.standin both register GET /v1/blocks/"):
        async with open_bare_node(ledger, stand_in("api", hooks={"register_routes": routes_of(path)})):
            pytest.fail("the node has not started")


async def test_broken_routes_of_a_spared_plugin_are_named_and_left_out() -> None:
    """Those of a critical one stop the start."""

    def wrong(context: PluginContext) -> Sequence[Route]:
        raise ValueError("boom")

    async with open_bare_node(stand_in("api", hooks={"register_routes": wrong})) as node:
        row = node.health.snapshot()["api.standin.routes"]
        assert not row.ok
        assert "api.standin failed in register_routes: ValueError: boom" in row.detail
    with pytest.raises(PluginError, match="ledger.standin failed in register_routes"):
        async with open_bare_node(stand_in("ledger", hooks={"register_routes": wrong})):
            pytest.fail("the node has not started")


# -- embedding -------------------------------------------------------------------------------------------


async def test_two_nodes_live_in_one_process() -> None:
    """They share nothing: what one publishes the other does not hear, and one may end before the other."""
    journals: tuple[list[str], list[str]] = ([], [])
    async with open_bare_node(journal=journals[0]) as first:
        async with open_bare_node(journal=journals[1]) as second:
            assert first.bus is not second.bus
            assert first.roles.storage is not second.roles.storage
        assert journals[1][-1] == "stop storage.standin"
        assert "stop storage.standin" not in journals[0]


async def test_a_node_installs_no_signal_handlers() -> None:
    """Signals belong to the program around it."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    async with open_bare_node():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


async def test_a_node_leaves_no_thread_and_no_garbage_behind() -> None:
    """A program may open and close nodes all day."""
    before = threading.active_count()
    for _ in range(3):
        async with Node.open(bare_settings(), plugins=stand_ins()):
            pass
    gc.collect()
    assert threading.active_count() == before

"""Supervision: a critical plugin's failure stops the node, any other is restarted, then quarantined."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from metanode.core.bus import PluginStateChanged
from metanode.core.hooks import PluginContext
from metanode.core.kernel import START_GRACE_S
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError, StorageError
from metanode.core.settings import Settings
from metanode.core.supervision import BACKOFF_BASE_S, BACKOFF_MAX_S, Keeper, Policy, backoff_s
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.standins import bare_settings, open_bare_node, stand_in


async def fail_at_once(task_status: trio.TaskStatus[None]) -> None:
    raise ValueError("cannot begin")


async def fail_later(task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    await trio.sleep(5)
    raise ValueError("gone wrong")


# -- critical plugins ------------------------------------------------------------------------------------


async def test_a_single_role_that_fails_stops_the_node_with_one_line(autojump_clock: MockClock) -> None:
    """The block is cancelled; ROLE_FAILED names plugin, cause and place, and holds the cause."""
    journal: list[str] = []
    with pytest.raises(MetanodeError) as caught:
        async with open_bare_node(stand_in("mempool", body=fail_later, journal=journal), journal=journal) as node:
            await trio.sleep_forever()
    assert caught.value.code == "ROLE_FAILED"
    assert caught.value.message.startswith("mempool.standin stopped: ValueError: gone wrong (test_supervision.py:")
    assert isinstance(caught.value.__cause__, ValueError)
    assert journal[-3:] == ["stop consensus.standin", "stop ledger.standin", "stop storage.standin"]
    assert node.plugins["mempool.standin"].state == "stopped"
    assert not node.health.snapshot()["mempool.standin"].ok


async def test_the_cause_inside_a_plugins_own_nursery_is_named(autojump_clock: MockClock) -> None:
    """The wrapping of nurseries is no news."""

    async def fail_deep(task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            outer.start_soon(trio.sleep_forever)
            inner.start_soon(fail_later, task_status)

    with pytest.raises(MetanodeError, match="ledger.standin stopped: ValueError: gone wrong") as caught:
        async with open_bare_node(stand_in("ledger", body=fail_deep)):
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_refusal_after_the_start_keeps_its_cure(autojump_clock: MockClock) -> None:
    """What would be right stands in the one line."""

    async def refuse(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise StorageError("STORAGE_FULL", "/data is full", "more disk")

    with pytest.raises(MetanodeError) as caught:
        async with open_bare_node(stand_in("storage", body=refuse)):
            await trio.sleep_forever()
    assert caught.value.message == "storage.standin stopped: STORAGE_FULL: /data is full"
    assert caught.value.expected == "more disk"


async def test_a_refusal_to_start_comes_out_as_it_is() -> None:
    """It names file and cure already."""

    async def refuse(task_status: trio.TaskStatus[None]) -> None:
        raise StorageError("WAL_CORRUPT", "/data/wal is damaged")

    with pytest.raises(StorageError, match="WAL_CORRUPT: /data/wal is damaged"):
        async with open_bare_node(stand_in("consensus", body=refuse)):
            pytest.fail("the node has not started")


async def test_another_failure_to_start_names_the_plugin() -> None:
    """An exception of some library says nothing by itself."""
    with pytest.raises(MetanodeError, match="consensus.standin stopped: ValueError: cannot begin") as caught:
        async with open_bare_node(stand_in("consensus", body=fail_at_once)):
            pytest.fail("the node has not started")
    assert caught.value.code == "ROLE_FAILED"


async def test_returning_from_run_is_a_failure(autojump_clock: MockClock) -> None:
    """A consensus that silently ends would leave a node that only looks alive."""

    async def end(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)

    with pytest.raises(MetanodeError, match=r"consensus.standin returned from run"):
        async with open_bare_node(stand_in("consensus", body=end)):
            await trio.sleep_forever()


async def test_a_start_has_a_deadline(autojump_clock: MockClock) -> None:
    """The manifest's, else the node's; starting in time lifts it for good."""

    async def slow(task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(20)
        task_status.started()
        await trio.sleep_forever()

    begin = trio.current_time()
    with pytest.raises(PluginError, match="ledger.standin did not start within 7 s") as caught:
        async with open_bare_node(stand_in("ledger", body=slow, start_timeout_s=7)):
            pytest.fail("the node has not started")
    assert caught.value.code == "PLUGIN_TIMEOUT"
    assert trio.current_time() - begin == 7
    async with open_bare_node(stand_in("ledger", body=slow)):
        await trio.sleep(1000)


async def test_opening_the_storage_has_the_same_deadline(autojump_clock: MockClock) -> None:
    """And what it raises gets its name."""

    class Slow:
        async def open(self, genesis_hash: bytes) -> None:
            await trio.sleep_forever()

    class Wrong:
        async def open(self, genesis_hash: bytes) -> None:
            raise OSError("no such device")

    cases = ((Slow(), "did not open within 30 s"), (Wrong(), "failed in open: OSError: no such device"))
    for storage, message in cases:
        with pytest.raises(PluginError, match=message):
            async with open_bare_node(stand_in("storage", hooks={"provide_storage": lambda context, s=storage: s})):
                pytest.fail("the node has not started")


async def test_a_single_role_must_be_provided() -> None:
    """None is no answer when nobody else is asked."""
    with pytest.raises(PluginError, match="ledger.standin answered provide_ledger with None"):
        async with open_bare_node(stand_in("ledger", hooks={"provide_ledger": lambda context: None})):
            pytest.fail("the node has not started")


async def test_a_failure_while_stopping_is_not_swallowed() -> None:
    """A storage that could not flush must not look well closed; the others are closed all the same."""
    journal: list[str] = []

    async def fail_to_flush(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("flush failed")

    ledger = stand_in("ledger", body=fail_to_flush, journal=journal)
    with pytest.raises(MetanodeError, match="ledger.standin failed while stopping: OSError: flush failed"):
        async with open_bare_node(ledger, journal=journal):
            pass
    assert journal[-1] == "stop storage.standin"


async def test_a_plugin_that_does_not_stop_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are closed meanwhile; the node waits for it in the end, since a task cannot be thrown away."""
    journal: list[str] = []

    async def linger(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    async with open_bare_node(stand_in("mempool", body=linger, journal=journal), journal=journal):
        pass
    assert "mempool.standin has not stopped within 10 s" in caplog.text
    assert journal[-1] == "stop mempool.standin"
    assert journal.index("stop storage.standin") < journal.index("stop mempool.standin")


async def test_a_failure_in_a_nursery_while_stopping_is_named(autojump_clock: MockClock) -> None:
    """The cancelled siblings that come with it in one group do not hide it, nor does the group come out raw."""

    async def fail_to_flush(task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                raise OSError("flush failed")

    with pytest.raises(MetanodeError, match="ledger.standin failed while stopping: OSError: flush failed"):
        async with open_bare_node(stand_in("ledger", body=fail_to_flush)):
            pass


async def test_inside_another_program_ctrl_c_is_the_users(autojump_clock: MockClock) -> None:
    """It is raised wherever Python happens to be, a plugin's code included, and must end the program."""

    async def interrupted(task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.sleep(1)
        raise KeyboardInterrupt

    def leaves(error: BaseException) -> list[BaseException]:
        inner = getattr(error, "exceptions", None)
        return [leaf for item in inner for leaf in leaves(item)] if inner else [error]

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - trio wraps it in a group, which Python 3.10 has not
        async with open_bare_node(stand_in("api", body=interrupted)):
            await trio.sleep_forever()
    assert [type(leaf) for leaf in leaves(caught.value)] == [KeyboardInterrupt]


# -- plugins that can be spared -------------------------------------------------------------------------


async def test_a_spared_plugin_is_restarted_with_a_fresh_object(autojump_clock: MockClock) -> None:
    """After a jittered wait; health tells, and is good again afterwards."""
    journal: list[str] = []
    attempts: list[float] = []

    async def fail_twice(task_status: trio.TaskStatus[None]) -> None:
        attempts.append(trio.current_time())
        task_status.started()
        if len(attempts) <= 2:
            await trio.sleep(1)
            raise OSError("address in use")
        await trio.sleep_forever()

    async with open_bare_node(stand_in("api", body=fail_twice, journal=journal)) as node:
        async with node.bus.subscribe(PluginStateChanged) as changes:
            async for change in changes:
                if len(attempts) == 3 and change.state == "running":
                    break
        assert journal.count("register api.standin") == 3
        assert node.health.ok
        assert 0.25 <= attempts[1] - attempts[0] - 1 <= 0.5
        assert 0.5 <= attempts[2] - attempts[1] - 1 <= 1.0
        assert 'plugin_failures_total{plugin="api.standin"} 2' in node.metrics.exposition()


async def test_a_spared_plugin_that_keeps_failing_is_quarantined(autojump_clock: MockClock) -> None:
    """The node lives on; health, state and roles tell, with the cause."""
    attempts: list[int] = []

    async def fail(task_status: trio.TaskStatus[None]) -> None:
        attempts.append(1)
        raise OSError("address in use")

    async with open_bare_node(stand_in("api", body=fail), settings=bare_settings(failures_max=3)) as node:
        assert node.plugins["api.standin"].state == "restarting"
        await trio.sleep(600)
        assert len(attempts) == 4
        state, detail = node.plugins["api.standin"]
        assert state == "quarantined"
        assert detail.startswith("OSError: address in use (test_supervision.py:")
        assert not node.health.ok
        assert node.health.snapshot()["api.standin"].detail.startswith("quarantined OSError")
        assert node.roles.many("api") == {}
    assert node.plugins["api.standin"].state == "quarantined"


async def test_failures_are_forgiven_with_time(autojump_clock: MockClock) -> None:
    """A listener that falls once a day is not worth a quarantine."""
    attempts: list[int] = []

    async def fail_daily(task_status: trio.TaskStatus[None]) -> None:
        attempts.append(1)
        task_status.started()
        await trio.sleep(86_400)
        raise OSError("once a day")

    async with open_bare_node(stand_in("api", body=fail_daily), settings=bare_settings(failures_max=1)) as node:
        await trio.sleep(10 * 86_400 + 100)
        assert len(attempts) == 11
        assert node.plugins["api.standin"].state == "running"


async def test_a_hook_that_fails_is_tried_again(autojump_clock: MockClock) -> None:
    """The hook belongs to the attempt."""
    calls: list[int] = []

    def register(context: PluginContext) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("not yet")

    async with open_bare_node(stand_in("api", hooks={"register_api": register})) as node:
        assert "api.standin failed in register_api: OSError: not yet" in node.plugins["api.standin"].detail
        await trio.sleep(5)
        assert node.plugins["api.standin"].state == "running"


async def test_a_plugin_that_did_not_load_is_shown_and_spared(tmp_path: Path) -> None:
    """The node starts without it; health tells why."""
    (tmp_path / "bad.py").write_text('# /// metanode\n# name = "api.bad"\n# role = "api"\n# ///\n1 / 0\n')
    roles = {**dict.fromkeys(("storage", "ledger", "mempool", "consensus"), "standin"), "api": ["bad"]}
    async with open_bare_node(settings=Settings.from_mapping({"roles": roles}), plugins_dir=tmp_path) as node:
        assert node.plugins["api.bad"].state == "quarantined"
        assert "api.bad failed in import: ZeroDivisionError" in node.plugins["api.bad"].detail
        assert not node.health.snapshot()["api.bad"].ok


async def test_refused_settings_stop_the_start_also_for_a_spared_plugin(autojump_clock: MockClock) -> None:
    """A wrong configuration is said at once, whether the hook or `run` finds it."""

    def refuse(context: PluginContext) -> None:
        raise SettingsError("BAD_SETTING", "tls_key is missing")

    async def refuse_to_run(task_status: trio.TaskStatus[None]) -> None:
        raise SettingsError("BAD_SETTING", "tls_key is missing")

    for plugin in (stand_in("api", hooks={"register_api": refuse}), stand_in("api", body=refuse_to_run)):
        with pytest.raises(SettingsError, match="tls_key is missing"):
            async with open_bare_node(plugin):
                pytest.fail("the node has not started")


async def test_a_plugin_of_a_many_role_may_ask_to_be_critical(autojump_clock: MockClock) -> None:
    """Then its failure stops the node."""
    with pytest.raises(MetanodeError, match="api.standin stopped: ValueError"):
        async with open_bare_node(stand_in("api", body=fail_later, failure="critical")):
            await trio.sleep_forever()


async def test_a_plugin_that_is_slow_to_start_holds_up_no_other(autojump_clock: MockClock) -> None:
    """The API must not wait for a transport that never starts; the node still waits for each one's verdict."""
    journal: list[str] = []
    began: list[float] = []

    async def note(task_status: trio.TaskStatus[None]) -> None:
        began.append(trio.current_time())
        task_status.started()
        await trio.sleep_forever()

    begin = trio.current_time()

    async def never(task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    slow = stand_in("transport", body=never, journal=journal, start_timeout_s=9)
    async with open_bare_node(slow, stand_in("api", body=note, journal=journal), journal=journal) as node:
        assert began == [begin + START_GRACE_S]
        assert trio.current_time() - begin == 9
        assert node.plugins["transport.standin"].state == "restarting"
        assert node.plugins["api.standin"].state == "running"
    assert journal.index("stop api.standin") < journal.index("stop consensus.standin")


async def test_a_plugin_that_ignores_its_deadline_is_given_up(autojump_clock: MockClock) -> None:
    """The node goes on without it, or, when it is critical, stops."""

    async def stubborn(task_status: trio.TaskStatus[None]) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(1000)

    async with open_bare_node(stand_in("api", body=stubborn, start_timeout_s=5)) as node:
        state, detail = node.plugins["api.standin"]
        assert (state, detail) == (
            "quarantined", "PLUGIN_TIMEOUT: api.standin did not start and cannot be cancelled within 5 s",
        )
    with pytest.raises(PluginError, match="mempool.standin did not start and cannot be cancelled within 5 s"):
        async with open_bare_node(stand_in("mempool", body=stubborn, start_timeout_s=5)):
            pytest.fail("the node has not started")


async def test_faults_are_forgiven_until_the_budget_is_spent(autojump_clock: MockClock) -> None:
    """A plugin goes on with what it last did wrong in its row; then it is given up, its failures counted along."""
    told: list[tuple[str, str]] = []
    given_up: list[BaseException] = []

    class Idle:
        async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            await trio.sleep_forever()

    keeper = Keeper(
        "api.slow", Idle, policy=Policy(30, 2, 2, 60), randomness=SeededRandomness(1),
        told=lambda state, detail: told.append((state, detail)), given_up=lambda error, _: given_up.append(error),
    )  # fmt: skip
    error = PluginError("PLUGIN_BROKEN", "api.slow is slow")
    async with trio.open_nursery() as nursery:
        keeper.start(nursery)
        await keeper.wait_ready()
        keeper.fault(error)
        assert told[-1] == ("running", "PLUGIN_BROKEN: api.slow is slow (fault 1 of 2 allowed)")
        await trio.sleep(61)  # forgiven
        keeper.fault(error)
        keeper.fault(error)
        assert given_up == []
        keeper.fault(error)
        assert given_up == [error]
        keeper.fault(error)
        await keeper.done.wait()
    assert given_up == [error]


async def test_closing_does_not_wait_for_a_restart(autojump_clock: MockClock) -> None:
    """A plugin in its backoff is stopped at once."""
    begin = trio.current_time()
    async with open_bare_node(stand_in("api", body=fail_at_once)) as node:
        assert node.plugins["api.standin"].state == "restarting"
    assert trio.current_time() == begin
    assert node.plugins["api.standin"].state == "stopped"


def test_the_wait_before_a_restart_doubles_to_a_cap_and_is_jittered() -> None:
    """Between half and all of the longest wait, so that plugins do not come back in step."""
    randomness = SeededRandomness(1)
    for failures in range(1, 100):
        longest = min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** (failures - 1))
        drawn = [backoff_s(failures, randomness) for _ in range(20)]
        assert all(longest / 2 <= wait < longest for wait in drawn)
        assert len(set(drawn)) == 20

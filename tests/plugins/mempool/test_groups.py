"""Envelopes of many callers go through check and disk in groups; no caller can harm another of its group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing

from metanode.core.model.errors import MetanodeError
from metanode.core.roles import Admission
from metanode.plugins.mempool.fifo.groups import GROUP_ENVELOPES_MAX, SAVING_MAX, Groups


class Disk:
    """Checks and saves that last until a test lets them end.  Envelopes are plain numbers here."""

    def __init__(self) -> None:
        self.checked: list[list[int]] = []
        self.saved: list[list[int]] = []
        self.check_gate = trio.Event()
        self.save_gate = trio.Event()
        self.check_gate.set()
        self.save_gate.set()
        self.failing: Exception | None = None

    def groups(self) -> Groups[None, list[int]]:
        return Groups(self.check, self.place, self.save)

    async def check(self, batch: Any) -> None:
        self.checked.append(list(batch))
        await self.check_gate.wait()
        if self.failing is not None:
            raise self.failing

    def place(self, batch: Any, verdicts: None) -> list[int]:
        return list(batch)

    async def save(self, placed: list[int]) -> Sequence[Admission]:
        self.saved.append(placed)
        await self.save_gate.wait()
        return [Admission(bytes([number]), None) for number in placed]


async def admit(groups: Groups[None, list[int]], numbers: list[int], told: dict[int, bytes | None]) -> None:
    """Admit and note the answers."""
    batch: Any = numbers
    for number, answer in zip(numbers, await groups.admit(batch), strict=True):
        told[number] = answer.id


async def test_what_arrives_while_a_group_is_checked_forms_the_next_one() -> None:
    """One check and one save for all of it, in the order of arrival, and each caller gets his own answers."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.check_gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(admit, groups, [number], told)
            await trio.testing.wait_all_tasks_blocked()
        disk.check_gate.set()
    assert disk.checked == disk.saved == [[0], [1, 2, 3, 4, 5]]
    assert told == {number: bytes([number]) for number in range(6)}


async def test_the_next_group_is_checked_while_one_is_saved_and_the_one_after_waits() -> None:
    """A slow disk makes groups larger, not more."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.save_gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(admit, groups, [number], told)
            await trio.testing.wait_all_tasks_blocked()
        assert len(disk.checked) == SAVING_MAX
        disk.save_gate.set()
    assert disk.saved == [[0], [1], [2, 3, 4, 5]]


async def test_a_group_is_bounded() -> None:
    """A caller's own envelopes stay together."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.check_gate = trio.Event()
    half = GROUP_ENVELOPES_MAX // 2 + 1
    async with trio.open_nursery() as nursery:
        for first in range(3):
            nursery.start_soon(admit, groups, [first] * half, told)
            await trio.testing.wait_all_tasks_blocked()
        disk.check_gate.set()
    assert [len(batch) for batch in disk.checked] == [half] * 3


async def test_a_caller_that_goes_while_it_waits_is_left_out() -> None:
    """The others do not notice."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.check_gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(admit, groups, [0], told)
        await trio.testing.wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as leaving:
                leaving.start_soon(admit, groups, [1], told)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        nursery.start_soon(admit, groups, [2], told)
        await trio.testing.wait_all_tasks_blocked()
        disk.check_gate.set()
    assert disk.saved == [[0], [2]]


async def test_a_caller_that_goes_while_it_leads_still_finishes_its_group() -> None:
    """Others' answers are in its hands."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.save_gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for number in range(SAVING_MAX):
            nursery.start_soon(admit, groups, [number], told)
            await trio.testing.wait_all_tasks_blocked()
        leading = trio.CancelScope()

        async def lead() -> None:
            with leading:
                await admit(groups, [8], told)

        nursery.start_soon(lead)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(admit, groups, [9], told)
        await trio.testing.wait_all_tasks_blocked()
        disk.check_gate = trio.Event()
        disk.save_gate.set()
        await trio.testing.wait_all_tasks_blocked()
        leading.cancel()
        disk.check_gate.set()
    assert disk.saved[-1] == [8, 9]
    assert told[9] == bytes([9])


async def test_a_leader_that_goes_before_it_begins_leaves_the_lead_to_the_next() -> None:
    """Woken and cancelled in the same moment."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await admit(groups, [0], told)
        nursery.start_soon(admit, groups, [1], told)
    assert disk.saved == [[1]]


async def test_a_broken_check_fails_its_group_and_no_later_one() -> None:
    """The caller that led it raises what broke, the others INTERNAL; the next group is admitted."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    disk.save_gate = trio.Event()
    caught: list[Exception] = []

    async def note(numbers: list[int]) -> None:
        try:
            await admit(groups, numbers, told)
        except (MetanodeError, ZeroDivisionError) as error:
            caught.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(SAVING_MAX):
            nursery.start_soon(admit, groups, [number], told)
            await trio.testing.wait_all_tasks_blocked()
        for number in (5, 6):
            nursery.start_soon(note, [number])
            await trio.testing.wait_all_tasks_blocked()
        disk.failing = ZeroDivisionError()
        disk.save_gate.set()
    assert sorted(type(error).__name__ for error in caught) == ["MetanodeError", "ZeroDivisionError"]
    disk.failing = None
    await admit(groups, [7], told)
    assert told[7] == bytes([7])
    assert not {5, 6} & told.keys()


@pytest.mark.parametrize("callers", [1, 64])
async def test_nothing_is_left_behind(callers: int) -> None:
    """After a burst the next caller is served at once."""
    disk = Disk()
    told: dict[int, bytes | None] = {}
    groups = disk.groups()
    async with trio.open_nursery() as nursery:
        for number in range(callers):
            nursery.start_soon(admit, groups, [number], told)
    await admit(groups, [200], told)
    assert len(told) == callers + 1
    assert sum(map(len, disk.saved)) == callers + 1

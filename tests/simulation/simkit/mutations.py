"""Rules broken on purpose: a simulation that finds none of these proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from simkit.byzantine import NoGuard
from simkit.node import SimNode

from metanode.core.model import vote
from metanode.plugins.consensus.qbft import justification, machine, votes
from metanode.plugins.consensus.qbft.guard import SignGuard


@contextmanager
def quorum_of_half() -> Iterator[None]:
    """Half the set decides."""

    def half(validators: int) -> int:
        return validators // 2

    with (
        patch.object(machine, "quorum", half),
        patch.object(votes, "quorum", half),
        patch.object(justification, "quorum", half),
        patch.object(vote, "quorum", half),
    ):
        yield


@contextmanager
def no_lock() -> Iterator[None]:
    """A validator forgets what it prepared when it changes the round."""
    change = machine._change_round

    def forgets(state: machine.State, round_number: int) -> Any:
        return change(replace(state, prepared=None), round_number)

    refusal = SignGuard.refusal

    def overlooks(self: SignGuard, *vote: Any) -> str:
        """The guard knows the rule too: here it stands aside for this rule alone."""
        why = refusal(self, *vote)
        return "" if "forget the commit" in why else why

    with patch.object(machine, "_change_round", forgets), patch.object(SignGuard, "refusal", overlooks):
        yield


@contextmanager
def any_justification() -> Iterator[None]:
    """A later proposal needs no proof that it may stand."""
    with patch.object(machine, "proposal_is_justified", lambda *_: True):
        yield


@contextmanager
def no_guard() -> Iterator[None]:
    """What was signed before a crash is forgotten."""

    def forgetful(self: SimNode) -> SignGuard:
        guard = NoGuard(self.key.public_key)
        guard.start(0)
        return guard

    with patch.object(SimNode, "new_guard", forgetful):
        yield


@contextmanager
def other_leader() -> Iterator[None]:
    """Leaders take turns instead of being drawn."""
    with patch.object(machine, "leader_of", lambda state, r: (state.height + r) % len(state.validators)):
        yield


@contextmanager
def send_before_persist() -> Iterator[None]:
    """Votes leave before they are on disk."""
    run = SimNode.run

    def hasty(self: SimNode, actions: list[Any]) -> None:
        run(self, sorted(actions, key=lambda action: type(action).__name__ == "Persist"))

    with patch.object(SimNode, "run", hasty):
        yield


MUTATIONS: dict[str, Callable[[], Any]] = {
    "quorum": quorum_of_half,
    "lock": no_lock,
    "justification": any_justification,
    "guard": no_guard,
    "leader": other_leader,
    "order": send_before_persist,
}

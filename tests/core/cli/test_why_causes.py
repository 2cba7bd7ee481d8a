"""The explanation alone: from made-up answers of nodes to the cause that `metanode why` names."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.cli.why_causes import CAUSES, WELL, Known, View, explain


def status(
    *, me: int | None = 0, size: int = 4, away: tuple[int, ...] = (), head: dict[str, Any] | None = None, **engine: Any
) -> dict[str, Any]:
    """What a node of a network of v0, v1, ... answers when all is well, with changes."""
    others = [index for index in range(size) if index != me]
    return {
        "name": f"v{me}",
        "node_key": key(me),
        "genesis_hash": "aa",
        "head": {"height": 9, "age_ms": 100, **(head or {})},
        "block_ms": 1_000,
        "empty_block_ms": 1_000,
        "pool": 0,
        "consensus": {"cause": "idle", "round": 0, "waiting": "waiting for the next block to be due", **engine},
        "validators": [
            {"index": i, "consensus_key": f"c{i}", "name": f"v{i}", "node_key": key(i), "me": i == me}
            for i in range(size)
        ],
        "peers": [peer(i) for i in others],
        "connected": [key(i) for i in others if i not in away],
        "health": {"storage.sqlite": {"ok": True, "detail": ""}, "peers": {"ok": True, "detail": ""}},
    }


def key(index: int | None) -> str:
    """A node key."""
    return f"{index or 0:064x}"


def peer(index: int, **changes: Any) -> dict[str, Any]:
    """What a node has heard from a peer."""
    return {
        "node_key": key(index), "name": f"v{index}", "height": 9, "round": 0, "cause": "idle", "waiting": "",
        "well": True, "age_ms": 500, "clock_off_ms": 0, "connected": [], **changes,
    }  # fmt: skip


def cause(value: dict[str, Any], *others: dict[str, Any]) -> tuple[str, str]:
    """The cause and its words."""
    found = explain(View("v0", value), [View(other["name"], other) for other in others])
    assert found.cause in CAUSES
    return found.cause, found.words


def test_a_node_that_did_not_answer_keeps_its_cause() -> None:
    """What the asker saw stands, with what helps."""
    found = explain(View("v0", None, "no room", "disk-full"))
    assert (found.cause, found.words) == ("disk-full", "no room")
    assert "free space" in found.cure


@pytest.mark.parametrize(
    ("engine", "head", "expected"),
    [
        ({}, {}, "not-due"),
        ({"cause": "no-prepares", "waiting": "1 of 3 prepares"}, {}, "in-progress"),
        ({}, {"age_ms": 3_000}, "in-progress"),
        ({"cause": "catching-up", "waiting": "fetching 7 blocks"}, {}, "catching-up"),
        ({"cause": "guard-missing", "waiting": "no guard"}, {}, "guard-missing"),
        ({"cause": "block-refused", "waiting": "the block of validator 2"}, {}, "block-refused"),
        ({"cause": "no-proposal", "round": 1, "waiting": "validator 2 in round 1"}, {}, "proposer-silent"),
        ({"cause": "no-commits", "round": 1, "waiting": "2 of 3 commits"}, {}, "votes-missing"),
        ({"cause": "no-commits", "waiting": "2 of 3 commits"}, {"age_ms": 60_000}, "votes-missing"),
    ],
)
def test_what_the_engine_waits_for_becomes_a_cause(
    engine: dict[str, Any], head: dict[str, Any], expected: str
) -> None:
    """With all four validators there."""
    assert cause(status(head=head, **engine))[0] == expected


def test_numbers_of_validators_become_names() -> None:
    """The engine counts, people call by name."""
    engine = {"cause": "no-commits", "round": 3, "waiting": "1 of 3 commits; none from validator 1, 3"}
    assert cause(status(**engine))[1] == "1 of 3 commits; none from v1, v3"


def test_a_part_that_does_not_work_comes_first() -> None:
    """Nobody looks for peers while the disk fails."""
    value = status(away=(1, 2, 3))
    value["health"]["storage.sqlite"] = {"ok": False, "detail": "restarting"}
    assert cause(value) == ("storage-stopped", "storage.sqlite does not work: restarting")


def test_one_of_four_that_is_away_is_a_note_and_two_are_the_cause() -> None:
    """A quorum of the rest goes on; without one the missing are named."""
    one = explain(View("v0", status(away=(3,))))
    assert one.cause in WELL
    assert one.notes == ("v3 is not connected",)
    found, words = cause(status(away=(1, 3)))
    assert found == "no-quorum"
    assert words.endswith("v1 is not connected; v3 is not connected")


def test_nodes_that_run_and_are_not_reached_make_a_partition() -> None:
    """Seen by asking them, or from a peer that is joined to one."""
    assert cause(status(away=(2, 3)), status(me=2, away=(0, 1)))[0] == "partition"
    value = status(away=(2, 3))
    value["peers"][0]["connected"] = [key(3)]
    assert cause(value)[0] == "partition"


def test_peers_of_another_genesis_are_told_from_dead_ones() -> None:
    """By the failed handshakes, or by what they answer themselves."""
    value = status(away=(2, 3))
    why = "error HANDSHAKE_FAILED: closed (expected: this chain)"
    value["health"]["peers"]["detail"] = f"1 connected; not reached: noise:127.0.0.1:1#{key(2)} ({why})"
    assert cause(value)[0] == "other-genesis"
    assert cause(status(away=(2, 3)), {**status(me=2), "genesis_hash": "bb"})[0] == "other-genesis"


def test_silent_and_mute_validators_are_counted_out() -> None:
    """Connected is not enough: stopped processes and lost guards do not vote."""
    value = status()
    for row in value["peers"][:2]:
        row["age_ms"] = 9_000
    assert cause(value)[0] == "peers-silent"
    value = status()
    for row in value["peers"][:2]:
        row.update(cause="guard-missing", waiting="no guard")
    assert cause(value)[0] == "peers-not-voting"


def test_the_clock_that_differs_from_most_is_the_wrong_one() -> None:
    """Ours, when most others agree with each other; else it is a note on the one."""
    value = status()
    for row in value["peers"]:
        row["clock_off_ms"] = 60_000
    assert cause(value) == ("clock-off", "this clock is 60 s behind that of most peers")
    value = status()
    value["peers"][2]["clock_off_ms"] = -5_000
    assert explain(View("v0", value)).notes == ("v3 has a clock that is 5 s off",)


def test_a_peer_that_joined_a_moment_ago_is_not_missed() -> None:
    """Before its first report nobody knows which validator it is."""
    value = status()
    gone = value["peers"].pop()
    value["validators"][3].update(name="", node_key="")
    assert gone["node_key"] in value["connected"]
    assert cause(value)[0] == "not-due"


def test_validators_nobody_heard_of_have_the_names_of_their_network() -> None:
    """network.json knows them; else their number must do."""
    value = status(away=(2, 3))
    value["peers"] = value["peers"][:1]
    for row in value["validators"][2:]:
        row.update(name="", node_key="")
    assert "validator 2 is not connected" in cause(value)[1]
    found = explain(View("v0", value), [], {"c2": Known("anna", key(2)), "c3": Known("ben", key(3))})
    assert found.words.endswith("anna is not connected; ben is not connected")


def test_a_watcher_is_told_that_it_has_no_vote() -> None:
    """As long as the chain goes on; else it looks for the reason."""
    assert cause(status(me=None))[0] == "not-a-validator"
    assert cause(status(me=None, away=(1, 2), head={"age_ms": 60_000}))[0] == "no-quorum"

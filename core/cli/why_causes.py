"""Why there is no block: from what nodes say of themselves and each other to one named cause, without asking anybody.

The input is what `GET /v1/status` answers (plugins/api/status).  Peers' words are hearsay: good for an explanation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

CAUSES: dict[str, str] = {
    "not-due": "no transactions wait and an empty block is not due yet",
    "in-progress": "a block is being agreed on",
    "node-down": "the node does not run, or cannot be reached",
    "node-stopped": "the node's process is there and does not answer",
    "disk-full": "the disk of the node's home has no room left, so the node stopped",
    "storage-stopped": "a part without which no block can be stored does not work",
    "catching-up": "peers have blocks that this node still fetches",
    "guard-missing": "the sign-guard is missing or refuses, so this validator does not vote",
    "clock-off": "this node's clock differs from its peers', so fresh blocks look wrong to one side",
    "not-a-validator": "this node has no vote; blocks come to it from others",
    "other-genesis": "peers are of a chain with another genesis and refuse each other",
    "partition": "nodes run that cannot reach each other, and no side is a quorum",
    "no-quorum": "fewer validators are connected than a block needs",
    "peers-silent": "validators are connected, and so many say nothing that the rest is no quorum",
    "peers-not-voting": "so many validators cannot vote that the rest is no quorum",
    "proposer-silent": "the validator whose turn it is does not propose, so rounds change",
    "block-refused": "the proposed block is not valid here",
    "votes-missing": "too few votes have come in the current round",
}
"""Every cause that `why` names."""
WELL = frozenset({"not-due", "in-progress"})
"""Causes that are no trouble."""
SILENT_MS = 7_000
"""A peer that has said nothing for this long, three reports, is silent."""
CLOCK_OFF_MS = 2_000
"""So far ahead of a validator's clock a block may be; clocks that differ by more cost rounds."""
TIMER_BLOCKS = 4
"""The first round is given up after so many block times."""

_REFUSED = re.compile(r"#([0-9a-f]{64}) \(([^#]*)")
_VALIDATORS = re.compile(r"validator (\d+(?:, \d+)*)")


@dataclass(frozen=True)
class View:
    """What is known of one node that was asked."""

    name: str
    status: Mapping[str, Any] | None
    """Its answer; None when there is none."""
    trouble: str = ""
    """Without an answer: why, in words."""
    cause: str = "node-down"
    """Without an answer: which cause that is."""


class Known(NamedTuple):
    """A validator's node, as its network's own list tells it."""

    name: str
    node_key: str


@dataclass(frozen=True)
class Finding:
    """One node's answer to why."""

    node: str
    cause: str
    words: str
    cure: str = ""
    notes: tuple[str, ...] = field(default=())
    """What else is not as it should be."""


def explain(view: View, others: Sequence[View] = (), known: Mapping[str, Known] | None = None) -> Finding:
    """Say why a node has no next block.

    :param others: nodes that were asked too.
    :param known: nodes by consensus key, for those that nobody has heard of.
    """
    if view.status is None:
        return Finding(view.name, view.cause, view.trouble, _CURES.get(view.cause, ""))
    return _Node(view.status, [other.status for other in others if other.status], known or {}).finding(view.name)


class _Node:
    """One node's status, and what follows from it."""

    def __init__(
        self, status: Mapping[str, Any], others: Sequence[Mapping[str, Any]], known: Mapping[str, Known]
    ) -> None:
        self.status, self.others, self.known = status, others, known
        self.engine: Mapping[str, Any] = status["consensus"]
        self.peers = {peer["node_key"]: peer for peer in status["peers"]}
        self.connected = set(status["connected"])
        self.fresh = [
            peer for key, peer in self.peers.items() if key in self.connected and peer["age_ms"] < SILENT_MS
        ]
        size = len(status["validators"])
        self.size, self.needed = size, -(-2 * size // 3)
        peers_detail = status["health"].get("peers", {}).get("detail", "")
        self.refused = {key for key, why in _REFUSED.findall(peers_detail) if "HANDSHAKE_FAILED" in why}

    def finding(self, name: str) -> Finding:
        cause, words = self.own_trouble() or self.missing_votes() or self.slow_round() or self.progress()
        notes = tuple(f"{who} {why}" for who, why in self.troubles().items() if who not in words)
        return Finding(name, cause, self.named(words), _CURES.get(cause, ""), notes)

    # -- the node itself --

    def own_trouble(self) -> tuple[str, str] | None:
        for part, row in self.status["health"].items():
            if not row["ok"] and part.partition(".")[0] in ("storage", "ledger", "mempool", "consensus"):
                return "storage-stopped", f"{part} does not work: {row['detail']}"
        if self.engine.get("cause") == "catching-up":
            have = self.status["head"]["height"]
            best = max((peer["height"] for peer in self.peers.values()), default=have)
            return "catching-up", f"syncing: has {have} of {max(best, have)} blocks ({self.engine['waiting']})"
        if self.engine.get("cause") == "guard-missing":
            return "guard-missing", str(self.engine["waiting"])
        off_ms = self.clock_off_ms()
        if abs(off_ms) > CLOCK_OFF_MS:
            way = "behind" if off_ms > 0 else "ahead of"
            return "clock-off", f"this clock is {abs(off_ms) / 1000:.0f} s {way} that of most peers"
        if not any(row["me"] for row in self.status["validators"]) and self.is_moving():
            return "not-a-validator", f"this node's key is not among the {self.size} validators; it follows the chain"
        return None

    def clock_off_ms(self) -> int:
        """How far most peers' clocks are ahead of this one: their median, so that no one clock decides."""
        offs = sorted(int(peer["clock_off_ms"]) for peer in self.fresh)
        return offs[len(offs) // 2] if len(offs) > 1 else 0

    def is_moving(self) -> bool:
        """Whether the newest block is no older than a first round that works allows."""
        due_ms: int = self.status["empty_block_ms"] + TIMER_BLOCKS * self.status["block_ms"]
        return bool(self.status["head"]["age_ms"] < due_ms)

    # -- the other validators --

    def troubles(self) -> dict[str, str]:
        """Return what keeps each other validator from voting with this node, by its name."""
        found: dict[str, str] = {}
        strangers = len(self.connected - self.peers.keys())  # joined a moment ago: any of them may be any validator
        for row in self.status["validators"]:
            if row["me"]:
                continue
            peer = self.peers.get(row["node_key"])
            if peer is None and strangers and not row["node_key"]:
                strangers -= 1
            elif peer is None or row["node_key"] not in self.connected:
                found[self.name_of(row)] = self.why_away(row)
            elif peer["age_ms"] >= SILENT_MS:
                found[self.name_of(row)] = f"is connected and has said nothing for {peer['age_ms'] / 1000:.0f} s"
            elif peer["cause"] in ("guard-missing", "catching-up"):
                found[self.name_of(row)] = f"says: {self.named(peer['waiting'])}"
            elif len(self.fresh) > 1 and abs(peer["clock_off_ms"] - self.clock_off_ms()) > CLOCK_OFF_MS:
                found[self.name_of(row)] = f"has a clock that is {abs(peer['clock_off_ms']) / 1000:.0f} s off"
        return found

    def why_away(self, row: Mapping[str, Any]) -> str:
        if self.key_of(row) in self.refused:
            return "is refused: the handshake fails, as between chains with another genesis"
        return "runs and is not reached from here" if self.is_alive(row) else "is not connected"

    def is_alive(self, row: Mapping[str, Any]) -> bool:
        """Whether it answered when asked itself, or a peer of ours is joined to it."""
        key = self.key_of(row)
        asked = any(other["node_key"] == key for other in self.others)
        return asked or any(key in peer["connected"] for peer in self.fresh if key)

    def missing_votes(self) -> tuple[str, str] | None:
        """Whether so many validators are in trouble that the rest is no quorum."""
        troubles = self.troubles()
        have = self.size - len(troubles)
        if have >= self.needed:
            return None
        others = {other["genesis_hash"] for other in self.others} - {self.status["genesis_hash"]}
        rows = {self.name_of(row): row for row in self.status["validators"] if not row["me"]}
        away = [name for name, why in troubles.items() if rows[name]["node_key"] not in self.connected]
        who = "; ".join(f"{name} {why}" for name, why in troubles.items())
        lead = f"{have} of {self.size} validators can vote together here and {self.needed} are needed"
        if not away:
            cause = "peers-silent" if "has said nothing" in who else "peers-not-voting"
        elif others or any(self.key_of(rows[name]) in self.refused for name in away):
            cause = "other-genesis"
        elif any(self.is_alive(rows[name]) for name in away):
            cause, lead = "partition", f"this node sees {self.size - len(away)} of {self.size} validators"
        else:
            cause = "no-quorum"
        return cause, f"{lead}: {who}"

    # -- the round --

    def slow_round(self) -> tuple[str, str] | None:
        round_number, cause, words = self.engine["round"], self.engine.get("cause"), str(self.engine["waiting"])
        if cause == "block-refused":
            return "block-refused", words
        if not round_number and self.is_moving():
            return None
        troubles = self.troubles()
        silent = [name for name, why in troubles.items() if "connected" in why or "not reached" in why]
        if cause in ("no-proposal", "no-round-changes") and (round_number or silent):
            who = f"; {', '.join(silent)} cannot propose" if silent else ""
            return "proposer-silent", f"round {round_number}, because the proposer before did not propose{who}: {words}"
        if cause in ("no-prepares", "no-commits", "no-round-changes", "no-proposal"):
            return "votes-missing", words
        return None

    def progress(self) -> tuple[str, str]:
        age_ms, waits = self.status["head"]["age_ms"], self.status["pool"]
        left_ms = self.status["empty_block_ms"] - age_ms
        if self.engine.get("cause", "idle") in ("idle", "") and not waits and left_ms > 0:
            return "not-due", f"no transactions wait; an empty block is due in {left_ms / 1000:.1f} s"
        words = self.engine["waiting"]
        return "in-progress", f"the last block is {max(0, age_ms) / 1000:.1f} s old, {waits} transactions wait: {words}"

    # -- names --

    def known_as(self, row: Mapping[str, Any]) -> Known:
        return self.known.get(row["consensus_key"], Known("", ""))

    def key_of(self, row: Mapping[str, Any]) -> str:
        """The node key of a validator: heard from itself, or known from elsewhere."""
        for other in self.others:
            for known in other["validators"]:
                if known["me"] and known["consensus_key"] == row["consensus_key"]:
                    return str(known["node_key"])
        return str(row["node_key"] or self.known_as(row).node_key)

    def name_of(self, row: Mapping[str, Any]) -> str:
        return str(row["name"] or self.known_as(row).name or f"validator {row['index']}")

    def named(self, words: str) -> str:
        """Put names in the place of the engine's numbers."""
        rows = self.status["validators"]

        def name(match: re.Match[str]) -> str:
            numbers = [int(number) for number in match.group(1).split(", ")]
            return ", ".join(self.name_of(rows[n]) if n < len(rows) else f"validator {n}" for n in numbers)

        return _VALIDATORS.sub(name, words)


_CURES: dict[str, str] = {
    "node-down": "`metanode run` of its home, and what it says when it ends",
    "node-stopped": "`kill -CONT` of its process where it was stopped, else its log",
    "disk-full": "free space, then `metanode run` again: nothing that was final is lost",
    "storage-stopped": "what its log says of this part, then a restart",
    "catching-up": "a moment",
    "guard-missing": "`metanode guard import` of what was exported, or `metanode guard init --above HEIGHT`",
    "clock-off": "a clock set by NTP",
    "other-genesis": "the same genesis.json in every home",
    "partition": "addresses in [peers] dial and allow, firewalls, the line between the two sides",
    "no-quorum": "the missing nodes started, or their addresses in [peers] dial",
    "peers-silent": "a look at those machines: a stopped process, a cut line",
    "peers-not-voting": "`metanode why` of those nodes",
    "proposer-silent": "nothing: the next round has another proposer",
    "block-refused": "a look at the log for the reason",
    "votes-missing": "`metanode why` of the validators that did not vote",
}

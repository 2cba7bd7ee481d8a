"""What `metanode-miner status` shows: kept while mining, written after everything that changes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from metanode.miner.store import Store

STATES: dict[str, str] = {
    "starting": "asking the node for its chain",
    "registering": "bringing this machine's record on chain",
    "mining": "answering a challenge in every interval",
    "waiting": "the node is away; what was measured is kept and delivered later",
    "stopped": "ended because it was told to",
    "ended": "ended by an error that waiting does not cure",
}
"""Every state, in words."""


@dataclass
class Status:
    """A miner as its owner sees it."""

    node_url: str
    owner: str
    """Who is paid, by the record on chain once there is one."""
    machine: str = ""
    state: str = "starting"
    attested: int = 0
    """Attestations the node took since the miner started."""
    refused: int = 0
    balance: int | None = None
    """Of the owner, micro-units; None before the node told."""
    last: str = ""
    """The newest sentence told."""
    checks: list[dict[str, Any]] = field(default_factory=list)
    """The node's newest verdicts: name, verdict, reason, words, numbers."""

    @property
    def answered(self) -> int:
        """Attestations the node took or refused for good."""
        return self.attested + self.refused

    def write(self, store: Store, state: str) -> None:
        """Enter a state and keep everything on disk for `status`."""
        assert state in STATES, state
        self.state = state
        store.report(asdict(self))

"""A network of simulated validators under one seed, and the invariants that hold at every step."""

from __future__ import annotations

from random import Random

from simkit.blocks import Final
from simkit.node import Crashed, SimNode

from metanode.core.crypto.keys import KeyPair
from metanode.core.model.block import decode_block
from metanode.core.model.header import decode_header, header_hash
from metanode.core.model.leader import leader
from metanode.core.model.validators import Validator
from metanode.core.model.vote import VoteType, decode_certificate
from metanode.core.testing.chart import Event
from metanode.core.testing.links import FaultyLinks, LinkFaults
from metanode.core.testing.schedule import Schedule
from metanode.plugins.consensus.qbft.messages import decode_message
from metanode.plugins.consensus.qbft.votes import Evidence

BLOCK_MS = 1_000
TROUBLE_MS = 30_000
"""How long the network is bad."""
HEAL_MS = 60_000
"""Within this after healing every honest node must be `HEAL_BLOCKS` further: a few capped timers."""
HEAL_BLOCKS = 3


class Violation(AssertionError):
    """An invariant does not hold."""


class World:
    """N nodes, the first `byzantine` of them liars."""

    def __init__(self, seed: int, size: int = 4, byzantine: int | None = None) -> None:
        """:param byzantine: how many lie; drawn from the seed when None."""
        from simkit.byzantine import Liar

        self.trace: list[Event] | None = None
        """Set to a list, it fills with what happens, for a chart."""
        self.seed = seed
        self.chance = Random(seed)
        self.schedule = Schedule(1_700_000_000_000)
        self.block_ms = BLOCK_MS
        self.genesis_hash = self.chance.randbytes(32)
        keys = [KeyPair.from_seed(self.chance.randbytes(32)) for _ in range(size)]
        accounts = sorted(self.chance.randbytes(20) for _ in keys)
        self.validators = tuple(
            Validator(account, key.public_key, self.chance.randbytes(32), 1_000_000)
            for account, key in zip(accounts, keys, strict=True)
        )
        liars = self.chance.randint(0, (size - 1) // 3) if byzantine is None else byzantine
        faults = LinkFaults(
            loss=self.chance.choice((0.0, 0.05, 0.3)),
            duplicated=self.chance.choice((0.0, 0.1)),
            delay_ms=(1, self.chance.choice((5, 100, 500))),
            slow=self.chance.choice((0.0, 0.05, 0.2)),
        )
        self.links = FaultyLinks(self.schedule, self.chance, faults)
        self.crash = self.chance.choice((0.0, 0.002, 0.02))
        self.torn = self.chance.choice((0.0, 0.01)) if self.crash else 0.0
        self.final: dict[int, bytes] = {}
        self.signed: dict[tuple[int, int, int, int], tuple[bytes, int]] = {}
        self.evidence: list[Evidence] = []
        self.nodes: list[SimNode] = []
        for index, key in enumerate(keys):
            self.nodes.append((Liar if index < liars else SimNode)(self, index, key))
        self.honest = self.nodes[liars:]
        for node in self.nodes:
            node.skew_ms = self.chance.choice((0, 0, 500, -500, 1_500))

    # -- a run --

    def run(self) -> None:
        """Trouble, then healing; raises `Violation` as soon as an invariant fails."""
        for node in self.nodes:
            self.schedule.after(self.chance.randint(0, 500), node.start)
        start_ms = self.schedule.now_ms
        for _ in range(self.chance.randint(0, 4)):
            self.schedule.after(self.chance.randint(0, TROUBLE_MS - 1), self._divide)
        self.schedule.run(start_ms + TROUBLE_MS)
        self.links.heal()
        self.crash = self.torn = 0.0
        goal = max(self.final, default=0) + HEAL_BLOCKS
        healed = self.schedule.run(
            self.schedule.now_ms + HEAL_MS, lambda: all(node.chain.height >= goal for node in self.honest)
        )
        if not healed:
            rows = ", ".join(
                f"{n.index}: {n.chain.height} r{n.voter.state.round} {n.voter.state.phase.name} {n.voter.refused}"
                for n in self.honest
            )
            raise Violation(f"liveness: not all at {goal} within {HEAL_MS} ms after healing ({rows})")

    def _divide(self) -> None:
        order = self.chance.sample(range(len(self.nodes)), len(self.nodes))
        cut = self.chance.randint(0, len(order))
        self.links.partition([order[:cut], order[cut:]])
        if self.chance.random() < 0.5:
            one, other = order[0], order[-1]
            self.links.cut(one, other)
        self.schedule.after(self.chance.randint(100, 8_000), lambda: self.links.heal(self.links.faults))

    def note(self, source: int, target: int | None, words: str) -> None:
        """Keep what happened, when somebody wants to see it."""
        if self.trace is not None:
            self.trace.append(Event(self.schedule.now_ms, source, target, words))

    def maybe_crash(self, node: SimNode) -> None:
        """The power goes, at any boundary between two actions."""
        if self.chance.random() < self.crash:
            raise Crashed

    def hash_of(self, block: bytes) -> bytes:
        """The identity of an encoded block."""
        return header_hash(decode_block(block).header)

    # -- invariants --

    def said(self, node: SimNode, data: bytes) -> None:
        """No double sign: an honest key says one thing per height, round and type."""
        message = decode_message(data)
        vote = message.vote
        place = (node.index, vote.height, vote.round, int(vote.type))
        value = (vote.hash, vote.prepared_round)
        if self.signed.setdefault(place, value) != value:
            raise Violation(f"double sign: node {node.index} {VoteType(vote.type).name} at {vote.height}/{vote.round}")

    def finalized(self, node: SimNode, height: int, final: Final) -> None:
        """Agreement and validity; a block that was final stays so, since heights only grow by one."""
        self.note(node.index, None, f"final {height} {final.hash.hex()[:6]}")
        if node not in self.honest:
            return
        if self.final.setdefault(height, final.hash) != final.hash:
            raise Violation(f"agreement: two blocks at height {height}")
        header = decode_header(decode_block(final.block).header)
        round_number = decode_certificate(final.certificate).round
        beta = type(node.chain)(self.genesis_hash, self.validators)
        beta.blocks = node.chain.blocks[: height - 1]
        leaders = {leader(beta.beta, height, r, self.validators) for r in range(round_number + 1)}
        if header.proposer_index not in leaders:
            raise Violation(f"validity: block {height} is by {header.proposer_index}, leaders were {sorted(leaders)}")

    def accused(self, node: SimNode, evidence: Evidence) -> None:
        """Only liars are accused."""
        self.evidence.append(evidence)
        if evidence.validator >= len(self.nodes) - len(self.honest):
            raise Violation(f"node {evidence.validator} is honest and was accused by {node.index}")

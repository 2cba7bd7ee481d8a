"""One miner's life: register once, then answer a challenge in every interval that the chain counts.

Each step is remembered before the next, so that a restart goes on where a crash left it.  A node that is away
costs a wait, never the work: what was measured for a challenge is queued and delivered later, as late if need be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from metanode.core.crypto.keys import KeyPair
from metanode.core.model import kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.bodies import (
    Attest,
    MachineRecord,
    MachineReveal,
    challenge,
    inventory_digest,
    record_digest,
    seal_commit,
)
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.version import VERSION
from metanode.miner import measure, words
from metanode.miner.backoff import delay_s
from metanode.miner.config import Config
from metanode.miner.node import PASSING, Node
from metanode.miner.store import Memory, Store

AGENT = f"metanode/{VERSION}"
FINAL_POLL_S = 0.5
FINAL_TRIES_MAX = 240
"""Polls for a block before a registration step is sent again."""
JITTER_PERMILLE_MAX = 100
"""Attestations start up to this far into an interval, so that a fleet does not arrive at once."""

_T = TypeVar("_T")


@dataclass
class World:
    """What the loop may use of the outside: sleep, chance, and someone to tell."""

    sleep: Callable[[float], None]
    draw: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    tell: Callable[[str, dict[str, Any]], None]
    """(sentence, the same for programs)."""


@dataclass
class Counters:
    """What `status` shows."""

    attested: int = 0
    refused: int = 0
    last: str = ""
    balance: int | None = None
    checks: list[str] = field(default_factory=list)


class Miner:
    """A machine with its key, its record and its queue."""

    def __init__(self, config: Config, store: Store, memory: Memory, key: KeyPair, node: Node, world: World) -> None:
        self._config = config
        self._store = store
        self._memory = memory
        self._key = key
        self._node = node
        self._world = world
        self._params = node.genesis.params
        self._machine = measure.look(node.genesis.hash)
        self.counters = Counters()

    def introduce(self) -> None:
        """Say what this machine is and what it counts for."""
        for line in words.describe(self._machine, self._params):
            self._world.tell(line, {"event": "machine", "text": line})

    def round(self) -> float:
        """Register if need be, attest if this interval is still open, deliver what waits.

        :returns: seconds until the next round is due.
        :raises MetanodeError: a refusal that no retry cures.
        """
        asked = self._try(self._challenge)
        if not asked["registered"]:
            self._register(asked)
            return 0.0
        interval = self._interval(asked)
        if interval > self._memory.last_interval:
            self._attest(asked, interval)
        self._deliver()
        self._look_at_balance()
        self.report("mining")
        return self._until_next(asked, interval)

    def _challenge(self) -> dict[str, Any]:
        asked = self._node.challenge(self._key.public_key)
        expected = challenge(bytes.fromhex(asked["header_hash"]), self._key.public_key)
        if asked["challenge"] != expected.hex():
            raise MetanodeError("BAD_REPLY", "the node's challenge is not drawn from the header it names")
        if self._node.node_key is not None and self._memory.node_key != self._node.node_key.hex():
            self._memory = self._store.remember(
                self._memory, node_key=self._node.node_key.hex(), genesis_hash=self._node.genesis.hash.hex()
            )
        return asked

    def _register(self, asked: dict[str, Any]) -> None:
        """Commit, wait for the block, reveal, wait again; each step survives a restart."""
        if not self._memory.record:
            self._prepare_record(asked)
        salt, inner = bytes.fromhex(self._memory.salt), bytes.fromhex(self._memory.record)
        self._say("registering this machine: committing to its record", event="commit")
        try:
            committed = self._try(lambda: self._node.submit("commit", seal_commit(salt, inner)))
            self._wait_final(committed)
        except MetanodeError as error:
            if error.code != "SEAL_TAKEN":  # a commit that survived our crash is as good as a new one
                raise
        self._say("registering this machine: revealing its record", event="reveal")
        reveal = MachineReveal(salt, inner, bytes.fromhex(self._memory.signature)).encode()
        try:
            revealed = self._try(lambda: self._node.submit("reveal", reveal))
            self._wait_final(revealed)
        except MetanodeError as error:
            if error.code in ("SEAL_EXPIRED", "SEAL_UNKNOWN", "CHALLENGE_LATE", "PROBE_MISMATCH"):
                self._forget_record()  # measured for a challenge that is gone: the next round starts afresh
                self._say(f"registration starts again: {error.message}", event="restart", code=error.code)
                return
            raise
        self._forget_record()
        self._say(f"registered as {to_bech32m(self._key.account)}", event="registered")

    def _prepare_record(self, asked: dict[str, Any]) -> None:
        self._say("measuring this machine", event="measuring")
        answer = measure.answer(self._machine, bytes.fromhex(asked["challenge"]))
        record = MachineRecord(
            machine_key=self._key.public_key,
            owner=self._config.owner,
            binding_tag=self._machine.binding_tag,
            inventory=self._machine.inventory,
            challenge_height=asked["height"],
            probe_results=answer.probe_results,
            samples=answer.samples,
            agent=AGENT,
        ).encode()
        self._memory = self._store.remember(
            self._memory,
            salt=self._world.random_bytes(32).hex(),
            record=record.hex(),
            signature=self._key.sign(record_digest(record, self._node.genesis.hash)).hex(),
        )

    def _forget_record(self) -> None:
        self._memory = self._store.remember(self._memory, salt="", record="", signature="")

    def _attest(self, asked: dict[str, Any], interval: int) -> None:
        answer = measure.answer(self._machine, bytes.fromhex(asked["challenge"]))
        envelope = build_envelope(
            chain_id=self._node.genesis.chain_id,
            kind=kinds.ATTEST,
            sender=self._key.account,
            nonce=0,
            fee=0,
            valid_until=asked["height"] + self._params.max_valid,
            body=Attest(
                challenge_height=asked["height"],
                inventory_digest=inventory_digest(self._machine.inventory),
                samples=answer.samples,
                probe_results=answer.probe_results,
                agent=AGENT,
            ).encode(),
            sign=self._key.sign,
            genesis_hash=self._node.genesis.hash,
        )
        # On disk before it is sent: a crash or a node that goes away now costs nothing.
        self._store.queue(f"{interval:020}.envelope", envelope.raw)
        self._memory = self._store.remember(self._memory, last_interval=interval)

    def _deliver(self) -> None:
        """Send what waits, oldest first; a refusal is told and forgotten, an absent node ends the attempt."""
        for path, envelope in self._store.queued():
            raw = envelope
            try:
                answer = self._try(lambda raw=raw: self._node.submit("envelope", raw))  # type: ignore[misc]
            except MetanodeError as error:
                if error.code in PASSING:
                    self._say(f"kept for later: {error.message}", event="queued", code=error.code)
                    return
                self.counters.refused += 1
                self._say(f"refused: {error.line()}", event="refused", code=error.code)
            else:
                self.counters.attested += 1
                self.counters.checks = words.checks_lines(answer)
                self._say(words.attested(answer), event="attested", reply=answer)
            path.unlink()

    def _look_at_balance(self) -> None:
        try:
            view = self._node.balance(to_bech32m(self._config.owner))
        except MetanodeError as error:
            if error.code not in PASSING:
                raise
            return  # only shown: the next round asks again
        balance = view["balance"]["micro"]
        if self.counters.balance is not None and balance > self.counters.balance:
            coins = format_amount(balance - self.counters.balance)
            self._say(f"paid {coins} coins", event="paid", balance=balance)
        self.counters.balance = balance

    def report(self, state: str) -> None:
        """Write what `metanode-miner status` shows."""
        self._store.report(
            {
                "state": state,
                "node_url": self._config.node_url,
                "machine": to_bech32m(self._key.account),
                "owner": words.owner_words(self._config.owner),
                "attested": self.counters.attested,
                "refused": self.counters.refused,
                "queued": sum(1 for _ in self._store.queued()),
                "balance": self.counters.balance,
                "last": self.counters.last,
                "checks": self.counters.checks,
            }
        )

    def _wait_final(self, answer: dict[str, Any]) -> None:
        if answer["status"] == "final":
            return
        envelope_id: str = answer["id"]
        for _ in range(FINAL_TRIES_MAX):
            view = self._try(lambda: self._node.transaction(envelope_id))
            if view["status"] == "final":
                code = view["receipt"]["code"]
                if code != "OK":
                    raise MetanodeError(
                        code, f"the block refused the registration of this machine ({envelope_id[:16]}...)"
                    )
                return
            self._world.sleep(FINAL_POLL_S)
        raise MetanodeError(
            "TIMEOUT", f"{envelope_id[:16]}... is not in a block after {FINAL_TRIES_MAX * FINAL_POLL_S:g} s"
        )

    def _interval(self, asked: dict[str, Any]) -> int:
        slot: int = (asked["time_ms"] - self._node.genesis.genesis_ms) // self._params.slot_ms
        return slot // self._params.attest_every_slots

    def _until_next(self, asked: dict[str, Any], interval: int) -> float:
        """Seconds to a jittered moment in the next interval, by the chain's clock: this machine's may be wrong."""
        if self._config.attestation_interval:
            return float(self._config.attestation_interval)
        length_ms = self._params.slot_ms * self._params.attest_every_slots
        start_ms = self._node.genesis.genesis_ms + (interval + 1) * length_ms
        jitter_ms = self._world.draw() * length_ms * JITTER_PERMILLE_MAX / 1000
        return float(max(0.0, start_ms - asked["time_ms"] + jitter_ms) / 1000)

    def _try(self, ask: Callable[[], _T]) -> _T:
        """Ask, and ask again after passing refusals; raises the last one."""
        attempt = 1
        while True:
            try:
                return ask()
            except MetanodeError as error:
                if error.code not in PASSING or attempt >= self._config.retry_attempts:
                    raise
                wait = delay_s(attempt, self._config.backoff_base, self._world.draw)
                self._say(f"{error.message}; trying again in {wait:.0f} s", event="retry", code=error.code)
                self._world.sleep(wait)
                attempt += 1

    def _say(self, text: str, **event: Any) -> None:
        self.counters.last = text
        self._world.tell(text, {"text": text, **event})

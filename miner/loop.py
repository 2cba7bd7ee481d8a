"""One miner's life: register once, then answer a challenge in every interval that the chain counts.

Each step is remembered before the next, so that a restart goes on where a crash left it.  A node that is away
costs a wait, never the work: what was measured for a challenge is queued and delivered later, as late if need be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    decode_machine_record,
    inventory_digest,
    record_digest,
    seal_commit,
)
from metanode.core.model.envelope import build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.version import VERSION
from metanode.fingerprint.progress import ProgressLine
from metanode.fingerprint.rotation import ROTATING
from metanode.miner import measure, words
from metanode.miner.backoff import delay_s
from metanode.miner.config import Config
from metanode.miner.node import PASSING, Node
from metanode.miner.status import Status
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
    measuring: ProgressLine | None = None
    """Shows how far a record's measuring is; it may take a minute."""


class Miner:
    """A machine with its key, its record and its queue."""

    def __init__(
        self, config: Config, store: Store, memory: Memory, key: KeyPair, node: Node, world: World, status: Status
    ) -> None:
        self._config = config
        self._store = store
        self._memory = memory
        self._key = key
        self._node = node
        self._world = world
        self._status = status
        self._params = node.genesis.params
        self._machine = measure.look(node.genesis.hash)
        self._started = False

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
            self._status.write(self._store, "registering")
            self._register(asked)
            return 0.0
        if self._memory.record:
            self._forget_record()  # it is on chain: a crash kept us from noticing
        self._look_at_owner(asked["owner"])
        interval = self._interval(asked)
        wait = self._until_next(asked, interval)
        if interval > self._memory.last_interval:
            self._attest(asked, interval)
        elif not self._started:
            self._say(f"interval {interval} is attested already; the next one in {wait:.0f} s", event="early")
        self._started = True
        self._deliver()
        self._look_at_balance()
        self._status.write(self._store, "mining")
        return wait

    def _challenge(self) -> dict[str, Any]:
        asked = self._node.challenge(self._key.public_key)
        try:
            header_hash = bytes.fromhex(asked["header_hash"])
        except ValueError:
            header_hash = b""
        if asked["challenge"] != challenge(header_hash, self._key.public_key).hex():
            raise MetanodeError("BAD_REPLY", "the node's challenge is not drawn from the header it names")
        checks = asked.get("checks")
        if not isinstance(checks, list) or not all(name in ROTATING for name in checks):
            raise MetanodeError("BAD_REPLY", "the node asks for checks that this miner does not know", str(ROTATING))
        if self._node.node_key is not None and self._memory.node_key != self._node.node_key.hex():
            self._memory = self._store.remember(
                self._memory, node_key=self._node.node_key.hex(), genesis_hash=self._node.genesis.hash.hex()
            )
        return asked

    def _look_at_owner(self, owner: str) -> None:
        """The chain pays the owner on record, whatever this miner was told since."""
        if owner == self._status.owner:
            return
        self._say(
            f"this machine's record pays {owner}, not {self._status.owner}: the owner on record is paid",
            event="owner", owner=owner,
        )  # fmt: skip
        self._status.owner, self._status.balance = owner, None

    def _register(self, asked: dict[str, Any]) -> None:
        """Commit, wait for the block, reveal, wait again; each step survives a restart."""
        if not self._memory.record or self._recorded_owner() != self._config.owner:
            # Also afresh when another owner was chosen before the old one went on chain.
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

    def _recorded_owner(self) -> bytes:
        return decode_machine_record(bytes.fromhex(self._memory.record)).owner

    def _prepare_record(self, asked: dict[str, Any]) -> None:
        self._say("measuring this machine", event="measuring")
        show = self._world.measuring
        try:
            answer = measure.answer(self._machine, bytes.fromhex(asked["challenge"]), progress=show)
        finally:
            if show is not None:
                show.clear()
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
        answer = measure.answer(self._machine, bytes.fromhex(asked["challenge"]), checks=tuple(asked["checks"]))
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
        """Send what waits, oldest first; a refusal is told and forgotten, an absent node ends the attempt.

        :raises MetanodeError: BAD_REPLY, not this node's word: what waits keeps waiting.
        """
        for path, envelope in self._store.queued():
            raw = envelope
            self._world.sleep(0)  # a stop asked for meanwhile is noticed here: 64 may wait
            try:
                answer = self._try(lambda raw=raw: self._node.submit("envelope", raw))  # type: ignore[misc]
            except MetanodeError as error:
                if error.code in PASSING:
                    self._say(f"kept for later: {error.message}", event="queued", code=error.code)
                    return
                if error.code == "BAD_REPLY":
                    raise
                self._status.refused += 1
                self._say(
                    f"refused: {error.message} (expected: {error.expected}) [{error.code}]",
                    event="refused", code=error.code,
                )  # fmt: skip
            else:
                self._status.attested += 1
                self._say(words.attested(answer), event="attested", reply=answer)
                self._show_checks(answer["checks"])
            path.unlink()

    def _show_checks(self, checks: list[dict[str, Any]]) -> None:
        """Tell the node's verdicts when they are new; numbers alone change every time."""
        known = {(check["name"], check["verdict"], check["reason"]) for check in self._status.checks}
        self._status.checks = checks
        for check in checks:
            if (check["name"], check["verdict"], check["reason"]) not in known:
                text = words.check_line(check)
                self._world.tell(text, {"event": "check", "check": check, "text": text})

    def _look_at_balance(self) -> None:
        try:
            balance = self._node.balance(self._status.owner)
        except MetanodeError as error:
            if error.code not in PASSING:
                raise
            return  # only shown: the next round asks again
        before, self._status.balance = self._status.balance, balance
        if before is not None and balance > before:
            coins = format_amount(balance - before)
            self._say(f"paid {coins} coins, balance {format_amount(balance)}", event="paid", balance=balance)

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
        self._status.last = text
        self._world.tell(text, {"text": text, **event})

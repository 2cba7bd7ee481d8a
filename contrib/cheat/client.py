"""A miner that lies: the miner's own client code, with whatever record it is handed instead of a measured one."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lab import Chain, key_of
from pretence import Pretence
from standing import Told, told

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto.keys import KeyPair
from metanode.core.light.http_client import HttpClient
from metanode.core.model import kinds
from metanode.core.model.bodies import (
    Attest,
    MachineRecord,
    MachineReveal,
    ProbeResults,
    challenge,
    inventory_digest,
    record_digest,
    seal_commit,
)
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H
from metanode.fingerprint.rotation import probes_of
from metanode.miner.loop import AGENT
from metanode.miner.node import Node
from metanode.plugins.ledger.attested.sponsor import SHARE

WAIT_S_MAX = 20.0
"""Longest wait for a block, or for the next interval."""
POLL_S = 0.04
BATCH = 50
"""Envelopes sent at once; the pool queues 64 of an account."""


@dataclass(frozen=True)
class Machine:
    """A machine as the cheater runs it: its key, who is paid, its binding tag, what it claims to be."""

    name: str
    claim: Pretence
    tag: bytes = b""
    owner: bytes = b""
    key: KeyPair = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_of(self.name))
        object.__setattr__(self, "tag", self.tag or H("identity", self.name.encode()))
        object.__setattr__(self, "owner", self.owner or key_of(f"owner of {self.name}").account)


class Client:
    """One cheater's connection to the node."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.genesis = chain.genesis
        self.api = NodeApi(chain.url)
        self._http = HttpClient(chain.url)
        self.node = Node(self._http, chain.genesis, None)
        self._commits: Counter[int] = Counter()

    def challenge(self, machine: Machine) -> dict[str, Any]:
        """Ask for a challenge; the reply's signature is checked as any miner does."""
        return self.node.challenge(machine.key.public_key)

    def challenge_now(self, machine: Machine) -> dict[str, Any]:
        """Return the newest header's challenge without asking for it: anyone can compute it."""
        head = self.api.head()
        drawn = challenge(bytes.fromhex(head["header_hash"]), machine.key.public_key)
        return {"challenge": drawn.hex(), **head}

    def reveal_of(
        self,
        machine: Machine,
        *,
        asked: dict[str, Any] | None = None,
        results: ProbeResults | None = None,
        samples: bytes | None = None,
    ) -> MachineReveal:
        """Return the reveal of a machine's record, signed by its key.

        :param results: in place of the right ones; `samples` likewise.
        """
        self._wait_for_room()
        asked = asked or self.challenge_now(machine)
        right = machine.claim.results(bytes.fromhex(asked["challenge"]))
        record = MachineRecord(
            machine_key=machine.key.public_key,
            owner=machine.owner,
            binding_tag=machine.tag,
            inventory=machine.claim.inventory.encode(),
            challenge_height=asked["height"],
            probe_results=right if results is None else results,
            samples=machine.claim.samples() if samples is None else samples,
            agent=AGENT,
        ).encode()
        signature = machine.key.sign(record_digest(record, self.genesis.hash))
        return MachineReveal(os.urandom(32), record, signature)

    def commit(self, reveal: MachineReveal) -> None:
        """Commit to a record and wait for the block."""
        self._commits[self.epoch] += 1
        self._final(self.node.submit("commit", seal_commit(reveal.salt, reveal.inner)))

    def reveal(self, reveal: MachineReveal) -> dict[str, Any]:
        """Reveal a record and wait for the block; returns the node's signed reply."""
        answer = self.node.submit("reveal", reveal.encode())
        self._final(answer)
        return answer

    def register(self, machine: Machine, **changes: Any) -> Told:
        """Commit and reveal a machine's record; returns what it counts for.

        :raises MetanodeError: the refusal, with its code.
        """
        record = self.reveal_of(machine, **changes)
        self.commit(record)
        return told(self.reveal(record))

    def attestation(
        self, machine: Machine, asked: dict[str, Any], results: ProbeResults | None = None, digest: bytes = b""
    ) -> Envelope:
        """Return the attestation that answers a challenge, signed by the machine's key."""
        probes = probes_of(asked["checks"])
        right = machine.claim.results(bytes.fromhex(asked["challenge"]), probes)
        return build_envelope(
            chain_id=self.genesis.chain_id,
            kind=kinds.ATTEST,
            sender=machine.key.account,
            nonce=0,
            fee=0,
            valid_until=asked["height"] + self.genesis.params.max_valid,
            body=Attest(
                challenge_height=asked["height"],
                inventory_digest=digest or inventory_digest(machine.claim.inventory.encode()),
                samples=machine.claim.attest_samples(probes),
                probe_results=right if results is None else results,
                agent=AGENT,
            ).encode(),
            sign=machine.key.sign,
            genesis_hash=self.genesis.hash,
        )

    def attest(self, envelope: Envelope) -> dict[str, Any]:
        """Submit an attestation as miners do, wait for its block, and return the stored result."""
        answer = self.node.submit("envelope", envelope.raw)
        self._final(answer)
        return self.node.submit("envelope", envelope.raw) if answer["status"] != "final" else answer

    def standing(self, machine: Machine) -> Told:
        """Return what the chain holds of a machine now."""
        return told(self.view(machine))

    def view(self, machine: Machine) -> dict[str, Any]:
        """Return what the node says of a machine on record."""
        found: dict[str, Any] = self.api.get(f"/v1/miners/{machine.key.public_key.hex()}")
        return found

    def send(self, key: KeyPair, kind: int, body: bytes) -> dict[str, Any]:
        """Send an envelope of an account and wait for its block; returns its receipt."""
        return self._final(self.api.submit(self.envelopes(key, [(kind, body)]))[0])

    def envelopes(self, key: KeyPair, bodies: Sequence[tuple[int, bytes]]) -> list[Envelope]:
        """Return envelopes of an account that follow one another."""
        view, head = self.api.account(key.account), self.api.head()
        return [
            build_envelope(
                chain_id=self.genesis.chain_id, kind=kind, sender=key.account, nonce=view["next_nonce"] + at,
                fee=self.genesis.params.min_fee, valid_until=head["height"] + self.genesis.params.max_valid, body=body,
                public_key=b"" if view["public_key"] or at else key.public_key, sign=key.sign,
                genesis_hash=self.genesis.hash,
            )
            for at, (kind, body) in enumerate(bodies)
        ]  # fmt: skip

    def send_all(self, key: KeyPair, bodies: Sequence[tuple[int, bytes]]) -> list[str]:
        """Send envelopes of one account, as many at a time as the pool queues; returns the code of each."""
        codes = []
        for start in range(0, len(bodies), BATCH):
            batch = [envelope.raw.hex() for envelope in self.envelopes(key, bodies[start : start + BATCH])]
            for answer in self._http.post("/v1/tx", {"envelopes": batch}).json()["results"]:
                try:
                    if not answer.get("ok", True):
                        raise MetanodeError(answer["code"], answer["message"])
                    self._final(answer)
                    codes.append("OK")
                except MetanodeError as error:
                    codes.append(error.code)
        return codes

    def wait_until(self, time_ms: int) -> dict[str, Any]:
        """Wait until the chain's clock has passed a moment; returns the head."""
        deadline = time.monotonic() + WAIT_S_MAX
        while (head := self.api.head())["time_ms"] <= time_ms:
            if time.monotonic() > deadline:
                raise MetanodeError("TIMEOUT", f"the chain's clock stands at {head['time_ms']}, {time_ms} is awaited")
            time.sleep(POLL_S)
        return head

    @property
    def epoch(self) -> int:
        """The chain's epoch now."""
        return (int(self.api.head()["time_ms"]) - self.genesis.genesis_ms) // self._epoch_ms

    def leave_room(self, left_ms: int) -> None:
        """Wait for the next epoch unless so much is left of this one."""
        ends_ms = self.genesis.genesis_ms + (self.epoch + 1) * self._epoch_ms
        if ends_ms - int(self.api.head()["time_ms"]) < left_ms:
            self.wait_until(ends_ms)

    def wait_for_epoch(self) -> None:
        """Wait for the next epoch's first block."""
        self.wait_until(self.genesis.genesis_ms + (self.epoch + 1) * self._epoch_ms)

    @property
    def _epoch_ms(self) -> int:
        return self.genesis.params.slot_ms * self.genesis.params.slots_per_epoch

    def _wait_for_room(self) -> None:
        """Wait until this address may register another machine through the node's own sponsor."""
        if self._commits[self.epoch] >= self.genesis.params.machines_per_sponsor_epoch // SHARE:
            self.wait_for_epoch()

    def _final(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Wait for the block that takes an envelope; raises its receipt's code unless that is OK."""
        if answer["status"] == "final":
            return answer
        deadline = time.monotonic() + WAIT_S_MAX
        while (view := self.node.transaction(answer["id"]))["status"] != "final":
            if time.monotonic() > deadline:
                raise MetanodeError("TIMEOUT", f"{answer['id'][:16]}... is in no block after {WAIT_S_MAX:g} s")
            time.sleep(POLL_S)
        code = view["receipt"]["code"]
        if code != "OK":
            raise MetanodeError(code, "the block refused it")
        return view

"""What stands in finalised blocks about machines: the reveal behind a record, and what became of an attestation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import resources

from metanode.core.model import kinds
from metanode.core.model.bodies import MachineRecord, decode_machine_record, decode_machine_reveal
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.params import network_params
from metanode.core.model.receipt import OK, Receipt, decode_receipt
from metanode.core.roles import BlockRecord, Storage
from metanode.core.workers import Workers
from metanode.fingerprint.scoring import Policy, Score
from metanode.plugins.ledger.attested.entries import Machine
from metanode.plugins.ledger.attested.machines import score_record
from metanode.plugins.ledger.attested.rules import Rules
from metanode.plugins.ledger.attested.verdicts import Lru

RECORDS_MAX = 1_024
"""Machine records kept decoded, about 8 KiB each."""


@dataclass(frozen=True)
class Known:
    """A machine's record as its reveal told it, and what two policies make of it."""

    envelope_id: bytes
    record: MachineRecord
    score: Score
    """Under this chain's policy, as validators computed it."""
    mainnet: Score
    """What the main network's policy would give, for display."""


class Records:
    """Reads machine records back from storage."""

    def __init__(self, storage: Storage, rules: Rules, workers: Workers) -> None:
        self._storage = storage
        self._workers = workers
        self._rules = rules
        self._mainnet = mainnet_policy()
        self._known: Lru[int, Known] = Lru(RECORDS_MAX)

    async def of(self, index: int, machine: Machine) -> Known | None:
        """Return what the reveal of a machine said; None when its block's body is pruned."""
        known = self._known.get(index)
        if known is None:
            block = await self._storage.block(machine.record_height)
            if block is not None:
                # Another thread: the reveal may stand behind thousands of envelopes.
                known = await self._workers.run(partial(self._find, block, machine.machine_key))
            if known is not None:
                self._known.put(index, known)
        return known

    def judge(self, envelope_id: bytes, record: MachineRecord) -> Known:
        """Score a record under both policies."""
        policies = (self._rules.policy, self._mainnet)
        here, mainnet = (score_record(record, policy, self._rules.table) for policy in policies)
        return Known(envelope_id, record, here, mainnet)

    async def receipt(self, envelope_id: bytes) -> tuple[int, Receipt] | None:
        """Return (height, receipt) of a final envelope."""
        found = await self._storage.find_envelope(envelope_id)
        if found is None:
            return None
        height, index = found
        block = await self._storage.block(height)
        return None if block is None else (height, decode_receipt(block.receipts[index]))

    async def envelope_id_at(self, height: int, position: int) -> bytes | None:
        """Return the id of the envelope at a place in a final block."""
        block = await self._storage.block(height)
        return None if block is None else decode_envelope(block.block.envelope_bytes()[position]).id

    def _find(self, block: BlockRecord, machine_key: bytes) -> Known | None:
        for raw, receipt in zip(block.block.envelope_bytes(), block.receipts, strict=True):
            envelope = decode_envelope(raw)
            # A reveal that failed may stand before the one that made the record, with anything inside.
            if envelope.kind != kinds.MACHINE_REVEAL or decode_receipt(receipt).code != OK:
                continue
            record = decode_machine_record(decode_machine_reveal(envelope.body).inner)
            if record.machine_key == machine_key:
                return self.judge(envelope.id, record)
        return None


def mainnet_policy() -> Policy:
    """Return the scoring policy of the main network, from the file that ships with this version."""
    text = resources.files("metanode.core.model").joinpath("data/networks.json").read_text("utf-8")
    params = network_params(text, "mainnet")
    return Policy.of(params)

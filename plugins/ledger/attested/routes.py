"""The miner's two routes: ask for a challenge, submit a commit, a reveal or an attestation.  Replies are signed.

The same bytes again get the same answer: what is final is told from the chain, what waits from the pool.
"""

from __future__ import annotations

from typing import Any

from metanode.core.hooks import PluginContext
from metanode.core.http import Request, Response, Route, json_response
from metanode.core.model import kinds
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.bodies import (
    Attest,
    MachineCommit,
    MachineReveal,
    challenge,
    decode_machine_record,
    decode_machine_reveal,
    inventory_digest,
    seal_commit,
)
from metanode.core.model.envelope import Envelope, decode_envelope
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import HASH_BYTES, PUBLIC_KEY_BYTES
from metanode.core.model.receipt import EventNumber
from metanode.core.roles import Head
from metanode.fingerprint.checks import UNMEASURED
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.samples import decode_samples
from metanode.plugins.ledger.attested import attest, machines, replies, validity
from metanode.plugins.ledger.attested.entries import Machine
from metanode.plugins.ledger.attested.fields import hex_bytes, texts_of
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.records import Records
from metanode.plugins.ledger.attested.rules import next_place
from metanode.plugins.ledger.attested.settlement import lifted
from metanode.plugins.ledger.attested.sponsor import Sponsor
from metanode.plugins.ledger.attested.state import LedgerState

PARTS = ("commit", "reveal", "envelope")
NONCE_BYTES = 16
"""What a client may add to a request for a challenge to make it unlike any other."""


class AttestRoutes:
    """Handlers of the routes below."""

    def __init__(self, context: PluginContext, ledger: AttestedLedger, records: Records) -> None:
        self._context = context
        self._rules = ledger.rules
        self._verdicts = ledger.verdicts
        self._records = records
        self._sponsor = Sponsor(context, ledger.rules.schedule)

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        return (
            Route("POST", "/v1/attest/challenge", self.challenge, "a fresh challenge for a machine key", signed=True),
            Route("POST", "/v1/attest/submit", self.submit, "a machine commit, reveal or attestation", signed=True),
        )

    async def challenge(self, request: Request) -> Response:
        """Any node may issue it and any validator checks it: nothing is remembered here."""
        body = texts_of(request.body, ("machine_key", "nonce"))
        machine_key = hex_bytes(body.get("machine_key", ""), "machine_key", PUBLIC_KEY_BYTES)
        if "nonce" in body:
            # Nothing to keep: the reply's signature covers it, so that an earlier reply answers no later request.
            hex_bytes(body["nonce"], "nonce", NONCE_BYTES)
        head, rules = self._head, self._rules
        state = LedgerState(head.state)
        params = rules.params
        value: dict[str, Any] = {
            "ok": True,
            "challenge": challenge(head.header_hash, machine_key).hex(),
            "height": head.height,
            "header_hash": head.header_hash.hex(),
            "time_ms": head.time_ms,
            "fresh_ms": params.challenge_fresh_ms,
            "slot_ms": params.slot_ms,
            "slots_per_epoch": params.slots_per_epoch,
            "attest_every_slots": params.attest_every_slots,
            "chain_id": rules.genesis.chain_id,
            "genesis_hash": rules.genesis_hash.hex(),
            "genesis_ms": rules.genesis.genesis_ms,
            "params": params.to_json(),
            "sponsor": to_bech32m(self._sponsor.account),
            "machine": to_bech32m(account_id(machine_key)),
            **replies.calendar_json(rules, head.time_ms),
        }
        # What an attestation for this challenge measures anew; a machine record has every check.
        value["checks"] = list(attest.checks_of(state, head.beta, value["epoch"]))
        index = state.machine_index(account_id(machine_key))
        if index is None:
            return json_response({**value, "registered": False, "owner": None, "weight": None, "interval_used": False})
        counters = attest.rolled(next_place(rules, head), state, state.counters(index))
        used = attest.is_used(rules, counters, value["interval"], counters.epoch)
        machine = replies.machine_json(rules, head, index)
        return json_response({**value, **machine, "registered": True, "interval_used": used})

    async def submit(self, request: Request) -> Response:
        """202: it waits for a block; 200: it is final."""
        body = texts_of(request.body, PARTS)
        if len(body) != 1:
            raise Rejection("BAD_SHAPE", f"body with keys {sorted(body)}", f"exactly one of {', '.join(PARTS)}")
        ((part, text),) = body.items()
        data = hex_bytes(text, part)
        if part == "commit":
            value = await self._commit(data, request.source)
        elif part == "reveal":
            value = await self._reveal(data, request.source)
        else:
            value = await self._attest(decode_envelope(data), request.source)
        value = {"ok": True, "accepted": True, **value}
        return json_response(value, status=200 if value["status"] == "final" else 202)

    @property
    def _head(self) -> Head:
        return self._context.roles.consensus.head

    async def _commit(self, commit: bytes, source: str) -> dict[str, Any]:
        if len(commit) != HASH_BYTES:
            raise Rejection("BAD_HEX", f"commit of {len(commit)} bytes", f"{HASH_BYTES} bytes: H(seal, salt || inner)")
        head = self._head
        seal = LedgerState(head.state).seal(commit)
        if seal is None:
            status, height = "pending", None
            envelope_id: bytes | None = await self._sponsor.submit(
                kinds.MACHINE_COMMIT, MachineCommit(commit).encode(), source=source
            )
        else:
            status, height = "final", seal.height
            envelope_id = await self._records.envelope_id_at(seal.height, seal.position)
        return {
            "kind": "machine_commit",
            "status": status,
            "id": None if envelope_id is None else envelope_id.hex(),
            "height": height,
            "commit": commit.hex(),
            "sponsor": to_bech32m(self._sponsor.account),
            "next": {"step": "reveal", "blocks_max": self._rules.params.reveal_window_blocks},
            # Sealed: what the machine counts for is known once its record is revealed.
            **dict.fromkeys(("weight", "multiplier", "class"), None),
            "caps": [],
            "checks": [],
            "evidence_level": "none",
            **replies.calendar_json(self._rules, head.time_ms),
        }

    async def _reveal(self, data: bytes, source: str) -> dict[str, Any]:
        body = decode_machine_reveal(data)
        record = decode_machine_record(body.inner)
        state = LedgerState(self._head.state)
        index = state.machine_index(account_id(record.machine_key))
        if index is not None:
            machine = lifted(state, state.machine(index))
            known = await self._records.of(index, machine)
            same = (machine.owner, machine.binding_tag, machine.inventory_digest) == (
                record.owner, record.binding_tag, inventory_digest(record.inventory)
            )  # fmt: skip
            if same:
                envelope_id = None if known is None else known.envelope_id.hex()
                reply = self._registered("final", envelope_id, index, machine)
                return reply | replies.evidence_json(known, machine)
        return await self._reveal_new(body, source)

    async def _reveal_new(self, body: MachineReveal, source: str) -> dict[str, Any]:
        place = next_place(self._rules, self._head)
        state = LedgerState(self._head.state)
        # A failed reveal costs the sponsor its fee, so everything is checked before it is sent.
        done = machines.assess(place, state, self._verdicts, body)
        known = self._records.judge(b"", decode_machine_record(body.inner))
        envelope_id = await self._sponsor.submit(kinds.MACHINE_REVEAL, body.encode(), source=source)
        reply = self._registered("pending", envelope_id.hex(), done.tag.index, done.machine)
        evidence = replies.evidence_json(known, done.machine)
        return {**reply, "commit": seal_commit(body.salt, body.inner).hex(), **evidence}

    def _registered(self, status: str, envelope_id: str | None, index: int, machine: Machine) -> dict[str, Any]:
        calendar = replies.calendar_json(self._rules, self._head.time_ms)
        return {
            "kind": "machine_reveal",
            "status": status,
            "id": envelope_id,
            "machine": to_bech32m(account_id(machine.machine_key)),
            "machine_index": index,
            "owner": to_bech32m(machine.payee(calendar["epoch"])),
            "next": {"step": "attest", "interval": calendar["interval"]},
            **calendar,
            **replies.standing_json(self._rules, machine, calendar["epoch"]),
        }

    async def _attest(self, envelope: Envelope, source: str) -> dict[str, Any]:
        body = validity.check_alone(self._rules, envelope)
        if not isinstance(body, Attest):
            name = kinds.KIND_NAMES[envelope.kind]
            raise Rejection("BAD_SHAPE", f"an envelope of kind {name}", "kind attest; others go to POST /v1/tx")
        final = await self._final(envelope, body)
        if final is not None:
            return final
        try:
            # Judged before it is sent: afterwards a block may hold it before this task runs again.
            head = self._head
            done = attest.assess(next_place(self._rules, head), LedgerState(head.state), envelope.sender, body)
            (admission,) = await self._context.roles.mempool.submit([envelope.raw], source=source)
            if admission.error is not None:
                raise admission.error
        except Rejection as error:
            final = await self._final(envelope, body) if error.code == "CHALLENGE_USED" else None
            if final is None:
                raise
            return final
        found = {"status": "pending", "height": None, "counted": done.counted}
        return found | await self._attested(envelope, body, done.index, done.machine, done.slot, done.interval)

    async def _final(self, envelope: Envelope, body: Attest) -> dict[str, Any] | None:
        """Return the stored result of an attestation that already stands in a block."""
        stored = await self._records.receipt(envelope.id)
        if stored is None:
            return None
        height, receipt = stored
        number, index, interval = receipt.events[0]
        assert isinstance(index, int), "the second value of an attestation's event is its machine's index"
        assert isinstance(interval, int), "the third is the interval"
        header = self._head.ancestors.at(body.challenge_height)
        slot = None if header is None else self._rules.schedule.slot(header[1])
        found = {"status": "final", "height": height, "counted": number == EventNumber.ATTEST_COUNTED}
        state = LedgerState(self._head.state)
        machine = lifted(state, state.machine(index))
        return found | await self._attested(envelope, body, index, machine, slot, interval)

    async def _attested(
        self, envelope: Envelope, body: Attest, index: int, machine: Machine, slot: int | None, interval: int
    ) -> dict[str, Any]:
        schedule = self._rules.schedule
        epoch = schedule.epoch_of_interval(interval)
        row = self._rules.table.row(machine.family, machine.arch)
        checks = judge_evidence(body.probe_results, decode_samples(body.samples), machine.model, row)
        known = await self._records.of(index, machine)
        if known is not None:
            measured = {check.name for check in checks if check.verdict != UNMEASURED}
            before = tuple(check for check in known.score.checks if check.name not in measured)
            checks = (*before, *(check for check in checks if check.name in measured))
        return {
            "kind": "attest",
            "id": envelope.id.hex(),
            "machine": to_bech32m(envelope.sender),
            "machine_index": index,
            "owner": to_bech32m(machine.payee(epoch)),
            "epoch": epoch,
            "slot": slot,
            "interval": interval,
            "epoch_end_ms": schedule.epoch_start_ms(epoch + 1),
            "next": {
                "step": "attest",
                "interval": interval + 1,
                "at_ms": schedule.interval_start_ms(interval + 1),
            },
            **replies.standing_json(self._rules, machine, epoch),
            **replies.evidence_json(known, machine, checks),
        }

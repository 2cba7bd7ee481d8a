"""Malformed envelopes of every kind at every position of a block, against the ledger.

What is tried: bodies and fields mutated by structure and then signed rightly, numbers at their edges, wrong keys,
wrong and turned signatures, unknown kinds, repeated envelopes.  What must hold:

- the door (`check`) answers each with a refusal or None, the check of a block with `InvalidBlock` or a result,
  the proposer (`assemble`) leaves out what may not stand; nothing else is raised;
- the state that was built on is unchanged, and the same block gives the same result afterwards;
- a ledger that remembers nothing agrees;
- every row fits its view, so storage will take it, and the supply sums.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

from fuzzkit import mutate
from fuzzkit.targets import one_line
from metanode.core.crypto.keys import KeyPair
from metanode.core.model import bodies, codec, kinds
from metanode.core.model.envelope import Envelope, decode_envelope, signing_digest
from metanode.core.model.errors import InvalidBlock, MetanodeError
from metanode.core.testing.contracts.ledger import key_pair
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts
from metanode.plugins.storage._shared.views import check_row

MACHINES = 4
GAPS_MS = (1, 1, 400, 2_000, 9_001, 20_001, 61_000)
AEON_MS = (2**40, 2**53, 2**62)
"""Header times are 64 bits; a validator's own clock is no rule of execution."""


def _chains() -> ModuleType:
    """The chain and machines of the ledger's own tests; not a package, so loaded by its path."""
    path = Path(__file__).resolve().parents[2] / "plugins" / "ledger" / "conftest.py"
    spec = importlib.util.spec_from_file_location("ledger_chains", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class LedgerHunt:
    """One random chain after another, all from one seed."""

    def __init__(self, seed: str) -> None:
        self.chance = Random(seed)
        self.outcomes: Counter[str] = Counter()
        self._kit: Any = _chains()
        self._members = [self._kit.member(0), self._kit.member(1)]
        self._people = [self._kit.ALICE, self._kit.BOB, self._kit.SPONSOR, key_pair(50), key_pair(51), *self._members]
        self._fresh_chain()

    def _fresh_chain(self) -> None:
        chance = self.chance
        self.chain = self._kit.MachineChain(
            treasury=chance.choice((0, 5_000_000, 2**64 - 7 * 10**9)),
            members=2,
            uncalibrated_cap=chance.choice((0, 1_500_000_000)),
            twins_per_sponsor=chance.choice((1, 100)),
            settle_per_block=chance.choice((1, 2, 2000)),
            attests_per_block_max=chance.choice((0, 1, 1000)),
            block_envelopes_max=chance.choice((3, 2000)),
            machines_per_sponsor_epoch=chance.choice((1, 100)),
            reveal_window_blocks=chance.choice((2, 600)),
            min_fee=chance.choice((1, 100)),
            max_valid=chance.choice((150, 10_000)),
        )
        looks = (self._kit.G4, self._kit.PC, self._kit.VM)
        self.boxes = [self._kit.box(n, looks[n % 3], owner=self._kit.ALICE) for n in range(MACHINES)]
        self.proposals: list[bytes] = []
        self.reveals: list[bodies.MachineReveal] = []
        self.last: list[Envelope] = []
        self._blocks = 0

    def step(self) -> None:
        """Build one block of good and malformed envelopes and hold the ledger to its promises."""
        if self._blocks > 40:
            self._fresh_chain()
        self._blocks += 1
        chance, chain = self.chance, self.chain
        self._queued: Counter[bytes] = Counter()
        envelopes = [self._good() for _ in range(chance.randint(0, 4))]
        if chance.randrange(8):
            for _ in range(chance.randint(1, 3)):
                envelopes.insert(chance.randrange(len(envelopes) + 1), self._malformed())
        if self.last and chance.randrange(3) == 0:
            envelopes.insert(chance.randrange(len(envelopes) + 1), chance.choice(self.last))
        fields = chain.fields(chance.choice(GAPS_MS if chance.randrange(60) else AEON_MS))
        root, items = chain.head.state.root, len(chain.head.state)

        door = self._door(envelopes)
        checked = self._check(chain.ledger, fields, envelopes)
        assert self._check(chain.forgetful, fields, envelopes) == checked, "what was remembered changes nothing"
        built = chain.ledger.execute(chain.head, fields, envelopes, assemble=True)
        again = self._check(chain.forgetful, fields, built.included)
        assert again == ("", built.state.root, [r.encode() for r in built.receipts]), "a proposer's block is valid"
        assert self._check(chain.ledger, fields, envelopes) == checked
        for before, after in zip(door, self._door(envelopes), strict=True):
            # The one thing the door learns: the key that a new account's first envelope showed.
            assert after == before or before == "PUBKEY_MISSING"
        assert (chain.head.state.root, len(chain.head.state)) == (root, items), "the parent's state stands"
        for row in built.rows:
            check_row(row)
            assert all(not isinstance(value, int) or 0 <= value < 2**64 for value in row.values)
        assert is_whole(supply_parts(built.state))
        self.outcomes[f"block {checked[0] or 'valid'}"] += 1
        self.last = list(built.included)
        chain.append(built, fields)

    def _door(self, envelopes: Sequence[Envelope]) -> list[str]:
        errors = self.chain.ledger.check(self.chain.head, envelopes)
        assert len(errors) == len(envelopes)
        codes = []
        for error in errors:
            codes.append("taken" if error is None else one_line(error).code)
        self.outcomes.update(f"door {code}" for code in codes)
        return codes

    def _check(self, ledger: Any, fields: Any, envelopes: Sequence[Envelope]) -> tuple[str, bytes, list[bytes]]:
        fresh = [decode_envelope(envelope.raw) for envelope in envelopes]
        try:
            done = ledger.execute(self.chain.head, fields, fresh, assemble=False)
        except InvalidBlock as error:
            return one_line(error).code, b"", []
        return "", done.state.root, [receipt.encode() for receipt in done.receipts]

    def _good(self) -> Envelope:
        chance, chain = self.chance, self.chain
        person = chance.choice(self._people)
        queued = {"nonce": chain.state.account(person.account).nonce + self._queued[person.account]}
        if chance.randrange(3):
            self._queued[person.account] += 1
        match chance.randrange(7):
            case 5:
                heir = b"" if chance.randrange(2) else chance.choice(self._people).account
                return chain.unbind(person, chance.choice(self.boxes), heir, **queued)
            case 6:
                return self._governed(person, queued)
            case 0 | 1:
                amount = chance.choice((1, 1000, 10**9, 2**64 - 1))
                to = chance.choice(self._people).account if chance.randrange(2) else chance.randbytes(20)
                return chain.transfer(person, to, amount, **queued)
            case 2:
                box = chance.choice(self.boxes)
                body = chain.reveal_body(box, chain.record(box), chance.randbytes(32))
                self.reveals.append(body)
                return chain.commit(body, person, **queued)
            case 3 if self.reveals:
                return chain.reveal(chance.choice(self.reveals[-6:]), person, **queued)
            case _:
                return chain.attest(chance.choice(self.boxes), max(0, chain.head.height - chance.choice((0, 1, 9))))

    def _governed(self, person: KeyPair, queued: dict[str, int]) -> Envelope:
        """Return a proposal, nearly always one that calibrates nothing, or an approval of one."""
        chance, chain = self.chance, self.chain
        if self.proposals and chance.randrange(3) == 0:
            ident = bodies.proposal_id(chance.choice(self.proposals), chain.genesis.hash)
            return chain.govern(person, bodies.APPROVE, ident, **queued)
        reports = [mutate.mutate_cbor(chance, codec.encode({0: bytes(64), 1: bytes(64)})) for _ in range(3)]
        proposal = codec.encode([bodies.CALIBRATE, ["ppc pvr 8003", *reports]])
        if chance.randrange(2):
            proposal = mutate.mutate_cbor(chance, proposal)
        self.proposals.append(proposal)
        return chain.govern(person, bodies.PROPOSE, proposal, **queued)

    def _malformed(self) -> Envelope:
        """Return an envelope of the right outer shape with something wrong, or only odd, in it."""
        chance = self.chance
        while True:
            envelope = self._good()
            fields = codec.decode(envelope.signed)
            assert isinstance(fields, dict)
            body = envelope.body
            match chance.randrange(7):
                case 0 | 1:
                    body = mutate.mutate_cbor(chance, body)
                case 2:
                    body = mutate.mutate_bytes(chance, body)
                case 3:
                    body = self._odd_record(envelope, body)
                case _:
                    pass
            fields[7] = body
            for _ in range(chance.randrange(3)):
                key = chance.choice((0, 1, 2, 2, 4, 5, 6, 8))
                fields[key] = chance.choice((*range(20), *mutate.EDGES))
            keys = {pair.account: pair for pair in (*self._people, *(box.key for box in self.boxes))}
            signer: KeyPair = keys[envelope.sender]
            match chance.randrange(10):
                case 0:
                    fields[3] = chance.choice(self._people).account
                case 1:
                    fields[9] = chance.choice((signer.public_key, bytes(32), chance.randbytes(32)))
                case 2:
                    fields.pop(9, None)
                case _:
                    pass
            signed = codec.encode(fields)
            signature = signer.sign(signing_digest(signed, self.chain.genesis.hash))
            if chance.randrange(6) == 0:
                signature = mutate.mutate_bytes(chance, signature)[:64].ljust(64, b"\0")
            try:
                return decode_envelope(codec.encode([signed, signature]))
            except MetanodeError as error:
                self.outcomes[f"decode {error.code}"] += 1

    def _odd_record(self, envelope: Envelope, body: bytes) -> bytes:
        """Return a body whose inner parts are odd but rightly signed, where its kind has such parts."""
        chance, chain = self.chance, self.chain
        if envelope.kind == kinds.MACHINE_REVEAL:
            box = chance.choice(self.boxes)
            record = chain.record(box)
            odd: dict[str, Any] = {
                "inventory": mutate.mutate_cbor(chance, record.inventory)[:4096],
                "samples": mutate.mutate_cbor(chance, codec.encode([[1, 5, 1, 2, 3], [48, 9, 1, 1, 1]]))[:512],
                "challenge_height": chance.choice(mutate.EDGES),
                "probe_results": ((1, chance.choice(mutate.EDGES)),),
                "machine_key": chance.randbytes(32),
            }
            name = chance.choice(list(odd))
            made = chain.reveal_body(box, replace(record, **{name: odd[name]}), chance.randbytes(32))
            # Its commit stands a block later, so the reveal is judged to its end.
            self.reveals.append(made)
            return bytes(made.encode())
        if envelope.kind == kinds.MACHINE_COMMIT and self.reveals:
            made = self.reveals[-1]
            return bodies.MachineCommit(bodies.seal_commit(made.salt, made.inner)).encode()
        if envelope.kind == kinds.ATTEST:
            attest = bodies.decode_attest(body)
            return replace(
                attest,
                challenge_height=chance.choice((attest.challenge_height, *mutate.EDGES)),
                samples=mutate.mutate_cbor(chance, codec.encode([[1, 5, 1, 2, 3]]))[:256],
            ).encode()
        return body

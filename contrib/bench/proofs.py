"""bundle.bytes: how large the proof of one transfer is when nine validators certify the block."""

from __future__ import annotations

import hashlib

from measuring import Result

from metanode.core import crypto
from metanode.core.crypto.keys import KeyPair
from metanode.core.light.bundle import verify_bundle
from metanode.core.model import ecvrf, kinds, merkle
from metanode.core.model.bodies import Transfer
from metanode.core.model.bundle import Bundle, ReceiptItem
from metanode.core.model.envelope import build_envelope
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.leader import alpha, beta_zero
from metanode.core.model.receipt import EventNumber, Receipt
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.core.model.vote import Certificate, VoteType, quorum, vote_digest

VALIDATORS = 9
ENVELOPES = 1_000
GENESIS_HASH = bytes(range(32))
CHAIN_ID = 31_337
HEIGHT = 1_000_000
TIME_MS = 1_800_000_000_000


def bundle_bytes() -> list[Result]:
    """A block of 1,000 transfers by 9 validators, one of the transfers proven and the proof checked."""
    crypto.install()
    members = sorted(
        ((_key("account", i), _key("consensus", i), _key("vrf", i)) for i in range(VALIDATORS)),
        key=lambda keys: keys[0].account,
    )
    validator_set = encode_set(
        [Validator(own.account, vote.public_key, vrf.public_key, 1_000_000_000) for own, vote, vrf in members]
    )
    sender, receiver = _key("sender", 0), _key("receiver", 0).account
    envelope = build_envelope(
        chain_id=CHAIN_ID,
        kind=kinds.TRANSFER,
        sender=sender.account,
        nonce=42,
        fee=100,
        valid_until=HEIGHT + 1_000,
        body=Transfer(receiver, 1_500_000, b"").encode(),
        public_key=b"",
        sign=sender.sign,
        genesis_hash=GENESIS_HASH,
    )
    receipt = Receipt(envelope.id, 0, 100, ((EventNumber.TRANSFERRED, sender.account, receiver, 1_500_000),)).encode()
    place = ENVELOPES // 2
    others = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(ENVELOPES)]
    ids, receipts = [*others], [*others]
    ids[place], receipts[place] = envelope.id, receipt
    header = Header(
        version=1,
        chain_id=CHAIN_ID,
        height=HEIGHT,
        time_ms=TIME_MS,
        proposer_index=VALIDATORS - 1,
        prev_hash=others[0],
        roots=Roots(merkle.list_root(ids), merkle.list_root(receipts), others[1]),
        validator_set_hash=set_hash(validator_set),
        next_validator_set_hash=set_hash(validator_set),
        params_hash=others[2],
        vrf_proof=ecvrf.prove(members[-1][2].seed, alpha(beta_zero(GENESIS_HASH), HEIGHT)),
    ).encode()
    digest = vote_digest(GENESIS_HASH, HEIGHT, 0, VoteType.COMMIT, header_hash(header))
    commits = {index: members[index][1].sign(digest) for index in range(quorum(VALIDATORS))}
    bundle = Bundle(
        genesis_hash=GENESIS_HASH,
        header=header,
        certificate=Certificate.build(HEIGHT, 0, header_hash(header), commits, VALIDATORS).encode(),
        validator_set=validator_set,
        items=(
            ReceiptItem(
                envelope=envelope.raw,
                receipt=receipt,
                index=place,
                count=ENVELOPES,
                tx_path=tuple(merkle.prove(ids, place)),
                receipt_path=tuple(merkle.prove(receipts, place)),
            ),
        ),
    ).encode()
    report = verify_bundle(bundle, trusted_genesis_hash=GENESIS_HASH, trusted_set_hash=set_hash(validator_set))
    return [
        Result(
            "bundle.bytes",
            float(len(bundle)),
            "bytes",
            conditions=(
                f"{VALIDATORS} validators without BLS keys, {quorum(VALIDATORS)} signatures, one of {ENVELOPES} "
                f"envelopes, height {HEIGHT}; the proof was verified ({len(report.checked)} checks); "
                f"header {len(header)}, set {len(validator_set)}, envelope {len(envelope.raw)} bytes; no peer"
            ),
        )
    ]


def _key(purpose: str, number: int) -> KeyPair:
    return KeyPair.from_seed(hashlib.sha256(f"{purpose} {number}".encode()).digest())

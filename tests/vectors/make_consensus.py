"""Make validator_set.json, leader.json and vote.json: what a second implementation must reproduce.

Keys, bonds and hashes are drawn from labels, so the files are the same every time.  Cases that are
refused carry the error code.

Run: python tests/vectors/make_consensus.py
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metanode.core.model import codec, ecvrf, ed25519
from metanode.core.model.accounts import account_id
from metanode.core.model.leader import alpha, beta_zero, leader
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.core.model.vote import NO_HASH, NOT_PREPARED, Certificate, Vote, VoteType, quorum, vote_digest

HERE = Path(__file__).resolve().parent
SOURCE = "metanode protocol v1 (docs/wire_format.md), made by tests/vectors/make_consensus.py"
GENESIS_HASH = hashlib.sha256(b"a genesis").digest()
BONDS = (1_000_000, 5_000_000, 1, 2_000_000)


def seed(label: str) -> bytes:
    """Return a 32-byte seed drawn from a label."""
    return hashlib.sha256(label.encode()).digest()


def members(bonds: Sequence[int]) -> list[tuple[Validator, bytes, bytes]]:
    """Return (validator, consensus seed, VRF seed), by rising account."""
    rows = []
    for i, bond in enumerate(bonds):
        consensus, vrf = seed(f"consensus {i}"), seed(f"vrf {i}")
        account = account_id(ed25519.public_key(seed(f"account {i}")))
        bls = bytes(range(48)) if i == 1 else b""
        validator = Validator(account, ed25519.public_key(consensus), ed25519.public_key(vrf), bond, bls)
        rows.append((validator, consensus, vrf))
    return sorted(rows, key=lambda row: row[0].account)


ROWS = members(BONDS)
SET = [row[0] for row in ROWS]


def raw_set(validators: Sequence[Validator]) -> str:
    """Return set bytes without the checks of `encode_set`, as hex."""
    return codec.encode([[v.account, v.consensus_key, v.vrf_key, v.bond, v.bls] for v in validators]).hex()


def validator_set_document() -> dict[str, Any]:
    """Return sets that stand and sets that are refused."""
    accepted = []
    for name, validators in (("one member", SET[:1]), ("four members, one with a BLS key", SET)):
        data = encode_set(validators)
        accepted.append(
            {
                "name": name,
                "members": [
                    {
                        "account": v.account.hex(),
                        "consensus_key": v.consensus_key.hex(),
                        "vrf_key": v.vrf_key.hex(),
                        "bond": v.bond,
                        "bls": v.bls.hex(),
                    }
                    for v in validators
                ],
                "bytes": data.hex(),
                "hash": set_hash(data).hex(),
            }
        )
    one = SET[0]
    account_of_key = account_id(one.consensus_key)
    refused = {
        "empty set": raw_set([]),
        "accounts fall": raw_set([SET[1], SET[0]]),
        "account twice": raw_set([one, replace(SET[1], account=one.account)]),
        "bond of zero": raw_set([replace(one, bond=0)]),
        "bonds sum beyond 64 bits": raw_set([replace(v, bond=2**64 - 1) for v in SET[:2]]),
        "account of 19 bytes": raw_set([replace(one, account=one.account[:19])]),
        "consensus key of 31 bytes": raw_set([replace(one, consensus_key=one.consensus_key[:31])]),
        "BLS key of 47 bytes": raw_set([replace(one, bls=bytes(47))]),
        "one consensus key for two members": raw_set([one, replace(SET[1], consensus_key=one.consensus_key)]),
        "one key for both duties": raw_set([replace(one, vrf_key=one.consensus_key)]),
        "consensus key is the account's key": raw_set([replace(one, account=account_of_key)]),
        "member of four fields": codec.encode([[one.account, one.consensus_key, one.vrf_key, one.bond]]).hex(),
    }
    return {
        "source": SOURCE,
        "note": "Validator sets: canonical bytes and H(set, bytes). Each set under `refused` is refused with `code`.",
        "accepted": accepted,
        "refused": [{"name": name, "bytes": data, "code": "BAD_SHAPE"} for name, data in refused.items()],
    }


def leader_document() -> dict[str, Any]:
    """Return the chain of VRF values for three heights and the leaders drawn from them."""
    beta = beta_zero(GENESIS_HASH)
    heights = []
    for height in (1, 2, 3):
        index = leader(beta, height, 0, SET)
        proof = ecvrf.prove(ROWS[index][2], alpha(beta, height))
        beta_prev, beta = beta, ecvrf.proof_to_hash(proof)
        heights.append(
            {
                "height": height,
                "beta_prev": beta_prev.hex(),
                "alpha": alpha(beta_prev, height).hex(),
                "leaders_of_rounds": [leader(beta_prev, height, r, SET) for r in range(10)],
                "proof_of_round_0_leader": proof.hex(),
                "beta": beta.hex(),
            }
        )
    return {
        "source": SOURCE,
        "note": "VRF inputs and leaders; bonds are of validator_set.json's four members, in set order.",
        "genesis_hash": GENESIS_HASH.hex(),
        "beta_0": beta_zero(GENESIS_HASH).hex(),
        "bonds": [v.bond for v in SET],
        "vrf_keys": [v.vrf_key.hex() for v in SET],
        "heights": heights,
    }


def vote_document() -> dict[str, Any]:
    """Return vote digests, quorums, and certificates that hold or fail."""
    header = hashlib.sha256(b"a header").digest()
    digests = []
    for vote_type, round_number, hash32, prepared in (
        (VoteType.PROPOSE, 0, header, 0),
        (VoteType.PREPARE, 1, header, 0),
        (VoteType.COMMIT, 1, header, 0),
        (VoteType.ROUND_CHANGE, 2, header, 1),
        (VoteType.ROUND_CHANGE, 1, NO_HASH, NOT_PREPARED),
    ):
        digest = vote_digest(GENESIS_HASH, 7, round_number, vote_type, hash32, prepared)
        digests.append(
            {
                "height": 7,
                "round": round_number,
                "type": int(vote_type),
                "hash": hash32.hex(),
                "prepared_round": prepared,
                "digest": digest.hex(),
            }
        )
    return {
        "source": SOURCE,
        "note": "Votes and certificates; the set is validator_set.json's four members. Each vote and each certificate "
        "under `malformed` is refused with `code` before any signature is looked at.",
        "genesis_hash": GENESIS_HASH.hex(),
        "validator_set": encode_set(SET).hex(),
        "digests": digests,
        "quorums": {str(n): quorum(n) for n in (1, 2, 3, 4, 5, 7, 9, 25, 100)},
        "height": 7,
        "header_hash": header.hex(),
        "certificates": certificates(header),
        "votes": votes(header),
        "malformed": malformed(header),
    }


def votes(header: bytes) -> list[dict[str, Any]]:
    """Return signed votes of the set's first member, with their bytes."""
    rows = []
    for height, round_number, vote_type, hash32, prepared in (
        (7, 0, VoteType.PROPOSE, header, 0),
        (7, 1, VoteType.PREPARE, header, 0),
        (2**64 - 1, 2**32 - 1, VoteType.COMMIT, header, 0),
        (7, 2, VoteType.ROUND_CHANGE, header, 1),
        (7, 1, VoteType.ROUND_CHANGE, NO_HASH, NOT_PREPARED),
    ):
        digest = vote_digest(GENESIS_HASH, height, round_number, vote_type, hash32, prepared)
        vote = Vote(height, round_number, vote_type, hash32, prepared, ed25519.sign(ROWS[0][1], digest))
        rows.append(
            {
                "height": height,
                "round": round_number,
                "type": int(vote_type),
                "hash": hash32.hex(),
                "prepared_round": prepared,
                "signature": vote.signature.hex(),
                "digest": digest.hex(),
                "bytes": vote.encode().hex(),
            }
        )
    return rows


def malformed(header: bytes) -> list[dict[str, str]]:
    """Return bytes that are no vote or no certificate, with the code of their refusal."""
    vote: dict[int, Any] = {0: 7, 1: 0, 2: 2, 3: header, 4: 0, 5: bytes(64)}
    certificate: dict[int, Any] = {0: 7, 1: 0, 2: header, 3: b"\x01", 4: [bytes(64)]}

    def without(fields: dict[int, Any], key: int) -> dict[int, Any]:
        return {name: value for name, value in fields.items() if name != key}

    rows: list[tuple[str, str, Any]] = [
        ("vote", "an array", list(vote.values())),
        ("vote", "no signature", without(vote, 5)),
        ("vote", "unknown key", {**vote, 6: 0}),
        ("vote", "height 0", {**vote, 0: 0}),
        ("vote", "round of 33 bits", {**vote, 1: 2**32}),
        ("vote", "type 4", {**vote, 2: 4}),
        ("vote", "hash of 31 bytes", {**vote, 3: header[:31]}),
        ("vote", "a commit with a prepared round", {**vote, 4: 1}),
        ("vote", "prepared round of 33 bits", {**vote, 2: 3, 4: 2**32}),
        ("vote", "round-change with a hash and no round", {**vote, 2: 3, 4: NOT_PREPARED}),
        ("vote", "round-change with a round and no hash", {**vote, 2: 3, 3: NO_HASH}),
        ("vote", "signature of 63 bytes", {**vote, 5: bytes(63)}),
        ("certificate", "an array", list(certificate.values())),
        ("certificate", "no bitmap", without(certificate, 3)),
        ("certificate", "unknown key", {**certificate, 5: 0}),
        ("certificate", "height 0", {**certificate, 0: 0}),
        ("certificate", "round of 33 bits", {**certificate, 1: 2**32}),
        ("certificate", "header hash of 33 bytes", {**certificate, 2: header + b"\0"}),
        ("certificate", "bitmap of 14 bytes", {**certificate, 3: bytes(14)}),
        ("certificate", "signature of 63 bytes", {**certificate, 4: [bytes(63)]}),
        ("certificate", "101 signatures", {**certificate, 4: [bytes(64)] * 101}),
    ]
    refused = [
        {"name": name, "object": kind, "bytes": codec.encode(value).hex(), "code": "BAD_SHAPE"}
        for kind, name, value in rows
    ]
    for kind, good in (("vote", vote), ("certificate", certificate)):
        data = codec.encode(good)
        for name, changed in (("cut short", data[:-1]), ("a byte behind it", data + b"\0")):
            refused.append({"name": name, "object": kind, "bytes": changed.hex(), "code": "NOT_CANONICAL"})
    return refused


def certificates(header: bytes) -> list[dict[str, Any]]:
    """Return certificates for height 7 with the code each is refused with, or an empty one."""
    commits = {
        i: ed25519.sign(row[1], vote_digest(GENESIS_HASH, 7, 1, VoteType.COMMIT, header)) for i, row in enumerate(ROWS)
    }
    prepares = {
        i: ed25519.sign(row[1], vote_digest(GENESIS_HASH, 7, 1, VoteType.PREPARE, header)) for i, row in enumerate(ROWS)
    }
    three = {i: commits[i] for i in (0, 1, 3)}
    good = Certificate.build(7, 1, header, three, 4)
    odd = bytes(63) + b"\x20"
    cases = {
        "three of four": (good, ""),
        "four of four": (Certificate.build(7, 1, header, commits, 4), ""),
        "two of four": (Certificate.build(7, 1, header, {0: commits[0], 1: commits[1]}, 4), "BAD_CERTIFICATE"),
        "another height": (replace(good, height=8), "BAD_CERTIFICATE"),
        "another round than was signed": (replace(good, round=2), "BAD_CERTIFICATE"),
        "another header": (replace(good, header_hash=NO_HASH), "BAD_CERTIFICATE"),
        "prepares instead of commits": (Certificate.build(7, 1, header, prepares, 4), "BAD_CERTIFICATE"),
        "a bit beyond the set": (replace(good, bitmap=bytes([good.bitmap[0] | 0x10])), "BAD_CERTIFICATE"),
        "bitmap of two bytes": (replace(good, bitmap=good.bitmap + b"\x00"), "BAD_CERTIFICATE"),
        "fewer signatures than bits": (replace(good, signatures=good.signatures[:2]), "BAD_CERTIFICATE"),
        "more signatures than bits": (replace(good, signatures=(*good.signatures, commits[2])), "BAD_CERTIFICATE"),
        "signatures in another order": (replace(good, signatures=good.signatures[::-1]), "BAD_CERTIFICATE"),
        "one signature is garbage": (replace(good, signatures=(*good.signatures[:2], odd)), "BAD_CERTIFICATE"),
    }
    return [{"name": name, "bytes": c.encode().hex(), "code": code} for name, (c, code) in cases.items()]


def main() -> None:
    """Write the three files."""
    for name, document in (
        ("validator_set", validator_set_document()),
        ("leader", leader_document()),
        ("vote", vote_document()),
    ):
        (HERE / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()

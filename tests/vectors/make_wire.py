"""Make envelope, header, block, receipt, genesis, bodies, bundle, too_large and signed_reply.json from fixed seeds.

The field names are explained in docs/wire_format.md, "Vectors".
Run: python tests/vectors/make_wire.py   (deterministic: same bytes every time)
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from metanode.core.light.signed_reply import reply_digest
from metanode.core.model import bodies, codec, ecvrf, ed25519, kinds, limits
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.block import Block, envelope_ids, receipts_root, tx_root
from metanode.core.model.bundle import Bundle, Item, ReceiptItem, StateItem
from metanode.core.model.envelope import Envelope, build_envelope, signing_digest
from metanode.core.model.genesis import Genesis, network
from metanode.core.model.hashing import H
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.leader import alpha, beta_zero
from metanode.core.model.merkle import prove
from metanode.core.model.receipt import EventNumber, Receipt
from metanode.core.model.stake_bodies import Evidence, Unbond, make_bond
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.core.model.vote import Certificate, Vote, VoteType, vote_digest

HERE = Path(__file__).resolve().parent
NETWORKS = (HERE.parents[1] / "core" / "model" / "data" / "networks.json").read_text()
SOURCE = "metanode protocol v1 (docs/wire_format.md), made by tests/vectors/make_wire.py"
GENESIS_MS = 1_790_000_000_000
U64_MAX = 2**64 - 1

Case = dict[str, Any]


def seed(name: str) -> bytes:
    """Return a 32-byte seed: the name, padded with zero bytes."""
    return name.encode().ljust(32, b"\0")


def key(name: str) -> bytes:
    """Return the Ed25519 public key of a named seed."""
    return ed25519.public_key(seed(name))


def account(name: str) -> bytes:
    """Return the account id of a named seed."""
    return account_id(key(name))


def plain(value: Any) -> Any:
    """Return a value with bytes as hex, tuples as lists."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return int(value) if isinstance(value, int) else value


def write(name: str, note: str, cases: list[Case], **more: Any) -> None:
    """Write one vector file."""
    content = {"source": SOURCE, "note": note, **more, "cases": cases}
    (HERE / f"{name}.json").write_text(json.dumps(plain(content), indent=1) + "\n")


def validators(*names: str) -> bytes:
    """Return the canonical set of named validators, each with a bond of 1,000 coins and more."""
    members = [
        Validator(account(name), key(f"{name} consensus"), key(f"{name} vrf"), 1_000_000_000 + i, b"")
        for i, name in enumerate(names)
    ]
    return encode_set(sorted(members, key=lambda member: member.account))


def genesis(name: str, *members: str) -> Genesis:
    """Return a genesis of a named network."""
    _, chain_id, params = network(NETWORKS, name)
    funded = {account("alice"): 5_000_000, account("sponsor"): 1_000_000_000}
    return Genesis(name, chain_id, GENESIS_MS, params, validators(*members), tuple(sorted(funded.items())), 250_000)


SOLO = genesis("devnet", "validator 0")
FOUR = genesis("testnet", "validator 0", "validator 1", "validator 2", "validator 3")


# -- genesis --


def make_genesis() -> None:
    """Write genesis.json."""
    with_bls = replace(
        FOUR,
        chain_name="with-bls",
        chain_id=U64_MAX,
        validators=encode_set([Validator(account("bls"), key("bls c"), key("bls v"), U64_MAX - 2, bytes(range(48)))]),
        accounts=((b"\x01" * 20, 1),),
        treasury=1,
    )
    empty = replace(genesis("mainnet", "validator 0"), accounts=(), treasury=0)
    cases = [
        {
            "name": name,
            "genesis": json.loads(each.to_json()),
            "params_cbor": each.params.encode(),
            "params_hash": each.params_hash,
            "validator_set": each.validators,
            "validator_set_hash": set_hash(each.validators),
            "genesis_cbor": each.encode(),
            "genesis_hash": each.hash,
        }
        for name, each in (
            ("devnet, one validator", SOLO),
            ("testnet, four validators", FOUR),
            ("mainnet, nobody funded", empty),
            ("largest numbers and a BLS key", with_bls),
        )
    ]
    good = json.loads(SOLO.to_json())

    def changed(**entries: Any) -> str:
        return json.dumps({**good, **entries})

    def params(**entries: Any) -> str:
        return changed(params={**good["params"], **entries})

    mn, rtc = to_bech32m(account("alice")), "RTC" + account("alice").hex()
    member = good["validators"][0]
    held = good["treasury"] + sum(good["accounts"].values())
    version, digest = good["params"]["scoring"].split("-")
    invalid = [
        ("not JSON", "{", "BAD_JSON", "line 1"),
        ("a list", "[]", "BAD_SETTING", "object"),
        ("a key twice", '{"version":1,"version":1}', "BAD_JSON", "'version' stands twice"),
        ("a fraction", json.dumps(good).replace("250000", "250000.5"), "BAD_JSON", "250000.5"),
        ("unknown key", changed(treasurey=1), "BAD_SETTING", "treasury (nearest"),
        ("missing key", json.dumps({k: v for k, v in good.items() if k != "treasury"}), "BAD_SETTING", "'treasury'"),
        ("unknown version", changed(version=2), "BAD_SETTING", "genesis.version"),
        ("chain_id 0", changed(chain_id=0), "BAD_SETTING", "genesis.chain_id"),
        ("true is not a number", changed(treasury=True), "BAD_SETTING", "genesis.treasury"),
        ("treasury beyond 64 bits", changed(treasury=2**64), "BAD_SETTING", "genesis.treasury"),
        ("supply beyond 64 bits", changed(treasury=U64_MAX), "BAD_SETTING", "supply"),
        (
            "supply beyond 64 bits with the bonds",
            changed(validators=[{**member, "bond": U64_MAX - held + 1}]),
            "BAD_SETTING",
            "supply",
        ),
        ("chain name with a blank", changed(chain_name="my chain"), "BAD_SETTING", "chain_name"),
        ("no validator", changed(validators=[]), "BAD_SETTING", "validator"),
        ("validator twice", changed(validators=[member, member]), "BAD_SETTING", "validators"),
        ("validator key cut short", changed(validators=[{**member, "vrf_key": "00"}]), "BAD_SETTING", "vrf_key"),
        ("bond below bond_min", changed(validators=[{**member, "bond": 999_999}]), "BAD_SETTING", "bond_min"),
        ("account with a wrong checksum", changed(accounts={mn[:-1] + "q": 1}), "BAD_SETTING", "checksum"),
        ("account in both forms", changed(accounts={mn: 1, rtc: 2}), "BAD_SETTING", "twice"),
        ("balance of 0", changed(accounts={mn: 0}), "BAD_SETTING", mn),
        ("unknown parameter", params(blok_ms=1), "BAD_SETTING", "block_ms (nearest"),
        ("unknown profile", params(profile="edgy"), "BAD_SETTING", "edge"),
        ("vm_weight above 1", params(vm_weight=1_000_000_001), "BAD_SETTING", "params.vm_weight"),
        ("an interval across epochs", params(attest_every_slots=3), "BAD_SETTING", "attest_every_slots"),
        ("min_fee 0", params(min_fee=0), "BAD_SETTING", "params.min_fee"),
        ("scoring without a version", params(scoring=digest), "BAD_SETTING", "params.scoring"),
        ("scoring version 0", params(scoring=f"0-{digest}"), "BAD_SETTING", "params.scoring"),
        ("scoring version of ten digits", params(scoring=f"{10**9}-{digest}"), "BAD_SETTING", "params.scoring"),
        ("scoring in upper-case hex", params(scoring=f"{version}-{digest.upper()}"), "BAD_SETTING", "params.scoring"),
        ("scoring cut short", params(scoring=f"{version}-{digest[1:]}"), "BAD_SETTING", "params.scoring"),
        ("scoring and a line end", params(scoring=f"{version}-{digest}\n"), "BAD_SETTING", "params.scoring"),
        ("scoring as a number", params(scoring=1), "BAD_SETTING", "params.scoring"),
        ("nothing at all", "", "BAD_JSON", "line 1"),
        ("a key twice, deep inside", params().replace('"profile"', '"block_ms": 1, "profile"'), "BAD_JSON", "twice"),
        ("250000.0", json.dumps(good).replace("250000", "250000.0"), "BAD_JSON", "250000.0"),
        ("25e4", json.dumps(good).replace("250000", "25e4"), "BAD_JSON", "25e4"),
        ("NaN", json.dumps(good).replace("250000", "NaN"), "BAD_JSON", "NaN"),
        ("leading zero", json.dumps(good).replace("250000", "0250000"), "BAD_JSON", "line 1"),
        ("below zero", changed(treasury=-1), "BAD_SETTING", "genesis.treasury"),
        ("a number of 32 digits", changed(treasury=10**31), "BAD_SETTING", "genesis.treasury"),
        ("a number of 33 digits", changed(treasury=10**32), "BAD_JSON", "33 characters"),
        ("16 levels", "[" * 16 + "]" * 16, "BAD_SETTING", "object"),
        ("17 levels", "[" * 17 + "]" * 17, "BAD_JSON", "nested"),
        ("17 levels under a key nobody knows", changed(x=json.loads("[" * 16 + "]" * 16)), "BAD_JSON", "nested"),
        ("a number in quotes", changed(treasury="250000"), "BAD_SETTING", "genesis.treasury"),
        ("no hyphen in front", changed(chain_name="-devnet"), "BAD_SETTING", "chain_name"),
        ("name of 33 characters", changed(chain_name="a" * 33), "BAD_SETTING", "chain_name"),
        ("key in upper-case hex", changed(validators=[{**member, "vrf_key": member["vrf_key"].upper()}]),
         "BAD_SETTING", "vrf_key"),
        ("BLS key of 47 bytes", changed(validators=[{**member, "bls": "00" * 47}]), "BAD_SETTING", "BLS"),
        ("one key for both duties", changed(validators=[{**member, "vrf_key": member["consensus_key"]}]),
         "BAD_SETTING", "already serves"),
        ("an address in mixed case", changed(accounts={mn[:-1] + mn[-1].upper(): 1} if mn[-1].isalpha() else
         {mn[:3] + mn[3:].upper(): 1}), "BAD_SETTING", "upper and lower"),
    ]
    def one_account(spelled: str) -> str:
        return changed(accounts={spelled: 5_000_000, to_bech32m(account("sponsor")): 1_000_000_000})

    spellings = [
        ("no spaces", json.dumps(good, separators=(",", ":"))),
        ("keys backwards", json.dumps(dict(reversed(good.items())), indent=3)),
        ("RustChain form of an address", one_account(rtc)),
        ("RustChain form in upper-case digits", one_account("RTC" + rtc[3:].upper())),
        ("an address in capitals", one_account(mn.upper())),
        ("empty bls", changed(validators=[{**member, "bls": ""}])),
        ("escapes", json.dumps(good).replace('"treasury"', '"\\u0074reasury"').replace('"devnet"', '"dev\\u006Eet"')),
    ]
    write(
        "genesis",
        "`genesis` is the content of a genesis file; everything else follows from it. Each text under `invalid` is "
        "refused with `code`, and the error names `mentions`. Each text under `spellings` is the genesis of the first "
        "case, written differently.",
        cases,
        spellings=[dict(zip(("name", "text"), row, strict=True)) for row in spellings],
        invalid=[dict(zip(("name", "text", "code", "mentions"), row, strict=True)) for row in invalid],
    )


# -- bodies --

RECORD = bodies.MachineRecord(
    machine_key=key("machine"),
    owner=account("owner"),
    binding_tag=bytes(range(32)),
    inventory=codec.encode({0: 1, 1: "PowerPC G4", 2: [7447, 1]}),
    challenge_height=7,
    probe_results=((1, 0x0123456789ABCDEF), (2, U64_MAX)),
    samples=b"\x05\x04\x03",
    agent="metanode/0.1.0",
)
SALT = bytes(range(32, 64))
INNER = RECORD.encode()
REVEAL = bodies.MachineReveal(
    SALT, INNER, ed25519.sign(seed("machine"), bodies.record_digest(INNER, SOLO.hash))
)
ATTEST = bodies.Attest(7, bodies.inventory_digest(RECORD.inventory), b"\x01", ((1, 42),), "metanode/0.1.0")
TRANSFER = bodies.Transfer(account("bob"), 1_500_000, b"rent")
COMMIT = bodies.MachineCommit(bodies.seal_commit(SALT, INNER))


BOND = make_bond(
    1_000_000, account("bob"), consensus_seed=seed("bob consensus"), vrf_seed=seed("bob vrf"), genesis_hash=SOLO.hash
)


def commit_vote(value: int, height: int = 7, round_number: int = 1) -> Vote:
    """Return a commit of bob's consensus key to 32 equal bytes."""
    digest = vote_digest(SOLO.hash, height, round_number, VoteType.COMMIT, bytes([value]) * 32)
    signature = ed25519.sign(seed("bob consensus"), digest)
    return Vote(height, round_number, VoteType.COMMIT, bytes([value]) * 32, 0, signature)


DOUBLE = Evidence.of(BOND.consensus_key, commit_vote(1), commit_vote(2))
PROPOSAL = codec.encode([bodies.CALIBRATE, ["ppc pvr 8003", b"report 1", b"report 2", b"report 3"]])


def make_bodies() -> None:
    """Write bodies.json."""
    cases = [
        {"name": name, "kind": kind, "fields": asdict(body), "body": body.encode()}
        for name, kind, body in (
            ("transfer", kinds.TRANSFER, TRANSFER),
            ("largest transfer, no memo", kinds.TRANSFER, bodies.Transfer(bytes(20), U64_MAX)),
            ("machine commit", kinds.MACHINE_COMMIT, COMMIT),
            ("machine reveal", kinds.MACHINE_REVEAL, REVEAL),
            ("attest", kinds.ATTEST, ATTEST),
            ("attest to genesis", kinds.ATTEST, bodies.Attest(0, bytes(32), b"", (), "")),
            ("machine unbind", kinds.MACHINE_UNBIND, bodies.MachineUnbind(account("machine"))),
            ("hand-over", kinds.MACHINE_UNBIND, bodies.MachineUnbind(account("machine"), account("bob"))),
            ("proposal", kinds.GOVERN, bodies.Govern(bodies.PROPOSE, PROPOSAL)),
            ("approval", kinds.GOVERN, bodies.Govern(bodies.APPROVE, bodies.proposal_id(PROPOSAL, SOLO.hash))),
            ("proposal of a type that nobody knows", kinds.GOVERN,
             bodies.Govern(bodies.PROPOSE, codec.encode([U64_MAX, []]))),
            ("proposal of a seat", kinds.GOVERN,
             bodies.Govern(bodies.PROPOSE, codec.encode([bodies.SEAT, [account("bob"), bodies.ADMIT]]))),
            ("bond", kinds.BOND, BOND),
            ("bond with a BLS key", kinds.BOND, replace(BOND, bls_key=bytes(48), bls_proof=bytes(96))),
            ("unbond", kinds.UNBOND, Unbond(BOND.consensus_key)),
        )
    ]
    cases.append(
        {
            "name": "evidence",
            "kind": kinds.EVIDENCE,
            "fields": {"key": DOUBLE.key, "first": DOUBLE.first.encode(), "second": DOUBLE.second.encode()},
            "body": DOUBLE.encode(),
        }
    )
    stake = {
        "genesis_hash": SOLO.hash,
        "account": account("bob"),
        "consensus_seed": seed("bob consensus"),
        "vrf_seed": seed("bob vrf"),
        "body": BOND.encode(),
        "digest": BOND.digest(account("bob"), SOLO.hash),
        "evidence": DOUBLE.encode(),
        "evidence_id": DOUBLE.id,
    }
    record = {
        "fields": asdict(RECORD),
        "inner": INNER,
        "salt": SALT,
        "genesis_hash": SOLO.hash,
        "machine_seed": seed("machine"),
        "record_digest": bodies.record_digest(INNER, SOLO.hash),
        "signature": REVEAL.signature,
        "commit": COMMIT.commit,
        "inventory_digest": ATTEST.inventory_digest,
        "header_hash": bytes(range(64, 96)),
        "challenge": bodies.challenge(bytes(range(64, 96)), RECORD.machine_key),
    }

    def inner(**entries: Any) -> bytes:
        return replace(REVEAL, inner=replace(RECORD, **entries).encode()).encode()

    def attest(**entries: Any) -> bytes:
        return replace(ATTEST, **entries).encode()

    transfer = TRANSFER.encode()
    other_version = INNER.replace(b"\x00\x01", b"\x00\x02", 1)
    invalid = [
        ("empty", kinds.TRANSFER, b"", "NOT_CANONICAL"),
        ("a byte after the body", kinds.TRANSFER, transfer + b"\0", "NOT_CANONICAL"),
        ("keys not rising", kinds.MACHINE_COMMIT, bytes.fromhex("a20040") + bytes.fromhex("0040"), "NOT_CANONICAL"),
        ("no memo", kinds.TRANSFER, codec.encode({0: bytes(20), 1: 1}), "BAD_SHAPE"),
        ("unknown key", kinds.TRANSFER, codec.encode({0: bytes(20), 1: 1, 2: b"", 3: 0}), "BAD_SHAPE"),
        ("an array", kinds.TRANSFER, codec.encode([bytes(20), 1, b""]), "BAD_SHAPE"),
        ("receiver of 19 bytes", kinds.TRANSFER, codec.encode({0: bytes(19), 1: 1, 2: b""}), "BAD_SHAPE"),
        ("amount as bytes", kinds.TRANSFER, codec.encode({0: bytes(20), 1: b"\1", 2: b""}), "BAD_SHAPE"),
        ("amount 0", kinds.TRANSFER, codec.encode({0: bytes(20), 1: 0, 2: b""}), "ZERO_AMOUNT"),
        ("memo of 257 bytes", kinds.TRANSFER, codec.encode({0: bytes(20), 1: 1, 2: bytes(257)}), "BAD_SHAPE"),
        ("commit of 31 bytes", kinds.MACHINE_COMMIT, codec.encode({0: bytes(31)}), "BAD_SHAPE"),
        ("salt of 31 bytes", kinds.MACHINE_REVEAL, replace(REVEAL, salt=bytes(31)).encode(), "BAD_SHAPE"),
        ("signature of 63 bytes", kinds.MACHINE_REVEAL, replace(REVEAL, signature=bytes(63)).encode(), "BAD_SHAPE"),
        ("inner is not CBOR", kinds.MACHINE_REVEAL, replace(REVEAL, inner=b"\xff").encode(), "NOT_CANONICAL"),
        ("record version 2", kinds.MACHINE_REVEAL, replace(REVEAL, inner=other_version).encode(), "BAD_VERSION"),
        ("inventory of 4097 bytes", kinds.MACHINE_REVEAL, inner(inventory=bytes(4097)), "INVENTORY_TOO_LARGE"),
        ("owner of 32 bytes", kinds.MACHINE_REVEAL, inner(owner=bytes(32)), "BAD_SHAPE"),
        ("samples of 257 bytes", kinds.ATTEST, attest(samples=bytes(257)), "BAD_SHAPE"),
        ("agent of 65 bytes", kinds.ATTEST, attest(agent="é" * 32 + "x"), "BAD_SHAPE"),
        ("probe twice", kinds.ATTEST, attest(probe_results=((1, 2), (1, 2))), "BAD_SHAPE"),
        ("probes not rising", kinds.ATTEST, attest(probe_results=((2, 2), (1, 2))), "BAD_SHAPE"),
        ("33 probes", kinds.ATTEST, attest(probe_results=tuple((i, 0) for i in range(33))), "BAD_SHAPE"),
        ("record's samples of 513 bytes", kinds.MACHINE_REVEAL, inner(samples=bytes(513)), "BAD_SHAPE"),
        ("machine of 32 bytes", kinds.MACHINE_UNBIND, bodies.MachineUnbind(bytes(32)).encode(), "BAD_SHAPE"),
        ("new owner of 19 bytes", kinds.MACHINE_UNBIND, bodies.MachineUnbind(bytes(20), bytes(19)).encode(),
         "BAD_SHAPE"),
        ("govern action 2", kinds.GOVERN, bodies.Govern(2, PROPOSAL).encode(), "BAD_SHAPE"),
        ("approval of 31 bytes", kinds.GOVERN, bodies.Govern(bodies.APPROVE, bytes(31)).encode(), "BAD_SHAPE"),
        *((why, kinds.GOVERN, bodies.Govern(bodies.PROPOSE, proposal).encode(), code) for why, proposal, code in (
            ("empty proposal", b"", "NOT_CANONICAL"),
            ("proposal of one part", codec.encode([1]), "BAD_SHAPE"),
            ("proposal whose content is no array", codec.encode([1, 2]), "BAD_SHAPE"),
            ("proposal whose type is no number", codec.encode(["1", []]), "BAD_SHAPE"),
            ("proposal of 17 items", codec.encode([1, [0] * 17]), "BAD_SHAPE"),
            ("proposal with an array inside its content", codec.encode([1, [[]]]), "BAD_SHAPE"),
            ("proposal of 50,177 bytes", codec.encode([1, [bytes(50_171)]]), "BAD_SHAPE"),
        )),
        ("bond of nothing", kinds.BOND, replace(BOND, amount=0).encode(), "ZERO_AMOUNT"),
        ("BLS key without a proof", kinds.BOND, replace(BOND, bls_key=bytes(48)).encode(), "BAD_SHAPE"),
        ("BLS proof without a key", kinds.BOND, replace(BOND, bls_proof=bytes(96)).encode(), "BAD_SHAPE"),
        ("BLS key of 47 bytes", kinds.BOND, replace(BOND, bls_key=bytes(47), bls_proof=bytes(96)).encode(),
         "BAD_SHAPE"),
        ("VRF proof of 79 bytes", kinds.BOND, replace(BOND, vrf_proof=bytes(79)).encode(), "BAD_SHAPE"),
        ("unbond of 20 bytes", kinds.UNBOND, Unbond(bytes(20)).encode(), "BAD_SHAPE"),
        ("evidence of falling votes", kinds.EVIDENCE, Evidence(DOUBLE.key, DOUBLE.second, DOUBLE.first).encode(),
         "BAD_SHAPE"),
        ("evidence of one vote", kinds.EVIDENCE, Evidence(DOUBLE.key, DOUBLE.first, DOUBLE.first).encode(),
         "BAD_SHAPE"),
        ("evidence of two heights", kinds.EVIDENCE, Evidence.of(DOUBLE.key, DOUBLE.first, commit_vote(2, 8)).encode(),
         "NOT_EQUIVOCATION"),
        ("evidence of two rounds", kinds.EVIDENCE,
         Evidence.of(DOUBLE.key, DOUBLE.first, commit_vote(2, 7, 2)).encode(), "NOT_EQUIVOCATION"),
        ("evidence of one value, signed twice", kinds.EVIDENCE,
         Evidence.of(DOUBLE.key, DOUBLE.first, replace(DOUBLE.first, signature=bytes(64))).encode(),
         "NOT_EQUIVOCATION"),
        ("evidence with a vote that is none", kinds.EVIDENCE,
         codec.encode({0: DOUBLE.key, 1: b"\xa0", 2: DOUBLE.second.encode()}), "BAD_SHAPE"),
        ("amount 0 to 19 bytes", kinds.TRANSFER, codec.encode({0: bytes(19), 1: 0, 2: b""}), "ZERO_AMOUNT"),
        ("amount 0 and no memo", kinds.TRANSFER, codec.encode({0: bytes(20), 1: 0}), "BAD_SHAPE"),
        ("record version 2, key 9 as well", kinds.MACHINE_REVEAL,
         replace(REVEAL, inner=codec.encode({**dict.fromkeys(range(1, 10), 0), 0: 2})).encode(), "BAD_SHAPE"),
        ("record version 2, all else wrong", kinds.MACHINE_REVEAL,
         replace(REVEAL, inner=codec.encode({**dict.fromkeys(range(1, 9), 0), 0: 2})).encode(), "BAD_VERSION"),
        ("inventory of 4097 bytes, owner of 32", kinds.MACHINE_REVEAL, inner(inventory=bytes(4097), owner=bytes(32)),
         "INVENTORY_TOO_LARGE"),
        ("inner not CBOR, salt of 31 bytes", kinds.MACHINE_REVEAL,
         replace(REVEAL, inner=b"\xff", salt=bytes(31)).encode(), "NOT_CANONICAL"),
    ]
    write(
        "bodies",
        "`fields` are the names of docs/wire_format.md; bytes as hex. `record` derives everything around a machine "
        "record. Each body under `invalid` is refused with `code`.",
        cases,
        record=record,
        stake=stake,
        invalid=[dict(zip(("name", "kind", "body", "code"), row, strict=True)) for row in invalid],
    )


# -- envelopes --


def envelope(
    name: str, kind: int, body: bytes, *, origin: Genesis = SOLO, first: bool = False, **more: Any
) -> Envelope:
    """Return a signed envelope of a named account."""
    fields: dict[str, Any] = {"nonce": 0, "fee": 100, "valid_until": 1_000, **more}
    return build_envelope(
        chain_id=origin.chain_id,
        kind=kind,
        sender=account(name),
        body=body,
        sign=lambda digest: ed25519.sign(seed(name), digest),
        genesis_hash=origin.hash,
        public_key=key(name) if first else b"",
        **fields,
    )


def make_envelope() -> None:
    """Write envelope.json."""
    rows = [
        ("first transfer of an account", "alice", envelope("alice", kinds.TRANSFER, TRANSFER.encode(), first=True)),
        ("second transfer", "alice", envelope("alice", kinds.TRANSFER, TRANSFER.encode(), nonce=1, fee=2_000)),
        ("largest numbers", "alice",
         envelope("alice", kinds.TRANSFER, TRANSFER.encode(), nonce=U64_MAX, fee=U64_MAX, valid_until=U64_MAX)),
        ("machine commit", "sponsor", envelope("sponsor", kinds.MACHINE_COMMIT, COMMIT.encode(), first=True)),
        ("machine reveal", "sponsor", envelope("sponsor", kinds.MACHINE_REVEAL, REVEAL.encode(), nonce=1)),
        ("attest: no nonce, no fee", "machine", envelope("machine", kinds.ATTEST, ATTEST.encode(), fee=0)),
    ]  # fmt: skip
    cases = [
        {
            "name": name,
            "seed": seed(who),
            "fields": {
                "v": each.version,
                "chain_id": each.chain_id,
                "kind": each.kind,
                "from": each.sender,
                "nonce": each.nonce,
                "fee": each.fee,
                "valid_until": each.valid_until,
                "body": each.body,
                "alg": each.alg,
                "pubkey": each.public_key,
            },
            "signed": each.signed,
            "digest": signing_digest(each.signed, SOLO.hash),
            "signature": each.signature,
            "envelope": each.raw,
            "id": each.id,
        }
        for name, who, each in rows
    ]
    good = rows[0][2]
    fields: dict[int, codec.Encodable] = {
        0: 1, 1: SOLO.chain_id, 2: kinds.TRANSFER, 3: good.sender, 4: 0, 5: 100, 6: 1_000, 7: good.body, 8: 1,
    }  # fmt: skip

    def wire(changes: dict[int, Any] | None = None, *, without: int = -1) -> bytes:
        signed = {name: value for name, value in {**fields, **(changes or {})}.items() if name != without}
        return codec.encode([codec.encode(signed), bytes(64)])

    inside_out = bytes.fromhex("a2") + codec.encode(1) + codec.encode(31337) + codec.encode(0) + codec.encode(1)
    long_int = codec.encode([good.signed.replace(b"\x00\x01", b"\x00\x18\x01", 1), bytes(64)])
    tail = good.raw + b"\0"
    decode = [
        ("empty", b"", "NOT_CANONICAL"),
        ("cut short", good.raw[:-1], "NOT_CANONICAL"),
        ("a byte behind it", tail, "NOT_CANONICAL"),
        ("not an array", good.signed, "BAD_SHAPE"),
        ("three elements", codec.encode([good.signed, bytes(64), 0]), "BAD_SHAPE"),
        ("signature of 63 bytes", codec.encode([good.signed, bytes(63)]), "BAD_SHAPE"),
        ("signed part not a byte string", codec.encode([fields, bytes(64)]), "BAD_SHAPE"),
        ("signed part not canonical: keys fall", codec.encode([inside_out, bytes(64)]), "NOT_CANONICAL"),
        ("signed part not canonical: long integer", long_int, "NOT_CANONICAL"),
        ("no fee", wire(without=5), "BAD_SHAPE"),
        ("unknown key 10", wire({10: 0}), "BAD_SHAPE"),
        ("sender of 32 bytes", wire({3: bytes(32)}), "BAD_SHAPE"),
        ("nonce as text", wire({4: "1"}), "BAD_SHAPE"),
        ("empty public key", wire({9: b""}), "BAD_SHAPE"),
        ("version 2 and a sender of 32 bytes", wire({0: 2, 3: bytes(32)}), "BAD_SHAPE"),
        ("version as text", wire({0: "1"}), "BAD_SHAPE"),
        ("nonce as an array", wire({4: []}), "BAD_SHAPE"),
        ("nine arrays inside each other", b"\x81" * 8 + b"\x80", "BAD_SHAPE"),
        ("33 elements, the last one no CBOR", b"\x98\x21" + bytes(32) + b"\xff", "BAD_SHAPE"),
        ("32 elements, the last one no CBOR", b"\x98\x20" + bytes(31) + b"\xff", "NOT_CANONICAL"),
        ("signed part an array that is no CBOR", b"\x82\x81\xff\x00", "BAD_SHAPE"),
        ("signed part with a text that is no UTF-8 before an array",
         codec.encode([b"\xa2\x00\x61\xff\x01\x80", bytes(64)]), "NOT_CANONICAL"),
        ("signed part with an array before a text that is no UTF-8",
         codec.encode([b"\xa2\x00\x80\x01\x61\xff", bytes(64)]), "BAD_SHAPE"),
    ]
    check = [
        ("version 2, another chain, alg and kind", wire({0: 2, 1: 1, 2: 5, 8: 2}), "BAD_VERSION"),
        ("another chain, alg and kind", wire({1: 1, 2: 5, 8: 2}), "WRONG_CHAIN"),
        ("alg 2 and kind 5", wire({2: 5, 8: 2}), "BAD_ALGORITHM"),
        ("attest with a fee, another's public key", wire({2: kinds.ATTEST, 9: key("bob")}), "FEE_NOT_ZERO"),
        ("another's public key, body not CBOR", wire({7: b"\xff", 9: key("bob")}), "PUBKEY_UNEXPECTED"),
        ("reveal of a record that is no map", wire({2: kinds.MACHINE_REVEAL, 7: replace(REVEAL, inner=b"\0").encode()}),
         "BAD_SHAPE"),
        ("version 2", wire({0: 2}), "BAD_VERSION"),
        ("another chain", wire({1: 1}), "WRONG_CHAIN"),
        ("alg 2", wire({8: 2}), "BAD_ALGORITHM"),
        ("kind 10, not built", wire({2: 10}), "UNKNOWN_KIND"),
        ("kind 40, nobody's", wire({2: 40}), "UNKNOWN_KIND"),
        ("attest with a fee", wire({2: kinds.ATTEST, 7: ATTEST.encode()}), "FEE_NOT_ZERO"),
        ("attest with a nonce", wire({2: kinds.ATTEST, 4: 1, 5: 0, 7: ATTEST.encode()}), "FEE_NOT_ZERO"),
        ("another's public key", wire({9: key("bob")}), "PUBKEY_UNEXPECTED"),
        ("body of another kind", wire({7: COMMIT.encode()}), "BAD_SHAPE"),
        ("body that is not CBOR", wire({7: b"\xff"}), "NOT_CANONICAL"),
    ]
    invalid = [{"name": name, "stage": "decode", "envelope": raw, "code": code} for name, raw, code in decode]
    invalid += [{"name": name, "stage": "check", "envelope": raw, "code": code} for name, raw, code in check]
    write(
        "envelope",
        "Signed for `genesis_hash` and `chain_id` with the sender's Ed25519 `seed`; an empty `pubkey` means key 9 is "
        "absent. Under `invalid`, stage `decode` is refused by its bytes alone, stage `check` decodes and is then "
        "refused by a node of this chain that knows kinds 1 to 4, before it looks at any state or signature.",
        cases,
        genesis_hash=SOLO.hash,
        chain_id=SOLO.chain_id,
        invalid=invalid,
    )


# -- receipts --

RECEIPTS = [
    Receipt(bytes([1]) * 32, 0, 100, ((EventNumber.TRANSFERRED, account("alice"), account("bob"), 1_500_000),)),
    Receipt(bytes([2]) * 32, 162, 2_000),
    Receipt(bytes([3]) * 32, 0, 0, ((EventNumber.ATTEST_COUNTED, 0, 3),)),
    Receipt(bytes([4]) * 32, 65_535, U64_MAX),
    Receipt(bytes([5]) * 32, 0, 100,
            ((EventNumber.MACHINE_REGISTERED, 1, account("machine"), account("owner"), 1_000_000_000),
             (EventNumber.MACHINE_DISPLACED, 0))),
    Receipt(bytes([7]) * 32, 0, 100, ((EventNumber.MACHINE_HANDED_OVER, 1, account("bob"), 12),)),
    Receipt(bytes([8]) * 32, 0, 100, ((EventNumber.APPROVED, bytes(32), 2),)),
    Receipt(bytes([9]) * 32, 0, 100, ((EventNumber.BONDED, account("bob"), 1_000_000, 3_000_000),)),
    Receipt(bytes([10]) * 32, 0, 100, ((EventNumber.UNBONDED, account("bob"), 3_000_000),)),
    Receipt(bytes([11]) * 32, 0, 0, ((EventNumber.SLASHED, account("bob"), 150_000, 7),)),
]  # fmt: skip


def make_receipt() -> None:
    """Write receipt.json."""
    encoded = [each.encode() for each in RECEIPTS]
    names = (
        "transfer", "transfer that failed with 162", "attest", "largest numbers", "two events", "hand-over", "approval",
        "bond", "unbond", "evidence",
    )  # fmt: skip
    cases = [
        {"name": name, "fields": asdict(each), "receipt": each.encode()}
        for name, each in zip(names, RECEIPTS, strict=True)
    ]
    some = bytes(32)
    invalid = [
        ("empty", b"", "NOT_CANONICAL"),
        ("a map", codec.encode({0: some, 1: 0, 2: 0, 3: []}), "BAD_SHAPE"),
        ("three elements", codec.encode([some, 0, 0]), "BAD_SHAPE"),
        ("id of 31 bytes", codec.encode([bytes(31), 0, 0, []]), "BAD_SHAPE"),
        ("code beyond 16 bits", codec.encode([some, 65_536, 0, []]), "BAD_SHAPE"),
        ("events after a failure", codec.encode([some, 162, 0, [[1]]]), "BAD_SHAPE"),
        ("event without a number", codec.encode([some, 0, 0, [[]]]), "BAD_SHAPE"),
        ("event number as bytes", codec.encode([some, 0, 0, [[b"\1"]]]), "BAD_SHAPE"),
        ("event with text", codec.encode([some, 0, 0, [[1, "text"]]]), "BAD_SHAPE"),
        ("65 events", codec.encode([some, 0, 0, [[1]] * 65]), "BAD_SHAPE"),
    ]
    write(
        "receipt",
        "`root` is the list root over the receipts of all cases in order. Event values are integers, or bytes as hex.",
        cases,
        root=receipts_root(encoded),
        invalid=[dict(zip(("name", "receipt", "code"), row, strict=True)) for row in invalid],
    )


# -- headers, blocks, bundles: a first block for one validator and for four --


class Chain:
    """Block 1 of a genesis: two transfers, one of which failed, and a state after them."""

    def __init__(self, origin: Genesis, names: tuple[str, ...], signers: int) -> None:
        self.origin = origin
        self.envelopes = [
            envelope("alice", kinds.TRANSFER, TRANSFER.encode(), origin=origin, first=True, fee=1_000),
            envelope("alice", kinds.TRANSFER, bodies.Transfer(account("bob"), 9_000_000).encode(), origin=origin,
                     nonce=1, fee=1_000),
            envelope("sponsor", kinds.MACHINE_COMMIT, COMMIT.encode(), origin=origin, first=True, fee=1_000),
        ]  # fmt: skip
        moved = (EventNumber.TRANSFERRED, account("alice"), account("bob"), TRANSFER.amount)
        outcomes = ((0, (moved,)), (162, ()), (0, ((EventNumber.MACHINE_COMMITTED, COMMIT.commit),)))
        self.receipts = [
            Receipt(each.id, code, 1_000, events).encode()
            for each, (code, events) in zip(self.envelopes, outcomes, strict=True)
        ]
        self.state = StateMap.from_entries(
            [
                (b"\x01" + account("alice"), codec.encode([3_498_000, 2, key("alice")])),
                (b"\x01" + account("bob"), codec.encode([1_500_000, 0, b""])),
                (b"\x01" + account("sponsor"), codec.encode([999_999_000, 1, key("sponsor")])),
                (b"\x09\x02", codec.encode([250_000])),
                (b"\x09\x03", codec.encode([3_000])),
                (b"\x0b" + COMMIT.commit, codec.encode([1, 2, account("sponsor")])),
            ]
        )
        self.ids = [each.id for each in self.envelopes]
        members = {account(name): name for name in names}
        ordered = [members[id20] for id20 in sorted(members)]
        proof = ecvrf.prove(seed(f"{ordered[0]} vrf"), alpha(beta_zero(origin.hash), 1))
        roots = Roots(tx_root(self.ids), receipts_root(self.receipts), self.state.root)
        acting = set_hash(origin.validators)
        self.header = Header(
            1, origin.chain_id, 1, origin.genesis_ms + 1_000, 0, origin.hash, roots, acting, acting,
            origin.params_hash, proof,
        )  # fmt: skip
        self.ordered, self.signers = ordered, signers
        self.header_hash = header_hash(self.header.encode())
        self.certificate = self.certify(self.header)

    def certify(self, header: Header) -> Certificate:
        """Return a certificate of this chain's validators for any header: they may also agree on what breaks a rule."""
        identity = header_hash(header.encode())
        digest = vote_digest(self.origin.hash, header.height, 0, VoteType.COMMIT, identity)
        commits = {i: ed25519.sign(seed(f"{self.ordered[i]} consensus"), digest) for i in range(self.signers)}
        return Certificate.build(header.height, 0, identity, commits, len(self.ordered))

    def certified(self, *items: Item, **changes: Any) -> bytes:
        """Return a bundle whose header differs in `changes`, with a certificate that fits it."""
        header = replace(self.header, **changes)
        return replace(
            self.bundle(*items), header=header.encode(), certificate=self.certify(header).encode()
        ).encode()

    def receipt_item(self, index: int) -> ReceiptItem:
        """Return the proof of one envelope and its receipt."""
        return ReceiptItem(
            self.envelopes[index].raw, self.receipts[index], index, len(self.ids),
            tuple(prove(self.ids, index)), tuple(prove(self.receipts, index)),
        )  # fmt: skip

    def state_item(self, entry: bytes) -> StateItem:
        """Return the proof of one state key."""
        return StateItem(entry, self.state.get(entry), self.state.prove(entry))

    def bundle(self, *items: Item) -> Bundle:
        """Return a bundle of this block."""
        return Bundle(
            self.origin.hash, self.header.encode(), self.certificate.encode(), self.origin.validators, tuple(items)
        )


ONE_CHAIN = Chain(SOLO, ("validator 0",), 1)
FOUR_CHAIN = Chain(FOUR, ("validator 0", "validator 1", "validator 2", "validator 3"), 3)


def make_header() -> None:
    """Write header.json."""
    largest = replace(
        ONE_CHAIN.header, chain_id=U64_MAX, height=U64_MAX, time_ms=U64_MAX, proposer_index=U64_MAX, vrf_proof=bytes(80)
    )
    cases = [
        {"name": name, "fields": asdict(each), "header": each.encode(), "hash": header_hash(each.encode())}
        for name, each in (
            ("header 1, one validator", ONE_CHAIN.header),
            ("header 1, four validators", FOUR_CHAIN.header),
            ("largest numbers", largest),
        )
    ]
    good = codec.read_map(ONE_CHAIN.header.encode(), range(11), "header")

    def header(changes: dict[int, Any], *, without: int = -1) -> bytes:
        return codec.encode({name: value for name, value in {**good, **changes}.items() if name != without})

    roots = good[6]
    assert isinstance(roots, dict)
    invalid = [
        ("empty", b"", "NOT_CANONICAL"),
        ("a byte behind it", ONE_CHAIN.header.encode() + b"\0", "NOT_CANONICAL"),
        ("longer than 1,024 bytes", header({10: bytes(1_024)}), "TOO_LARGE"),
        ("version 2", header({0: 2}), "BAD_VERSION"),
        ("height 0", header({2: 0}), "BAD_HEADER"),
        ("version 2, all else wrong", codec.encode({**dict.fromkeys(range(1, 11), b""), 0: 2}), "BAD_VERSION"),
        ("version 2 and no time", header({0: 2}, without=3), "BAD_SHAPE"),
        ("version 2 and height 0", header({0: 2, 2: 0}), "BAD_VERSION"),
        ("version as bytes", header({0: b"\1"}), "BAD_SHAPE"),
        ("height 0 and a hash of 31 bytes", header({2: 0, 5: bytes(31)}), "BAD_HEADER"),
        ("no time", header({}, without=3), "BAD_SHAPE"),
        ("a round", header({11: 0}), "BAD_SHAPE"),
        ("hash of 31 bytes", header({5: bytes(31)}), "BAD_SHAPE"),
        ("proof of 79 bytes", header({10: bytes(79)}), "BAD_SHAPE"),
        ("no state root", header({6: {1: roots[1], 2: roots[2]}}), "BAD_SHAPE"),
        ("a da root without the feature", header({6: {**roots, 4: bytes(32)}}), "BAD_SHAPE"),
        ("roots as an array", header({6: [roots[1], roots[2], roots[3]]}), "BAD_SHAPE"),
    ]
    write(
        "header",
        "`fields` by name in key order, `roots` likewise; `hash` is H(header, header). Each header under `invalid` is "
        "refused with `code`.",
        cases,
        invalid=[dict(zip(("name", "header", "code"), row, strict=True)) for row in invalid],
    )


def fitting(chain: Chain, count: int) -> Block:
    """Return a block of a chain's first envelopes under a header with their roots."""
    ids, receipts = chain.ids[:count], chain.receipts[:count]
    roots = replace(chain.header.roots, tx=tx_root(ids), receipts=receipts_root(receipts))
    header = replace(chain.header, roots=roots)
    return Block.build(header.encode(), [each.raw for each in chain.envelopes[:count]])


def make_block() -> None:
    """Write block.json."""
    full = fitting(ONE_CHAIN, 3)
    cases = [
        {
            "name": name,
            "header": each.header,
            "envelopes": each.envelope_bytes(),
            "body": each.body,
            "offsets": each.offsets,
            "block": each.encode(),
            "ids": envelope_ids(each.envelope_bytes()),
            "tx_root": tx_root(envelope_ids(each.envelope_bytes())),
        }
        for name, each in (
            ("three envelopes", full),
            ("one envelope", fitting(FOUR_CHAIN, 1)),
            ("empty", fitting(ONE_CHAIN, 0)),
        )
    ]

    def block(body: bytes, *offsets: int, tail: bytes = b"") -> bytes:
        return codec.encode([full.header, body, b"".join(each.to_bytes(4, "big") for each in offsets) + tail])

    invalid = [
        ("two elements", codec.encode([full.header, full.body]), "BAD_SHAPE"),
        ("no offsets", block(b""), "BAD_SHAPE"),
        ("offsets of 5 bytes", block(b"", 0, tail=b"\0"), "BAD_SHAPE"),
        ("offsets from 1", block(b"abc", 1, 3), "BAD_SHAPE"),
        ("offsets end before the body", block(b"abc", 0, 2), "BAD_SHAPE"),
        ("offsets end behind the body", block(b"abc", 0, 4), "BAD_SHAPE"),
        ("an envelope of 0 bytes", block(b"abc", 0, 1, 1, 3), "BAD_SHAPE"),
        ("offsets fall", block(b"abc", 0, 2, 1, 3), "BAD_SHAPE"),
        ("a body that no offset covers", block(b"abc", 0), "BAD_SHAPE"),
        ("header of 1,025 bytes", codec.encode([bytes(1_025), b"", bytes(4)]), "BAD_SHAPE"),
    ]
    write(
        "block",
        "`envelopes` joined are `body`; `offsets` has one number more than there are envelopes; `tx_root` is the list "
        "root over `ids` and stands in `header`. Each block under `invalid` is refused with `code`.",
        cases,
        invalid=[dict(zip(("name", "block", "code"), row, strict=True)) for row in invalid],
    )


def make_bundle() -> None:
    """Write bundle.json."""
    one, four = ONE_CHAIN, FOUR_CHAIN
    alice, nobody = b"\x01" + account("alice"), b"\x01" + account("nobody")
    rows = [
        ("a transfer, one validator", one, one.bundle(one.receipt_item(0)), ["transfer", "succeeded"]),
        ("a transfer that failed", four, four.bundle(four.receipt_item(1)), ["transfer", "failed with code 162"]),
        ("a machine commit, last of three", one, one.bundle(one.receipt_item(2)), ["machine_commit", "succeeded"]),
        ("an account", four, four.bundle(four.state_item(alice)), ["3.498000"]),
        ("an account that does not exist", one, one.bundle(one.state_item(nobody)), ["does not exist"]),
        ("the treasury", one, one.bundle(one.state_item(b"\x09\x02")), ["0902"]),
        ("header alone", four, four.bundle(), []),
        ("several items", four, four.bundle(*map(four.receipt_item, range(3)), *map(four.state_item, (alice, nobody))),
         ["transfer", "machine_commit", "does not exist"]),
    ]  # fmt: skip
    cases = [
        {
            "name": name,
            "bundle": each.encode(),
            "genesis_hash": chain.origin.hash,
            "validator_set_hash": set_hash(chain.origin.validators),
            "height": chain.header.height,
            "header_hash": chain.header_hash,
            "time_ms": chain.header.time_ms,
            "items": len(each.items),
            "lines_mention": words,
        }
        for name, chain, each, words in rows
    ]
    good = four.bundle(four.receipt_item(0))
    item = four.receipt_item(0)
    entry, missing = four.state_item(alice), four.state_item(nobody)
    signatures = four.certificate.signatures
    flipped = replace(four.certificate, signatures=(signatures[1], signatures[0], *signatures[2:])).encode()
    too_few = Certificate(1, 0, four.header_hash, b"\x03", signatures[:2]).encode()
    late_header = replace(four.header, time_ms=four.header.time_ms + 1).encode()
    shallow = replace(missing.proof, siblings=missing.proof.siblings[:-1])
    deeper = (*item.tx_path, bytes(32))

    fields = codec.read_map(good.encode(), range(6), "bundle")

    def changed(each: Item) -> bytes:
        return four.bundle(each).encode()

    def alone(**changes: bytes) -> bytes:
        return replace(good, items=(), **changes).encode()

    # What a quorum certifies although no honest node would: the decoders' codes still come through.
    odd_transfer = envelope("alice", kinds.TRANSFER, b"\x80", origin=FOUR, first=True, fee=1_000)
    odd_receipt = Receipt(odd_transfer.id, 0, 1_000).encode()
    odd_item = ReceiptItem(odd_transfer.raw, odd_receipt, 0, 1, (), ())
    odd_state = StateMap.from_entries([(alice, b"\x81\x00")])
    odd_entry = StateItem(alice, odd_state.get(alice), odd_state.prove(alice))
    odd_roots = Roots(tx_root([odd_transfer.id]), receipts_root([odd_receipt]), odd_state.root)
    proof = four.header.vrf_proof
    other_s = proof[:48] + bytes([proof[48] ^ 1]) + proof[49:]
    wrong_round = replace(four.certificate, round=1).encode()
    wide_round = codec.encode({**codec.read_map(four.certificate.encode(), range(5), "certificate"), 1: 2**32})
    invalid = [
        ("cut short", good.encode()[:-1], "NOT_CANONICAL"),
        ("version 2", good.encode().replace(b"\x00\x01", b"\x00\x02", 1), "BAD_VERSION"),
        ("item of type 3", codec.encode({**fields, 5: [[3] * 7]}), "BAD_SHAPE"),
        ("another genesis", replace(good, genesis_hash=SOLO.hash).encode(), "UNTRUSTED"),
        ("another set", replace(good, validator_set=SOLO.validators).encode(), "UNTRUSTED"),
        ("a header nobody signed", replace(good, header=late_header).encode(), "BAD_CERTIFICATE"),
        ("signatures swapped", replace(good, certificate=flipped).encode(), "BAD_CERTIFICATE"),
        ("two of four signed", replace(good, certificate=too_few).encode(), "BAD_CERTIFICATE"),
        ("receipt of another envelope", changed(replace(item, receipt=four.receipts[1])), "BAD_PROOF"),
        ("receipt changed", changed(replace(item, receipt=Receipt(four.ids[0], 0, 1).encode())), "BAD_PROOF"),
        ("envelope of another chain", changed(replace(item, envelope=one.envelopes[0].raw)), "WRONG_CHAIN"),
        ("wrong index", changed(replace(item, index=1)), "BAD_PROOF"),
        ("wrong count", changed(replace(item, count=4)), "BAD_PROOF"),
        ("path too long", changed(replace(item, tx_path=deeper)), "BAD_PROOF"),
        ("receipt path cut", changed(replace(item, receipt_path=item.receipt_path[:-1])), "BAD_PROOF"),
        ("state value changed", changed(replace(entry, value=b"\x80")), "BAD_PROOF"),
        ("state key denied", changed(replace(entry, value=None)), "BAD_PROOF"),
        ("state key made up", changed(replace(missing, value=b"\x80")), "BAD_PROOF"),
        ("state count changed", changed(replace(entry, proof=replace(entry.proof, count=7))), "BAD_PROOF"),
        ("absence shown too high up", changed(replace(missing, proof=shallow)), "BAD_PROOF"),
        ("another genesis, header not CBOR", alone(genesis_hash=SOLO.hash, header=b""), "UNTRUSTED"),
        ("header not CBOR, set not the header's", alone(header=b"", certificate=b""), "NOT_CANONICAL"),
        ("header of version 2", alone(header=four.header.encode().replace(b"\x00\x01", b"\x00\x02", 1)), "BAD_VERSION"),
        ("certificate not CBOR", alone(certificate=b""), "NOT_CANONICAL"),
        ("certificate is an array", alone(certificate=b"\x80"), "BAD_SHAPE"),
        ("round of 33 bits", alone(certificate=wide_round), "BAD_SHAPE"),
        ("another round than was signed", alone(certificate=wrong_round), "BAD_CERTIFICATE"),
        ("certificate of 16,385 bytes", alone(certificate=bytes(16_385)), "BAD_SHAPE"),
        ("version 2 and no genesis hash", codec.encode({0: 2, **{k: fields[k] for k in range(2, 6)}}), "BAD_SHAPE"),
        ("version 2, all else wrong", codec.encode({**dict.fromkeys(range(1, 6), 0), 0: 2}), "BAD_VERSION"),
        ("257 items", codec.encode({**fields, 5: [0] * 257}), "BAD_SHAPE"),
        ("certified for another set", four.certified(validator_set_hash=bytes(32)), "UNTRUSTED"),
        ("certified with proposer 4 of 4", four.certified(proposer_index=4), "BAD_HEADER"),
        ("certified without a parent", four.certified(prev_hash=bytes(32)), "BAD_HEADER"),
        ("certified with a proof of nothing", four.certified(vrf_proof=bytes(80)), "BAD_VRF"),
        ("certified with another member's proof", four.certified(proposer_index=1), "BAD_VRF"),
        ("certified with s changed", four.certified(vrf_proof=other_s), "BAD_VRF"),
        ("proof and parent wrong", four.certified(vrf_proof=bytes(80), prev_hash=bytes(32)), "BAD_VRF"),
        ("receipt not CBOR", changed(replace(item, receipt=b"")), "NOT_CANONICAL"),
        ("envelope of no fields", changed(replace(item, envelope=codec.encode([b"\xa0", bytes(64)]))), "BAD_SHAPE"),
        ("certified transfer without a body", four.certified(odd_item, roots=odd_roots), "BAD_SHAPE"),
        ("certified account of one column", four.certified(odd_entry, roots=odd_roots), "BAD_SHAPE"),
    ]
    write(
        "bundle",
        "Each bundle verifies for `genesis_hash` and `validator_set_hash` and gives `height`, `header_hash` and "
        "`time_ms`; the description of its items mentions `lines_mention`. Each bundle under `invalid`, checked "
        "against `trusted_genesis_hash` and `trusted_set_hash`, is refused with `code`.",
        cases,
        trusted_genesis_hash=FOUR.hash,
        trusted_set_hash=set_hash(FOUR.validators),
        invalid=[dict(zip(("name", "bundle", "code"), row, strict=True)) for row in invalid],
    )


# -- inputs too long to write down --


def make_too_large() -> None:
    """Write too_large.json."""

    def zeros(name: str, bound: int) -> list[Case]:
        # Zero bytes are the integer 0 and something behind it: any code but TOO_LARGE says that they were read.
        return [
            {"name": f"{name} of {size:,} bytes", "object": name, "parts": [["00", size]], "code": code}
            for size, code in ((bound, "NOT_CANONICAL"), (bound + 1, "TOO_LARGE"))
        ]

    def block(name: str, parts: list[list[Any]], code: str) -> Case:
        return {"name": f"block: {name}", "object": "block", "parts": [["8340", 1], *parts], "code": code}

    def head(offsets: int, more: int = 0) -> str:
        return length_of(4 * offsets + more)

    def length_of(length: int) -> str:
        return codec.encode(bytes(length))[:-length].hex()

    body, count, wide = limits.BLOCK_BYTES_MAX, limits.BLOCK_ENVELOPES_MAX, limits.ENVELOPE_BYTES_MAX

    def one(length: int) -> list[list[Any]]:
        return [[length_of(length), 1], ["00", length], ["4800000000" + length.to_bytes(4, "big").hex(), 1]]

    whole = [[length_of(body), 1], ["00", body]]
    steps = "".join(each.to_bytes(4, "big").hex() for each in range(0, body + 1, wide))
    cases = [
        *zeros("envelope", limits.ENVELOPE_BYTES_MAX),
        *zeros("body", limits.ENVELOPE_BYTES_MAX),
        *zeros("header", limits.HEADER_BYTES_MAX),
        *zeros("receipt", limits.RECEIPT_BYTES_MAX),
        *zeros("validator set", limits.VALIDATOR_SET_BYTES_MAX),
        *zeros("vote", limits.ENVELOPE_BYTES_MAX),
        *zeros("certificate", limits.CERTIFICATE_BYTES_MAX),
        *zeros("bundle", limits.BUNDLE_BYTES_MAX),
        *zeros("block", limits.BLOCK_WIRE_BYTES_MAX),
        block("a full body", [*whole, [length_of(len(steps) // 2) + steps, 1]], ""),
        block("a body of one byte more", [[length_of(body + 1), 1], ["00", body + 1], ["4400000000", 1]], "BAD_SHAPE"),
        block("an envelope of 65,536 bytes", one(wide), ""),
        block("an envelope of 65,537 bytes", one(wide + 1), "BAD_SHAPE"),
        block("10,001 offsets of 0", [["40", 1], [head(count + 1), 1], ["00000000", count + 1]], "BAD_SHAPE"),
        block("10,002 offsets of 0", [["40", 1], [head(count + 2), 1], ["00000000", count + 2]], "TOO_LARGE"),
        block("10,002 offsets and a byte", [["40", 1], [head(count + 2, 1), 1], ["00000000", count + 2], ["00", 1]],
              "BAD_SHAPE"),
        {"name": "genesis file of 1,048,576 blanks", "object": "genesis", "parts": [["20", limits.GENESIS_BYTES_MAX]],
         "code": "BAD_JSON"},
        {"name": "genesis file of 1,048,577 blanks", "object": "genesis",
         "parts": [["20", limits.GENESIS_BYTES_MAX + 1]], "code": "BAD_SETTING"},
    ]  # fmt: skip
    write(
        "too_large",
        "The input is its `parts` end to end, each the hex repeated as often as the number says; `object` names the "
        "decoder, `body` being that of a transfer. `code` is its refusal, empty where it decodes.",
        cases,
    )


def make_signed_reply() -> None:
    """Write signed_reply.json."""
    node, other = seed("node"), seed("other node")
    submit, asked = "POST /v1/attest/submit", b'{"commit":"' + b"ab" * 32 + b'"}'
    cases = []
    for name, target, request, body in (
        ("an object", submit, asked, b'{"ok":true,"status":"pending"}'),
        ("empty bodies", "GET /v1/head", b"", b""),
        ("bytes that are no text", submit, bytes(range(255, -1, -1)), bytes(range(256))),
    ):
        digest = reply_digest(SOLO.hash, target, request, body)
        cases.append(
            {
                "name": name,
                "node_seed": node,
                "target": target,
                "request": request,
                "body": body,
                "digest": digest,
                "headers": {"metanode-node": key("node"), "metanode-signature": ed25519.sign(node, digest)},
            }
        )
    body = b'{"ok":true}'
    digest = reply_digest(SOLO.hash, submit, asked, body)
    signature = ed25519.sign(node, digest)
    good = {"metanode-node": key("node"), "metanode-signature": signature}

    def bad(
        name: str,
        headers: dict[str, Any],
        *,
        to: str = submit,
        sent: bytes = asked,
        said: bytes = body,
        known: bytes = b"",
    ) -> Case:
        return {
            "name": name,
            "headers": headers,
            "target": to,
            "request": sent,
            "body": said,
            "known_node": known,
            "code": "BAD_REPLY",
        }

    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    elsewhere = ed25519.sign(node, reply_digest(FOUR.hash, submit, asked, body))
    bare = ed25519.sign(node, H("attest", SOLO.hash + body))
    invalid = [
        bad("another body", good, said=b'{"ok":true }'),
        bad("an answer to another request", good, sent=asked.replace(b"ab", b"ac", 1)),
        bad("an answer to another path", good, to="POST /v1/attest/challenge"),
        bad("an answer to another method", good, to="PUT /v1/attest/submit"),
        bad("a byte moved from the target to the request", good, to=submit[:-1], sent=b"t" + asked),
        bad("a byte moved from the request to the body", good, sent=asked[:-1], said=b"}" + body),
        bad("signed without the request", {**good, "metanode-signature": bare}),
        bad("no headers", {}),
        bad("no node", {"metanode-signature": signature}),
        bad("no signature", {"metanode-node": key("node")}),
        bad("signature of 63 bytes", {**good, "metanode-signature": signature[:63]}),
        bad("one bit of the signature", {**good, "metanode-signature": flipped}),
        bad("headers are no hex", {**good, "metanode-node": "x" * 64}),
        bad("another node's key", {**good, "metanode-node": key("other node")}),
        bad("another node than the known one", good, known=ed25519.public_key(other)),
        bad("signed for another genesis", {**good, "metanode-signature": elsewhere}),
        bad("body signed without the digest", {**good, "metanode-signature": ed25519.sign(node, body)}),
    ]
    write(
        "signed_reply",
        "A node with `node_seed` answers `body` to `request`, sent to `target`, under `genesis_hash`: digest and "
        "headers follow. Each reply under `invalid` is refused with `code`; `known_node` is the key seen before, empty "
        "for none.",
        cases,
        genesis_hash=SOLO.hash,
        invalid=invalid,
    )


def main() -> None:
    """Write all files."""
    for make in (
        make_genesis, make_bodies, make_envelope, make_receipt, make_header, make_block, make_bundle, make_too_large,
        make_signed_reply,
    ):  # fmt: skip
        make()


if __name__ == "__main__":
    main()

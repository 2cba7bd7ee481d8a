"""The published vectors, replayed by the code that nodes run; those of one module are tested beside it as well."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from metanode.core.light.bundle import verify_bundle
from metanode.core.light.certificate import certify
from metanode.core.light.http_client import Reply
from metanode.core.light.signed_reply import check_signed, reply_digest
from metanode.core.model import bodies, ed25519
from metanode.core.model.accounts import parse_account
from metanode.core.model.block import decode_block, envelope_ids, receipts_root, tx_root
from metanode.core.model.bundle import decode_bundle
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.genesis import genesis_from_json
from metanode.core.model.header import decode_header
from metanode.core.model.leader import beta_zero, leader
from metanode.core.model.receipt import decode_receipt
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import decode_set, set_hash
from metanode.core.model.vote import Vote, VoteType, decode_certificate, decode_vote
from metanode.core.roles import BlockFields, Head
from metanode.fingerprint.classes import classify, processor_key
from metanode.fingerprint.evidence import judge_evidence
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.keyed import PROBE_CHAIN, run_keyed
from metanode.fingerprint.multipliers import load_table
from metanode.fingerprint.rotation import from_bits
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import Policy, Score, attest_flags, decayed, epoch_weight, score
from metanode.plugins.consensus._shared.headers import HeaderIndex
from metanode.plugins.ledger.attested.ledger import AttestedLedger
from metanode.plugins.ledger.attested.supply import is_whole, supply_parts

VECTORS = Path(__file__).resolve().parent / "vectors"


def load(name: str) -> dict[str, Any]:
    """Return a vector file."""
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return document


VOTE, GENESIS, SCORING, REPLY, SNAPSHOT, LARGE = map(
    load, ("vote", "genesis", "scoring", "signed_reply", "snapshot", "too_large")
)
CHAINS = load("execution")["chains"]


def by_name(row: dict[str, Any]) -> str:
    """Name a case."""
    return str(row["name"])


def code_of(function: Any, *arguments: Any, **keywords: Any) -> str:
    """Return the code that a call is refused with, empty when it is not."""
    try:
        function(*arguments, **keywords)
    except MetanodeError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("script", "files"),
    [
        (
            "make_wire",
            ("genesis", "bodies", "envelope", "receipt", "header", "block", "bundle", "too_large", "signed_reply"),
        ),
        ("make_rules", ("scoring", "keyed_probe", "rotation")),
        ("make_execution", ("execution", "snapshot")),
    ],
)
def test_the_vectors_are_what_their_script_makes(
    script: str, files: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody edits them by hand, and a changed rule cannot go unnoticed."""
    made = runpy.run_path(str(VECTORS / f"{script}.py"))
    monkeypatch.setitem(made["main"].__globals__, "HERE", tmp_path)
    made["main"]()
    assert {path.stem for path in tmp_path.iterdir()} == set(files)
    for name in files:
        assert (tmp_path / f"{name}.json").read_bytes() == (VECTORS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("case", LARGE["cases"], ids=by_name)
def test_bounds_hold_to_the_byte(case: dict[str, Any]) -> None:
    """At the bound an object is read, one above it is refused with its code."""
    readers = {
        "envelope": decode_envelope,
        "body": bodies.decode_transfer,
        "header": decode_header,
        "receipt": decode_receipt,
        "validator set": decode_set,
        "vote": decode_vote,
        "certificate": decode_certificate,
        "bundle": decode_bundle,
        "block": decode_block,
        "genesis": lambda data: genesis_from_json(data.decode()),
    }
    data = b"".join(bytes.fromhex(part) * times for part, times in case["parts"])
    assert code_of(readers[case["object"]], data) == case["code"]


@pytest.mark.parametrize("case", load("block")["cases"], ids=by_name)
def test_a_published_block_has_a_header_that_fits_it(case: dict[str, Any]) -> None:
    """Else whoever checks more than the page asks would refuse our examples."""
    assert decode_header(bytes.fromhex(case["header"])).roots.tx.hex() == case["tx_root"]


def test_votes_have_the_published_bytes() -> None:
    """A vote log can be read by another implementation."""
    genesis_hash = bytes.fromhex(VOTE["genesis_hash"])
    key = decode_set(bytes.fromhex(VOTE["validator_set"]))[0].consensus_key
    for row in VOTE["votes"]:
        hash32, signature = bytes.fromhex(row["hash"]), bytes.fromhex(row["signature"])
        vote = Vote(row["height"], row["round"], VoteType(row["type"]), hash32, row["prepared_round"], signature)
        assert vote.encode().hex() == row["bytes"]
        assert decode_vote(bytes.fromhex(row["bytes"])) == vote
        assert vote.digest(genesis_hash).hex() == row["digest"]
        assert ed25519.verify(key, vote.digest(genesis_hash), signature)


@pytest.mark.parametrize("row", VOTE["malformed"], ids=lambda row: f"{row['object']}: {row['name']}")
def test_malformed_votes_and_certificates_are_refused_while_decoding(row: dict[str, str]) -> None:
    """Before a set or a key is known."""
    read = {"vote": decode_vote, "certificate": decode_certificate}[row["object"]]
    assert code_of(read, bytes.fromhex(row["bytes"])) == row["code"]


@pytest.mark.parametrize("row", GENESIS["spellings"], ids=by_name)
def test_spellings_of_a_genesis_have_one_hash(row: dict[str, str]) -> None:
    """The file's writer may differ, the chain may not."""
    assert genesis_from_json(row["text"]).hash.hex() == GENESIS["cases"][0]["genesis_hash"]


def test_keyed_probes_have_the_published_results() -> None:
    """A miner in another language answers alike."""
    for row in load("keyed_probe")["cases"]:
        assert f"{run_keyed(bytes.fromhex(row['challenge']), PROBE_CHAIN):016x}" == row["result"]


def scored(row: dict[str, Any]) -> Score:
    """Return the score of a vector's record; without a policy, under any."""
    inventory, samples = decode_inventory(bytes.fromhex(row["inventory"])), bytes.fromhex(row["samples"])
    policy = Policy(*(row.get(name, value) for name, value in ANY_POLICY))
    results = [(probe, result) for probe, result in row.get("probe_results", ())]
    line = load_table().row(*classify(inventory))
    checks = judge_evidence(results, decode_samples(samples), processor_key(inventory), line)
    return score(inventory, checks, policy, calibrated=row.get("calibrated", False))


ANY_POLICY = (("profile", "edge"), ("vm_weight", 0), ("uncalibrated_cap", 0), ("legacy_cap", 0))


def test_machines_are_worth_what_is_published() -> None:
    """Class and weight follow from the page; so does how a multiplier decays."""
    for row in SCORING["cases"]:
        found = scored(row)
        assert (found.family, found.arch, found.klass) == (row["family"], row["arch"], row["class"]), row["name"]
        names = ("model", "base_multiplier", "weight", "payable")
        assert [getattr(found, name) for name in names] == [row[name] for name in names], row["name"]
    for row in SCORING["decayed"]:
        assert decayed(row["base"], row["days"]) == row["result"]


def test_attestations_show_what_is_published() -> None:
    """And what that leaves of a base in their epoch."""
    for row in SCORING["flags"]:
        samples = decode_samples(bytes.fromhex(row["samples"]))
        recorded = from_bits(row["recorded"])
        assert attest_flags(samples, row["selected"], row["model"], recorded) == row["flags"], row["name"]
    for row in SCORING["epochs"]:
        policy = Policy(row["profile"], row["vm_weight"], 0, row["legacy_cap"])
        weight = epoch_weight(row["base"], row["flags"], klass=row["class"], policy=policy, table=load_table())
        assert weight == row["weight"], row


@pytest.mark.parametrize("row", SCORING["invalid"], ids=by_name)
def test_inventories_and_samples_are_refused_with_the_published_code(row: dict[str, Any]) -> None:
    """A receipt stores it, so every node must find the same one."""
    with pytest.raises(MetanodeError) as caught:
        scored(row)
    assert caught.value.code == row["code"]


@pytest.mark.parametrize("row", [*REPLY["cases"], *REPLY["invalid"]], ids=by_name)
def test_replies_are_accepted_or_refused_as_published(row: dict[str, Any]) -> None:
    """A miner in another language trusts the same nodes."""
    genesis_hash, body = bytes.fromhex(REPLY["genesis_hash"]), bytes.fromhex(row["body"])
    known = bytes.fromhex(row.get("known_node", "")) or None
    asked = row["target"], bytes.fromhex(row["request"])
    reply = Reply(200, row["headers"], body, *asked)
    assert code_of(check_signed, reply, genesis_hash, known) == row.get("code", "")
    if "node_seed" in row:
        digest = reply_digest(genesis_hash, *asked, body)
        assert digest.hex() == row["digest"]
        assert ed25519.sign(bytes.fromhex(row["node_seed"]), digest).hex() == row["headers"]["metanode-signature"]


@pytest.mark.parametrize(
    ("row", "fits"), [(row, True) for row in SNAPSHOT["cases"]] + [(row, False) for row in SNAPSHOT["invalid"]]
)
def test_snapshots_rebuild_their_root_or_not(row: dict[str, Any], fits: bool) -> None:
    """The list of entries is all it takes."""
    entries = [(bytes.fromhex(key), bytes.fromhex(value)) for key, value in row["entries"]]
    assert entries == sorted(set(entries))
    state = StateMap.from_entries(entries)
    assert list(state.items()) == entries
    assert (state.root.hex() == row["root"]) is fits


class Replay:
    """A published chain, executed by the production ledger."""

    def __init__(self, chain: dict[str, Any]) -> None:
        self.genesis = genesis_from_json(json.dumps(chain["genesis"]))
        self.ledger = AttestedLedger(self.genesis)
        self.acting = self.genesis.validators
        self.index = HeaderIndex(self.genesis.hash, self.genesis.genesis_ms, self.genesis.params.look_back_ms)
        state, beta = self.ledger.genesis_state(), beta_zero(self.genesis.hash)
        self.head = Head(0, self.genesis.hash, self.genesis.genesis_ms, beta, state, None, None, self.index)

    def refusal(self, row: dict[str, Any]) -> str:
        """Return the code of a block that is refused."""
        fields = BlockFields(self.head.height + 1, row["time_ms"], 0)
        envelopes = [decode_envelope(bytes.fromhex(raw)) for raw in row["envelopes"]]
        return code_of(self.ledger.execute, self.head, fields, envelopes, assemble=False)

    def follow(self, row: dict[str, Any]) -> None:
        """Execute a block, hold all that follows from it against the vector, and make it the head."""
        head, genesis = self.head, self.genesis
        block, data = decode_block(bytes.fromhex(row["block"])), bytes.fromhex(row["certificate"])
        header = decode_header(block.header)
        certified = certify(block.header, data, self.acting, genesis.hash, beta_prev=head.beta)
        assert certified.beta is not None
        assert header.proposer_index == leader(head.beta, header.height, 0, certified.validators)
        assert (header.height, header.prev_hash) == (head.height + 1, head.header_hash)
        raw = block.envelope_bytes()
        fields = BlockFields(header.height, header.time_ms, header.proposer_index)
        done = self.ledger.execute(head, fields, list(map(decode_envelope, raw)), assemble=False)
        receipts = [receipt.encode() for receipt in done.receipts]
        assert [receipt.hex() for receipt in receipts] == row["receipts"]
        assert [[key.hex(), value and value.hex()] for key, value in done.changes] == row["changes"]
        roots = header.roots
        assert (roots.tx, roots.receipts) == (tx_root(envelope_ids(raw)), receipts_root(receipts))
        assert roots.state == done.state.root
        assert header.next_validator_set_hash == set_hash(done.validator_set)
        assert is_whole(supply_parts(done.state))
        self.acting = done.validator_set
        self.index.append(certified.header_hash, header.time_ms)
        self.head = Head(
            header.height, certified.header_hash, header.time_ms, certified.beta, done.state, header,
            certified.certificate, self.index,
        )  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain["genesis"]["chain_name"])
def test_a_published_chain_is_followed_block_by_block(chain: dict[str, Any]) -> None:
    """Receipts, state and roots are as published, and so is what is refused on the way."""
    replay = Replay(chain)
    assert replay.genesis.hash.hex() == chain["genesis_hash"]
    entries = replay.head.state.items()
    assert [[key.hex(), value.hex()] for key, value in entries] == chain["genesis_state"]
    assert replay.head.state.root.hex() == chain["genesis_state_root"]
    for row in [*chain["blocks"], None]:
        for bad in chain["refused"]:
            if bad["after"] == replay.head.height:
                assert replay.refusal(bad) == bad["code"], bad["note"]
        if row is not None:
            replay.follow(row)
    acting = set_hash(replay.genesis.validators)
    for row in chain["bundles"]:
        code = code_of(
            verify_bundle,
            bytes.fromhex(row["bundle"]),
            trusted_genesis_hash=replay.genesis.hash,
            trusted_set_hash=acting,
        )
        assert code == row["code"], row["name"]


def test_the_published_chains_meet_every_rule_that_a_ledger_refuses_by() -> None:
    """A code that no block shows could mean something else to somebody else."""
    shown = {row["code"] for chain in CHAINS for row in chain["refused"]}
    numbers = {
        decode_receipt(bytes.fromhex(receipt)).code
        for chain in CHAINS
        for block in chain["blocks"]
        for receipt in block["receipts"]
    }
    assert shown == {
        "BAD_HEADER", "INVALID_SIGNATURE", "PUBKEY_MISSING", "PUBKEY_UNEXPECTED", "EXPIRED", "VALID_TOO_LONG",
        "FEE_TOO_LOW", "FEE_NOT_ZERO", "BAD_NONCE", "REPLAYED", "INSUFFICIENT_FUNDS", "WRONG_CHAIN", "MACHINE_UNKNOWN",
        "NOT_CANONICAL", "SPONSOR_CAP", "KIND_CAP", "DIGEST_MISMATCH", "CHALLENGE_UNKNOWN", "CHALLENGE_USED",
        "CHALLENGE_LATE", "PROBE_MISMATCH", "BAD_SHAPE", "HARDWARE_ALREADY_BOUND", "MACHINE_RETIRED",
        "EVIDENCE_LATE", "STAKE_UNKNOWN", "VALIDATOR_JAILED", "NOT_EQUIVOCATION",
    }  # fmt: skip
    assert numbers == {
        0, 100, 101, 150, 162, 201, 250, 251, 252, 253, 254, 255, 256, 257, 260, 266, 267, 268, 269, 290, 291,
        292, 293, 294, 295, 296, 330, 331, 332, 333, 334, 335, 336, 337, 338,
        339, 340, 341, 345, 353,
    }  # fmt: skip


def test_a_kelvin_sign_is_no_letter_of_an_address() -> None:
    """Its lower case is the letter k: two texts would be one account."""
    text = load("accounts")["reject"][0]["text"]
    assert text.lower().isascii()
    with pytest.raises(Rejection, match="BAD_ADDRESS"):
        parse_account(text)

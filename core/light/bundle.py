"""Checks a proof bundle and says, item by item, what it proves and what it leaves open.

A bundle proves nothing by itself: it ties facts to a header, the header to a validator set, and
the set to a chain.  Whoever checks brings the last link: the genesis and the set they trust.
What they do not bring is listed as unchecked, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metanode.core.light.certificate import CertifiedHeader, certify
from metanode.core.model import codec, kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.bodies import decode_transfer
from metanode.core.model.bundle import Bundle, ReceiptItem, StateItem, decode_bundle
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.header import Roots
from metanode.core.model.merkle import verify_path
from metanode.core.model.receipt import decode_receipt
from metanode.core.model.state_map import verify_state
from metanode.core.model.state_tables import Table
from metanode.core.model.validators import set_hash
from metanode.core.model.vote import quorum


@dataclass(frozen=True)
class ItemReport:
    """One proven fact."""

    line: str
    """For people."""
    facts: Mapping[str, int | str]
    """For programs; ids and hashes as hex, accounts as bech32m, amounts in micro-units."""


@dataclass(frozen=True)
class BundleReport:
    """What a bundle proves."""

    height: int
    header_hash: bytes
    time_ms: int
    """The block's own time, Unix milliseconds, as its validators agreed on it."""
    items: tuple[ItemReport, ...]
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]


def verify_bundle(
    data: bytes, *, trusted_genesis_hash: bytes | None, trusted_set_hash: bytes | None
) -> BundleReport:
    """Check every link inside a bundle, and the outer ones as far as the caller brings them.

    :param trusted_genesis_hash: the chain the caller means; None leaves the chain unchecked.
    :param trusted_set_hash: hash of the validator set the caller trusts for this header; None
        leaves the set unchecked, and then anyone could have made the whole bundle up.
    :raises ProofError: UNTRUSTED, another chain or set; BAD_CERTIFICATE, BAD_HEADER, BAD_VRF;
        BAD_PROOF, a path that does not lead to its root; WRONG_CHAIN, an envelope of another
        chain; or the code of a part that does not decode.
    """
    try:
        return _verify(decode_bundle(data), trusted_genesis_hash, trusted_set_hash)
    except ProofError:
        raise
    except MetanodeError as error:
        raise ProofError(error.code, error.message, error.expected) from error


def _verify(bundle: Bundle, trusted_genesis_hash: bytes | None, trusted_set_hash: bytes | None) -> BundleReport:
    checked: list[str] = []
    unchecked: list[str] = []
    if trusted_genesis_hash is None:
        unchecked.append("genesis not given: chain not checked")
    elif bundle.genesis_hash != trusted_genesis_hash:
        raise ProofError(
            "UNTRUSTED",
            f"the bundle is of genesis {bundle.genesis_hash.hex()}",
            f"genesis {trusted_genesis_hash.hex()}",
        )
    else:
        checked.append(f"chain: genesis {bundle.genesis_hash.hex()}")
    if trusted_set_hash is None:
        unchecked.append("validator set not given: the bundle's own set was believed")
    elif set_hash(bundle.validator_set) != trusted_set_hash:
        raise ProofError(
            "UNTRUSTED",
            f"the bundle's validator set is {set_hash(bundle.validator_set).hex()}",
            f"set {trusted_set_hash.hex()}",
        )
    else:
        checked.append(f"validator set: {trusted_set_hash.hex()}")

    certified = certify(bundle.header, bundle.certificate, bundle.validator_set, bundle.genesis_hash)
    header = certified.header
    if header.height == 1 and header.prev_hash != bundle.genesis_hash:
        raise ProofError("BAD_HEADER", f"header 1 follows {header.prev_hash.hex()}", "the genesis hash")
    signers, members = len(certified.certificate.signatures), len(certified.validators)
    checked.append(f"certificate: {signers} of {members} validators signed, {quorum(members)} needed")
    if certified.beta is None:
        unchecked.append("leader: the VRF output before this header is not in the bundle")
    else:
        checked.append("leader: VRF proof of the proposer")

    items: list[ItemReport] = []
    for number, item in enumerate(bundle.items):
        if isinstance(item, ReceiptItem):
            items.append(_check_receipt(item, f"item {number}", header.roots, header.chain_id))
            checked.append(f"item {number}: envelope and receipt {item.index} of {item.count} in the block")
        else:
            items.append(_check_state(item, f"item {number}", certified))
            checked.append(f"item {number}: state entry after the block")
    unchecked.append("clock: age not checked")
    unchecked.append("execution: that the block follows the rules is the word of its validators")
    return BundleReport(
        height=header.height,
        header_hash=certified.header_hash,
        time_ms=header.time_ms,
        items=tuple(items),
        checked=tuple(checked),
        unchecked=tuple(unchecked),
    )


def _check_receipt(item: ReceiptItem, what: str, roots: Roots, chain_id: int) -> ItemReport:
    envelope = decode_envelope(item.envelope)
    receipt = decode_receipt(item.receipt)
    if envelope.chain_id != chain_id:
        raise ProofError("WRONG_CHAIN", f"{what}: envelope for chain {envelope.chain_id}", f"chain_id {chain_id}")
    if receipt.id != envelope.id:
        raise ProofError("BAD_PROOF", f"{what}: the receipt is of {receipt.id.hex()}", f"of {envelope.id.hex()}")
    if not verify_path(roots.tx, envelope.id, item.index, item.count, item.tx_path):
        raise ProofError("BAD_PROOF", f"{what}: the envelope's path does not lead to the header's tx root")
    if not verify_path(roots.receipts, item.receipt, item.index, item.count, item.receipt_path):
        raise ProofError("BAD_PROOF", f"{what}: the receipt's path does not lead to the header's receipts root")
    kind = kinds.KIND_NAMES.get(envelope.kind, f"kind {envelope.kind}")
    sender = to_bech32m(envelope.sender)
    facts: dict[str, int | str] = {
        "type": "receipt",
        "id": envelope.id.hex(),
        "kind": kind,
        "sender": sender,
        "nonce": envelope.nonce,
        "code": receipt.code,
        "fee": receipt.fee,
        "index": item.index,
    }
    line = f"{kind} by {sender}"
    if envelope.kind == kinds.TRANSFER:
        transfer = decode_transfer(envelope.body)
        facts.update(to=to_bech32m(transfer.to), amount=transfer.amount)
        line = f"transfer of {format_amount(transfer.amount)} from {sender} to {to_bech32m(transfer.to)}"
    outcome = "succeeded" if receipt.code == 0 else f"failed with code {receipt.code}"
    return ItemReport(f"{line} {outcome}, fee {format_amount(receipt.fee)}", facts)


def _check_state(item: StateItem, what: str, certified: CertifiedHeader) -> ItemReport:
    if not verify_state(certified.header.roots.state, item.key, item.value, item.proof):
        raise ProofError("BAD_PROOF", f"{what}: the state entry's path does not lead to the header's state root")
    facts: dict[str, int | str] = {"type": "state", "key": item.key.hex(), "present": int(item.value is not None)}
    if len(item.key) == 21 and item.key[0] == Table.ACCOUNT:
        account = to_bech32m(item.key[1:])
        facts["account"] = account
        if item.value is None:
            return ItemReport(f"account {account} does not exist", facts)
        fields = codec.expect_list(codec.decode(item.value), "account", size=3)
        balance = codec.expect_uint(fields[0], "account.balance")
        nonce = codec.expect_uint(fields[1], "account.nonce")
        facts.update(balance=balance, nonce=nonce)
        return ItemReport(f"account {account} holds {format_amount(balance)}, nonce {nonce}", facts)
    if item.value is None:
        return ItemReport(f"state key {item.key.hex()} holds nothing", facts)
    facts["value"] = item.value.hex()
    return ItemReport(f"state key {item.key.hex()} holds {item.value.hex()}", facts)

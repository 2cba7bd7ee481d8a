"""Calibration reports on the wire: what a real machine measured of itself, signed by the account that owns it.

Three reports of one model, from three owners, are what validators vote on; `fingerprint.calibration` judges them.
A *ticket* tells the machine what to measure for, so that it needs neither the network nor its owner's key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from metanode.core.model import codec
from metanode.core.model.accounts import account_id
from metanode.core.model.bodies import ProbeResults, challenge
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H
from metanode.core.model.limits import (
    AGENT_BYTES_MAX,
    HASH_BYTES,
    INVENTORY_BYTES_MAX,
    PROPOSAL_BYTES_MAX,
    PUBLIC_KEY_BYTES,
    RECORD_SAMPLES_BYTES_MAX,
    SIGNATURE_BYTES,
)
from metanode.core.model.strict_json import expect_hex, expect_int, expect_keys, load_object

REPORT_VERSION = 1
REPORTS_MIN = 3
"""Fewest reports, each of another owner and machine, that calibrate a model."""
REPORTS_MAX = 8
"""Most reports in one proposal."""
REPORT_BYTES_MAX = 6_144
"""Largest report with its signature."""
REPORT_RESULTS_MAX = 32
"""Most probe results in a report."""
MODEL_BYTES_MAX = 64
"""Longest name of a model."""

assert REPORTS_MAX * (REPORT_BYTES_MAX + 3) + MODEL_BYTES_MAX + 8 <= PROPOSAL_BYTES_MAX, "so many fit a proposal"
assert INVENTORY_BYTES_MAX + RECORD_SAMPLES_BYTES_MAX + REPORT_RESULTS_MAX * 12 + 512 < REPORT_BYTES_MAX

_DEPTH = 3
"""A report that lists probe results: a map, the list, its pairs."""
_TICKET, _REPORT = "metanode calibration ticket", "metanode calibration report"
_TICKET_HASHES = ("genesis_hash", "header_hash", "owner_key", "machine_key")
_REPORT_PARTS = ("genesis_hash", "report", "signature")


@dataclass(frozen=True)
class CalibrationReport:
    """One machine as its owner saw it measured."""

    owner_key: bytes
    """Ed25519 public key that signs; its account is the owner."""
    machine_key: bytes
    """Ed25519 public key that the machine attests with, or will."""
    binding_tag: bytes
    """32 bytes that stand for the physical machine on this chain."""
    model: str
    """`processor_key` of the inventory."""
    inventory: bytes = field(repr=False)
    challenge_height: int
    header_hash: bytes
    """Of the header at that height; the genesis hash for height 0."""
    probe_results: ProbeResults
    """Of the keyed workload and of every compiled probe that ran, for `challenge`."""
    samples: bytes = field(repr=False)
    agent: str

    @property
    def owner(self) -> bytes:
        """The account that signs."""
        return account_id(self.owner_key)

    @property
    def challenge(self) -> bytes:
        """The challenge it was measured for."""
        return challenge(self.header_hash, self.machine_key)

    def encode(self) -> bytes:
        """Return the CBOR map 0 to 10: the version, then the fields above in order."""
        return codec.encode(
            {
                0: REPORT_VERSION, 1: self.owner_key, 2: self.machine_key, 3: self.binding_tag, 4: self.model,
                5: self.inventory, 6: self.challenge_height, 7: self.header_hash, 8: self.probe_results,
                9: self.samples, 10: self.agent,
            }
        )  # fmt: skip


def decode_report(data: bytes) -> CalibrationReport:
    """Decode a report.

    :raises Rejection: TOO_LARGE, BAD_SHAPE or BAD_VERSION.
    :raises CodecError: not canonical.
    """
    fields = codec.expect_map(codec.decode(data, bytes_max=REPORT_BYTES_MAX, depth_max=_DEPTH), range(11), "report")
    version = codec.expect_uint(fields[0], "report.v")
    if version != REPORT_VERSION:
        raise Rejection("BAD_VERSION", f"calibration report version {version}", f"version {REPORT_VERSION}")
    return CalibrationReport(
        owner_key=codec.expect_bytes(fields[1], "report.owner_key", size=PUBLIC_KEY_BYTES),
        machine_key=codec.expect_bytes(fields[2], "report.machine_key", size=PUBLIC_KEY_BYTES),
        binding_tag=codec.expect_bytes(fields[3], "report.binding_tag", size=HASH_BYTES),
        model=codec.expect_text(fields[4], "report.model", maximum=MODEL_BYTES_MAX),
        inventory=codec.expect_bytes(fields[5], "report.inventory", maximum=INVENTORY_BYTES_MAX),
        challenge_height=codec.expect_uint(fields[6], "report.challenge_height"),
        header_hash=codec.expect_bytes(fields[7], "report.header_hash", size=HASH_BYTES),
        probe_results=_results(fields[8]),
        samples=codec.expect_bytes(fields[9], "report.samples", maximum=RECORD_SAMPLES_BYTES_MAX),
        agent=codec.expect_text(fields[10], "report.agent", maximum=AGENT_BYTES_MAX),
    )


def _results(value: codec.Value) -> ProbeResults:
    results: list[tuple[int, int]] = []
    for item in codec.expect_list(value, "report.probe_results", maximum=REPORT_RESULTS_MAX):
        probe, result = codec.expect_list(item, "report.probe_results", size=2)
        number = codec.expect_uint(probe, "report.probe")
        if results and number <= results[-1][0]:
            raise Rejection("BAD_SHAPE", f"the report lists probe {number} after {results[-1][0]}", "rising probe ids")
        results.append((number, codec.expect_uint(result, "report.result")))
    return tuple(results)


def report_digest(report: bytes, genesis_hash: bytes) -> bytes:
    """Return what the owner signs: H(record, genesis_hash || report)."""
    return H("record", genesis_hash + report)


@dataclass(frozen=True)
class SignedReport:
    """A report as a proposal carries it."""

    report: bytes = field(repr=False)
    """Bytes of a `CalibrationReport`, as signed."""
    signature: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return CBOR {0 report, 1 signature}."""
        return codec.encode({0: self.report, 1: self.signature})


def decode_signed_report(data: bytes) -> SignedReport:
    """Decode a signed report, not what it holds; raises as `decode_report`."""
    fields = codec.read_map(data, range(2), "signed_report", bytes_max=REPORT_BYTES_MAX)
    return SignedReport(
        codec.expect_bytes(fields[0], "signed_report.report"),
        codec.expect_bytes(fields[1], "signed_report.signature", size=SIGNATURE_BYTES),
    )


@dataclass(frozen=True)
class Ticket:
    """What a machine must know to measure itself for one owner on one chain; nothing of it is secret."""

    genesis_hash: bytes
    height: int
    header_hash: bytes
    owner_key: bytes
    machine_key: bytes

    def to_json(self) -> str:
        """Return the text of a ticket file."""
        texts = {name: getattr(self, name).hex() for name in _TICKET_HASHES}
        return _text({"what": _TICKET, "version": REPORT_VERSION, "height": self.height, **texts})


def ticket_from_json(text: str) -> Ticket:
    """Read a ticket file; raises MetanodeError BAD_JSON, BAD_SETTING, BAD_SHAPE or BAD_VERSION."""
    entries = load_object(text, "ticket")
    _expect_kind(entries, _TICKET)
    expect_keys(entries, ("what", "version", "height", *_TICKET_HASHES), "ticket")
    hashes = {name: expect_hex(entries[name], f"ticket: {name}", size=HASH_BYTES) for name in _TICKET_HASHES}
    return Ticket(height=expect_int(entries["height"], "ticket: height"), **hashes)


@dataclass(frozen=True)
class ReportFile:
    """A report on its way: as measured, then signed."""

    genesis_hash: bytes
    report: bytes = field(repr=False)
    signature: bytes = field(default=b"", repr=False)
    """Empty until the owner has signed."""

    def to_json(self) -> str:
        """Return the text of a report file."""
        texts = {name: getattr(self, name).hex() for name in _REPORT_PARTS}
        return _text({"what": _REPORT, "version": REPORT_VERSION, **texts})


def report_file_from_json(text: str) -> ReportFile:
    """Read a report file; raises MetanodeError BAD_JSON, BAD_SETTING, BAD_SHAPE or BAD_VERSION."""
    entries = load_object(text, "report file")
    _expect_kind(entries, _REPORT)
    expect_keys(entries, ("what", "version", *_REPORT_PARTS), "report file")
    size = SIGNATURE_BYTES if entries["signature"] else 0
    return ReportFile(
        expect_hex(entries["genesis_hash"], "report file: genesis_hash", size=HASH_BYTES),
        expect_hex(entries["report"], "report file: report"),
        expect_hex(entries["signature"], "report file: signature", size=size),
    )


def _expect_kind(entries: dict[str, Any], wanted: str) -> None:
    """Refuse a file of another kind or version; raises Rejection BAD_SHAPE or BAD_VERSION."""
    if entries.get("what") != wanted:
        raise Rejection("BAD_SHAPE", f"this file says it is {str(entries.get('what'))[:60]!r}", f"a {wanted}")
    if type(version := entries.get("version")) is not int or version != REPORT_VERSION:
        raise Rejection("BAD_VERSION", f"a {wanted} of another version", f"version {REPORT_VERSION}")


def _text(entries: dict[str, Any]) -> str:
    return json.dumps(entries, indent=1) + "\n"

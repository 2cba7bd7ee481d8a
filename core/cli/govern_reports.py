"""The calibration reports of a proposal: judged before it is made, fetched back by whoever is to approve it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from metanode.core.cli.machine_reports import write_new
from metanode.core.cli.node_api import NodeApi
from metanode.core.model import codec, kinds
from metanode.core.model.accounts import to_bech32m
from metanode.core.model.block import decode_block
from metanode.core.model.bodies import PROPOSE, decode_govern, decode_proposal, proposal_id
from metanode.core.model.calibration import ReportFile, decode_report, decode_signed_report
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis


def judge(paths: list[Path]) -> dict[str, Any]:
    """Let the fingerprint judge the reports as validators will, in a process of its own; raises what it says."""
    words = [sys.executable, "-m", "metanode.fingerprint.command", "--json", "--reports", *map(str, paths)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        message = answer.get("message") or f"metanode-fingerprint ended with code {done.returncode}: {last}"
        raise MetanodeError(answer.get("code", "INTERNAL"), message, answer.get("expected", ""))
    return answer


def unknown_headers(api: NodeApi, genesis: Genesis, files: list[ReportFile]) -> list[str]:
    """Say which reports rest on no header that the node knows: only their owners can tell when they were made.

    :raises MetanodeError: CHALLENGE_UNKNOWN, a report names another chain's block.
    """
    notes = []
    for file in files:
        report = decode_report(file.report)
        try:
            known = api.header_hash(report.challenge_height) if report.challenge_height else genesis.hash
        except MetanodeError as error:
            notes.append(f"the block of the report of {to_bech32m(report.owner)} cannot be looked up: {error.message}")
            continue
        if known != report.header_hash:
            raise MetanodeError(
                "CHALLENGE_UNKNOWN", f"a report names another block {report.challenge_height} than this chain's"
            )
        if not report.challenge_height:
            notes.append(f"the report of {to_bech32m(report.owner)} rests on the genesis: it may be of any age")
    return notes


def fetch(api: NodeApi, found: dict[str, Any], directory: Path) -> list[Path]:
    """Write the reports of a proposal to new files and return their names."""
    genesis_hash = api.genesis().hash
    reports = [decode_signed_report(data) for data in _reports_of(api, found, genesis_hash)]
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MetanodeError("STORAGE_FULL", f"{directory}: {error.strerror}", "a place that can be written") from error
    paths = []
    for number, signed in enumerate(reports, 1):
        paths.append(directory / f"{found['id'][:8]}-{number}.report")
        write_new(paths[-1], ReportFile(genesis_hash, signed.report, signed.signature).to_json())
    return paths


def _reports_of(api: NodeApi, found: dict[str, Any], genesis_hash: bytes) -> list[bytes]:
    """Return the reports in a proposal's envelope, found in its block: what is approved by id is exactly that."""
    block = decode_block(bytes.fromhex(api.get(f"/v1/blocks/{found['height']}?raw=1")["block"]))
    for raw in block.envelope_bytes():
        envelope = decode_envelope(raw)
        if envelope.kind != kinds.GOVERN:
            continue
        body = decode_govern(envelope.body)
        if body.action == PROPOSE and proposal_id(body.payload, genesis_hash).hex() == found["id"]:
            return [codec.expect_bytes(item, "report") for item in decode_proposal(body.payload)[1][1:]]
    raise MetanodeError("BAD_REPLY", f"block {found['height']} does not hold the proposal {found['id']}")

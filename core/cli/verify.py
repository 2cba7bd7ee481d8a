"""`metanode verify`: check a proof bundle offline and say what was, and what was not, checked.

Exit codes: 0 proven; 10 not what this verifier trusts, or it was given nothing to trust; 20 the proof is wrong;
2 no such file, or not a bundle at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_CONSENSUS, EXIT_OK, EXIT_POLICY, EXIT_USAGE
from metanode.core.crypto import install
from metanode.core.home import GENESIS_FILE, GENESIS_FILE_BYTES_MAX
from metanode.core.light.bundle import BundleReport, verify_bundle
from metanode.core.model.bundle import decode_bundle
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.genesis import Genesis, genesis_from_json
from metanode.core.model.limits import BUNDLE_BYTES_MAX
from metanode.core.model.validators import set_hash


class VerifyVerb:
    """Check a bundle against a genesis."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the bundle and what to trust."""
        parser.add_argument("file", type=Path, metavar="FILE", help="a bundle that `metanode prove` wrote")
        parser.add_argument(
            "--genesis",
            type=Path,
            metavar="FILE",
            help="the genesis.json of the chain to trust (default: that of the home, where there is one)",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Verify; refusals of the proof become exit codes."""
        install()
        console: Console = args.console
        try:
            data = _read(args.file, BUNDLE_BYTES_MAX, "a bundle that `metanode prove` wrote")
            genesis = _trusted(args)
            decode_bundle(data)  # what does not even look like a bundle is a mistake of the caller, no false proof
        except MetanodeError as error:
            console.error(error)
            return EXIT_USAGE
        try:
            report = verify_bundle(
                data,
                trusted_genesis_hash=None if genesis is None else genesis.hash,
                trusted_set_hash=None if genesis is None else set_hash(genesis.validators),
            )
        except ProofError as error:
            console.error(error)
            return EXIT_POLICY if error.code == "UNTRUSTED" else EXIT_CONSENSUS
        _show(report, console, proven=genesis is not None)
        return EXIT_OK if genesis is not None else EXIT_POLICY


def _show(report: BundleReport, console: Console, *, proven: bool) -> None:
    block = f"block {report.height}  {report.header_hash.hex()}"
    if proven:
        lines = [console.style(f"VALID  {block}", "green", "bold")]
    else:
        # Its parts fit together, but anyone can make such a bundle with validators of their own.
        lines = [console.style(f"NOT PROVEN  {block}", "yellow", "bold")]
        lines.append("  the bundle fits together, but nothing ties it to a chain you trust: give --genesis FILE")
    lines += [f"  {'proves' if proven else 'claims':11}  {item.line}" for item in report.items]
    lines += [f"  checked      {item}" for item in report.checked]
    lines += [f"  not checked  {item}" for item in report.unchecked]
    console.result(
        {
            "ok": proven,
            "height": report.height,
            "header_hash": report.header_hash.hex(),
            "time_ms": report.time_ms,
            "items": [dict(item.facts) for item in report.items],
            "checked": list(report.checked),
            "unchecked": list(report.unchecked),
        },
        lines,
    )


def _trusted(args: argparse.Namespace) -> Genesis | None:
    """Return the genesis to trust; None when none is given and the home has none."""
    path: Path = args.genesis or args.home / GENESIS_FILE
    if args.genesis is None and not path.exists():
        return None
    data = _read(path, GENESIS_FILE_BYTES_MAX, "the chain's genesis.json")
    try:
        return genesis_from_json(data.decode())
    except UnicodeDecodeError as error:
        raise MetanodeError("BAD_JSON", f"{path}: {error}", "JSON in UTF-8") from error
    except MetanodeError as error:
        raise MetanodeError(error.code, f"{path}: {error.message}", error.expected) from error


def _read(path: Path, bytes_max: int, what: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError as error:
        raise MetanodeError("FILE_MISSING", f"{path}: {error.strerror}", what) from error
    if len(data) > bytes_max:
        raise MetanodeError("TOO_LARGE", f"{path} has more than {bytes_max} bytes", what)
    return data


VERB = VerifyVerb()

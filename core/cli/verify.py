"""`metanode verify`: check a proof bundle offline and say what was, and what was not, checked.

Exit codes: 0 proven; 10 not what this verifier trusts; 20 the consensus part fails; 2 no such file or not a bundle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from metanode.core.cli.verbs import EXIT_CONSENSUS, EXIT_OK, EXIT_POLICY, EXIT_USAGE
from metanode.core.crypto import install
from metanode.core.light.bundle import verify_bundle
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.genesis import genesis_from_json
from metanode.core.model.limits import BUNDLE_BYTES_MAX
from metanode.core.model.validators import set_hash


class VerifyVerb:
    """Check a bundle against a genesis."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the bundle and what to trust."""
        parser.add_argument("file", type=Path, help="a bundle that `metanode prove` wrote")
        parser.add_argument(
            "--genesis",
            metavar="FILE|HASH",
            help="the chain to trust: a genesis.json or 64 hex digits (default: the home's genesis.json, where it is)",
        )

    def run(self, args: argparse.Namespace) -> int:
        """Verify; refusals of the proof become exit codes."""
        install()
        try:
            with args.file.open("rb") as stream:
                data = stream.read(BUNDLE_BYTES_MAX + 1)
            genesis_hash, trusted_set = _trusted(args)
        except OSError as error:
            args.console.error(MetanodeError("FILE_MISSING", f"{error.filename}: {error.strerror}"))
            return EXIT_USAGE
        try:
            report = verify_bundle(data, trusted_genesis_hash=genesis_hash, trusted_set_hash=trusted_set)
        except ProofError as error:
            args.console.error(error)
            return EXIT_POLICY if error.code == "UNTRUSTED" else EXIT_CONSENSUS
        except MetanodeError as error:
            args.console.error(error)
            return EXIT_USAGE
        console = args.console
        lines = [console.style(f"VALID  block {report.height}  {report.header_hash.hex()}", "green", "bold")]
        lines += [f"  proves       {item.line}" for item in report.items]
        lines += [f"  checked      {item}" for item in report.checked]
        lines += [f"  not checked  {item}" for item in report.unchecked]
        console.result(
            {
                "ok": True,
                "height": report.height,
                "header_hash": report.header_hash.hex(),
                "time_ms": report.time_ms,
                "items": [dict(item.facts) for item in report.items],
                "checked": list(report.checked),
                "unchecked": list(report.unchecked),
            },
            lines,
        )
        return EXIT_OK


def _trusted(args: argparse.Namespace) -> tuple[bytes | None, bytes | None]:
    """Return the genesis hash and first set hash to trust."""
    given: str | None = args.genesis
    if given is not None and len(given) == 64 and not Path(given).exists():
        try:
            return bytes.fromhex(given), None
        except ValueError as error:
            raise MetanodeError("BAD_HEX", f"--genesis {given} is neither a file nor 64 hex digits") from error
    path = Path(given) if given is not None else args.home / "genesis.json"
    if given is None and not path.exists():
        return None, None
    genesis = genesis_from_json(path.read_text(encoding="utf-8"))
    return genesis.hash, set_hash(genesis.validators)


VERB = VerifyVerb()

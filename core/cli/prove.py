"""`metanode prove`: fetch the bundle that proves a transaction to anyone, and check it before keeping it."""

from __future__ import annotations

import argparse
from pathlib import Path

from metanode.core.cli.node_api import NodeApi, add_node_option
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.crypto import install
from metanode.core.light.bundle import verify_bundle
from metanode.core.model.errors import MetanodeError


class ProveVerb:
    """Write a proof bundle."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the transaction and the output file."""
        parser.add_argument("id", help="transaction id, 64 hex digits")
        parser.add_argument("--out", type=Path, metavar="FILE", help="default: ID.bundle with the first 16 digits")
        add_node_option(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Fetch, check, write."""
        install()
        out: Path = args.out or Path(f"{args.id[:16]}.bundle")
        if out.exists():
            raise MetanodeError("FILE_EXISTS", f"{out} already exists", "another --out")
        data = NodeApi(args.node).proof(args.id)
        report = verify_bundle(data, trusted_genesis_hash=None, trusted_set_hash=None)
        try:
            out.write_bytes(data)
        except OSError as error:
            raise MetanodeError("STORAGE_FULL", f"{out}: {error.strerror}", "a place that can be written") from error
        args.console.result(
            {"file": str(out), "bytes": len(data), "height": report.height, "header_hash": report.header_hash.hex()},
            f"wrote {out}: {len(data)} bytes, proves transaction {args.id[:16]}... in block {report.height}",
        )
        return EXIT_OK


VERB = ProveVerb()

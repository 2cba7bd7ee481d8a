"""`metanode prove`: fetch the bundle that proves a transaction to anyone, and check it before keeping it."""

from __future__ import annotations

import argparse
from pathlib import Path

from metanode.core.cli.node_api import NodeApi, add_node_option, checked_id
from metanode.core.cli.verbs import EXIT_OK
from metanode.core.crypto import install
from metanode.core.light.bundle import verify_bundle
from metanode.core.model.errors import MetanodeError


class ProveVerb:
    """Write a proof bundle."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the transaction and the output file."""
        parser.add_argument("id", metavar="ID", help="transaction id, 64 hex digits")
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="default: the first 16 digits of ID and `.bundle`, here"
        )
        add_node_option(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Fetch, check, write."""
        install()
        envelope_id = checked_id(args.id)
        out: Path = args.out or Path(f"{envelope_id[:16]}.bundle")
        if out.exists():
            raise _exists(out)
        data = NodeApi(args.node).proof(envelope_id)
        report = verify_bundle(data, trusted_genesis_hash=None, trusted_set_hash=None)
        if envelope_id not in [item.facts.get("id") for item in report.items]:
            raise MetanodeError("BAD_REPLY", f"the node's bundle does not prove {envelope_id}")
        try:
            with out.open("xb") as stream:
                stream.write(data)
        except FileExistsError:
            raise _exists(out) from None
        except OSError as error:
            raise MetanodeError("STORAGE_FULL", f"{out}: {error.strerror}", "a place that can be written") from error
        args.console.result(
            {
                "ok": True,
                "file": str(out),
                "id": envelope_id,
                "bytes": len(data),
                "height": report.height,
                "header_hash": report.header_hash.hex(),
            },
            [
                f"wrote {out}: {len(data)} bytes, proves transaction {envelope_id[:16]}... in block {report.height}",
                f"check it with `metanode verify {out} --genesis FILE`, where FILE is the chain's genesis.json",
            ],
        )
        return EXIT_OK


def _exists(out: Path) -> MetanodeError:
    return MetanodeError("FILE_EXISTS", f"{out} already exists", "another --out")


VERB = ProveVerb()

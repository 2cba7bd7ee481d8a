"""What a miner holds between two attestations: nothing it will not need, for it may share 64 MiB with a system."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from metanode.core.light.http_client import Reply
from metanode.core.model.accounts import to_bech32m
from metanode.fingerprint.collect import unsupported_reason

TOO_LARGE = {
    "OpenSSL": {"_hashlib", "_ssl", "hashlib", "ssl"},
    "compressors": {"bz2", "lzma", "shutil", "tempfile", "zipfile", "zlib"},
    "tables of international names": {"encodings.idna", "stringprep", "unicodedata"},
    "another HTTP client": {"email", "http", "http.client"},
    "readers of packages": {"importlib.metadata", "importlib.resources", "pkgutil"},
    "what only an error needs": {"difflib", "logging", "traceback"},
    "what nothing needs": {
        "asyncio", "concurrent.futures", "ctypes", "datetime", "decimal", "fractions", "multiprocessing", "random",
        "secrets", "statistics", "string", "subprocess", "uuid",
    },
    "a TOML reader, without a miner.toml": {"tomli", "tomllib"},
    "the node": {"metanode.core.discovery", "metanode.core.kernel", "metanode.core.settings", "pluggy", "trio"},
    "the fingerprint's report and second opinions": {"metanode.fingerprint.crosscheck", "metanode.fingerprint.report"},
}
"""Modules by what they bring along."""

MINE = """
import json, sys
from metanode.miner import command
waits = iter([False] * 100)
command._Stop.wait = lambda self, seconds: next(waits, True)
code = command.main([*sys.argv[1:], "--rounds", "1"])
print(json.dumps([code, sorted(sys.modules)]))
"""
"""Registers, attests and ends.  Nothing is waited for: the scripted node's clock goes with what it is asked."""


@contextmanager
def served(node: Any) -> Iterator[str]:
    """Serve a scripted node on a real socket; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            node.advance(1)
            self._send(node.get(self.path))

        def do_POST(self) -> None:
            self._send(node.post(self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(
    bool(unsupported_reason(sys.platform)), reason="this machine has no collector yet"
)
def test_a_miner_that_has_attested_holds_nothing_that_a_small_machine_cannot_spare(node: Any, tmp_path: Path) -> None:
    """It registered over HTTP, measured, opened its key and answered a challenge: none of that loads any of these."""
    strangers = ("METANODE_PASSPHRASE", "COVERAGE_PROCESS_START")
    environment = {name: value for name, value in os.environ.items() if name not in strangers}
    with served(node) as url:
        words = ["run", "--wallet", to_bech32m(b"o" * 20), "--node", url, "--dir", str(tmp_path / "miner")]
        done = subprocess.run(
            [sys.executable, "-c", MINE, *words], env=environment, capture_output=True, text=True, check=True
        )
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert (code, node.parts()) == (0, ["commit", "reveal", "envelope"])
    spared = TOO_LARGE
    if not importlib.util.find_spec("_sha2" if sys.version_info >= (3, 12) else "_sha512"):
        spared = {why: names for why, names in TOO_LARGE.items() if why != "OpenSSL"}  # then it is all there is
    found = {why: sorted(names & set(loaded)) for why, names in spared.items() if names & set(loaded)}
    assert not found

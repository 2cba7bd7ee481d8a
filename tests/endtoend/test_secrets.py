"""Canary: with every log at debug and every verb made to fail, no seed and no passphrase leaves its own file.

A real node, wallets, transfers and a miner, with a plugin that logs all it is given.  Whatever they wrote or
answered is searched byte by byte for each secret: raw, in hex, and in base64 at any alignment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from metanode.core.crypto import install, keystore
from metanode.core.home import Home

pytestmark = pytest.mark.endtoend

WAIT_S = 60.0
METANODE = [sys.executable, "-m", "metanode.core.cli"]
PASSPHRASES = {
    "node": b"canary-node-7f3a correct horse",
    "wallet": b"canary-wallet-91bd battery staple",
    "miner": b"canary-miner-c04e spinning disk",
    "wrong": b"canary-wrong-55aa nothing opens",
}
NOSY = """# /// metanode
# name = "api.nosy"
# role = "api"
# summary = "logs and raises all it is given"
# ///
from metanode.core.hooks import hookimpl
from metanode.core.http import Route

async def leak(request):
    raise ValueError(f"{request!r} {CONTEXT!r} {CONTEXT.identity!r} {vars(CONTEXT)!r}")

@hookimpl
def register_routes(context):
    global CONTEXT
    CONTEXT = context
    context.log.debug("context %r, identity %r, settings %r", context, context.identity, dict(context.settings))
    context.log.debug("opened", extra={"fields": {"seed": context.identity.node.seed, "pass": "no"}})
    context.log.debug("node_seed=%s", context.identity.node.seed.hex())
    return [Route("GET", "/nosy", leak, "raises what it was given")]

@hookimpl
def on_block_finalized(context, height, header_hash):
    raise ValueError(repr(context.identity))
"""


def forms(secret: bytes) -> set[bytes]:
    """Every way in which a secret could be written down."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # What stands before and after it in a longer text only changes the first and last characters.
            text = encode(bytes(shift) + secret + bytes(3))
            found.add(text[-(-shift * 4 // 3) + 1 : (shift + len(secret)) * 4 // 3 - 1])
    return found


class Scene:
    """Everything the processes wrote and answered."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = Home(base / "home")
        self.miner = base / "miner"
        self.outputs: dict[str, bytes] = {}
        self.node: subprocess.Popen[bytes] | None = None
        self.files = {name: base / f"{name}.passphrase" for name in PASSPHRASES}
        for name, file in self.files.items():
            file.write_bytes(PASSPHRASES[name] + b"\n")

    def verb(self, *words: str, code: int = 0, passphrase: str = "", env: str = "") -> bytes:
        """Run a verb of metanode and keep what it said."""
        command = [*METANODE, *words, "--home", str(self.home.path)]
        command += ["--passphrase-file", str(self.files[passphrase])] if passphrase else []
        environ = {**os.environ, "METANODE_DEBUG": "1"}
        environ.update({"METANODE_PASSPHRASE": PASSPHRASES[env].decode()} if env else {})
        ended = subprocess.run(command, capture_output=True, timeout=WAIT_S, env=environ)
        said = ended.stdout + ended.stderr
        assert ended.returncode == code, said
        self.outputs[f"{len(self.outputs)} {' '.join(words)}"] = said
        return ended.stdout

    def start(self, *words: str) -> str:
        """Start the node with debug logs; returns its address."""
        command = [*METANODE, "run", "--home", str(self.home.path), "--plugins-dir", str(self.base), *words]
        command += ["--log-level", "debug", "--passphrase-file", str(self.files["node"])]
        with (self.base / "node.log").open("ab") as log:
            self.node = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_S
        while not (state := self.home.read_running() or {}).get("addresses"):
            assert self.node.poll() is None, (self.base / "node.log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.outputs["running"] = self.home.running_file.read_bytes()
        return str(state["addresses"][0])

    def ask(self, url: str, body: bytes | None = None) -> None:
        """Keep an answer of the API, with its head."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=WAIT_S) as reply:
                said = str(reply.headers).encode() + reply.read()
        except urllib.error.HTTPError as error:
            said = str(error.headers).encode() + error.read()
        self.outputs[f"{len(self.outputs)} {url}"] = said

    def stop(self, number: signal.Signals) -> None:
        """End the node."""
        assert self.node is not None
        self.node.send_signal(number)
        self.node.wait(WAIT_S)

    def places(self) -> dict[str, bytes]:
        """Everything that may be searched: what was said, and every file but keys and the passphrases given."""
        own = {*self.home.keys_dir.rglob("*"), *(self.home.path / "wallets").rglob("*"), *self.files.values()}
        own |= {self.miner / "machine.key"}
        files = {str(path): path.read_bytes() for path in self.base.rglob("*") if path.is_file() and path not in own}
        return {**self.outputs, **files}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A base directory; the node is killed at the end if it still runs."""
    install()
    found = Scene(tmp_path)
    yield found
    if found.node is not None and found.node.poll() is None:
        found.stop(signal.SIGKILL)


def test_no_seed_and_no_passphrase_is_found_outside_its_file(scene: Scene) -> None:
    """Through init, run, wallets, transfers, proofs, mining, refusals of all kinds, a crash and a restart."""
    keys = scene.home.keys_dir
    scene.verb("init", "--network", "devnet", "--port", "0", passphrase="node")
    scene.verb("init", passphrase="node", code=1)
    scene.verb("config", "show")
    settings = scene.home.settings_file
    settings.write_text(settings.read_text().replace('"status"]', '"status", "nosy"]'))
    (scene.base / "nosy.py").write_text(NOSY)
    scene.verb("wallet", "new", "savings", passphrase="wallet")
    scene.verb("wallet", "new", "savings", passphrase="wallet", code=1)
    scene.verb("wallet", "show", "savings")
    shutil.copy(keys / "sponsor.key", scene.home.path / "wallets" / "rich.key")
    scene.verb("run", passphrase="wrong", code=1)
    scene.verb("run", env="wrong", code=1)

    address = scene.start()
    node = ["--node", address]
    sent = json.loads(scene.verb("tx", "send", "2", "savings", "--from", "rich", "--json", *node, passphrase="node"))
    scene.verb("tx", "send", "1", "rich", "--from", "savings", *node, env="wallet")
    scene.verb("tx", "send", "1", "rich", "--from", "savings", *node, passphrase="wrong", code=1)
    scene.verb("tx", "send", "999", "rich", "--from", "savings", *node, passphrase="wallet", code=1)
    scene.verb("wallet", "balance", "savings", *node)
    bundle = scene.base / "sent.bundle"
    scene.verb("prove", sent["id"], "--out", str(bundle), *node)
    scene.verb("verify", str(bundle), "--genesis", str(scene.home.genesis_file))
    scene.verb("plugins")
    mine = ["miner", "run", "--wallet", "RTC" + "22" * 20, "--dir", str(scene.miner), "--rounds", "1", *node]
    scene.verb(*mine, env="miner")
    scene.verb(*mine, env="wrong", code=1)
    scene.verb("miner", "status", "--dir", str(scene.miner))
    for path in ("/health", "/ready", "/metrics", "/openapi.json", "/v1/head", "/v1/genesis", "/v1/blocks/1", "/nosy",
                 f"/v1/tx/{sent['id']}", "/v1/miners", "/v1/epochs", "/no/such/route", "/v1/blocks/x"):  # fmt: skip
        scene.ask(address + path)
    for path in ("/v1/tx", "/v1/attest/submit", "/v1/attest/challenge"):
        for body in (b"", b"{", b"{}", b'{"envelope": "00"}', b'{"machine_key": 7}', b"\xff" * 100):
            scene.ask(address + path, body)
    scene.stop(signal.SIGKILL)
    scene.ask(scene.start("--log-json") + "/nosy")
    scene.stop(signal.SIGTERM)

    opened = {f"{name}.key": keystore.open(keys / f"{name}.key", PASSPHRASES["node"])
              for name in ("node", "consensus", "vrf", "sponsor")}  # fmt: skip
    opened["savings"] = keystore.open(scene.home.path / "wallets" / "savings.key", PASSPHRASES["wallet"])
    opened["machine"] = keystore.open(scene.miner / "machine.key", PASSPHRASES["miner"])
    # A signature is made with the first half of this; who has it can sign as well as with the seed.
    expanded = {f"expanded {name}": hashlib.sha512(seed).digest()[:32] for name, seed in opened.items()}
    secrets = {**opened, **expanded, **{f"passphrase {name}": text for name, text in PASSPHRASES.items()}}
    places = scene.places()
    assert any("nosy" in text.decode("utf-8", "replace") for text in places.values()), "the nosy plugin has spoken"
    log = places[str(scene.base / "node.log")]
    assert b"level=debug" in log, "the log is searched, at its lowest level"
    assert b'"level": "debug"' in log, "and in both its forms"
    assert any("storage.sqlite" in name and text.startswith(b"SQLite format 3") for name, text in places.items())
    found = [(name, place) for name, secret in secrets.items() for form in forms(secret)
             for place, text in places.items() if form in text]  # fmt: skip
    assert found == []


def test_the_search_would_find_a_secret() -> None:
    """However it is written, and wherever in a longer text."""
    secret = hashlib.sha256(b"canary").digest()
    for before in (b"", b"a", b"ab", b"abc"):
        text = before + secret + b"after"
        for written in (text, text.hex().encode(), base64.b64encode(text), base64.urlsafe_b64encode(text)):
            assert any(form in written for form in forms(secret)), (before, written)

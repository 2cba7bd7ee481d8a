"""A real node's life under the recorder: init, run, stop, run, kill, run, and a client who gets through."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import install, keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError
from powercut import recording
from powercut.disk import read_tree

START_S_MAX = 30.0
FORGED = (1).to_bytes(4, "big") + zlib.crc32(b"x").to_bytes(4, "big") + b"x"
LAUNCH = (
    "import sys\n"
    "from metanode.plugins.consensus._shared import wal\n"
    "wal.FILE_BYTES_MAX = 12_000\n"  # the real 8 MiB would take an hour of blocks to reach
    "from metanode.core.cli import main\n"
    "sys.exit(main())\n"
)


@dataclass
class Life:
    """What a workload left: a home as it was before the first start, and one log per process."""

    home: Path
    before: dict[str, bytes | None]
    logs: list[Path]
    acknowledged: list[str]


class Client:
    """Sends transfers of mixed sizes, alone and in batches, some at the same time."""

    def __init__(self, home: Home, chance: random.Random) -> None:
        install()
        passphrase = home.passphrase()
        assert passphrase is not None
        self._key = KeyPair.from_seed(keystore.open(home.keys_dir / "sponsor.key", passphrase))
        self._genesis = home.genesis()
        self._chance = chance
        self._nonce = 0
        self.acknowledged: list[str] = []

    def _transfer(self, memo: int) -> Envelope:
        nonce, self._nonce = self._nonce, self._nonce + 1
        # Anyone may write what looks like a record of the log into a memo, and so into the log.
        text = FORGED * (memo // len(FORGED)) if self._chance.random() < 0.5 else self._chance.randbytes(memo)
        return build_envelope(
            chain_id=self._genesis.chain_id,
            kind=kinds.TRANSFER,
            sender=self._key.account,
            nonce=nonce,
            fee=self._genesis.params.min_fee,
            valid_until=self._genesis.params.max_valid,
            body=Transfer(nonce.to_bytes(20, "big"), nonce + 1, text).encode(),
            public_key=self._key.public_key if nonce == 0 else b"",
            sign=self._key.sign,
            genesis_hash=self._genesis.hash,
        )

    def _submit(self, api: NodeApi, envelopes: list[Envelope]) -> None:
        api.submit(envelopes)
        self.acknowledged += [envelope.id.hex() for envelope in envelopes]

    def work(self, url: str, steps: int) -> None:
        """Submit, look at the head, wait; a refusal ends it, for this client gives no cause for one."""
        api = NodeApi(url)
        self._nonce = api.account(self._key.account)["next_nonce"]
        for step in range(steps):
            kind = self._chance.choice(("one", "one", "batch", "together", "wait"))
            if kind == "batch":
                count = self._chance.choice((2, 5, 30))
                self._submit(api, [self._transfer(self._chance.randrange(257)) for _ in range(count)])
            elif kind == "together":
                made = [self._transfer(self._chance.randrange(64)) for _ in range(3)]
                threads = [threading.Thread(target=self._submit, args=(NodeApi(url), [one])) for one in made]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            else:
                self._submit(api, [self._transfer(self._chance.choice((0, 256)))])
            if kind == "wait" or step % 4 == 3 or kind == "batch":
                api.wait_final(self.acknowledged[-1], 10)
            api.head()


def start(command: list[str], home: Home, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Start a node and return it with its address once it serves."""
    with (home.path / "node.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        state = home.read_running()
        if state is not None and state["pid"] == process.pid and state["addresses"]:
            return process, state["addresses"][0]
        assert process.poll() is None, (home.path / "node.log").read_text()[-2000:]
        time.sleep(0.01)
    process.kill()
    raise AssertionError("the node did not start in time")


def init(directory: Path, library: Path | None = None) -> Home:
    """Make a home whose blocks come ten times as fast; recorded in init.log with a library."""
    home = Home(directory / "base" / "home")
    home.path.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "metanode.core.cli", "init", "--network", "devnet", "--port", "0"]
    command += ["--home", str(home.path)]
    if library is None:
        subprocess.run(command, check=True, capture_output=True)
    else:
        recording.run(library, directory / "init.log", home.path.parent, command)
    return home


def live(directory: Path, library: Path, *, steps: tuple[int, ...], seed: int) -> Life:
    """Make a home and let a node run in it as often as there are steps: stopped, killed, stopped, ..."""
    chance = random.Random(seed)
    home = init(directory)
    text = home.genesis_file.read_text()
    for slow, fast in (('"block_ms": 1000', '"block_ms": 100'), ('"slot_ms": 2000', '"slot_ms": 400')):
        text = text.replace(slow, fast)
    home.genesis_file.write_text(text)
    with home.settings_file.open("a") as settings:
        settings.write("\n[plugins.storage.sqlite]\nwal_autocheckpoint_pages = 20\n")
        settings.write("\n[plugins.mempool.fifo]\nrequests_per_minute = 1000000\n")
    before = read_tree(home.path)
    client = Client(home, chance)
    logs = []
    for number, count in enumerate(steps):
        logs.append(directory / f"run{number}.log")
        command = [sys.executable, "-c", LAUNCH, "run", "--home", str(home.path)]
        process, url = start(command, home, recording.environment(library, logs[-1], home.path))
        try:
            client.work(url, count)
        except MetanodeError as error:
            raise AssertionError(f"{error.line()}\n{(home.path / 'node.log').read_text()[-2000:]}") from error
        finally:
            process.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
            status = process.wait(START_S_MAX)
        assert status == (-signal.SIGKILL if number % 2 else 0), status
    return Life(home.path, before, logs, client.acknowledged)

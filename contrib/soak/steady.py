"""An hour of steady load on a real node: `make soak-steady` (SOAK_SECONDS=3600, SOAK_RATE=300).

A real `metanode run` process on a SQLite home takes signed transfers from many accounts at a fixed rate, in batches.
Each minute the node's memory and its CPU per transaction are noted in build/soak/steady.jsonl.  After a warm-up the
first fifth is compared with the last: memory must be flat (growth.rss) and so must the cost of a block (growth.block).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import install, keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model import kinds
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope
from metanode.core.model.errors import MetanodeError

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "soak" / "steady.jsonl"
SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
RATE = int(os.environ.get("SOAK_RATE", "300"))
SENDERS = 200
"""Each sender has at most 64 envelopes waiting, so this many never wait for a slow block."""
FUND = 2_000_000_000
BATCH = 100
SAMPLE_S = 60
WARM_UP_PERCENT = 15
"""Share of the run left out: SQLite's page cache and the interpreter's arenas fill while the database is young."""
GROWTH_RSS_PERCENT_MAX = 10
GROWTH_COST_PERCENT_MAX = 25


class Load:
    """Accounts that pay each other in a ring, nonces in step."""

    def __init__(self, api: NodeApi, home: Home) -> None:
        self._api = api
        self._genesis = home.genesis()
        passphrase = home.passphrase()
        assert passphrase is not None, "a devnet home holds its passphrase"
        self._sponsor = KeyPair.from_seed(keystore.open(home.keys_dir / "sponsor.key", passphrase))
        self._senders = [KeyPair.from_seed(i.to_bytes(32, "big")) for i in range(1, SENDERS + 1)]
        self._nonces = [0] * SENDERS
        self._turn = 0
        self._height = 0

    def fund(self) -> None:
        """Give every sender something to send; the sponsor may have 64 transfers waiting."""
        for start in range(0, SENDERS, 60):
            self._height = self._api.head()["height"]
            group = self._senders[start : start + 60]
            made = [
                self._transfer(self._sponsor, start + i, key.account, FUND, known=start + i > 0)
                for i, key in enumerate(group)
            ]
            self._api.submit(made)
            self._api.wait_final(made[-1].id.hex(), 60)

    def batch(self, count: int) -> int:
        """Submit `count` transfers, one or a few a sender; return how many the node took."""
        self._height = self._api.head()["height"]
        made = []
        for _ in range(count):
            i = self._turn % SENDERS
            to = self._senders[(i + 1) % SENDERS].account
            made.append(self._transfer(self._senders[i], self._nonces[i], to, 1, known=self._nonces[i] > 0))
            self._nonces[i] += 1
            self._turn += 1
        self._api.submit(made)
        return count

    def _transfer(self, key: KeyPair, nonce: int, to: bytes, amount: int, *, known: bool) -> Envelope:
        return build_envelope(
            chain_id=self._genesis.chain_id,
            kind=kinds.TRANSFER,
            sender=key.account,
            nonce=nonce,
            fee=self._genesis.params.min_fee,
            valid_until=self._height + 500,
            body=Transfer(to, amount).encode(),
            public_key=b"" if known else key.public_key,
            sign=key.sign,
            genesis_hash=self._genesis.hash,
        )


def usage(pid: int) -> tuple[int, float]:
    """Return (resident KiB, CPU seconds) of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return rss, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Run the load, print the comparison, 1 when something grew."""
    install()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="metanode-soak-") as directory:
        home = Home(Path(directory) / "home")
        verb = [sys.executable, "-m", "metanode.core.cli"]
        subprocess.run([*verb, "init", "--home", str(home.path), "--port", "0"], check=True, capture_output=True)
        with home.settings_file.open("a") as stream:
            stream.write('\n[plugins.mempool.fifo]\nexempt_sources = ["local", "127.0.0.1"]\n')
        with (OUT.parent / "steady.log").open("wb") as log:
            node = subprocess.Popen([*verb, "run", "--home", str(home.path)], stdout=log, stderr=log)
        try:
            while not (state := home.read_running()) or not state["addresses"]:
                if node.poll() is not None:
                    print((OUT.parent / "steady.log").read_text()[-2000:])
                    return 1
                time.sleep(0.05)
            rows = run(NodeApi(state["addresses"][0]), home, node.pid)
        finally:
            node.send_signal(signal.SIGTERM)
            code = node.wait(60)
    return report(rows) or int(code != 0)


def run(api: NodeApi, home: Home, pid: int) -> list[dict[str, Any]]:
    """Keep the rate until the time is over; a sample a minute."""
    load = Load(api, home)
    load.fund()
    rows: list[dict[str, Any]] = []
    started = sampled = time.monotonic()
    sent = since = 0
    cpu_before = usage(pid)[1]
    with OUT.open("w") as stream:
        while (now := time.monotonic()) - started < SECONDS:
            due = int((now - started) * RATE) - sent
            if due >= BATCH:
                try:
                    taken = load.batch(BATCH)
                except MetanodeError as error:
                    print(f"after {sent} transfers: {error.line()}")
                    raise
                sent += taken
                since += taken
            else:
                time.sleep(0.02)
            if now - sampled >= SAMPLE_S:
                rss, cpu = usage(pid)
                head = api.head()["height"]
                row = {
                    "minute": len(rows) + 1, "sent": sent, "height": head, "rss_mib": round(rss / 1024, 1),
                    "cpu_us_per_tx": round((cpu - cpu_before) * 1e6 / max(1, since), 1),
                    "tx_per_s": round(since / (now - sampled), 1),
                }  # fmt: skip
                rows.append(row)
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                print(row, flush=True)
                sampled, since, cpu_before = now, 0, cpu
    return rows


def report(rows: list[dict[str, Any]]) -> int:
    """Compare the first fifth after the warm-up with the last."""
    settled = rows[len(rows) * WARM_UP_PERCENT // 100 :]
    fifth = max(1, len(settled) // 5)
    first, last = settled[:fifth], settled[-fifth:]
    grown = 0
    for name, bound in (("rss_mib", GROWTH_RSS_PERCENT_MAX), ("cpu_us_per_tx", GROWTH_COST_PERCENT_MAX)):
        before, after = (sum(row[name] for row in part) / len(part) for part in (first, last))
        percent = (after / before - 1) * 100
        grown |= percent > bound
        print(f"{name}: {before:.1f} -> {after:.1f} ({percent:+.1f} %, at most +{bound} %)")
    return int(grown)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)

"""What the demo shows and what it must have seen: the live view, the steps, the summary."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from metanode.core.cli.console import Console
from metanode.core.cli.node_api import NodeApi
from metanode.core.crypto import keystore
from metanode.core.crypto.keys import KeyPair
from metanode.core.home import Home
from metanode.core.model.accounts import account_id, parse_account, to_bech32m
from metanode.core.model.amounts import format_amount
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis

STEPS: Mapping[str, str] = {
    "fingerprinted": "this machine's hardware was fingerprinted",
    "registered": "its record was committed and revealed in blocks",
    "attested": "an attestation was finalised in a block",
    "settled": "an epoch was settled",
    "paid": "the machine's owner was paid",
    "sent": "a signed transfer out of the reward was finalised",
    "proven": "its receipt was proven",
    "verified": "the proof was checked by `metanode verify`",
}
"""Everything that must have happened for the demo to succeed, in order."""

WALLET = "demo"
BUNDLE_FILE = "transfer.bundle"
COLUMNS = 80
"""Width where a terminal does not tell its own."""

_PASSING = frozenset({"UNREACHABLE", "TIMEOUT", "NOT_READY"})


class Story:
    """Watches one node through its API, spends the first reward, and keeps the list of what happened.

    :param verb: runs a `metanode` verb and returns its JSON answer.
    """

    def __init__(self, console: Console, directory: Path, verb: Callable[..., dict[str, Any]]) -> None:
        self._console = console
        self._directory = directory
        self._verb = verb
        self._done: dict[str, str] = {}
        terminal = console.out.isatty() and not console.json
        self._wraps = terminal
        self._live = terminal and os.environ.get("TERM") != "dumb"
        self._line_open = False
        self._genesis: Genesis | None = None
        self._home = Home(directory)
        self._account = ""
        self._url = ""
        self._miner_offset = 0
        self._attested_id = ""
        self._sent_id = ""

    @property
    def complete(self) -> bool:
        """True once every step of `STEPS` happened."""
        return len(self._done) == len(STEPS)

    def step(self, text: str) -> None:
        """Print one line of progress."""
        self._print("..", text, "dim")

    def node(self, url: str, home: Home, account: str) -> None:
        """The node answers at `url`."""
        self._url, self._home, self._account = url, home, account
        self.step(f"the node's API is at {url}")
        self.step(f"rewards go to {account}")

    def watch(self, api: NodeApi, seconds_left: float | None) -> None:
        """Look once at the node and the miner; act when a reward has come."""
        self._read_miner()
        try:
            self._genesis = self._genesis or api.genesis()
            head = api.head()
            if self._attested_id and "attested" not in self._done:
                self._look_for_attestation(api)
            balance = api.account(parse_account(self._account))["balance"]["micro"]
            if "settled" not in self._done and (settled := _paid_epoch(api)) is not None:
                self._happened("settled", f"epoch {settled['epoch']}: pot {settled['pot']['coins']} coins")
            if balance and "paid" not in self._done:
                self._happened("paid", f"{format_amount(balance)} coins to {self._account[:12]}...")
            if "paid" in self._done and not self._sent_id:
                self._spend(api, balance)
            elif self._sent_id and "sent" not in self._done:
                self._follow(api)
        except MetanodeError as error:
            if error.code not in _PASSING:
                raise
            return
        self._show(head, balance, seconds_left)

    def _read_miner(self) -> None:
        """Tell what the miner said since last time."""
        path = self._directory / "miner.log"
        if not path.exists():
            return
        with path.open("rb") as stream:
            stream.seek(self._miner_offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self._miner_offset += len(line)
                self._miner_said(line)

    def _miner_said(self, line: bytes) -> None:
        try:
            event: dict[str, Any] = json.loads(line)
        except ValueError:
            self.step(f"miner: {line.decode(errors='replace').strip()}")
            return
        kind, text = event.get("event", ""), event.get("text", event.get("message", ""))
        if kind == "machine":
            self._print("miner", text, "dim", indent=3)
            self._happened("fingerprinted", "", quiet=True)
        elif kind == "attested":
            if not self._attested_id:
                self._attested_id = event["reply"]["id"]
                self._print("miner", text, "dim", indent=3)
                self._verdict(event["reply"])
        elif kind == "check":
            check = event["check"]
            color = {"pass": "green", "fail": "red"}.get(check["verdict"], "yellow")
            words = f"{check['words']} [{check['reason']}]" if check.get("words") else check["reason"]
            self._print(f"{check['verdict']:10}", f"{check['name']:19} {words}", color, indent=3)
        elif kind == "registered":
            self._happened("registered", text)
        elif kind not in ("paid", "measuring"):
            self._print("miner", text, "dim", indent=3)

    def _verdict(self, reply: Mapping[str, Any]) -> None:
        """Tell what the machine counts for, what of it is paid now, and what holds it down."""
        weight, payable = reply["weight"], reply.get("payable", reply["weight"])
        text = f"{reply['class']}, weight {_weight(weight)}"
        if payable != weight:
            text += f", {_weight(payable)} of it paid at once and the rest kept in escrow"
        if "mainnet_weight" in reply:
            reason = f" ({reply['mainnet_reason']})" if reply.get("mainnet_reason") else ""
            text += f"; on mainnet {_weight(reply['mainnet_weight'])}{reason}"
        self._print("class     ", text, "bold", indent=3)
        for cap in reply.get("caps", ()):
            self._print("cap       ", f"{cap['name']}: {cap['lift']}", "yellow", indent=3)

    def _look_for_attestation(self, api: NodeApi) -> None:
        view = api.transaction(self._attested_id)
        if view["status"] == "final":
            self._happened("attested", f"{self._attested_id[:16]}... in block {view['height']}")

    def _spend(self, api: NodeApi, balance: int) -> None:
        """Send half of the reward to a second wallet."""
        assert self._genesis is not None, "the genesis is read before a reward is seen"
        passphrase = self._home.passphrase()
        assert passphrase is not None, "the demo's home was made with a passphrase of its own"
        key = KeyPair.from_seed(keystore.open(self._home.path / "wallets" / f"{WALLET}.key", passphrase))
        friend = account_id(KeyPair.from_seed(key.sign(key.public_key)[:32]).public_key)
        envelope = api.transfer(key, self._genesis, friend, balance // 2, fee=None, memo=b"first light")
        self._sent_id = api.submit([envelope])[0]["id"]
        self.step(f"sending {format_amount(balance // 2)} coins to {to_bech32m(friend)}")

    def _follow(self, api: NodeApi) -> None:
        """Once the transfer is final, prove it and have the proof checked by another process."""
        view = api.transaction(self._sent_id)
        if view["status"] != "final":
            return
        if view["receipt"]["code"] != "OK":
            raise MetanodeError("INTERNAL", f"the transfer failed with {view['receipt']['code']}")
        self._happened("sent", f"transaction {self._sent_id[:16]}... in block {view['height']}")
        bundle = self._directory / BUNDLE_FILE
        proven = self._verb("prove", self._sent_id, "--out", str(bundle), "--node", self._url)
        self._happened("proven", f"{proven['bytes']} bytes: header, certificate, receipt and paths")
        verified = self._verb("verify", str(bundle), "--genesis", str(self._home.genesis_file))
        self._happened("verified", f"block {verified['height']}: {_short(verified['checked'])}")

    def _happened(self, step: str, detail: str, *, quiet: bool = False) -> None:
        if step in self._done:
            return
        self._done[step] = detail
        if not quiet:
            self._print("ok", f"{STEPS[step]}: {detail}", "green", "bold")

    def _print(self, mark: str, text: str, *styles: str, indent: int = 0) -> None:
        """Print a line that starts with a styled mark; at a terminal, long ones go on below their own text."""
        self.end_line()
        space = " " * indent
        lines = [text]
        if self._wraps:
            lines = textwrap.wrap(text, max(20, self._columns() - indent - len(mark) - 1)) or [""]
        self._console.line(f"{space}{self._console.style(mark, *styles)} {lines[0]}")
        for line in lines[1:]:
            self._console.line(f"{space}{' ' * len(mark)} {line}")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._console.out.fileno()).columns or COLUMNS
        except (OSError, ValueError):  # no terminal behind this stream
            return COLUMNS

    def _show(self, head: Mapping[str, Any], balance: int, seconds_left: float | None) -> None:
        """Redraw the live line; without a terminal the steps above are enough."""
        if not self._live or self._genesis is None:
            return
        params = self._genesis.params
        epoch_ms = params.slot_ms * params.slots_per_epoch
        into_ms = (head["time_ms"] - self._genesis.genesis_ms) % epoch_ms
        text = (
            f"height {head['height']}  epoch ends in {(epoch_ms - into_ms) / 1000:2.0f} s  "
            f"balance {format_amount(balance)}  steps {len(self._done)}/{len(STEPS)}  "
        )
        text += "Ctrl-C ends" if seconds_left is None else f"{max(0, seconds_left):.0f} s left"
        # One write that overwrites and then clears the rest does not flicker; a full last column would wrap.
        self._console.out.write(f"\r{text[: self._columns() - 1]}\x1b[K")
        self._console.out.flush()
        self._line_open = True

    def end_line(self) -> None:
        """Leave the live line, so that the next text starts on its own."""
        if self._line_open:
            self._console.out.write("\r\x1b[K")
            self._console.out.flush()
            self._line_open = False

    def summary(self, took_s: float, clean: bool) -> None:
        """Print what happened and what did not."""
        style = self._console.style
        marks = {True: style("done   ", "green"), False: style("missing", "red")}
        rows = [f"  {marks[step in self._done]}  {text}" for step, text in STEPS.items()]
        head = "everything happened" if self.complete else f"{len(self._done)} of {len(STEPS)} steps happened"
        ended = "every process ended when asked" if clean else "a process had to be killed"
        self._console.result(
            {"ok": self.complete and clean, "steps": self._done, "missing": [s for s in STEPS if s not in self._done],
             "seconds": round(took_s, 1), "api": self._url, "clean": clean},
            ["", self._console.style(f"{head} in {took_s:.0f} s; {ended}", "bold"), *rows],
        )  # fmt: skip


def _weight(weight: int) -> str:
    """Return a weight, in billionths, as people read it."""
    text = format_amount(weight // 1000).rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _short(checked: list[str]) -> str:
    """Return what was checked as a few words: the hashes and counts behind them are for who asks `verify`."""
    words = ["receipt" if line.startswith("item") else line.partition(":")[0] for line in checked]
    return ", ".join(words)


def _paid_epoch(api: NodeApi) -> dict[str, Any] | None:
    """Return the newest settled epoch that paid somebody."""
    for epoch in api.get("/v1/epochs?limit=5")["epochs"]:
        if epoch["paid"]["micro"]:
            paid: dict[str, Any] = epoch
            return paid
    return None

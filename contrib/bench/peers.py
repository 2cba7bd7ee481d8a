"""The Flask peer as a running server: its own environment under build/, its database, gunicorn's processes."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from measuring import ROOT, UnavailableError, cpu_s, environment, last_line, rss_mib

ENVIRONMENT = ROOT / "build" / "bench-peer"
PACKAGES = ("flask==3.1.3", "gunicorn==27.0.1", "pynacl==1.6.2", "cbor2==6.2.1", "blake3==1.0.11")
"""By name and version, installed by pip into an environment of the peer's own."""
WORKERS = 4
START_S = 30.0
STOP_S = 10.0
INSTALL_S = 180.0


class Processes:
    """A server and its workers, found by their parent's id."""

    def __init__(self, pid: int) -> None:
        self.pids = [pid, *_children(pid)]

    def cpu_s(self) -> float:
        """Return the CPU time all of them have used, seconds."""
        return sum(map(cpu_s, self.pids))

    def rss_mib(self) -> float:
        """Return the resident memory of all of them, shared pages counted in each."""
        return sum(map(rss_mib, self.pids))


@contextmanager
def flask_peer(
    directory: Path, genesis_hash: str, accounts: Sequence[tuple[bytes, int]]
) -> Iterator[tuple[str, Processes]]:
    """Run the peer for as long as the block lasts; gives its URL and its processes.

    :param accounts: what owns coins at the start, as in the node's genesis.
    :raises UnavailableError: it cannot be installed or does not answer.
    """
    python = _installed()
    database = directory / "peer.sqlite"
    _make_database(database, accounts)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = directory / "peer.log"
    words = ["-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}", "flask_peer:app"]
    settings = {"PEER_DATABASE": str(database), "PEER_GENESIS_HASH": genesis_hash}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(python), *words], cwd=Path(__file__).parent, env={**environment(), **settings},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for_answer(process, url, log)
        yield url, Processes(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def peer_name() -> str:
    """Return what the peer is, in words."""
    versions = ", ".join(package.replace("==", " ") for package in PACKAGES[:2])
    return f"Flask + gunicorn, {WORKERS} sync workers ({versions})"


def _installed() -> Path:
    """Return the Python of the peer's environment, made on first use."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "installed.txt"
    wanted = "\n".join((sys.version, *PACKAGES))
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    try:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_S)
    except subprocess.CalledProcessError as error:
        said = last_line(error.stderr or error.stdout or "")
        raise UnavailableError(f"the peer cannot be installed: {said}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"the peer cannot be installed: {error}") from None
    done.write_text(wanted, encoding="utf-8")
    return python


def _make_database(path: Path, accounts: Sequence[tuple[bytes, int]]) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE accounts (id BLOB PRIMARY KEY, balance INTEGER, nonce INTEGER, public_key BLOB)")
    connection.execute(
        "CREATE TABLE transfers (sequence INTEGER PRIMARY KEY, sender BLOB, receiver BLOB, amount INTEGER, raw BLOB)"
    )
    connection.executemany("INSERT INTO accounts VALUES (?, ?, 0, NULL)", accounts)
    connection.commit()
    connection.close()


def _wait_for_answer(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UnavailableError(f"gunicorn ended: {last_line(log.read_text(encoding='utf-8', errors='replace'))}")
        try:
            urllib.request.urlopen(f"{url}/health", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            time.sleep(0.5)  # the other workers start beside the one that answered
            return
    raise UnavailableError(f"gunicorn does not answer after {START_S:g} s")


def _children(pid: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
            except OSError:
                continue  # it ended meanwhile
            if int(fields.split()[1]) == pid:
                found.append(int(entry))
    return found

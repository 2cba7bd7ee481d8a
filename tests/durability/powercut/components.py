"""Every part of ours that syncs, alone: what it promises when it returns, and whether a power cut can take it back.

`python -m powercut.components NAME DIRECTORY...` works in each directory and tells, through a socket that the
recorder sees, what it is about to do (`maybe`) and what it has promised (`sure`), each a part of the facts below.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import logging
import os
import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from metanode.core.cli.frame import main as metanode
from metanode.core.clock import SystemRandomness
from metanode.core.crypto import install, keystore
from metanode.core.discovery import PACKAGE_DIR
from metanode.core.home import Home
from metanode.core.model.errors import MetanodeError
from metanode.miner import store as miner_store
from metanode.plugins.consensus._shared import wal
from metanode.plugins.storage.sqlite import files, queries
from metanode.plugins.storage.sqlite.database import Database, Options, SavePending
from powercut.disk import Disk, State, write_tree
from powercut.recording import Op, Record

Facts = dict[str, Any]
"""What was told last: `sure` is promised; `maybe`, when there, is what the step under way would make of it."""
Tell = Callable[[str, Any], None]

FAILING = r"-(fail|dead)(\d+)$"
"""In a directory of such a name the N-th sync of the first of two starts fails, or every one from there on."""
SEED = bytes(range(32))
GENESIS = bytes(reversed(range(32)))
PASSPHRASE = b"cut"


def use_wal(directory: Path, tell: Tell) -> None:
    """Open, append, grow over the limit, append: the records are those told, the last append at most."""
    log = wal.WriteAheadLog(directory / "data" / "wal")
    sure = [record.hex() for record in log.open()]
    tell("sure", sure)
    for number in range(len(sure), len(sure) + 6):
        record = bytes([number]) * (30 + 600 * (number % 3))
        tell("maybe", [*sure, record.hex()])
        log.append(record)
        sure.append(record.hex())
        tell("sure", sure)
        if number % 3 == 2:
            tell("maybe", sure[-1:])
            log.compact([record])
            sure = [record.hex() for record in log._parse(log.path.read_bytes())]
            tell("sure", sure)
    log.close()


def read_wal(directory: Path) -> Any:
    log = wal.WriteAheadLog(directory / "data" / "wal")
    try:
        return [record.hex() for record in log.open()]
    finally:
        log.close()


def use_directories(directory: Path, tell: Tell) -> None:
    """A directory that was made stays."""
    made = []
    for name in ("storage.sqlite", "consensus.solo"):
        Home(directory / "home").data_dir(name)
        made.append(f"home/data/{name}")
        tell("sure", made)
    files.prepare_directory(directory / "elsewhere" / "deep")
    tell("sure", [*made, "elsewhere/deep"])


def read_directories(directory: Path) -> Any:
    paths = ("home/data/storage.sqlite", "home/data/consensus.solo", "elsewhere/deep")
    return [path for path in paths if (directory / path).is_dir()]


def use_database(directory: Path, tell: Tell) -> None:
    """A database that was opened is there, whole and in WAL mode, with all that was found or put in it."""
    database = Database(directory / "chain.sqlite", GENESIS, Options(), logging.getLogger("powercut"))
    try:
        saved = [envelope_id for envelope_id, _ in database.read(queries.load_pending)]
        tell("sure", f"made{len(saved)}")
        for number in range(len(saved), len(saved) + 2):
            database.write([SavePending([(bytes([number]), bytes(600))])])
            tell("sure", f"made{number + 1}")
    finally:
        database.close()


def read_database(directory: Path) -> Any:
    path = directory / "chain.sqlite"
    if not path.exists():
        files.ensure_database(path, GENESIS)
        return ""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("SELECT genesis_hash FROM meta").fetchone()[0] == GENESIS
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        return f"made{connection.execute('SELECT count(*) FROM pending').fetchone()[0]}"
    finally:
        connection.close()


def use_keystore(directory: Path, tell: Tell) -> None:
    """A key that was made opens; there is never half of one."""
    for name in ("one.key", "two.key"):
        if not (directory / name).exists():
            keystore.create(directory / name, SEED, PASSPHRASE, label=name, randomness=SystemRandomness())
            tell("sure", name)


def read_keystore(directory: Path) -> Any:
    found = ""
    for name in ("one.key", "two.key"):
        if (directory / name).exists():
            assert keystore.open(directory / name, PASSPHRASE) == SEED
            found = name
    return found


def use_miner(directory: Path, tell: Tell) -> None:
    """Key, memory and queue are what they were told to be; the oldest of a full queue may go."""
    store = miner_store.Store(directory / "miner")
    try:
        _mine(store, tell)
    finally:
        store.close()


def _mine(store: miner_store.Store, tell: Tell) -> None:
    memory = store.open()
    facts = _miner_facts(store, memory)
    tell("sure", facts)
    facts["key"] = store.machine_key(None).public_key.hex()
    tell("sure", facts)
    for number in range(memory.last_interval + 1, memory.last_interval + 3):
        tell("maybe", {**facts, "interval": number})
        memory = store.remember(memory, last_interval=number, salt=f"{number:064x}" * (1 + number % 4))
        facts["interval"] = number
        tell("sure", facts)
        name = f"{number:04}.envelope"
        queued = [*facts["queue"], name][-miner_store.QUEUE_MAX :]
        tell("maybe", {**facts, "queue": queued})
        store.queue(name, name.encode() * 20)
        facts["queue"] = queued
        tell("sure", facts)
        store.report(dict.fromkeys(miner_store._STATUS_KEYS, number))


def _miner_facts(store: miner_store.Store, memory: miner_store.Memory) -> Facts:
    for path, envelope in store.queued():
        assert envelope == path.name.encode() * 20
    key = store.directory / "machine.key"
    return {
        "interval": memory.last_interval,
        "queue": [path.name for path, _ in store.queued()],
        "key": keystore.read_public(key).hex() if key.exists() else "",
    }


def read_miner(directory: Path) -> Any:
    store = miner_store.Store(directory / "miner")
    try:
        facts = _miner_facts(store, store.open())
        if (directory / "miner" / "status.json").exists():
            miner_store.read_status(directory / "miner")
        assert store.machine_key(None).public_key.hex() == facts["key"] or not facts["key"]
    finally:
        store.close()
    return facts


def use_init(directory: Path, tell: Tell) -> None:
    """A home that was made is whole; one with settings is, even when nobody was told."""
    home = Home(directory / "deep" / "home")
    if not home.settings_file.exists() and _init(home) == 0:
        tell("sure", home.genesis().hash.hex())


def _init(home: Home) -> int:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return metanode(["init", "--network", "devnet", "--port", "0", "--home", str(home.path)])


def use_wallet(directory: Path, tell: Tell) -> None:
    """A wallet that was shown opens."""
    if not (directory / "home" / "wallets" / "one.key").exists():
        words = directory.with_suffix(".words")
        words.write_text(PASSPHRASE.decode())
        command = ["wallet", "new", "one", "--home", str(directory / "home")]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = metanode([*command, "--passphrase-file", str(words)])
        if code == 0:
            tell("sure", "made")


def read_wallet(directory: Path) -> Any:
    path = directory / "home" / "wallets" / "one.key"
    return "made" if path.exists() and keystore.open(path, PASSPHRASE) else ""


def read_init(directory: Path) -> Any:
    home = Home(directory / "deep" / "home")
    if home.settings_file.exists():
        home.settings()
        assert home.identity().consensus.public_key in home.genesis().validators
        return home.genesis().hash.hex()
    # What a cut left is refused by name, or is nothing.
    left = home.keys_dir.exists() or home.genesis_file.exists()
    assert _init(home) == (1 if left else 0), "init neither made a home nor said what is in its way"
    return ""


COMPONENTS: dict[str, tuple[Callable[[Path, Tell], None], Callable[[Path], Any], Any]] = {
    "wal": (use_wal, read_wal, []),
    "directories": (use_directories, read_directories, []),
    "database": (use_database, read_database, ""),
    "keystore": (use_keystore, read_keystore, ""),
    "wallet": (use_wallet, read_wallet, ""),
    "miner": (use_miner, read_miner, {"interval": -1, "queue": [], "key": ""}),
    "init": (use_init, read_init, ""),
}
"""How each works, how it is read back, and what holds before it has said anything."""


def prepare() -> None:
    """Make the rare common and the slow quick: small logs and queues, cheap keystores."""
    install()
    wal.FILE_BYTES_MAX = 700
    miner_store.QUEUE_MAX = 3
    keystore.MEMORY_KIB, keystore.PASSES = 8, 1


class ComponentSubject:
    """One of the components, for `Trial`."""

    def __init__(self, name: str, scratch: Path) -> None:
        prepare()
        self._name = name
        self._scratch = scratch / "cut"
        _, self._read, self._before = COMPONENTS[name]

    def ignored(self, path: str) -> bool:
        """The lock of a miner says nothing; SQLite makes its -shm anew."""
        return path.endswith(("-shm", "/lock", ".lock"))

    def fresh(self) -> Facts:
        """Nothing said."""
        return {"sure": self._before}

    def observe(self, facts: Facts, record: Record, disk: Disk) -> None:
        """Take what was told."""
        told = json.loads(record.data) if record.op is Op.SEND else {"what": "syncs"}
        if told["what"] != "syncs":
            facts.pop("maybe", None)
            facts[told["what"]] = told["value"]

    def recover(self, state: State) -> Any:
        """Read the state back as a start would; a text that begins with ! when that fails."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        write_tree(self._scratch, state.files)
        try:
            return self._read(self._scratch)
        except (MetanodeError, AssertionError, sqlite3.Error) as error:
            return f"!{type(error).__name__}: {error}"

    def violation(self, outcome: Any, facts: Facts) -> str | None:
        """What was read back is what was promised, or what the step under way makes of it."""
        if isinstance(outcome, str) and outcome.startswith("!"):
            return f"cannot be read back: {outcome}"
        if self._name in ("directories", "keystore", "database", "init", "wallet"):  # these may be early
            if isinstance(outcome, list):
                gone = set(facts["sure"]) - set(outcome)
                return f"gone: {sorted(gone)}" if gone else None
            return f"{facts['sure']} is gone, there is {outcome!r}" if outcome < facts["sure"] else None
        if self._name == "miner":
            allowed = [facts["sure"], facts.get("maybe", facts["sure"])]
            early = [{**one, "key": outcome["key"]} for one in allowed if not one["key"]]
            # The oldest of a full queue is removed after the newest was kept, and may come back.
            seen = {**outcome, "queue": outcome["queue"][-miner_store.QUEUE_MAX :]}
            return None if seen in allowed + early else f"{seen} instead of {allowed}"
        allowed = [facts["sure"], facts.get("maybe", facts["sure"])]
        return None if outcome in allowed else f"{len(outcome)} records instead of {[len(one) for one in allowed]}"


def work(name: str, directories: list[str]) -> None:
    """Let a component work in each directory, telling what it promises.

    Where `FAILING` says so it is stopped by a sync that fails, and starts again.
    """
    prepare()
    speaker, _listener = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    speaker.setblocking(False)
    fsync, recorder = os.fsync, ctypes.CDLL(None)
    for directory in directories:

        def tell(what: str, value: Any, directory: str = directory) -> None:
            assert what == "syncs" or not recorder.recorder_sync_failed(), f"{what} was said although a sync had failed"
            speaker.send(json.dumps({"directory": directory, "what": what, "value": value}).encode())
            _listener.recv(1 << 16)

        def sync(descriptor: int, tell: Tell = tell) -> None:
            tell("syncs", list(_lines(sys._getframe(1))))
            fsync(descriptor)

        os.fsync = sync  # type: ignore[assignment]
        if failing := re.search(FAILING, directory):
            recorder.recorder_fail_sync(int(failing[2]), failing[1] == "dead")
            with contextlib.suppress(MetanodeError):
                COMPONENTS[name][0](Path(directory), tell)
            recorder.recorder_fail_sync(0, 0)
        COMPONENTS[name][0](Path(directory), tell)


def _lines(frame: FrameType | None) -> Iterator[str]:
    """Yield the lines of ours that are being carried out, from the inside."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(str(PACKAGE_DIR)):
            yield f"{Path(frame.f_code.co_filename).relative_to(PACKAGE_DIR)}:{frame.f_lineno}"
        frame = frame.f_back


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2:])

"""Keystores: sealed, private, never overwritten, and clear about what is wrong with them."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import Any

import pytest

from metanode.core.crypto import keystore
from metanode.core.crypto.keys import generate
from metanode.core.model.errors import MetanodeError

SEED = bytes(range(32))
PASSPHRASE = b"correct horse"


class Counting:
    """Randomness that a test can predict: no two draws are equal."""

    def __init__(self) -> None:
        self._drawn = 0

    def bytes(self, count: int, /) -> builtins.bytes:
        self._drawn += 1
        return builtins.bytes([self._drawn] * count)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a keystore holding SEED."""
    path = tmp_path / "node.key"
    keystore.create(path, SEED, PASSPHRASE, label="node", randomness=Counting())
    return path


def refused(path: Path, passphrase: builtins.bytes = PASSPHRASE) -> MetanodeError:
    with pytest.raises(MetanodeError) as caught:
        keystore.open(path, passphrase)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.line()
    return caught.value


def edited(path: Path, change: Any) -> Path:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def test_a_keystore_gives_its_seed_back(path: Path) -> None:
    """And its public key without the passphrase."""
    assert keystore.open(path, PASSPHRASE) == SEED
    assert keystore.read_public(path) == generate(SEED).public_key


def test_only_the_owner_may_read_it(path: Path) -> None:
    """Mode 0600 whatever the umask, and no temporary file stays."""
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_the_file_does_not_hold_the_secret(path: Path) -> None:
    """Neither seed nor passphrase, in no spelling."""
    raw = path.read_bytes()
    assert SEED not in raw
    assert SEED.hex().encode() not in raw
    assert PASSPHRASE not in raw


def test_the_cost_of_guessing_is_written_down(path: Path) -> None:
    """Argon2id with 16 MiB and 3 passes, so that an opener knows what it needs."""
    kdf = json.loads(path.read_text())["kdf"]
    assert (kdf["name"], kdf["memory_kib"], kdf["passes"]) == ("argon2id", 16 * 1024, 3)


def test_a_wrong_passphrase_does_not_open_it(path: Path) -> None:
    """One code for people to look up."""
    assert refused(path, b"wrong").code == "KEYSTORE_LOCKED"
    assert refused(path, b"").code == "KEYSTORE_LOCKED"


def test_nothing_is_overwritten(path: Path) -> None:
    """A key that is gone is money that is gone."""
    before = path.read_bytes()
    with pytest.raises(MetanodeError) as caught:
        keystore.create(path, bytes(32), PASSPHRASE, label="node", randomness=Counting())
    assert caught.value.code == "FILE_EXISTS"
    assert path.read_bytes() == before


def test_a_file_that_appears_meanwhile_is_not_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two programs creating one key: the first wins, the second is told, no half file stays."""
    before = path.read_bytes()
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(MetanodeError) as caught:
        keystore.create(path, bytes(32), PASSPHRASE, label="node", randomness=Counting())
    assert caught.value.code == "FILE_EXISTS"
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_crash_before_the_name_is_given_leaves_no_keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name appears only after the bytes are durable."""
    steps: list[str] = []

    def spy(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any) -> Any:
            steps.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, call)

    spy("fsync")
    spy("link")
    keystore.create(tmp_path / "a.key", SEED, PASSPHRASE, label="", randomness=Counting())
    assert steps == ["fsync", "link", "fsync"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing stays behind."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MetanodeError, match="No space left") as caught:
        keystore.create(tmp_path / "a.key", SEED, PASSPHRASE, label="", randomness=Counting())
    assert caught.value.code == "STORAGE_FULL"
    assert os.listdir(tmp_path) == []


def test_a_missing_directory_or_file_is_named(tmp_path: Path) -> None:
    """FILE_MISSING with the path, for writing and reading."""
    with pytest.raises(MetanodeError, match="nowhere") as caught:
        keystore.create(tmp_path / "nowhere" / "a.key", SEED, PASSPHRASE, label="", randomness=Counting())
    assert caught.value.code == "FILE_MISSING"
    assert refused(tmp_path / "no.key").code == "FILE_MISSING"


def test_only_a_passphrase_that_somebody_chose_is_stretched(tmp_path: Path) -> None:
    """A drawn one cannot be guessed, so opening it must not cost a small machine 16 MiB; the file says which it is."""
    drawn = tmp_path / "drawn.key"
    keystore.create(drawn, SEED, os.urandom(24), label="", randomness=Counting(), drawn=True)
    chosen = tmp_path / "chosen.key"
    keystore.create(chosen, SEED, PASSPHRASE, label="", randomness=Counting())
    costs = [json.loads(file.read_text())["kdf"] for file in (drawn, chosen)]
    assert [(kdf["memory_kib"], kdf["passes"]) for kdf in costs] == [(8, 1), (16 * 1024, 3)]


def test_a_drawn_passphrase_opens_its_keystore_and_no_other_does(tmp_path: Path) -> None:
    """What is saved is time and memory alone."""
    passphrase = os.urandom(24)
    keystore.create(tmp_path / "a.key", SEED, passphrase, label="", randomness=Counting(), drawn=True)
    assert keystore.open(tmp_path / "a.key", passphrase) == SEED
    assert refused(tmp_path / "a.key", passphrase[:-1]).code == "KEYSTORE_LOCKED"


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    """It would protect nothing."""
    with pytest.raises(MetanodeError, match="empty passphrase"):
        keystore.create(tmp_path / "a.key", SEED, b"", label="", randomness=Counting())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(label="sponsor"),
        lambda d: d.update(public_key="00" * 32),
        lambda d: d["kdf"].update(passes=1),
        lambda d: d["kdf"].update(memory_kib=8192),
        lambda d: d["kdf"].update(salt="00" * 16),
        lambda d: d["cipher"].update(nonce="00" * 24),
        lambda d: d["cipher"].update(comment="hello"),
        lambda d: d.update(sealed="00" * 48),
    ],
)
def test_any_altered_field_keeps_it_shut(path: Path, change: Any) -> None:
    """The public part is sealed along: nobody exchanges a label or weakens the stretching unseen."""
    assert refused(edited(path, change)).code == "KEYSTORE_LOCKED"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(version=2), "version 1"),
        (lambda d: d.update(more=1), "other fields"),
        (lambda d: d.pop("sealed"), "other fields"),
        (lambda d: d.update(kdf=[]), "version 1"),
        (lambda d: d["kdf"].update(name="scrypt"), "argon2id"),
        (lambda d: d["cipher"].pop("name"), "xchacha20"),
        (lambda d: d["kdf"].update(memory_kib=2**40), "memory_kib"),
        (lambda d: d["kdf"].update(passes=17), "passes"),
        (lambda d: d["kdf"].update(passes=0), "passes"),
        (lambda d: d["kdf"].update(passes=True), "passes"),
        (lambda d: d["kdf"].update(passes="3"), "passes"),
        (lambda d: d["kdf"].update(salt="00"), "salt of 1 bytes"),
        (lambda d: d["cipher"].update(nonce="xy"), "nonce"),
        (lambda d: d.update(sealed=5), "sealed"),
    ],
)
def test_damaged_files_are_named_with_what_is_wrong(path: Path, change: Any, says: str) -> None:
    """KEYSTORE_CORRUPT, before any memory is spent on stretching."""
    error = refused(edited(path, change))
    assert error.code == "KEYSTORE_CORRUPT"
    assert says in error.message


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"7", b"[" * 4000, b" " * 5000])
def test_files_that_are_no_keystore_are_corrupt(tmp_path: Path, raw: builtins.bytes) -> None:
    """Whatever lies there, one line names it."""
    path = tmp_path / "x.key"
    path.write_bytes(raw)
    assert refused(path).code == "KEYSTORE_CORRUPT"
    with pytest.raises(MetanodeError, match="KEYSTORE_CORRUPT"):
        keystore.read_public(path)


def test_every_truncation_is_corrupt(path: Path) -> None:
    """A file cut short by a bad copy never half-opens."""
    raw = path.read_bytes().rstrip()
    for end in range(len(raw)):
        path.write_bytes(raw[:end])
        with pytest.raises(MetanodeError, match="KEYSTORE_CORRUPT"):
            keystore.read_public(path)


def test_a_directory_in_its_place_is_corrupt(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    assert "directory" in refused(tmp_path).message


def test_without_libsodium_it_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no weaker fallback; the public key can still be read."""
    monkeypatch.setattr(keystore, "library", lambda: None)
    with pytest.raises(MetanodeError, match="CRYPTO_MISSING"):
        keystore.open(path, PASSPHRASE)
    assert keystore.read_public(path) == generate(SEED).public_key


def test_two_keystores_of_one_seed_differ(tmp_path: Path) -> None:
    """Salt and nonce are fresh each time."""
    randomness = Counting()
    for name in ("a.key", "b.key"):
        keystore.create(tmp_path / name, SEED, PASSPHRASE, label="", randomness=randomness)
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("a.key", "b.key"))
    assert first["sealed"] != second["sealed"]
    assert first["kdf"]["salt"] != second["kdf"]["salt"]


def test_a_seed_or_label_out_of_bounds_is_our_mistake(tmp_path: Path) -> None:
    """Nothing is written."""
    for seed, label in ((bytes(31), "a"), (SEED, "a" * (keystore.LABEL_CHARS_MAX + 1))):
        with pytest.raises(ValueError, match="takes a seed"):
            keystore.create(tmp_path / "a.key", seed, PASSPHRASE, label=label, randomness=Counting())
    assert os.listdir(tmp_path) == []

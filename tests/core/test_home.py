"""A node's home: where things are, and what is said when they are not."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from metanode.core.clock import SystemRandomness
from metanode.core.crypto import install, keystore
from metanode.core.home import Home, default_home, solo_genesis
from metanode.core.identity import KEY_NAMES, fresh_identity
from metanode.core.kernel import Node
from metanode.core.model.errors import MetanodeError, SettingsError
from metanode.core.model.validators import decode_set
from metanode.core.testing.clock import SeededRandomness
from metanode.core.testing.standins import bare_settings, stand_ins


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with genesis, keys and a passphrase, made by hand."""
    install()
    made = Home(tmp_path)
    made.keys_dir.mkdir()
    identity = fresh_identity(SeededRandomness(1))
    for name in KEY_NAMES:
        path = made.keys_dir / f"{name}.key"
        keystore.create(path, getattr(identity, name).seed, b"open", label=name, randomness=SystemRandomness())
    made.passphrase_file.write_text("open\n")
    made.genesis_file.write_text(solo_genesis(identity, genesis_ms=1).to_json())
    return made


def test_the_default_home_is_in_the_environment_or_below_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """METANODE_HOME, else ~/.metanode."""
    monkeypatch.setenv("METANODE_HOME", "/srv/node")
    assert default_home() == Path("/srv/node")
    monkeypatch.delenv("METANODE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_home() == Path("/home/someone/.metanode")


async def test_a_node_takes_genesis_and_keys_from_its_home(home: Home) -> None:
    """And each plugin gets a private directory below it."""
    async with Node.open(bare_settings(), plugins=stand_ins(), home=home.path) as node:
        assert node.genesis == home.genesis()
        assert node.identity == fresh_identity(SeededRandomness(1))
    directory = home.path / "data" / "storage.standin"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_what_is_given_is_not_read_from_the_home(tmp_path: Path) -> None:
    """A home may hold nothing but data."""
    identity = fresh_identity(SeededRandomness(2))
    genesis = solo_genesis(identity, genesis_ms=2)
    async with Node.open(
        bare_settings(), plugins=stand_ins(), home=tmp_path, genesis=genesis, identity=identity
    ) as node:
        assert node.genesis is genesis
        assert node.identity is identity


def test_what_is_missing_or_damaged_is_named(home: Home) -> None:
    """One line each, with the file."""
    with pytest.raises(SettingsError, match="is no node home: .*metanode.toml is missing") as caught:
        home.settings()
    assert caught.value.code == "FILE_MISSING"
    home.genesis_file.write_text("{}")
    with pytest.raises(SettingsError, match="genesis.json: "):
        home.genesis()
    home.genesis_file.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="genesis.json: .*utf-8"):
        home.genesis()
    home.genesis_file.unlink()
    with pytest.raises(SettingsError, match="genesis.json does not exist"):
        home.genesis()
    with pytest.raises(MetanodeError) as wrong:
        home.identity(b"shut")
    assert wrong.value.code == "KEYSTORE_LOCKED"
    home.passphrase_file.unlink()
    with pytest.raises(MetanodeError, match="no passphrase was given") as none:
        home.identity()
    assert none.value.code == "KEYSTORE_LOCKED"
    (home.keys_dir / "vrf.key").unlink()
    with pytest.raises(MetanodeError, match="vrf.key"):
        home.identity(b"open")


def test_a_data_directory_that_cannot_be_made_is_named(home: Home) -> None:
    """A file stands in its way here; it could be a full or read-only disk."""
    (home.path / "data").write_text("")
    with pytest.raises(SettingsError, match="storage.memory: "):
        home.data_dir("storage.memory")


def test_a_running_node_is_seen_until_it_ends(home: Home) -> None:
    """A file that a killed node left behind says nothing, nor does one that is damaged."""
    assert home.read_running() is None
    home.write_running({"addresses": ["http://127.0.0.1:1"]})
    assert home.read_running() == {"pid": os.getpid(), "addresses": ["http://127.0.0.1:1"]}
    home.forget_running()
    home.forget_running()
    assert home.read_running() is None
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for text in (json.dumps({"pid": ended.pid}), "{", "[]", '{"pid": "x"}', "{}"):
        home.running_file.write_text(text)
        assert home.read_running() is None


@pytest.mark.parametrize("name", ["devnet", "testnet", "mainnet"])
def test_a_fresh_chain_has_one_funded_validator(name: str) -> None:
    """Its keys are the identity's, and it starts from the named network's parameters."""
    install()
    identity = fresh_identity(SeededRandomness(3))
    genesis = solo_genesis(identity, genesis_ms=5, name=name)
    (validator,) = decode_set(genesis.validators)
    assert (validator.consensus_key, validator.vrf_key) == (identity.consensus.public_key, identity.vrf.public_key)
    assert [account for account, _ in genesis.accounts] == [identity.sponsor.account]
    assert (genesis.chain_name, genesis.genesis_ms) == (name, 5)

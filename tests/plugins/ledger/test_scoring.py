"""How machines are scored is part of the chain: its genesis names rules and table, and nothing else decides a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from metanode.core.discovery import PACKAGE_DIR
from metanode.core.kernel import Node
from metanode.core.model.errors import MetanodeError, PluginError, SettingsError, StorageError
from metanode.core.model.genesis import network_params
from metanode.core.settings import Settings
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.workers import InlineWorkers
from metanode.fingerprint import multipliers
from metanode.fingerprint.multipliers import load_table, parse_table
from metanode.fingerprint.scoring import scoring_name
from metanode.plugins.ledger.attested import attest, machines
from metanode.plugins.ledger.attested.ledger import AttestedLedger

NETWORKS = PACKAGE_DIR / "core/model/data/networks.json"
TABLE = PACKAGE_DIR / "fingerprint/data/multipliers.json"
SHIPPED = TABLE.read_bytes()
OTHER = "2-" + "0" * 64
Ship = Callable[[bytes | None], None]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ship]:
    """Puts another file in the place of the shipped table; None leaves none there."""
    path = tmp_path / "multipliers.json"
    monkeypatch.setattr(multipliers, "_FILE", path)

    def put(data: bytes | None) -> None:
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        load_table.cache_clear()

    yield put
    load_table.cache_clear()


@pytest.mark.parametrize("name", ["devnet", "testnet", "mainnet"])
def test_every_network_names_the_scoring_of_this_software(name: str) -> None:
    """Whoever changes the table or raises SCORING_VERSION writes the new value, which this prints, into the file."""
    own = scoring_name(load_table())
    found = network_params(NETWORKS.read_text(), name).scoring
    assert found == own, f'in {NETWORKS.name}, {name}: "scoring": "{own}"'


def test_every_byte_of_the_table_is_bound(ship: Ship) -> None:
    """A blank more is another table: what is hashed is the file as it is, line ends included."""
    text = SHIPPED.decode("ascii")
    ship(SHIPPED)
    assert parse_table(text).digest == load_table().digest
    ship(text.replace("\n", "\r\n").encode())
    assert load_table().rows == parse_table(text).rows
    assert load_table().digest != parse_table(text).digest


def test_a_chain_that_scores_otherwise_is_not_followed(new_chain: Any) -> None:
    """Both values and the cure, in one line."""
    with pytest.raises(SettingsError) as caught:
        new_chain(scoring=OTHER)
    line = caught.value.line()
    assert OTHER in line
    assert scoring_name(load_table()) in line
    assert "release" in caught.value.expected
    assert "\n" not in line


async def test_a_node_of_a_chain_that_scores_otherwise_does_not_start(
    chain: Any, ship: Ship, autojump_clock: MockClock
) -> None:
    """Its genesis names a table, the software ships another: the operator learns it before a block is made."""
    ship(SHIPPED + b"\n")
    await _refused(chain, "this chain scores machines by")


@pytest.mark.parametrize("damaged", [SHIPPED[:1000], b"", b"\xff" + SHIPPED, None])
async def test_a_truncated_table_stops_the_node_instead_of_writing_a_receipt(
    chain: Any, ship: Ship, autojump_clock: MockClock, damaged: bytes | None
) -> None:
    """A broken file is this node's fault; a receipt of it would be in no other node's block."""
    ship(damaged)
    await _refused(chain, "multipliers.json: the table cannot be read")


async def _refused(chain: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        async with Node.open(
            Settings.devnet(), genesis=chain.genesis, clock=VirtualClock(), randomness=SeededRandomness(1),
            workers=InlineWorkers(),
        ):  # fmt: skip
            pass


def test_the_table_is_read_before_the_first_block_and_never_again(
    chain: Any, kit: Any, ship: Ship
) -> None:
    """A file that changes while the node runs changes no block."""
    ship(b"")
    machine = kit.box(1)
    chain.register(machine)
    assert chain.codes(chain.attest(machine)) == [0]
    with pytest.raises(SettingsError):
        AttestedLedger(chain.genesis)


FAULTS = [
    SettingsError("BAD_SETTING", "a broken file"),
    StorageError("STORAGE_FULL", "a full disk"),
    PluginError("PLUGIN_BROKEN", "a broken plugin"),
]


@pytest.mark.parametrize("assemble", [False, True])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_fault_of_this_node_ends_it_and_is_no_receipt(
    chain: Any, kit: Any, fault: MetanodeError, assemble: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the envelope itself caused is told in a receipt, drops it, or makes the block invalid."""

    def broken(*_: Any, **__: Any) -> None:
        raise fault

    machine, known = kit.box(1), kit.box(2)
    chain.register(known)
    body = chain.reveal_body(machine, chain.record(machine))
    chain.block(chain.commit(body))
    monkeypatch.setattr(machines, "score_record", broken)
    monkeypatch.setattr(attest, "apply", broken)
    for envelope in (chain.reveal(body), chain.attest(known)):
        with pytest.raises(type(fault)) as caught:
            chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=assemble)
        assert caught.value is fault
    with pytest.raises(type(fault)):
        chain.ledger.check(chain.head, [chain.reveal(body)])

"""What every ledger must do: see `metanode.core.roles.Ledger`.

`LedgerChain` drives a ledger block by block without storage or consensus, and holds every block
against the contract on the way: executing twice gives equal results, what a proposer
assembles passes the check, the supply sums.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from metanode.core.crypto.keys import KeyPair
from metanode.core.discovery import PACKAGE_DIR
from metanode.core.model import leader
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope, decode_envelope
from metanode.core.model.genesis import Genesis, network_params
from metanode.core.model.hashing import H
from metanode.core.model.kinds import TRANSFER
from metanode.core.model.receipt import OK
from metanode.core.model.validators import Validator, decode_set, encode_set
from metanode.core.roles import VIEW_COLUMNS, BlockFields, Execution, Head, Ledger
from metanode.core.testing.contracts import refused

Factory = Callable[[Genesis], Ledger]
"""Gives a ledger of a chain that has remembered nothing yet."""

GENESIS_MS = 1_700_000_000_000
RICH = 1_000_000_000
"""What each account of `sample_genesis` holds, micro-units."""

DEVNET_PARAMS = network_params((PACKAGE_DIR / "core/model/data/networks.json").read_text(), "devnet")


def key_pair(number: int) -> KeyPair:
    """Return the test key of a number."""
    return KeyPair.from_seed(number.to_bytes(32, "big"))


def sample_genesis(rich: Sequence[KeyPair] = (), *, treasury: int = 5_000_000, **params: int | str) -> Genesis:
    """Return a genesis with one validator and `RICH` on each account; keywords replace devnet's parameters."""
    member = Validator(key_pair(900).account, key_pair(901).public_key, key_pair(902).public_key, bond=10**9)
    return Genesis(
        chain_name="contract",
        chain_id=31337,
        genesis_ms=GENESIS_MS,
        params=replace(DEVNET_PARAMS, **params),  # type: ignore[arg-type]  # checked by Params itself
        validators=encode_set([member]),
        accounts=tuple(sorted((key.account, RICH) for key in rich)),
        treasury=treasury,
    )


class LedgerChain:
    """A chain of a ledger's blocks, with header hashes invented from height, time and state root."""

    def __init__(self, factory: Factory, genesis: Genesis) -> None:
        self.genesis = genesis
        self.ledger = factory(genesis)
        # A second one that never saw an admission: results must not depend on what was remembered.
        self.forgetful = factory(genesis)
        self._headers = [(genesis.hash, genesis.genesis_ms)]
        beta = leader.beta_zero(genesis.hash)
        self.head = Head(
            0, genesis.hash, genesis.genesis_ms, beta, self.ledger.genesis_state(), None, None, ancestors=self
        )

    def at(self, height: int) -> tuple[bytes, int] | None:
        """See `roles.Ancestors`."""
        return self._headers[height] if height < len(self._headers) else None

    def fields(self, after_ms: int = 1000) -> BlockFields:
        """Return the fields of a block `after_ms` after the head."""
        return BlockFields(self.head.height + 1, self.head.time_ms + after_ms, 0)

    def block(self, *envelopes: Envelope, after_ms: int = 1000) -> Execution:
        """Append a block that holds these envelopes.

        :raises InvalidBlock: one of them may not stand there.
        """
        fields = self.fields(after_ms)
        checked = self.ledger.execute(self.head, fields, envelopes, assemble=False)
        assembled = self.ledger.execute(self.head, fields, envelopes, assemble=True)
        again = self.forgetful.execute(self.head, fields, [decode_envelope(e.raw) for e in envelopes], assemble=False)
        for other in (assembled, again):
            assert same(checked, other), "a block gives one result, however often and wherever it is executed"
        assert not assembled.dropped, "what passes the check is not dropped"
        self.check_execution(checked)
        self.append(checked, fields)
        return checked

    def assemble(self, *envelopes: Envelope, after_ms: int = 1000) -> Execution:
        """Append a block of those envelopes that may stand, as a proposer does."""
        fields = self.fields(after_ms)
        assembled = self.ledger.execute(self.head, fields, envelopes, assemble=True)
        checked = self.forgetful.execute(self.head, fields, assembled.included, assemble=False)
        assert same(assembled, checked), "what a proposer assembles passes the check unchanged"
        self.check_execution(assembled)
        self.append(assembled, fields)
        return assembled

    def append(self, execution: Execution, fields: BlockFields) -> None:
        """Make an executed block the head."""
        stamp = fields.height.to_bytes(8, "big") + fields.time_ms.to_bytes(8, "big")
        header_hash = H("header", stamp + execution.state.root)
        self._headers.append((header_hash, fields.time_ms))
        beta = header_hash + header_hash
        self.head = Head(fields.height, header_hash, fields.time_ms, beta, execution.state, None, None, ancestors=self)

    def check_execution(self, execution: Execution) -> None:
        """Hold one result against what its fields promise."""
        keys = [key for key, _ in execution.changes]
        assert keys == sorted(set(keys)), "changes lie by rising key"
        assert self.head.state.update(dict(execution.changes)).root == execution.state.root
        for key, value in execution.changes:
            assert self.head.state.get(key) != value, "a change changes something"
        assert [receipt.id for receipt in execution.receipts] == [envelope.id for envelope in execution.included]
        for row in execution.rows:
            assert len(row.values) == len(VIEW_COLUMNS[row.table])
        check_sum(self.ledger, execution)

    def transfer(self, sender: KeyPair, to: bytes, amount: int, **changes: int) -> Envelope:
        """Return a transfer that is right for the next block, unless `changes` says otherwise."""
        return self.envelope(sender, TRANSFER, Transfer(to, amount).encode(), **changes)

    def envelope(self, sender: KeyPair, kind: int, body: bytes, **changes: int) -> Envelope:
        """Return a signed envelope for the next block; `changes` replaces chain_id, nonce, fee or valid_until."""
        view = self.ledger.account(self.head.state, sender.account)
        numbers = {
            "chain_id": self.genesis.chain_id,
            "nonce": view.nonce,
            "fee": self.genesis.params.min_fee,
            "valid_until": self.head.height + 100,
            **changes,
        }
        first = not view.public_key and numbers["nonce"] == view.nonce
        return build_envelope(
            kind=kind,
            sender=sender.account,
            body=body,
            sign=sender.sign,
            genesis_hash=self.genesis.hash,
            public_key=sender.public_key if first else b"",
            **numbers,
        )


def same(one: Execution, other: Execution) -> bool:
    """Return whether two executions have equal outcomes."""
    return (
        one.state.root == other.state.root
        and list(one.changes) == list(other.changes)
        and [e.id for e in one.included] == [e.id for e in other.included]
        and list(one.receipts) == list(other.receipts)
        and list(one.rows) == list(other.rows)
        and list(one.events) == list(other.events)
        and one.validator_set == other.validator_set
        and one.params_hash == other.params_hash
    )


def check_sum(ledger: Ledger, execution: Execution) -> None:
    """Check that the parts of the supply sum to it, to the unit."""
    parts = dict(ledger.supply(execution.state))
    assert parts.pop("supply") == sum(parts.values())


def forged(envelope: Envelope) -> Envelope:
    """Return the envelope with one bit of its signature turned."""
    raw = bytearray(envelope.raw)
    raw[-1] ^= 1
    return decode_envelope(bytes(raw))


_ALICE, _BOB = key_pair(1), key_pair(2)


def _chain(factory: Factory) -> LedgerChain:
    return LedgerChain(factory, sample_genesis([_ALICE, _BOB]))


async def genesis_is_a_function_of_the_genesis_file(factory: Factory) -> None:
    """Two ledgers of one genesis start from one root, with the balances it names."""
    genesis = sample_genesis([_ALICE, _BOB])
    one, other = factory(genesis), factory(genesis)
    assert one.genesis_state().root == other.genesis_state().root
    assert one.account(one.genesis_state(), _ALICE.account).balance == RICH
    assert one.supply(one.genesis_state())["supply"] == genesis.supply
    assert decode_set(one.genesis_validator_set())
    assert one.kinds.all(), "a ledger knows the kinds it applies"


async def an_unknown_account_is_all_zero(factory: Factory) -> None:
    """Reading what nobody paid is no error."""
    ledger = factory(sample_genesis())
    view = ledger.account(ledger.genesis_state(), key_pair(77).account)
    assert (view.balance, view.nonce, view.public_key) == (0, 0, b"")


async def empty_blocks_keep_the_supply_across_epochs(factory: Factory) -> None:
    """Time alone moves money only by the rules: after every block the parts sum."""
    chain = _chain(factory)
    for after_ms in (1, 1000, 19_000, 20_000, 60_000, 1):
        chain.block(after_ms=after_ms)


async def a_transfer_moves_amount_and_fee(factory: Factory) -> None:
    """The receiver gains the amount, the sender loses amount and fee, the nonce rises."""
    chain = _chain(factory)
    done = chain.block(chain.transfer(_ALICE, _BOB.account, 5_000))
    fee = chain.genesis.params.min_fee
    assert [(receipt.code, receipt.fee) for receipt in done.receipts] == [(OK, fee)]
    alice = chain.ledger.account(done.state, _ALICE.account)
    assert (alice.balance, alice.nonce, alice.public_key) == (RICH - 5_000 - fee, 1, _ALICE.public_key)
    assert chain.ledger.account(done.state, _BOB.account).balance == RICH + 5_000


async def execution_leaves_its_parent_alone(factory: Factory) -> None:
    """A ledger holds no chain state: the same parent can be built on again."""
    chain = _chain(factory)
    root = chain.head.state.root
    envelope = chain.transfer(_ALICE, _BOB.account, 1)
    first = chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=False)
    assert chain.head.state.root == root
    chain.ledger.execute(chain.head, chain.fields(), [], assemble=False)
    assert same(first, chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=False))


async def what_may_not_stand_is_refused_at_the_door_and_in_a_block(factory: Factory) -> None:
    """The door names the code; a block that holds it is invalid; a proposer leaves it out and says why."""
    chain = _chain(factory)
    chain.block(chain.transfer(_ALICE, _BOB.account, 1))
    cases = {
        "INVALID_SIGNATURE": forged(chain.transfer(_ALICE, _BOB.account, 1)),
        "WRONG_CHAIN": chain.transfer(_ALICE, _BOB.account, 1, chain_id=1),
        "EXPIRED": chain.transfer(_ALICE, _BOB.account, 1, valid_until=1),
        "REPLAYED": chain.transfer(_ALICE, _BOB.account, 1, nonce=0),
        "FEE_TOO_LOW": chain.transfer(_ALICE, _BOB.account, 1, fee=0),
        "UNKNOWN_KIND": chain.envelope(_ALICE, 4_000, b"\xa0"),
    }
    answers = chain.ledger.check(chain.head, list(cases.values()))
    assert [error.code if error else None for error in answers] == list(cases)
    for code, envelope in cases.items():
        with refused(code):
            chain.ledger.execute(chain.head, chain.fields(), [envelope], assemble=False)
    good = chain.transfer(_BOB, _ALICE.account, 1)
    built = chain.assemble(*cases.values(), good)
    assert [envelope.id for envelope in built.included] == [good.id]
    assert [dropped.error.code for dropped in built.dropped] == list(cases)


async def admission_judges_each_envelope_alone(factory: Factory) -> None:
    """A bad envelope costs its neighbours nothing, and nonces may queue ahead."""
    chain = _chain(factory)
    chain.block(chain.transfer(_ALICE, _BOB.account, 1))
    batch = [
        chain.transfer(_ALICE, _BOB.account, 1),
        forged(chain.transfer(_ALICE, _BOB.account, 2)),
        chain.transfer(_ALICE, _BOB.account, 3, nonce=3),
    ]
    answers = chain.ledger.check(chain.head, batch)
    assert [error.code if error else None for error in answers] == [None, "INVALID_SIGNATURE", None]


async def a_block_follows_its_parent(factory: Factory) -> None:
    """Another height, or a time that does not rise, makes no block."""
    chain = _chain(factory)
    head = chain.head
    for fields in (BlockFields(2, head.time_ms + 1, 0), BlockFields(1, head.time_ms, 0)):
        with refused("BAD_HEADER"):
            chain.ledger.execute(head, fields, [], assemble=True)


CHECKS: tuple[Callable[[Factory], Awaitable[None]], ...] = (
    genesis_is_a_function_of_the_genesis_file,
    an_unknown_account_is_all_zero,
    empty_blocks_keep_the_supply_across_epochs,
    a_transfer_moves_amount_and_fee,
    execution_leaves_its_parent_alone,
    what_may_not_stand_is_refused_at_the_door_and_in_a_block,
    admission_judges_each_envelope_alone,
    a_block_follows_its_parent,
)

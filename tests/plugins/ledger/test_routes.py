"""The miner's routes and the read-only ones, over real storage and doubles of pool and consensus."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.core.http import Request, Response
from metanode.core.model.accounts import to_bech32m, to_rtc
from metanode.core.model.bodies import (
    ADMIT,
    APPROVE,
    CALIBRATE,
    PROPOSE,
    REMOVE,
    challenge,
    proposal_id,
    seal_commit,
)
from metanode.core.model.codec import encode
from metanode.core.model.envelope import Envelope, decode_envelope
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.validators import set_hash
from metanode.core.roles import Admission, Roles
from metanode.core.testing.contracts.ledger import key_pair
from metanode.core.testing.contracts.storage import sample_commit
from metanode.core.testing.workers import InlineWorkers
from metanode.fingerprint.rotation import selected
from metanode.plugins.ledger.attested import plugin
from metanode.plugins.ledger.attested.entries import Stake
from metanode.plugins.ledger.attested.replies import multiplier_text
from metanode.plugins.ledger.attested.routes_stake import status
from metanode.plugins.ledger.attested.sponsor import SOURCES_MAX, Shares
from metanode.plugins.storage.memory.store import MemoryStorage


class NodeDouble:
    """Pool and consensus in a few lines: what is admitted waits until the test asks for a block."""

    def __init__(self, chain: Any, sponsor: Any) -> None:
        self.chain = chain
        self.storage = MemoryStorage()
        self.waiting: dict[bytes, Envelope] = {}
        self.sources: list[str] = []
        self.asker = "192.0.2.1"
        roles = Roles()
        roles.fill("storage", "memory", self.storage)
        roles.fill("ledger", "attested", chain.ledger)
        roles.fill("mempool", "double", self)
        roles.fill("consensus", "double", self)
        self.context = SimpleNamespace(
            genesis=chain.genesis,
            roles=roles,
            identity=SimpleNamespace(sponsor=sponsor),
            workers=InlineWorkers(),
            settings={"verdicts_max": 1000},
        )
        self.routes = {(route.method, route.path): route for route in plugin.register_routes(context=self.context)}

    @property
    def head(self) -> Any:
        return self.chain.head

    async def submit(self, raw: list[bytes], *, source: str) -> list[Admission]:
        self.sources.append(source)
        (envelope,) = (decode_envelope(one) for one in raw)
        (error,) = self.chain.ledger.check(self.head, [envelope])
        if error is None:
            self.waiting[envelope.id] = envelope
        return [Admission(envelope.id, error)]

    def pending(self, envelope_id: bytes) -> Envelope | None:
        return self.waiting.get(envelope_id)

    def next_nonce(self, account: bytes) -> int:
        waiting = [e.nonce + 1 for e in self.waiting.values() if e.sender == account]
        nonce: int = self.chain.state.account(account).nonce
        return max([nonce, *waiting])

    async def block(self, after_ms: int = 1000) -> Any:
        """Finalise what waits."""
        done = self.chain.assemble(*self.waiting.values(), after_ms=after_ms)
        commit = sample_commit(
            self.head.height, envelopes=[(e.id, e.raw) for e in done.included], changes=done.changes, rows=done.rows
        )
        receipts = [receipt.encode() for receipt in done.receipts]
        await self.storage.commit(replace(commit, record=replace(commit.record, receipts=receipts)))
        for envelope in done.included:
            del self.waiting[envelope.id]
        return done

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Ask a route and return (status, JSON)."""
        pattern, params = path, {}
        if (method, path) not in self.routes:
            start, _, last = path.rpartition("/")
            (pattern,) = (p for m, p in self.routes if m == method and p.startswith(start + "/{"))
            params = {pattern.rpartition("{")[2][:-1]: last}
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        request = Request(method, path, query, {}, raw, self.asker, "id", params)
        response = await self.routes[method, pattern].handler(request)
        assert isinstance(response, Response)
        return response.status, json.loads(response.body)

    async def post(self, path: str, body: Any) -> Any:
        return await self.call("POST", path, body)

    async def get(self, path: str, **query: str) -> Any:
        status, value = await self.call("GET", path, **query)
        assert status == 200
        return value

    async def refusal(self, method: str, path: str, body: Any = None, **query: str) -> str:
        with pytest.raises(MetanodeError) as caught:
            await self.call(method, path, body, **query)
        assert "\n" not in caught.value.line()
        return caught.value.code


@pytest.fixture
async def node(chain: Any, kit: Any) -> NodeDouble:
    """A node at genesis."""
    return await opened(chain, kit)


async def opened(chain: Any, kit: Any) -> NodeDouble:
    """Return a node at genesis over a chain."""
    double = NodeDouble(chain, kit.sponsor)
    await double.storage.open(chain.genesis.hash)
    await double.storage.put_genesis(list(chain.head.state.items()), [])
    return double


async def registered(node: NodeDouble, machine: Any) -> None:
    """Take a machine through commit and reveal."""
    body = node.chain.reveal_body(machine, node.chain.record(machine))
    await node.post("/v1/attest/submit", {"commit": seal_commit(body.salt, body.inner).hex()})
    await node.block(1)
    await node.post("/v1/attest/submit", {"reveal": body.encode().hex()})
    await node.block(1)


async def test_a_challenge_rests_on_the_head(node: NodeDouble, kit: Any) -> None:
    """Anyone can recompute it, and it tells a miner all it needs."""
    machine = kit.box(1)
    await node.block()
    status, reply = await node.post("/v1/attest/challenge", {"machine_key": machine.key.public_key.hex()})
    assert status == 200
    assert reply["challenge"] == challenge(node.head.header_hash, machine.key.public_key).hex()
    assert (reply["height"], reply["header_hash"]) == (1, node.head.header_hash.hex())
    assert (reply["registered"], reply["weight"], reply["owner"]) == (False, None, None)
    assert (reply["fresh_ms"], reply["slot_ms"], reply["attest_every_slots"]) == (300_000, 2000, 2)
    assert reply["genesis_hash"] == node.chain.genesis.hash.hex()
    assert node.routes["POST", "/v1/attest/challenge"].signed
    assert node.routes["POST", "/v1/attest/submit"].signed


async def test_a_known_machine_is_told_so(node: NodeDouble, kit: Any) -> None:
    """With its weight, owner, and whether this interval still is to be attested."""
    machine = kit.box(1)
    await registered(node, machine)
    ask = {"machine_key": machine.key.public_key.hex()}
    _, reply = await node.post("/v1/attest/challenge", ask)
    assert (reply["registered"], reply["interval_used"]) == (True, False)
    assert (reply["weight"], reply["multiplier"], reply["owner"]) == (2_500_000_000, "2.5", to_bech32m(machine.owner))
    await node.post("/v1/attest/submit", {"envelope": node.chain.attest(machine).raw.hex()})
    await node.block(1)
    assert (await node.post("/v1/attest/challenge", ask))[1]["interval_used"] is True


async def test_the_node_sponsors_a_machine(node: NodeDouble, kit: Any) -> None:
    """Commit, then reveal, each from the node's own account and each final one block later."""
    machine = kit.box(1)
    body = node.chain.reveal_body(machine, node.chain.record(machine))
    status, reply = await node.post("/v1/attest/submit", {"commit": seal_commit(body.salt, body.inner).hex()})
    assert (status, reply["status"], reply["next"]["step"]) == (202, "pending", "reveal")
    assert node.waiting[bytes.fromhex(reply["id"])].sender == kit.sponsor.account
    await node.block(1)
    status, reply = await node.post("/v1/attest/submit", {"reveal": body.encode().hex()})
    assert (status, reply["status"], reply["next"]["step"]) == (202, "pending", "attest")
    assert (reply["weight"], reply["class"], reply["machine_index"]) == (2_500_000_000, "vintage", 0)
    assert reply["evidence_level"] == "none"
    verdicts = {check["name"]: check["verdict"] for check in reply["checks"]}
    assert verdicts["virtual_machine"] == verdicts["keyed"] == "pass"
    await node.block(1)
    assert node.chain.entry(machine).sponsor == kit.sponsor.account
    assert node.sources == ["192.0.2.1", "192.0.2.1"], "the pool limits who asked, not the node itself"


async def test_the_same_bytes_get_the_same_answer(node: NodeDouble, kit: Any) -> None:
    """While they wait and once they are final, for all three parts."""
    machine = kit.box(1)
    body = node.chain.reveal_body(machine, node.chain.record(machine))
    parts = [{"commit": seal_commit(body.salt, body.inner).hex()}, {"reveal": body.encode().hex()}]
    for part in parts:
        _, first = await node.post("/v1/attest/submit", part)
        assert await node.post("/v1/attest/submit", part) == (202, first)
        assert len(node.waiting) == 1
        await node.block(1)
        if "reveal" in part:
            await node.block(1)
        status, final = await node.post("/v1/attest/submit", part)
        assert (status, final["status"], final["id"]) == (200, "final", first["id"])
        assert not node.waiting
    attest = {"envelope": node.chain.attest(machine).raw.hex()}
    _, first = await node.post("/v1/attest/submit", attest)
    assert await node.post("/v1/attest/submit", attest) == (202, first)
    await node.block(1)
    status, final = await node.post("/v1/attest/submit", attest)
    assert (status, final["status"], final["counted"], final["height"]) == (200, "final", True, node.head.height)
    same = ("id", "epoch", "slot", "interval", "weight", "multiplier", "class", "checks", "caps", "next")
    assert {key: final[key] for key in same} == {key: first[key] for key in same}


async def test_an_attestation_is_judged_before_it_waits(node: NodeDouble, kit: Any) -> None:
    """The reply tells interval, weight, every check and when to come again."""
    machine = kit.box(1)
    await registered(node, machine)
    status, reply = await node.post("/v1/attest/submit", {"envelope": node.chain.attest(machine).raw.hex()})
    assert (status, reply["accepted"], reply["status"], reply["counted"]) == (202, True, "pending", True)
    assert (reply["epoch"], reply["slot"], reply["interval"]) == (0, 0, 0)
    assert reply["next"] == {"step": "attest", "interval": 1, "at_ms": node.chain.genesis.genesis_ms + 4000}
    assert {"name", "verdict", "reason", "words", "numbers"} == set(reply["checks"][0])
    assert reply["mainnet_weight"] == 1_000_000_000, "its legacy_cap: no compiled probe was measured"
    assert reply["mainnet_reason"] == ""


async def test_a_virtual_machine_is_told_what_mainnet_would_pay(node: NodeDouble, kit: Any) -> None:
    """Nothing, and why; here it is paid."""
    machine = kit.box(1, kit.vm)
    await registered(node, machine)
    _, reply = await node.post("/v1/attest/submit", {"envelope": node.chain.attest(machine).raw.hex()})
    assert (reply["class"], reply["weight"], reply["multiplier"]) == ("virtual", 800_000_000, "0.8")
    assert (reply["mainnet_weight"], reply["mainnet_reason"]) == (0, "VM_DETECTED")
    assert "VM_DETECTED" in {check["reason"] for check in reply["checks"]}
    assert reply["caps"] == []


async def test_a_lowered_weight_names_its_cap_and_how_to_lift_it(new_chain: Any, kit: Any) -> None:
    """On a network that pays virtual machines nothing."""
    machine = kit.box(1, kit.vm)
    node = await opened(new_chain(vm_weight=0), kit)
    await registered(node, machine)
    _, reply = await node.post("/v1/attest/submit", {"envelope": node.chain.attest(machine).raw.hex()})
    assert reply["weight"] == 0
    (cap,) = reply["caps"]
    assert cap["name"] == "virtual_machine"
    assert "bare hardware" in cap["lift"]


async def test_refusals_at_the_door_are_specific(node: NodeDouble, kit: Any) -> None:
    """The miner learns which rule it broke."""
    machine, stranger = kit.box(1), kit.box(2)
    await registered(node, machine)
    path = "/v1/attest/submit"
    chain = node.chain
    cases = {
        "MACHINE_UNKNOWN": chain.attest(stranger),
        "PROBE_MISMATCH": chain.attest(machine, probe_results=((1, 1),)),
        "CHALLENGE_UNKNOWN": chain.attest(machine, 99),
        "DIGEST_MISMATCH": chain.attest(machine, inventory_digest=bytes(32)),
    }
    for code, envelope in cases.items():
        assert await node.refusal("POST", path, {"envelope": envelope.raw.hex()}) == code
    old = chain.attest(machine)
    await node.post(path, {"envelope": old.raw.hex()})
    await node.block(1)
    other = chain.attest(machine, agent="other")
    assert await node.refusal("POST", path, {"envelope": other.raw.hex()}) == "CHALLENGE_USED"
    await node.block(45_000)
    assert await node.refusal("POST", path, {"envelope": chain.attest(machine, 1).raw.hex()}) == "CHALLENGE_LATE"
    assert await node.refusal("POST", path, {"reveal": bytes(5).hex()}) == "NOT_CANONICAL"
    bad = chain.reveal_body(stranger, chain.record(stranger))
    assert await node.refusal("POST", path, {"reveal": bad.encode().hex()}) == "SEAL_UNKNOWN"


async def test_a_poor_sponsor_says_so(chain: Any) -> None:
    """The miner's operator can see whose account is empty."""
    node = NodeDouble(chain, key_pair(88))
    assert await node.refusal("POST", "/v1/attest/submit", {"commit": "00" * 32}) == "INSUFFICIENT_FUNDS"


async def test_one_source_gets_a_quarter_of_the_machines_of_an_epoch(new_chain: Any, kit: Any) -> None:
    """Asking is free: without a share, a stranger with a hundred requests would close registration for everybody."""
    node = await opened(new_chain(machines_per_sponsor_epoch=9), kit)
    path = "/v1/attest/submit"
    commits = [{"commit": f"{number:064x}"} for number in range(5)]
    for commit in (commits[0], commits[0], commits[1]):  # the same one again is no second machine
        assert (await node.post(path, commit))[0] == 202
    with pytest.raises(Rejection, match="this source's share") as caught:
        await node.post(path, commits[2])
    assert caught.value.code == "SPONSOR_CAP"
    assert node.asker in caught.value.message
    assert (await node.post(path, commits[1]))[0] == 202
    node.asker = "192.0.2.2"
    assert (await node.post(path, commits[2]))[0] == 202
    await node.block(1)
    node.asker = "192.0.2.1"
    assert await node.refusal("POST", path, commits[3]) == "SPONSOR_CAP"
    await node.block(new_epoch_ms(node))
    assert (await node.post(path, commits[3]))[0] == 202


async def test_a_refused_commit_uses_up_no_share(new_chain: Any, kit: Any) -> None:
    """And a share is at least one machine, however small the cap."""
    node = await opened(new_chain(machines_per_sponsor_epoch=1), kit)
    path, commit = "/v1/attest/submit", {"commit": "01" * 32}
    submit = node.submit

    async def full(raw: list[bytes], *, source: str) -> list[Admission]:
        return [Admission(decode_envelope(raw[0]).id, Rejection("POOL_FULL", "full"))]

    node.submit = full  # type: ignore[method-assign]
    assert await node.refusal("POST", path, commit) == "POOL_FULL"
    node.submit = submit  # type: ignore[method-assign]
    assert (await node.post(path, commit))[0] == 202


def test_the_table_of_shares_is_bounded() -> None:
    """Whoever has many addresses cannot fill the node's memory."""
    shares = Shares(100)
    for number in range(SOURCES_MAX + 10):
        shares.check(f"source {number}", 0)
        shares.count(f"source {number}")
    assert len(shares._counts) == SOURCES_MAX


def new_epoch_ms(node: NodeDouble) -> int:
    """An epoch's length."""
    params = node.chain.genesis.params
    length: int = params.slot_ms * params.slots_per_epoch
    return length


@pytest.mark.parametrize(
    ("nonce", "code"),
    [
        ("00" * 16, ""),
        ("AB" * 16, ""),
        ("00" * 15, "BAD_HEX"),
        ("00" * 17, "BAD_HEX"),
        ("z" * 32, "BAD_HEX"),
        ("", "BAD_HEX"),
    ],
)
async def test_a_challenge_may_carry_a_nonce(node: NodeDouble, kit: Any, nonce: str, code: str) -> None:
    """Which makes the request unlike any other, and changes nothing else; only its shape is looked at."""
    body = {"machine_key": kit.box(1).key.public_key.hex()}
    path = "/v1/attest/challenge"
    if code:
        assert await node.refusal("POST", path, {**body, "nonce": nonce}) == code
    else:
        assert await node.post(path, {**body, "nonce": nonce}) == await node.post(path, body)
    assert await node.refusal("POST", path, {"nonce": "00" * 16}) == "BAD_HEX"


async def test_a_failed_reveal_is_not_taken_for_the_machines_record(node: NodeDouble, kit: Any) -> None:
    """One that names the same key may stand earlier in the same block, with another inventory inside."""
    chain, machine = node.chain, kit.box(1)
    liar = replace(machine, inventory=kit.pc, owner=kit.box(2).owner)
    right = chain.reveal_body(machine, chain.record(machine))
    wrong = chain.reveal_body(liar, replace(chain.record(liar), probe_results=((1, 1),)), salt=b"\x01" * 32)
    chain_commits = [chain.commit(body, nonce=nonce) for nonce, body in enumerate((wrong, right))]
    node.waiting |= {envelope.id: envelope for envelope in chain_commits}
    await node.block(1)
    reveals = [chain.reveal(body, nonce=nonce) for nonce, body in enumerate((wrong, right), start=2)]
    node.waiting |= {envelope.id: envelope for envelope in reveals}
    done = await node.block(1)
    assert [receipt.code != 0 for receipt in done.receipts] == [True, False]
    shown = await node.get(f"/v1/miners/{to_bech32m(machine.key.account)}")
    assert shown["owner"] == to_bech32m(machine.owner)
    status, again = await node.post("/v1/attest/submit", {"reveal": right.encode().hex()})
    assert (status, again["id"]) == (200, reveals[1].id.hex())


async def test_an_epochs_page_holds_that_epochs_rewards_alone(new_chain: Any, kit: Any) -> None:
    """A block that ends one settlement and begins the next holds rewards of both: limit and offset count one's."""
    node = await opened(new_chain(settle_per_block=1), kit)
    machines = [kit.box(number) for number in range(4)]
    for machine in machines:
        await registered(node, machine)
    for _ in range(2):
        for machine in machines:
            envelope = node.chain.attest(machine)
            node.waiting[envelope.id] = envelope
        await node.block(1)
        await node.block(new_epoch_ms(node))

    async def ids(epoch: int, **query: str) -> list[str]:
        return [reward["id"] for reward in (await node.get(f"/v1/epochs/{epoch}", **query))["rewards"]]

    both = await node.storage.rows("transfers", where={"kind": "reward", "height": node.head.height}, limit=9, offset=0)
    found = [row["envelope_id"] for row in both]
    epochs = sorted({int(name.split(":")[1]) for name in found})
    assert len(epochs) == 2
    for epoch in epochs:
        mine = [name for name in found if name.startswith(f"epoch:{epoch}:")]
        assert await ids(epoch) == mine
        assert [await ids(epoch, limit="1", offset=str(place)) for place in range(len(mine) + 1)] == [
            *([name] for name in mine),
            [],
        ]


async def test_a_busy_sponsor_asks_to_come_back(node: NodeDouble) -> None:
    """Its nonces queue 64 ahead; more wait for the next block."""
    path = "/v1/attest/submit"
    for number in range(65):
        node.asker = f"192.0.2.{number}"
        await node.post(path, {"commit": f"{number:064x}"})
    assert await node.refusal("POST", path, {"commit": "ff" * 32}) == "POOL_FULL"
    await node.block()
    assert (await node.post(path, {"commit": "ff" * 32}))[0] == 202


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_JSON"),
        (b"[]", "BAD_SHAPE"),
        (b"{}", "BAD_SHAPE"),
        (b'{"commit": 5}', "BAD_SHAPE"),
        (b'{"other": "00"}', "BAD_SHAPE"),
        (b'{"commit": "00", "reveal": "00"}', "BAD_SHAPE"),
        (b'{"commit": "00"}', "BAD_HEX"),
        (b'{"commit": "0"}', "BAD_HEX"),
        (b'{"reveal": "zz"}', "BAD_HEX"),
        (b'{"reveal": ""}', "BAD_HEX"),
        (b'{"envelope": "00"}', "BAD_SHAPE"),
        (b'{"envelope": "82"}', "NOT_CANONICAL"),
    ],
)
async def test_unreadable_submissions_are_refused(node: NodeDouble, body: bytes, code: str) -> None:
    """Each with the code that says what is wrong."""
    assert await node.refusal("POST", "/v1/attest/submit", body) == code


async def test_only_attestations_go_through_the_miner_s_route(node: NodeDouble, kit: Any) -> None:
    """Other envelopes have POST /v1/tx."""
    transfer = node.chain.transfer(kit.alice, kit.bob.account, 1)
    assert await node.refusal("POST", "/v1/attest/submit", {"envelope": transfer.raw.hex()}) == "BAD_SHAPE"


async def test_a_machine_key_is_32_bytes_of_hex(node: NodeDouble) -> None:
    """Anything else has no challenge."""
    for key in ("", "00", "zz" * 32):
        assert await node.refusal("POST", "/v1/attest/challenge", {"machine_key": key}) == "BAD_HEX"
    assert await node.refusal("POST", "/v1/attest/challenge", {}) == "BAD_SHAPE"


async def test_miners_are_listed_and_found(node: NodeDouble, kit: Any) -> None:
    """By index, key, and either spelling of the account."""
    first, second = kit.box(1), kit.box(2, kit.vm)
    await registered(node, first)
    await registered(node, second)
    listed = await node.get("/v1/miners", limit="1")
    assert (listed["count"], len(listed["miners"])) == (2, 1)
    assert listed["miners"][0]["machine"] == to_bech32m(second.key.account)
    account = first.key.account
    for name in ("0", first.key.public_key.hex(), to_bech32m(account), to_rtc(account)):
        found = await node.get(f"/v1/miners/{name}")
        assert (found["machine_index"], found["owner"]) == (0, to_bech32m(first.owner))
        assert found["checks"]
    for name in ("2", "00" * 32, to_bech32m(kit.alice.account)):
        assert await node.refusal("GET", f"/v1/miners/{name}") == "MACHINE_UNKNOWN"
    assert await node.refusal("GET", "/v1/miners/nobody") == "BAD_ADDRESS"
    assert await node.refusal("GET", "/v1/miners", limit="501") == "BAD_REQUEST"


async def test_epochs_tell_what_was_paid(node: NodeDouble, kit: Any) -> None:
    """The running one with what it will pay, settled ones with their rewards, others with a reason."""
    machine = kit.box(1)
    await registered(node, machine)
    await node.post("/v1/attest/submit", {"envelope": node.chain.attest(machine).raw.hex()})
    await node.block(1)
    running = await node.get("/v1/epochs/running")
    assert (running["epoch"], running["status"]) == (0, "running")
    assert running["pot_expected"] == {"micro": 1_500_200, "coins": "1.500200"}
    assert await node.get("/v1/epochs/0") == running
    await node.block(65_000)
    settled = await node.get("/v1/epochs/0")
    assert (settled["status"], settled["paid"]["micro"], settled["machines"]) == ("settled", 1_500_200, 1)
    assert [(r["owner"], r["amount"]["micro"]) for r in settled["rewards"]] == [(to_bech32m(machine.owner), 1_500_200)]
    listed = await node.get("/v1/epochs")
    assert [epoch["epoch"] for epoch in listed["epochs"]] == [0]
    assert listed["running"]["epoch"] == 3
    for epoch in ("1", "4"):
        assert await node.refusal("GET", f"/v1/epochs/{epoch}") == "NOT_FOUND"
    assert await node.refusal("GET", "/v1/epochs/x") == "BAD_REQUEST"


async def test_an_answer_survives_a_block_that_comes_in_between(node: NodeDouble, kit: Any) -> None:
    """A block may take the envelope between the look at storage and the pool: still the stored result."""
    machine = kit.box(1)
    await registered(node, machine)
    envelope = node.chain.attest(machine)
    submit = node.submit

    async def overtaken(raw: list[bytes], *, source: str) -> list[Admission]:
        await submit(raw, source=source)
        await node.block(1)
        return [Admission(envelope.id, Rejection("CHALLENGE_USED", "used"))]

    node.submit = overtaken  # type: ignore[method-assign]
    status, reply = await node.post("/v1/attest/submit", {"envelope": envelope.raw.hex()})
    assert (status, reply["status"], reply["counted"]) == (200, "final", True)


def test_multipliers_are_told_without_floats() -> None:
    """Billionths as decimal text."""
    texts = [multiplier_text(weight) for weight in (0, 1, 500_000, 10**9, 2_500_000_000)]
    assert texts == ["0.0", "0.000000001", "0.0005", "1.0", "2.5"]


PS = {16: 1000, 19: 5000, 20: 5000, 21: 35000, 22: 2000, 23: 1200, 25: 120_000, 26: 12000}
"""Picoseconds a step of the compiled probes that fit a 7447A."""


async def registered_with_probes(node: NodeDouble, machine: Any) -> None:
    """Take a machine whose compiled probes ran through commit and reveal."""
    body = node.chain.reveal_body(machine, node.chain.record(machine, **node.chain.timed(machine, PS)))
    await node.post("/v1/attest/submit", {"commit": seal_commit(body.salt, body.inner).hex()})
    await node.block(1)
    await node.post("/v1/attest/submit", {"reveal": body.encode().hex()})
    await node.block(1)


@pytest.mark.parametrize("blocks", [0, 1, 30])
async def test_a_challenge_names_the_checks_of_its_epoch(node: NodeDouble, kit: Any, blocks: int) -> None:
    """At genesis too: the first block will draw the same ones."""
    for _ in range(blocks):
        await node.block()
    _, reply = await node.post("/v1/attest/challenge", {"machine_key": kit.box(1).key.public_key.hex()})
    assert len(reply["checks"]) == 4
    if not blocks:
        await node.block(1)
    drawn = node.chain.state.rotation()
    assert reply["epoch"] == drawn.epoch
    assert reply["checks"] == list(selected(drawn.beta, drawn.epoch))


async def test_a_machine_is_told_what_waits_and_how_to_lift_it(new_chain: Any, kit: Any, composer: Any) -> None:
    """Weight, what is paid at once, what is escrowed, what its attestations showed; all of it until the calibration."""
    node = await opened(new_chain(members=1, uncalibrated_cap=1_500_000_000, legacy_cap=10**9), kit)
    machine = kit.box(1)
    await registered_with_probes(node, machine)
    told = await node.get("/v1/miners/0")
    assert (told["weight"], told["payable"], told["model"]) == (2_500_000_000, 1_500_000_000, "ppc pvr 8003")
    assert (told["calibrated"], told["escrow"]["micro"], told["flags"]) == (False, 0, [])
    assert [cap["name"] for cap in told["caps"]] == ["uncalibrated"]
    assert "calibrate" in told["caps"][0]["lift"]
    node.chain.block(node.chain.attest(machine), after_ms=1)
    told = await node.get("/v1/miners/0")
    assert [flag["name"] for flag in told["flags"]] == ["unproven"]
    assert (told["weight"], told["payable"]) == (10**9, 10**9)
    node.chain.to_epoch(1)
    answer = node.chain.timed(machine, {probe: PS[probe] for probe in node.chain.probes_asked()})
    node.chain.block(node.chain.attest(machine, **answer), after_ms=1)
    node.chain.to_epoch(2)
    held = node.chain.state.escrow().total
    assert (await node.get("/v1/miners/0"))["escrow"]["micro"] == held > 0
    reports = [composer.signed(number, genesis_hash=node.chain.genesis.hash) for number in range(3)]
    proposal = encode([CALIBRATE, ["ppc pvr 8003", *reports]])
    node.chain.block(node.chain.govern(kit.member(0), PROPOSE, proposal), after_ms=1)
    node.chain.to_epoch(3)
    told = await node.get("/v1/miners/0")
    assert (told["weight"], told["payable"], told["calibrated"]) == (2_500_000_000, 2_500_000_000, True)
    assert told["caps"] == []
    models = await node.get("/v1/models")
    (model,) = models["models"]
    assert (model["model"], model["since_height"]) == ("ppc pvr 8003", node.head.height)
    assert {"fp_add", "patch"} <= {ratio["name"] for ratio in model["ratios"]}
    assert (await node.get("/v1/models", offset="1"))["models"] == []


async def test_an_unbound_machine_weighs_nothing(new_chain: Any, kit: Any) -> None:
    """And a machine that was handed over names its next owner."""
    node = await opened(new_chain(), kit)
    machine, other = kit.box(1, owner=kit.alice), kit.box(2, owner=kit.alice)
    await registered(node, machine)
    await registered(node, other)
    unbind = node.chain.unbind(kit.alice, machine)
    node.chain.block(unbind, node.chain.unbind(kit.alice, other, kit.bob.account, nonce=1), after_ms=1)
    told = await node.get("/v1/miners/0")
    assert (told["unbound"], told["weight"], told["payable"]) == (True, 0, 0)
    told = await node.get("/v1/miners/1")
    assert (told["owner"], told["next_owner"]) == (to_bech32m(kit.alice.account), to_bech32m(kit.bob.account))


async def test_validators_tell_the_set_and_everyone_who_is_bonded(new_chain: Any, kit: Any) -> None:
    """Each in one word: what it is, and when its coins come back."""
    node = await opened(new_chain(members=4, candidates=3), kit)
    chain, coin = node.chain, 10**6
    chain.block(*(chain.bond(who, coin) for who in (4, 5, 6)), chain.unbond(3), after_ms=1)
    chain.vote_seat(5, ADMIT, (0, 1, 2))
    chain.vote_seat(0, REMOVE, (1, 2))
    chain.block(chain.accuse(chain.double_vote(2, 1)), after_ms=1)

    async def words() -> dict[str, str]:
        reply = await node.get("/v1/validators")
        named = {to_bech32m(kit.member(number).account): str(number) for number in range(7)}
        return {named[row["account"]]: row["status"] for row in reply["bonded"]}

    want = {"0": "seated", "1": "seated", "2": "jailed", "3": "leaving", "4": "candidate", "5": "candidate"}
    assert await words() == {**want, "6": "candidate"}
    chain.block(chain.govern(kit.member(3), APPROVE, chain.state.proposals()[0][0]), after_ms=1)
    chain.to_epoch(1)
    assert {number: word for number, word in (await words()).items() if number in "235"} == {
        "2": "jailed", "3": "unbonding", "5": "seated",
    }  # fmt: skip
    reply = await node.get("/v1/validators", limit="1", offset="1")
    assert (len(reply["bonded"]), reply["count"], reply["limit"]) == (1, 7, 1)
    assert reply["needed"] == -(-2 * len(reply["set"]) // 3)
    assert reply["set_hash"] == set_hash(chain.state.next_set()).hex()
    assert [row["index"] for row in reply["set"]] == list(range(len(reply["set"])))
    leaver = next(row for row in (await node.get("/v1/validators"))["bonded"] if row["status"] == "unbonding")
    assert (leaver["release_epoch"], leaver["index"], leaver["bond"]["micro"]) == (4, None, coin)
    (past,) = reply["past_sets"]
    for ident, last in ((past["set_hash"], chain.head.height), (reply["set_hash"], None)):
        one = await node.get(f"/v1/validators/{ident}")
        assert set_hash(bytes.fromhex(one["bytes"])).hex() == ident
        assert one["last_height"] == last
    with pytest.raises(MetanodeError, match="NOT_FOUND"):
        await node.get("/v1/validators/" + "ab" * 32)
    chain.vote_seat(6, ADMIT, (1,))
    told = (await node.get("/v1/proposals"))["proposals"][0]
    assert (told["type"], told["ratios"]) == ("seat", [])
    assert told["subject"].split()[0] in ("admit", "remove")


@pytest.mark.parametrize(
    ("stake", "seated", "word"),
    [
        ({"admitted": 1}, False, "joining"),
        ({"admitted": 1, "bond": 9}, True, "short"),
        ({}, True, "leaving"),
        ({"leaving": 1}, False, "leaving"),
        ({"release": 4, "jailed": 1}, False, "unbonding"),
    ],
)
def test_a_bonded_account_has_one_word(stake: dict[str, int], seated: bool, word: str) -> None:
    """What will be, where that differs from what is."""
    assert status(Stake(b"", b"", b"", b"", **{"bond": 10, **stake}), seated=seated, least=10) == word


async def test_proposals_tell_whose_approval_is_missing(new_chain: Any, kit: Any, composer: Any) -> None:
    """An operator sees what to approve, and until when."""
    node = await opened(new_chain(members=4), kit)
    assert (await node.get("/v1/proposals"))["proposals"] == []
    reports = [composer.signed(number, genesis_hash=node.chain.genesis.hash) for number in range(3)]
    proposal = encode([CALIBRATE, ["ppc pvr 8003", *reports]])
    node.chain.block(node.chain.govern(kit.member(0), PROPOSE, proposal), after_ms=1)
    reply = await node.get("/v1/proposals")
    (told,) = reply["proposals"]
    assert told["id"] == proposal_id(proposal, node.chain.genesis.hash).hex()
    assert (told["type"], told["subject"], told["missing"]) == ("calibrate", "ppc pvr 8003", 2)
    assert told["approvals"] == [to_bech32m(kit.member(0).account)]
    assert told["not_yet"] == sorted(to_bech32m(kit.member(i).account) for i in (1, 2, 3))
    assert (reply["needed"], len(reply["members"]), told["last_epoch"]) == (3, 4, 30)
    assert told["ratios"]

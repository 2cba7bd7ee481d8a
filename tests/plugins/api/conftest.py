"""A listener on loopback with doubles of the other roles, and a client that speaks in raw bytes."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from metanode.core.bus import Bus
from metanode.core.crypto import install
from metanode.core.crypto.keys import KeyPair
from metanode.core.health import HealthRegistry
from metanode.core.hooks import PluginContext
from metanode.core.http import Route
from metanode.core.identity import Identity
from metanode.core.manifests import read_manifest
from metanode.core.metrics import MetricRegistry
from metanode.core.model import codec, ecvrf, leader
from metanode.core.model.block import Block, envelope_ids, receipts_root, tx_root
from metanode.core.model.bodies import Transfer
from metanode.core.model.envelope import Envelope, build_envelope, decode_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.genesis import Genesis, network_params
from metanode.core.model.header import Header, Roots, header_hash
from metanode.core.model.receipt import Receipt
from metanode.core.model.state_map import StateMap
from metanode.core.model.validators import Validator, encode_set, set_hash
from metanode.core.model.vote import Certificate, VoteType, vote_digest
from metanode.core.roles import AccountView, Admission, BlockRecord, Head, Roles
from metanode.core.testing.clock import SeededRandomness, VirtualClock
from metanode.core.testing.no_peers import NoPeers
from metanode.core.testing.workers import InlineWorkers
from metanode.plugins.api._shared.messages import RequestParser
from metanode.plugins.api._shared.parser_h11 import H11Parser
from metanode.plugins.api._shared.parser_httptools import HttptoolsParser
from metanode.plugins.api.http import plugin

PARSERS: dict[str, Callable[[int], RequestParser]] = {"httptools": HttptoolsParser, "h11": H11Parser}
API = Path(plugin.__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _crypto() -> None:
    """The fastest implementations: a signature in pure Python takes milliseconds."""
    install()


@pytest.fixture(params=sorted(PARSERS))
def new_parser(request: pytest.FixtureRequest) -> Callable[[int], RequestParser]:
    """Each parser in turn: both must pass every test that asks for one."""
    return PARSERS[request.param]


@dataclass
class Reply:
    """What a client read.  Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A connection whose bytes a test writes itself."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.unread = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def request(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        lines = [f"{method} {target} HTTP/1.1", "Host: node"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if method == "POST" and "Content_Type" not in headers:
            lines.append("Content-Type: application/json")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        return await self.reply(with_body=method != "HEAD")

    async def get(self, target: str, **headers: str) -> Reply:
        return await self.request("GET", target, b"", **headers)

    async def post(self, target: str, value: Any) -> Reply:
        return await self.request("POST", target, json.dumps(value).encode())

    async def head(self) -> Reply:
        """Read a reply's first line and headers."""
        while b"\r\n\r\n" not in self.unread:
            data = await self.stream.receive_some(65536)
            assert data, f"the connection ended within a reply's head: {self.unread!r}"
            self.unread += data
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), f"a header twice in {lines}"
        return Reply(int(first.split(" ")[1]), {name.lower(): value for name, value in fields.items()}, b"")

    async def reply(self, *, with_body: bool = True) -> Reply:
        reply = await self.head()
        length = int(reply.headers.get("content-length", 0)) if with_body else 0
        while len(self.unread) < length:
            data = await self.stream.receive_some(65536)
            assert data, "the connection ended within a reply's body"
            self.unread += data
        reply.body, self.unread = self.unread[:length], self.unread[length:]
        return reply

    async def until(self, mark: bytes) -> bytes:
        """Read on until `mark`, and return what came before it."""
        while mark not in self.unread:
            data = await self.stream.receive_some(65536)
            assert data, f"the connection ended before {mark!r}: {self.unread!r}"
            self.unread += data
        before, self.unread = self.unread.split(mark, 1)
        return before

    async def at_end(self) -> bool:
        """Whether the server ended the connection and nothing is left to read."""
        return not self.unread and not await self.stream.receive_some(65536)


@pytest.fixture
def client_of() -> Callable[[trio.abc.Stream], Client]:
    """Wraps a test's own stream."""
    return Client


@dataclass
class Server:
    """A running listener."""

    url: str
    context: PluginContext
    routes: list[Route]

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Client]:
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            yield Client(stream)

    async def get(self, target: str, **headers: str) -> Reply:
        async with self.connect() as client:
            return await client.get(target, **headers)

    async def post(self, target: str, value: Any) -> Reply:
        async with self.connect() as client:
            return await client.post(target, value)


@dataclass
class Doubles:
    """The other roles, as small as these tests allow: a chain of one account's transfers and a pool that says yes."""

    genesis: Genesis
    identity: Identity
    records: list[BlockRecord] = field(default_factory=list)
    head: Head | None = None
    waiting: dict[bytes, Envelope] = field(default_factory=dict)
    answers: dict[bytes, Admission] = field(default_factory=dict)
    view: list[dict[str, Any]] = field(default_factory=list)
    db_rw: bool = True
    asked: int = 0
    sources: list[str] = field(default_factory=list)

    # -- storage
    async def health(self) -> Mapping[str, bool | int | float]:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        return {"db_rw": self.db_rw, "backup_age_hours": -1}

    async def block(self, height: int) -> BlockRecord | None:
        await trio.lowlevel.checkpoint()
        return self.records[height - 1] if 1 <= height <= len(self.records) else None

    async def find_envelope(self, envelope_id: bytes) -> tuple[int, int] | None:
        await trio.lowlevel.checkpoint()
        for height, record in enumerate(self.records, 1):
            ids = envelope_ids(record.block.envelope_bytes())
            if envelope_id in ids:
                return height, ids.index(envelope_id)
        return None

    async def rows(self, table: str, *, where: Mapping[str, Any], limit: int, offset: int) -> list[dict[str, Any]]:
        await trio.lowlevel.checkpoint()
        assert table == "transfers"
        found = [row for row in self.view if all(row[column] == value for column, value in where.items())]
        found.sort(key=lambda row: (row["height"], row["position"], row["envelope_id"]), reverse=True)
        return found[offset : offset + limit]

    # -- ledger
    def account(self, state: StateMap, account: bytes) -> AccountView:
        entry = state.get(b"\x01" + account)
        if entry is None:
            return AccountView(account, 0, 0, b"")
        balance, nonce, key = codec.expect_list(codec.decode(entry), "account", size=3)
        numbers = codec.expect_uint(balance, "balance"), codec.expect_uint(nonce, "nonce")
        return AccountView(account, *numbers, codec.expect_bytes(key, "key"))

    def genesis_validator_set(self) -> bytes:
        return self.genesis.validators

    # -- mempool
    async def submit(self, raw: Sequence[bytes], *, source: str) -> list[Admission]:
        await trio.lowlevel.checkpoint()
        self.sources.append(source)
        results = []
        for data in raw:
            answer = self.answers.get(data)
            if answer is None:
                try:
                    envelope = decode_envelope(data)
                    answer = Admission(envelope.id, None, known=envelope.id in self.waiting)
                    self.waiting[envelope.id] = envelope
                except MetanodeError as error:
                    answer = Admission(None, error)
            results.append(answer)
        return results

    def pending(self, envelope_id: bytes) -> Envelope | None:
        return self.waiting.get(envelope_id)

    def next_nonce(self, account: bytes) -> int:
        assert self.head is not None
        queued = sum(envelope.sender == account for envelope in self.waiting.values())
        return self.account(self.head.state, account).nonce + queued

    # -- making a chain
    def transfer(self, nonce: int, *, body: bytes | None = None) -> bytes:
        key = self.identity.sponsor
        return build_envelope(
            chain_id=self.genesis.chain_id,
            kind=1,
            sender=key.account,
            nonce=nonce,
            fee=10_000,
            valid_until=100,
            body=body or Transfer(to=bytes(20), amount=5, memo=b"").encode(),
            public_key=key.public_key if nonce == 0 else b"",
            sign=key.sign,
            genesis_hash=self.genesis.hash,
        ).raw

    def start(self) -> None:
        state = StateMap.from_entries([(b"\x07", codec.encode([self.genesis.validators]))])
        state = state.update({b"\x01" + account: codec.encode([b, 0, b""]) for account, b in self.genesis.accounts})
        beta = leader.beta_zero(self.genesis.hash)
        self.head = Head(0, self.genesis.hash, self.genesis.genesis_ms, beta, state, None, None, self)

    def at(self, height: int) -> tuple[bytes, int] | None:
        return None

    def finalize(self, *raw: bytes) -> Head:
        """Add a block with these envelopes: every one of them succeeds and costs its fee."""
        parent = self.head
        assert parent is not None
        sender = self.identity.sponsor
        state = parent.state
        before = self.account(state, sender.account)
        spent = codec.encode([before.balance - 10_005 * len(raw), before.nonce + len(raw), sender.public_key])
        state = state.update({b"\x01" + sender.account: spent})
        events = ((1, sender.account, bytes(20), 5),)
        receipts = [Receipt(envelope_id, 0, 10_000, events).encode() for envelope_id in envelope_ids(raw)]
        members = set_hash(self.genesis.validators)
        alpha = leader.alpha(parent.beta, parent.height + 1)
        proof = ecvrf.prove(self.identity.vrf.seed, alpha)
        header = Header(
            version=1,
            chain_id=self.genesis.chain_id,
            height=parent.height + 1,
            time_ms=parent.time_ms + 1000,
            proposer_index=0,
            prev_hash=parent.header_hash,
            roots=Roots(tx_root(envelope_ids(raw)), receipts_root(receipts), state.root),
            validator_set_hash=members,
            next_validator_set_hash=members,
            params_hash=self.genesis.params_hash,
            vrf_proof=proof,
        )
        identity = header_hash(header.encode())
        digest = vote_digest(self.genesis.hash, header.height, 0, VoteType.COMMIT, identity)
        certificate = Certificate(header.height, 0, identity, b"\x01", (self.identity.consensus.sign(digest),))
        self.records.append(BlockRecord(Block.build(header.encode(), raw), identity, certificate.encode(), receipts))
        for envelope_id in envelope_ids(raw):
            self.waiting.pop(envelope_id, None)
        self.head = replace(
            parent,
            height=header.height,
            header_hash=identity,
            time_ms=header.time_ms,
            beta=ecvrf.proof_to_hash(proof),
            state=state,
            header=header,
            certificate=certificate,
        )
        return self.head


class RouteList:
    """The routes of one plugin and those a test adds."""

    def __init__(self) -> None:
        self.added: list[Route] = []

    def routes(self) -> Sequence[Route]:
        return self.added


@pytest.fixture
def identity() -> Identity:
    """Four keys that never change."""
    return Identity(*(KeyPair.from_seed(bytes([number]) * 32) for number in range(1, 5)))


@pytest.fixture
def genesis(identity: Identity) -> Genesis:
    """A devnet of one validator whose sponsor owns coins, one second old when a virtual clock starts."""
    networks = (Path(codec.__file__).parent / "data" / "networks.json").read_text()
    owner = KeyPair.from_seed(bytes([9]) * 32)
    member = Validator(owner.account, identity.consensus.public_key, identity.vrf.public_key, 1_000_000)
    accounts = ((identity.sponsor.account, 50_000_000),)
    return Genesis(
        "devnet", 31337, 1_699_999_999_000, network_params(networks, "devnet"), encode_set([member]), accounts, 0
    )


@pytest.fixture
def doubles(genesis: Genesis, identity: Identity) -> Doubles:
    """The doubles of all single roles, at genesis."""
    made = Doubles(genesis, identity)
    made.start()
    return made


@pytest.fixture
def context_of(doubles: Doubles) -> Callable[..., PluginContext]:
    """Makes the plugin's context inside a trio run; keywords are settings."""

    def make(**settings: Any) -> PluginContext:
        manifest = read_manifest(API / "plugin.toml")
        values = {name: spec.default for name, spec in manifest.settings.items()}
        roles = Roles()
        for role in ("storage", "ledger", "mempool", "consensus"):
            roles.fill(role, "double", doubles)
        return PluginContext(
            plugin="api.http",
            settings={**values, "port": 0, **settings},
            data_dir=None,
            genesis=doubles.genesis,
            identity=doubles.identity,
            roles=roles,
            clock=VirtualClock(),
            randomness=SeededRandomness(7),
            workers=InlineWorkers(),
            peers=NoPeers(),
            bus=Bus(),
            health=HealthRegistry(),
            metrics=MetricRegistry(),
            log=logging.getLogger("metanode.api.http"),
            http=RouteList(),
        )

    return make


Serve = Callable[..., Any]


@pytest.fixture
def serve(
    context_of: Callable[..., PluginContext],
    new_parser: Callable[[int], RequestParser],
    monkeypatch: pytest.MonkeyPatch,
) -> Serve:
    """Runs the plugin on a free port of loopback: `async with serve(*routes, **settings) as server`."""

    @asynccontextmanager
    async def run(*extra: Route, **settings: Any) -> AsyncIterator[Server]:
        monkeypatch.setattr(plugin, "choose_parser", lambda size: ("test", lambda: new_parser(size)))
        context = context_of(**settings)
        assert isinstance(context.http, RouteList)
        context.http.added = [*plugin.register_routes(context), *extra]
        api = plugin.register_api(context)
        async with trio.open_nursery() as nursery:
            await nursery.start(_run, api)
            yield Server(api.addresses[0], context, context.http.added)
            nursery.cancel_scope.cancel()

    async def _run(api: Any, *, task_status: trio.TaskStatus[None]) -> None:
        await api.run(task_status=task_status)

    return run

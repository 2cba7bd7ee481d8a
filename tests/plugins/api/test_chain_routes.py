"""Routes about blocks, envelopes and accounts, on a small real chain."""

from __future__ import annotations

from typing import Any

import pytest

from metanode.core.light.certificate import certify
from metanode.core.model.accounts import to_bech32m, to_rtc
from metanode.core.model.block import decode_block
from metanode.core.model.bundle import ReceiptItem, StateItem, decode_bundle
from metanode.core.model.envelope import decode_envelope
from metanode.core.model.errors import MetanodeError
from metanode.core.model.header import header_hash
from metanode.core.model.merkle import verify_path
from metanode.core.model.state_map import verify_state
from metanode.core.roles import Admission


def certified(bundle: Any, genesis: Any) -> Any:
    """The bundle's header, checked as a stranger would who knows genesis only."""
    assert bundle.genesis_hash == genesis.hash
    assert bundle.validator_set == genesis.validators
    return certify(bundle.header, bundle.certificate, bundle.validator_set, genesis.hash).header


# -- blocks


async def test_a_block_is_given_by_height_and_by_latest(serve: Any, doubles: Any) -> None:
    """Decoded, with what each envelope did."""
    first, second = doubles.transfer(0), doubles.transfer(1)
    doubles.finalize(first, second)
    doubles.finalize()
    async with serve() as server, server.connect() as client:
        block = (await client.get("/v1/blocks/1")).json
        assert block["header"]["height"] == 1
        assert block["header_hash"] == doubles.records[0].header_hash.hex()
        assert [row["id"] for row in block["envelopes"]] == [decode_envelope(raw).id.hex() for raw in (first, second)]
        assert block["envelopes"][0]["code"] == "OK"
        assert block["envelopes"][0]["fee"] == {"micro": 10_000, "coins": "0.010000"}
        latest = (await client.get("/v1/blocks/latest")).json
        assert (latest["header"]["height"], latest["envelopes"]) == (2, [])
        assert latest["header"]["prev_hash"] == block["header_hash"]


async def test_a_raw_block_is_the_bytes_that_were_certified(serve: Any, doubles: Any) -> None:
    """So a stranger can check them."""
    doubles.finalize(doubles.transfer(0))
    async with serve() as server:
        raw = (await server.get("/v1/blocks/1?raw=1")).json
    block = decode_block(bytes.fromhex(raw["block"]))
    assert header_hash(block.header).hex() == raw["header_hash"]
    assert bytes.fromhex(raw["certificate"]) == doubles.records[0].certificate
    assert [bytes.fromhex(receipt) for receipt in raw["receipts"]] == doubles.records[0].receipts


@pytest.mark.parametrize(
    ("height", "status"),
    [
        ("0", 404),
        ("2", 404),
        ("9" * 19, 404),
        ("9" * 20, 400),
        ("-1", 400),
        ("newest", 400),
        ("%D9%A1", 400),
    ],
)
async def test_a_height_without_block_is_told_the_range(serve: Any, doubles: Any, height: str, status: int) -> None:
    """Never a guess, never a 500."""
    doubles.finalize()
    async with serve() as server:
        reply = await server.get(f"/v1/blocks/{height}")
        assert reply.status == status
        if status == 404:
            assert "1 to 1" in reply.json["expected"]
        assert (await server.get("/v1/blocks/1?raw=yes")).status == 400


async def test_before_the_first_block_there_is_none(serve: Any) -> None:
    """Genesis has no header."""
    async with serve() as server:
        assert (await server.get("/v1/blocks/latest")).status == 404


# -- envelopes


async def test_an_envelope_goes_from_unknown_to_pending_to_final(serve: Any, doubles: Any) -> None:
    """And confirmations count from its own block on."""
    raw = doubles.transfer(0)
    envelope = decode_envelope(raw)
    target = f"/v1/tx/{envelope.id.hex()}"
    async with serve() as server, server.connect() as client:
        assert (await client.get(target)).json == {"ok": True, "id": envelope.id.hex(), "status": "unknown"}
        await client.post("/v1/tx", {"envelope": raw.hex()})
        pending = (await client.get(target)).json
        assert (pending["status"], pending["envelope"]["kind_name"]) == ("pending", "transfer")
        doubles.finalize(raw)
        doubles.finalize()
        final = (await client.get(target)).json
        assert (final["status"], final["height"], final["index"], final["confirmations"]) == ("final", 1, 0, 2)
        sender = doubles.identity.sponsor.account
        assert final["receipt"] == {
            "code": "OK",
            "fee": {"micro": 10_000, "coins": "0.010000"},
            "events": [[1, sender.hex(), bytes(20).hex(), 5]],
        }
        assert final["envelope"]["sender"] == to_bech32m(sender)


@pytest.mark.parametrize("shown", ["00", "zz" * 32, "00" * 33, "0" * 63, "latest", " " + "0" * 63, "+" + "0" * 63])
async def test_an_id_that_is_none_is_refused(serve: Any, shown: str) -> None:
    """It must be 64 hex digits."""
    async with serve() as server, server.connect() as client:
        for target in (f"/v1/tx/{shown.replace(' ', '%20')}", f"/v1/tx/{shown.replace(' ', '%20')}/proof"):
            reply = await client.get(target)
            assert (reply.status, reply.json["code"]) == (400, "BAD_HEX")


async def test_a_proof_convinces_a_stranger(serve: Any, doubles: Any) -> None:
    """Header by certificate, envelope and receipt by their paths."""
    raw = [doubles.transfer(nonce) for nonce in range(5)]
    doubles.finalize(*raw)
    async with serve() as server, server.connect() as client:
        for index, data in enumerate(raw):
            reply = await client.get(f"/v1/tx/{decode_envelope(data).id.hex()}/proof")
            assert reply.headers["content-type"] == "application/cbor"
            bundle = decode_bundle(reply.body)
            header = certified(bundle, doubles.genesis)
            (item,) = bundle.items
            assert isinstance(item, ReceiptItem)
            assert (item.envelope, item.index, item.count) == (data, index, 5)
            identity = decode_envelope(item.envelope).id
            assert verify_path(header.roots.tx, identity, index, 5, item.tx_path)
            assert verify_path(header.roots.receipts, item.receipt, index, 5, item.receipt_path)


async def test_there_is_no_proof_of_what_is_not_final(serve: Any, doubles: Any) -> None:
    """The refusal says whether waiting helps."""
    raw = doubles.transfer(0)
    target = f"/v1/tx/{decode_envelope(raw).id.hex()}/proof"
    async with serve() as server, server.connect() as client:
        reply = await client.get(target)
        assert (reply.status, reply.json["code"]) == (404, "NOT_FOUND")
        assert "is in no block" in reply.json["message"]
        await client.post("/v1/tx", {"envelope": raw.hex()})
        assert "still waits" in (await client.get(target)).json["message"]


# -- accounts


async def test_an_account_is_found_by_both_spellings(serve: Any, doubles: Any) -> None:
    """The nonce of the state, and the one a wallet should use next."""
    account = doubles.identity.sponsor.account
    doubles.finalize(doubles.transfer(0))
    doubles.waiting[bytes(32)] = decode_envelope(doubles.transfer(1))
    async with serve() as server, server.connect() as client:
        for spelled in (to_bech32m(account), to_rtc(account)):
            assert (await client.get(f"/v1/accounts/{spelled}")).json == {
                "ok": True,
                "account": to_bech32m(account),
                "rtc": to_rtc(account),
                "balance": {"micro": 49_989_995, "coins": "49.989995"},
                "nonce": 1,
                "next_nonce": 2,
                "public_key": doubles.identity.sponsor.public_key.hex(),
                "height": 1,
            }


async def test_an_unknown_account_has_nothing_and_a_wrong_name_is_refused(serve: Any) -> None:
    """Zero is a fact about an account; a typing mistake is none."""
    async with serve() as server, server.connect() as client:
        reply = await client.get(f"/v1/accounts/{to_bech32m(bytes(20))}")
        assert (reply.status, reply.json["balance"]["micro"], reply.json["public_key"]) == (200, 0, "")
        for wrong in (to_bech32m(bytes(20))[:-1] + "x", "RTC12", "alice", "%00", "a" * 5000):
            reply = await client.get(f"/v1/accounts/{wrong}")
            assert (reply.status, reply.json["code"]) == (400, "BAD_ADDRESS")


@pytest.mark.parametrize("known", [True, False])
async def test_an_accounts_proof_convinces_a_stranger(serve: Any, doubles: Any, known: bool) -> None:
    """Of what the state holds, or that it holds nothing."""
    account = doubles.identity.sponsor.account if known else bytes(20)
    async with serve() as server, server.connect() as client:
        early = await client.get(f"/v1/accounts/{to_bech32m(account)}?proof=1")
        assert (early.status, early.json["code"]) == (503, "NOT_READY")
        doubles.finalize(doubles.transfer(0))
        value = (await client.get(f"/v1/accounts/{to_bech32m(account)}?proof=1")).json
    bundle = decode_bundle(bytes.fromhex(value["proof"]))
    header = certified(bundle, doubles.genesis)
    (item,) = bundle.items
    assert isinstance(item, StateItem)
    assert (item.key, item.value is not None) == (b"\x01" + account, known)
    assert verify_state(header.roots.state, item.key, item.value, item.proof)


def row(number: int, sender: str | None, receiver: str) -> dict[str, Any]:
    """One row of the view."""
    return {
        "envelope_id": f"{number:064x}", "position": 0, "height": number, "kind": "transfer", "sender": sender,
        "receiver": receiver, "amount": number, "fee": 10, "code": 0,
    }  # fmt: skip


async def test_history_is_newest_first_sent_and_received_in_pages(serve: Any, doubles: Any) -> None:
    """Pages neither repeat nor leave out an entry."""
    mine, other = to_bech32m(doubles.identity.sponsor.account), to_bech32m(bytes(20))
    doubles.view = [row(n, mine, other) if n % 3 else row(n, other, mine) for n in range(1, 41)]
    doubles.view += [row(n, other, other) for n in range(41, 60)]
    doubles.view.append(row(60, None, mine))
    async with serve() as server, server.connect() as client:
        target = f"/v1/accounts/{mine}/history"
        first = (await client.get(target)).json
        assert (first["account"], first["limit"], first["offset"]) == (mine, 20, 0)
        assert [entry["height"] for entry in first["history"]] == [60, *range(40, 21, -1)]
        assert first["history"][0]["sender"] is None
        assert first["history"][1]["amount"] == {"micro": 40, "coins": "0.000040"}
        heights = []
        for offset in range(0, 50, 7):
            page = (await client.get(f"{target}?limit=7&offset={offset}")).json["history"]
            heights += [entry["height"] for entry in page]
        assert heights == [60, *range(40, 0, -1)]


@pytest.mark.parametrize(
    "query", ["limit=101", "limit=-1", "limit=ten", "offset=901", "limit=" + "9" * 400, "limit=%D9%A1"]
)
async def test_a_page_has_bounds(serve: Any, query: str) -> None:
    """A read that grows without end would be paid by everyone else."""
    async with serve() as server:
        reply = await server.get(f"/v1/accounts/{to_bech32m(bytes(20))}/history?{query}")
        assert (reply.status, reply.json["code"]) == (400, "BAD_REQUEST")


# -- submitting


async def test_an_envelope_is_accepted_once_and_known_again(serve: Any, doubles: Any) -> None:
    """202 for news, 200 for what waits already; the pool learns who sent it."""
    raw = doubles.transfer(0)
    async with serve() as server, server.connect() as client:
        reply = await client.post("/v1/tx", {"envelope": raw.hex()})
        assert reply.status == 202
        assert reply.json == {"ok": True, "id": decode_envelope(raw).id.hex(), "status": "pending"}
        assert (await client.post("/v1/tx", {"envelope": raw.hex().upper()})).status == 200
    assert doubles.sources == ["127.0.0.1", "127.0.0.1"]


async def test_a_refused_envelope_is_answered_with_the_pools_own_words(serve: Any, doubles: Any) -> None:
    """Code, status and expectation."""
    raw = doubles.transfer(0)
    doubles.answers[raw] = Admission(None, MetanodeError("RATE_LIMITED", "101 in 60 s"))
    async with serve() as server:
        reply = await server.post("/v1/tx", {"envelope": raw.hex()})
    assert (reply.status, reply.json["code"], reply.json["message"]) == (429, "RATE_LIMITED", "101 in 60 s")
    assert reply.headers["retry-after"]


async def test_a_batch_is_answered_item_by_item(serve: Any, doubles: Any) -> None:
    """In order, and with the first refusal's status; unreadable items do not reach the pool."""
    good, again = doubles.transfer(0), doubles.transfer(1)
    async with serve() as server, server.connect() as client:
        reply = await client.post("/v1/tx", {"envelopes": [good.hex(), again.hex()]})
        assert (reply.status, [row["status"] for row in reply.json["results"]]) == (202, ["pending"] * 2)
        reply = await client.post("/v1/tx", {"envelopes": [good.hex(), again.hex()]})
        assert reply.status == 200
        reply = await client.post("/v1/tx", {"envelopes": [good.hex(), "zz", None, "", "00 ", "8200", again.hex()]})
        assert (reply.status, reply.json["ok"], reply.json["code"]) == (400, False, "BAD_HEX")
        codes = [row.get("code", "pending") for row in reply.json["results"]]
        assert codes[0] == codes[6] == "pending"
        assert codes[1:5] == ["BAD_HEX", "BAD_SHAPE", "BAD_HEX", "BAD_HEX"]
        assert codes[5] != "pending"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_JSON"),
        (b"{", "BAD_JSON"),
        (b"[]", "BAD_JSON"),
        (b'"text"', "BAD_JSON"),
        (b"\xff\xfe", "BAD_JSON"),
        (b'{"envelope": "00", "envelope": "01"}', "BAD_JSON"),
        (b'{"envelope": NaN}', "BAD_JSON"),
        (b'{"envelope": 1e999}', "BAD_JSON"),
        (b'{"envelope": ' + b"1" * 100_000 + b"}", "BAD_JSON"),
        (b'{"envelopes": ' + b"[" * 200_000, "BAD_JSON"),
        (b"{}", "BAD_SHAPE"),
        (b'{"envelope": null}', "BAD_SHAPE"),
        (b'{"envelope": ["00"]}', "BAD_SHAPE"),
        (b'{"envelope": "00", "extra": "1"}', "BAD_SHAPE"),
        (b'{"envelope": "00", "envelopes": []}', "BAD_SHAPE"),
        (b'{"envelopes": []}', "BAD_SHAPE"),
        (b'{"envelopes": {}}', "BAD_SHAPE"),
        (b'{"envelopes": [' + b'"00",' * 100 + b'"00"]}', "BAD_SHAPE"),
        (b'{"envelope": "0"}', "BAD_HEX"),
        (b'{"envelope": "\\ud800"}', "BAD_HEX"),
        (b'{"envelope": "' + b"00" * 65_537 + b'"}', "TOO_LARGE"),
        (b'{"envelope": "a0"}', "BAD_SHAPE"),
        (b'{"' + b"k" * 50_000 + b'": "1"}', "BAD_SHAPE"),
    ],
)
async def test_a_body_that_is_none_is_refused_in_one_short_line(serve: Any, body: bytes, code: str) -> None:
    """Whatever it holds."""
    async with serve() as server, server.connect() as client:
        reply = await client.request("POST", "/v1/tx", body)
        assert reply.json["code"] == code
        assert reply.status in (400, 413)
        assert len(reply.body) < 600

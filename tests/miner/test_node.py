"""What a miner believes of a node: what it signed, on the chain known, in a shape that can be used."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from metanode.core.light.http_client import Reply
from metanode.core.model.errors import ERROR_CODES, MetanodeError
from metanode.core.model.hashing import H
from metanode.miner.node import PASSING, Node, fetch_genesis

MACHINE_KEY = b"\x05" * 32


def refused(act: Any) -> MetanodeError:
    """The refusal that `act` ends with."""
    with pytest.raises(MetanodeError) as caught:
        act()
    return caught.value


def test_the_first_signed_reply_shows_whose_node_it_is(node: Any, genesis: Any) -> None:
    """Trust on first use; every later reply must carry the same key."""
    asked = Node(node, genesis, None)
    asked.challenge(MACHINE_KEY)
    assert asked.node_key == node.key.public_key
    node.key = type(node)(genesis, seed=8).key
    error = refused(lambda: asked.challenge(MACHINE_KEY))
    assert error.code == "BAD_REPLY"
    assert "as before" in error.message


def test_an_unsigned_reply_is_refused(node: Any, genesis: Any) -> None:
    """Whoever stands between could have written it."""
    node.signed = False
    assert refused(lambda: Node(node, genesis, None).challenge(MACHINE_KEY)).code == "BAD_REPLY"


def test_a_reply_signed_for_another_chain_is_refused(node: Any, genesis: Any) -> None:
    """The signature covers the genesis hash."""
    other = replace(genesis, genesis_ms=genesis.genesis_ms + 1)
    assert refused(lambda: Node(node, other, None).challenge(MACHINE_KEY)).code == "BAD_REPLY"


def test_a_refusal_keeps_the_nodes_code_and_words(node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner reads what the node said."""
    body = b'{"ok":false,"code":"SPONSOR_CAP","message":"sponsor mn1x registered 100","expected":"the next epoch"}'
    monkeypatch.setattr(node, "post", lambda path, value: Reply(429, {}, body))  # passing: it need not be signed
    error = refused(lambda: Node(node, genesis, None).submit("commit", b"\0" * 32))
    assert (error.code, error.message, error.expected) == (
        "SPONSOR_CAP",
        "sponsor mn1x registered 100",
        "the next epoch",
    )


def test_a_refusal_that_the_node_signed_is_its_word(node: Any, genesis: Any) -> None:
    """With the node's own code, message and expectation."""
    node.fail("envelope", "CHALLENGE_LATE")
    error = refused(lambda: Node(node, genesis, node.key.public_key).submit("envelope", b"x"))
    assert (error.code, error.message) == ("CHALLENGE_LATE", "scripted CHALLENGE_LATE")


def test_a_refusal_that_the_node_did_not_sign_is_no_refusal(node: Any, genesis: Any) -> None:
    """A stranger in between could else make a miner throw away what it measured: it passes for an absent node."""
    known = node.key.public_key
    node.signed = False
    node.fail("envelope", "CHALLENGE_LATE")
    error = refused(lambda: Node(node, genesis, known).submit("envelope", b"x"))
    assert error.code in PASSING
    assert "CHALLENGE_LATE" in error.message
    node.signed, node.key = True, type(node)(genesis, seed=8).key
    node.fail("envelope", "CHALLENGE_LATE")
    assert refused(lambda: Node(node, genesis, known).submit("envelope", b"x")).code in PASSING


@pytest.mark.parametrize("code", ["TIMEOUT", "REQUEST_TIMEOUT", "TOO_MANY_CONNECTIONS", "NOT_READY"])
def test_what_a_node_cannot_sign_passes(node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """A node that has no time, or read no whole request, says so unsigned."""
    body = json.dumps(MetanodeError(code, "later").reply()).encode()
    answer = Reply(ERROR_CODES[code].status, {"content-type": "application/json"}, body)
    monkeypatch.setattr(node, "post", lambda path, value: answer)
    assert refused(lambda: Node(node, genesis, node.key.public_key).submit("commit", b"x")).code == code


def test_no_two_requests_for_a_challenge_are_alike(node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the answer to an old one, however well signed, answers no later one."""
    asked = Node(node, genesis, None)
    asked.challenge(MACHINE_KEY)
    asked.challenge(MACHINE_KEY)
    (_, first), (_, second) = node.sent[-2:]
    assert len(json.loads(first)["nonce"]) == 32
    assert first != second
    old = node._reply({})
    node.sent.append(("POST /v1/attest/challenge", b"{}"))
    monkeypatch.setattr(node, "post", lambda path, value: replace(old, request=json.dumps(value).encode()))
    assert refused(lambda: asked.challenge(MACHINE_KEY)).code == "BAD_REPLY"


def test_an_answer_for_another_attestation_is_refused(node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of weight and interval would be told of the wrong one, and the right one forgotten."""
    answer = {
        "status": "pending", "id": H("tx", b"x").hex(), "counted": True, "interval": 1, "epoch": 1, "weight": 1,
        "class": "retro", "checks": [],
    }  # fmt: skip
    monkeypatch.setattr(node, "post", lambda path, value: node._reply(answer))
    assert Node(node, genesis, None).submit("envelope", b"x") == answer
    error = refused(lambda: Node(node, genesis, None).submit("envelope", b"y"))
    assert error.code == "BAD_REPLY"
    assert "another attestation" in error.message


@pytest.mark.parametrize("key", ["challenge", "header_hash", "height", "time_ms", "registered"])
@pytest.mark.parametrize("bad", [None, 1.5, []])
def test_a_challenge_without_a_usable_field_is_one_clear_error(node: Any, genesis: Any, key: str, bad: object) -> None:
    """A node of another version ends in words, never in a traceback."""
    node.bend = lambda value: {**value, key: bad}
    error = refused(lambda: Node(node, genesis, None).challenge(MACHINE_KEY))
    assert error.code == "BAD_REPLY"
    assert key in error.message


def test_a_registered_machine_has_an_owner(node: Any, genesis: Any) -> None:
    """A record always pays somebody."""
    node.bend = lambda value: {**value, "registered": True}
    assert "owner" in refused(lambda: Node(node, genesis, None).challenge(MACHINE_KEY)).message


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "pending"},
        {"status": "pending", "id": "ab", "counted": 1, "interval": 3},
        {"status": "pending", "id": "a", "counted": True, "interval": 0, "epoch": 0, "weight": 1, "class": "x",
         "checks": [{"name": "keyed"}]},
        ["not", "an", "object"],
    ],
)  # fmt: skip
def test_an_answer_to_an_attestation_must_say_what_came_of_it(
    node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch, reply: object
) -> None:
    """Interval, epoch, weight, class and verdicts."""
    monkeypatch.setattr(node, "post", lambda path, value: node._reply(reply))
    assert refused(lambda: Node(node, genesis, None).submit("envelope", b"x")).code == "BAD_REPLY"


def test_a_final_commit_needs_no_id(node: Any, genesis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its block may be pruned; there is nothing to wait for."""
    monkeypatch.setattr(node, "post", lambda path, value: node._reply({"status": "final", "id": None}))
    assert Node(node, genesis, None).submit("commit", b"x")["status"] == "final"
    monkeypatch.setattr(node, "post", lambda path, value: node._reply({"status": "pending", "id": None}))
    assert refused(lambda: Node(node, genesis, None).submit("commit", b"x")).code == "BAD_REPLY"


def test_the_genesis_of_a_first_contact_is_taken(node: Any, genesis: Any) -> None:
    """And of every later one if it is the same."""
    assert fetch_genesis(node, "").hash == genesis.hash
    assert fetch_genesis(node, genesis.hash.hex()).hash == genesis.hash


def test_another_chain_is_refused_with_both_named(node: Any, genesis: Any) -> None:
    """A miner's record and queue belong to one chain."""
    error = refused(lambda: fetch_genesis(node, "ab" * 32))
    assert error.code == "WRONG_CHAIN"
    assert genesis.hash.hex()[:16] in error.message
    assert "abababab" in error.message


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"genesis": 5}', b'{"genesis": {"chain_name": "x"}}'])
def test_what_is_no_genesis_is_a_bad_reply(node: Any, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Whatever else may listen on that port."""
    monkeypatch.setattr(node, "get", lambda path: Reply(200, {}, body))
    assert refused(lambda: fetch_genesis(node, "")).code == "BAD_REPLY"


def test_passing_codes_are_those_that_time_may_cure() -> None:
    """All exist; none says that what was sent is wrong or that the other side is a stranger."""
    assert set(ERROR_CODES) >= PASSING
    assert {"BAD_REPLY", "WRONG_CHAIN", "INVALID_SIGNATURE", "CHALLENGE_LATE", "BAD_SETTING"}.isdisjoint(PASSING)
    assert all(ERROR_CODES[code].status in (408, 429, 500, 503, 504) for code in PASSING)

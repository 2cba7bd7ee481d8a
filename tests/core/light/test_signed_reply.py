"""A node's signature over its reply: the exact bytes, this chain, the key first seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.crypto.keys import KeyPair
from metanode.core.light.http_client import Reply
from metanode.core.light.signed_reply import NODE_HEADER, SIGNATURE_HEADER, check_signed, reply_digest
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H

GENESIS = b"\x11" * 32
BODY = b'{"ok":true}'
TARGET, REQUEST = "POST /v1/attest/submit", b'{"commit":"00"}'
KEY, OTHER = KeyPair.from_seed(b"\x01" * 32), KeyPair.from_seed(b"\x02" * 32)


def reply(key: KeyPair = KEY, body: bytes = BODY, *, node: str | None = None, signature: str | None = None) -> Reply:
    """A signed reply; `node` and `signature` replace its headers, "-" leaves one out."""
    signed = key.sign(reply_digest(GENESIS, TARGET, REQUEST, BODY)).hex()
    table = {
        NODE_HEADER: key.public_key.hex() if node is None else node,
        SIGNATURE_HEADER: signed if signature is None else signature,
    }
    headers = {name: value for name, value in table.items() if value != "-"}
    return Reply(200, headers, body, target=TARGET, request=REQUEST)


def refusal(given: Reply, genesis: bytes = GENESIS, node_key: bytes | None = None) -> str:
    """What is wrong with a reply."""
    with pytest.raises(MetanodeError) as caught:
        check_signed(given, genesis, node_key)
    assert caught.value.code == "BAD_REPLY"
    return caught.value.message


def test_the_signed_digest_is_as_published() -> None:
    """docs/wire_format.md: genesis hash, request with its lengths, body, so that other clients can check it too."""
    asked = b"\0\0\0\x16" + TARGET.encode() + b"\0\0\0\x0f" + REQUEST
    assert reply_digest(GENESIS, TARGET, REQUEST, BODY) == H("attest", GENESIS + asked + BODY)


def test_a_signed_reply_names_its_node() -> None:
    """On first contact any key is taken, later only the same one."""
    assert check_signed(reply(), GENESIS, None) == KEY.public_key
    assert check_signed(reply(), GENESIS, KEY.public_key) == KEY.public_key


def test_another_nodes_reply_is_refused_with_both_keys_named() -> None:
    """However well it is signed; and the cure is told."""
    message = refusal(reply(OTHER), node_key=KEY.public_key)
    assert OTHER.public_key.hex()[:16] in message
    assert KEY.public_key.hex()[:16] in message


def test_a_key_that_did_not_sign_is_refused() -> None:
    """A name alone is no signature."""
    assert "does not verify" in refusal(reply(OTHER, node=KEY.public_key.hex()))


@pytest.mark.parametrize("at", range(0, len(BODY), 3))
def test_every_byte_of_the_body_counts(at: int) -> None:
    """The signature is over the bytes received, not over what they mean."""
    changed = bytearray(BODY)
    changed[at] ^= 1
    assert "does not verify" in refusal(reply(body=bytes(changed)))
    assert "does not verify" in refusal(reply(body=BODY + b" "))


@pytest.mark.parametrize(
    "other",
    [
        {"request": b'{"commit":"01"}'},
        {"target": "POST /v1/attest/challenge"},
        {"target": TARGET[:-1], "request": b"t" + REQUEST},
        {"request": REQUEST + BODY[:1], "body": BODY[1:]},
        {"target": "", "request": b""},
    ],
)
def test_an_answer_kept_from_another_request_is_refused(other: dict[str, str | bytes]) -> None:
    """Whoever stands between cannot give yesterday's answer to today's question, nor move the seams."""
    assert "does not verify" in refusal(replace(reply(), **other))  # type: ignore[arg-type]


def test_a_reply_of_another_chain_is_refused() -> None:
    """The same node on another chain signs other digests."""
    assert "does not verify" in refusal(reply(), genesis=b"\x12" * 32)


@pytest.mark.parametrize(
    ("node", "signature"),
    [
        ("-", None),
        (None, "-"),
        ("", None),
        ("zz" * 32, None),
        ("11" * 31, None),
        (None, "11" * 63),
        (None, "11" * 65),
        (None, "ü"),
    ],
)
def test_a_reply_without_usable_headers_is_refused(node: str | None, signature: str | None) -> None:
    """Missing, not hexadecimal, or of another length."""
    assert "signature" in refusal(reply(node=node, signature=signature))

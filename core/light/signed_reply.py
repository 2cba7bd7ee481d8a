"""Replies to miners carry the node's signature over their exact bytes and over what was asked.

`metanode-node` names the node's key, `metanode-signature` is Ed25519 over `reply_digest`.  A miner
remembers the key it first saw and refuses another.  The request is part of what is signed, so that an
answer to one request, kept by whoever stands between, answers no other.
"""

from __future__ import annotations

import struct

from metanode.core.light.http_client import Reply
from metanode.core.model import ed25519
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H

NODE_HEADER = "metanode-node"
SIGNATURE_HEADER = "metanode-signature"


def reply_digest(genesis_hash: bytes, target: str, request: bytes, body: bytes) -> bytes:
    """Return the 32 bytes a node signs for a reply.

    :param target: method and request target as the request line has them, such as `POST /v1/attest/submit`.
    :param request: the exact body of the request.
    :param body: the exact body of the reply.
    """
    parts = (target.encode("ascii"), request)
    return H("attest", genesis_hash + b"".join(struct.pack(">I", len(part)) + part for part in parts) + body)


def check_signed(reply: Reply, genesis_hash: bytes, node_key: bytes | None) -> bytes:
    """Return the key of the node that signed this reply to this request.

    :param node_key: the key it must be, None to accept any.
    :raises MetanodeError: BAD_REPLY when the signature is missing, wrong, of another request, or another node's.
    """
    try:
        key = bytes.fromhex(reply.headers.get(NODE_HEADER, ""))
        signature = bytes.fromhex(reply.headers.get(SIGNATURE_HEADER, ""))
    except ValueError as error:
        raise MetanodeError("BAD_REPLY", "the reply's signature headers are not hexadecimal") from error
    if len(key) != 32 or len(signature) != 64:
        raise MetanodeError("BAD_REPLY", "the reply carries no node signature")
    if node_key is not None and key != node_key:
        raise MetanodeError(
            "BAD_REPLY",
            f"the reply is signed by node {key.hex()[:16]}..., not by {node_key.hex()[:16]}... as before",
            "the same node, or remove the remembered node key from the miner's state file",
        )
    if not ed25519.verify(key, reply_digest(genesis_hash, reply.target, reply.request, reply.body), signature):
        raise MetanodeError("BAD_REPLY", "the node's signature over its reply does not verify")
    return key

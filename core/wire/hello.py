"""The signed hello: how two nodes learn who is at the other end of a channel, before anything else.

Order (protocol.md section 7): the initiator's nonce; the responder's hello, which carries its
nonce; the initiator's hello.  Each hello covers both nonces and the channel's binding, a value
that only the two ends of this very channel share, so a hello cannot be replayed on another
channel or passed on by someone in between.

A message is CBOR [hello, signature]; hello is map {0 version, 1 side, 2 initiator nonce,
3 responder nonce, 4 roles, 5 cluster, 6 agent, 7 transport, 8 channel binding, 9 node key};
the signature is over H(hello, genesis_hash || hello) by the node key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from metanode.core.model import ed25519
from metanode.core.model.codec import decode, encode, expect_bytes, expect_list, expect_map, expect_text, expect_uint
from metanode.core.model.errors import MetanodeError, PeerError
from metanode.core.model.hashing import H
from metanode.core.model.limits import PUBLIC_KEY_BYTES

VERSION = 1
NONCE_BYTES = 32
BINDING_BYTES = 32
CLUSTER_BYTES = 16
SIGNATURE_BYTES = 64
HELLO_BYTES_MAX = 2048
"""Largest hello message, bytes."""
ROLES_MAX = 16
"""Roles one node may name."""
NAME_CHARS_MAX = 64
"""Longest role, agent or transport name."""


class Side(IntEnum):
    """Who opened the channel."""

    INITIATOR = 0
    RESPONDER = 1


@dataclass(frozen=True)
class Introduction:
    """What a node says of itself on every channel of one transport."""

    node_key: bytes
    sign: Callable[[bytes], bytes]
    """Signs a 32-byte digest with the node key."""
    genesis_hash: bytes
    roles: tuple[str, ...]
    cluster: bytes
    agent: str
    transport: str


@dataclass(frozen=True)
class Peer:
    """Who the other end has proved to be, and what it says of itself."""

    node_key: bytes
    roles: tuple[str, ...]
    cluster: bytes
    agent: str


class Handshake:
    """One side of one exchange.  The initiator sends `first()`; then each side answers what
    `receive` returns.  `peer` is set once the other end has proved who it is.

    :param binding: 32 bytes that only the two ends of this channel know to be its own.
    :param nonce: 32 fresh random bytes.
    :param expected_peer: the node key that must be at the other end, when it is known.
    """

    def __init__(
        self, side: Side, me: Introduction, *, binding: bytes, nonce: bytes, expected_peer: bytes | None = None
    ) -> None:
        if len(binding) != BINDING_BYTES or len(nonce) != NONCE_BYTES or len(me.cluster) != CLUSTER_BYTES:
            raise ValueError("binding and nonce take 32 bytes, a cluster id 16")
        self._side = side
        self._me = me
        self._binding = binding
        self._nonces = {side: nonce}
        self._expected_peer = expected_peer
        self.peer: Peer | None = None

    def first(self) -> bytes:
        """Return the initiator's first message, its nonce."""
        assert self._side is Side.INITIATOR, "the responder waits"
        return self._nonces[Side.INITIATOR]

    def receive(self, message: bytes) -> bytes | None:
        """Take the other side's next message; return what to answer, None when there is nothing to say.

        :raises PeerError: BAD_HELLO, INVALID_SIGNATURE, WRONG_CHAIN, CHANNEL_MISMATCH or WRONG_PEER;
            close the channel and say nothing.
        """
        if self.peer is not None:
            raise PeerError("BAD_HELLO", "a message after the last hello")
        if self._side is Side.RESPONDER and Side.INITIATOR not in self._nonces:
            if len(message) != NONCE_BYTES:
                size = len(message)
                raise PeerError("BAD_HELLO", f"a first message of {size} bytes", f"a nonce of {NONCE_BYTES} bytes")
            self._nonces[Side.INITIATOR] = message
            return self._hello()
        self.peer = self._check(message)
        return self._hello() if self._side is Side.INITIATOR else None

    def _hello(self) -> bytes:
        me = self._me
        hello = encode({
            0: VERSION,
            1: int(self._side),
            2: self._nonces[Side.INITIATOR],
            3: self._nonces[Side.RESPONDER],
            4: list(me.roles),
            5: me.cluster,
            6: me.agent,
            7: me.transport,
            8: self._binding,
            9: me.node_key,
        })
        return encode([hello, me.sign(H("hello", me.genesis_hash + hello))])

    def _check(self, message: bytes) -> Peer:
        try:
            signed, signature = expect_list(decode(message, bytes_max=HELLO_BYTES_MAX), "hello message", size=2)
            hello = expect_bytes(signed, "hello")
            entries = expect_map(decode(hello, bytes_max=HELLO_BYTES_MAX), range(10), "hello")
            expect_uint(entries[0], "hello version", minimum=VERSION, maximum=VERSION)
            side = expect_uint(entries[1], "hello side", maximum=1)
            initiator_nonce = expect_bytes(entries[2], "initiator nonce", size=NONCE_BYTES)
            responder_nonce = expect_bytes(entries[3], "responder nonce", size=NONCE_BYTES)
            roles = expect_list(entries[4], "roles", maximum=ROLES_MAX)
            peer = Peer(
                node_key=expect_bytes(entries[9], "node key", size=PUBLIC_KEY_BYTES),
                roles=tuple(expect_text(role, "role", maximum=NAME_CHARS_MAX) for role in roles),
                cluster=expect_bytes(entries[5], "cluster", size=CLUSTER_BYTES),
                agent=expect_text(entries[6], "agent", maximum=NAME_CHARS_MAX),
            )
            transport = expect_text(entries[7], "transport", maximum=NAME_CHARS_MAX)
            binding = expect_bytes(entries[8], "channel binding", size=BINDING_BYTES)
            proof = expect_bytes(signature, "signature", size=SIGNATURE_BYTES)
        except MetanodeError as error:
            raise PeerError("BAD_HELLO", error.message, error.expected) from error
        other = Side.RESPONDER if self._side is Side.INITIATOR else Side.INITIATOR
        if side != other:
            raise PeerError("BAD_HELLO", f"a hello of side {side}", f"side {int(other)}")
        if initiator_nonce != self._nonces[Side.INITIATOR]:
            raise PeerError("BAD_HELLO", "a hello for another initiator nonce", "the nonce of this exchange")
        if responder_nonce != self._nonces.setdefault(Side.RESPONDER, responder_nonce):
            raise PeerError("BAD_HELLO", "a hello for another responder nonce", "the nonce of this exchange")
        # The chain's own genesis hash goes under the signature: a node of another chain cannot verify.
        if not ed25519.verify(peer.node_key, H("hello", self._me.genesis_hash + hello), proof):
            raise PeerError("INVALID_SIGNATURE", "a hello that its node key did not sign for this chain")
        if binding != self._binding:
            raise PeerError("CHANNEL_MISMATCH", f"a hello of {peer.node_key.hex()} for another channel")
        if transport != self._me.transport:
            raise PeerError("BAD_HELLO", f"a hello for transport {transport!r}", f"{self._me.transport!r}")
        if self._expected_peer is not None and peer.node_key != self._expected_peer:
            raise PeerError("WRONG_PEER", f"node {peer.node_key.hex()} answers", f"node {self._expected_peer.hex()}")
        return peer

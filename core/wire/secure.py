"""A whole encrypted connection, sans-IO: preamble, Noise handshake, hello, then messages in lanes.

On the wire: the initiator sends 4 bytes `mn`, version 1 and the pattern (0 XX, 1 IK).  Everything after that, in
both directions, is records: u16 big-endian length and one Noise message.  The handshake's messages come first; the
records after it hold a stream of frames.  Frames of lane 0 and channel LINK_CHANNEL are the connection's own: the
hello, then keep-alives and the reason for a close.

The prologue is "metanode/v1" || genesis_hash, so nodes of two chains never agree on a key.  The static keys are the
node keys in Montgomery form (`core.crypto.channel`), and the hello must be signed by the node key of that very form.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum

from metanode.core.crypto.channel import TAG_BYTES, ChannelCrypto
from metanode.core.model.edwards25519 import P
from metanode.core.model.errors import PeerError
from metanode.core.model.limits import PUBLIC_KEY_BYTES
from metanode.core.wire.frames import CHANNEL_MAX, HEADER_BYTES, FrameDecoder, Lane
from metanode.core.wire.hello import BINDING_BYTES, HELLO_BYTES_MAX, Handshake, Introduction, Peer, Side
from metanode.core.wire.lanes import PIECE_BYTES_MAX, Inbox, Outbox
from metanode.core.wire.noise import MESSAGE_BYTES_MAX, CipherState, NoiseHandshake, Pattern

PROLOGUE = b"metanode/v1"
LINK_CHANNEL = CHANNEL_MAX
"""Channel of the connection's own frames, on lane 0."""
HANDSHAKE_MESSAGE_BYTES_MAX = 128
"""Longest handshake message: XX's second and IK's first have 96 bytes."""
HELLO_RECORD_BYTES_MAX = HELLO_BYTES_MAX + HEADER_BYTES + TAG_BYTES
"""Longest record before both ends are known."""
RECORD_FILL_BYTES = 16 * 1024
"""No further frame goes into a record that is this full."""
assert RECORD_FILL_BYTES + HEADER_BYTES + PIECE_BYTES_MAX + TAG_BYTES <= MESSAGE_BYTES_MAX

_PREAMBLE = b"mn\x01"
_PATTERNS = (Pattern.XX, Pattern.IK)
_LENGTH_BYTES = 2
_Y_MASK = 2**255 - 1
"""The last bit of a key is the sign of x (RFC 8032 section 5.1.2)."""


class Phase(IntEnum):
    """How far a connection has come."""

    HANDSHAKE = 0
    HELLO = 1
    OPEN = 2


class CloseReason(IntEnum):
    """Why an end closes; told to the other end where it can still be."""

    DONE = 0
    NOT_ALLOWED = 1
    DUPLICATE = 2
    FULL = 3
    FAULT = 4


REASONS: dict[CloseReason, str] = {
    CloseReason.DONE: "it stops, or has no more use for the connection",
    CloseReason.NOT_ALLOWED: "this node's key is not on its allow-list",
    CloseReason.DUPLICATE: "the two nodes have another connection already",
    CloseReason.FULL: "it holds as many connections as it may",
    CloseReason.FAULT: "this node broke the rules of the connection",
}
"""Each reason in words, as the end that is told reads them."""

_KEEP_ALIVE = b"\x00"
_CLOSE = 1


class SecureLink:
    """One end of a connection.  The caller moves bytes: `first`, `receive`, `record`.

    :param secret: our X25519 secret, `ChannelCrypto.secret_of_seed` of the node key.
    :param ephemeral: 32 fresh random bytes.
    :param nonce: 32 other fresh random bytes.
    :param public: the public key of `secret`; computed for each connection when it is left out.
    :param expected_peer: the initiator's only: the node key that must answer; with it the pattern is IK, else XX.
    """

    def __init__(
        self,
        side: Side,
        me: Introduction,
        crypto: ChannelCrypto,
        *,
        secret: bytes,
        ephemeral: bytes,
        nonce: bytes,
        public: bytes | None = None,
        expected_peer: bytes | None = None,
    ) -> None:
        self._side, self._me, self._crypto = side, me, crypto
        self._secret, self._public, self._ephemeral, self._nonce = secret, public, ephemeral, nonce
        self._expected_peer = expected_peer
        self._noise: NoiseHandshake | None = None
        self._hello: Handshake | None = None
        self._sealing: CipherState | None = None
        self._opening: CipherState | None = None
        self._buffer = bytearray()
        self._decoder = FrameDecoder()
        self._inbox = Inbox()
        self.phase = Phase.HANDSHAKE
        self.peer: Peer | None = None
        """Who is at the other end, once the phase is OPEN."""
        self.outbox = Outbox()
        """What we send; the caller's from the phase OPEN on."""
        self.messages: deque[tuple[Lane, bytes]] = deque()
        """What was received, each message whole."""
        self.closed_by_peer: CloseReason | None = None
        """The reason the other end gave; nothing comes after it."""

    def first(self) -> bytes:
        """Return the initiator's first bytes."""
        pattern = Pattern.XX if self._expected_peer is None else Pattern.IK
        known = None if self._expected_peer is None else self._crypto.public_of_node_key(self._expected_peer)
        self._noise = self._handshake(pattern, known)
        return _PREAMBLE + bytes([_PATTERNS.index(pattern)]) + _framed(self._noise.write())

    def receive(self, data: bytes) -> bytes:
        """Take what arrived, in pieces of any size; return what must be sent now, often b"".

        :raises PeerError: the other end is not who it must be, or breaks the rules: close the connection.
        """
        self._buffer += data
        answers: list[bytes] = []
        if self._noise is None and not self._begin():
            return b""
        while self.closed_by_peer is None and len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            self._check_length(end - _LENGTH_BYTES)
            if len(self._buffer) < end:
                break
            record = bytes(self._buffer[_LENGTH_BYTES:end])
            del self._buffer[:end]
            if self.phase is Phase.OPEN:
                self._read_frames(record)
                continue
            if self.phase is Phase.HANDSHAKE:
                answers.append(self._shake_hands(record))
            else:
                self._read_frames(record)
            answers.append(self.record())
        return b"".join(answers)

    def record(self) -> bytes:
        """Return the next record of what waits in `outbox`; b"" when nothing does."""
        frames = self.outbox.take(RECORD_FILL_BYTES)
        if not frames:
            return b""
        assert self._sealing is not None, "the handshake is not over"
        return _framed(self._sealing.seal(b"", frames))

    def keep_alive(self) -> None:
        """Queue a frame that says only that this end is there."""
        self.outbox.put(Lane.CONTROL, _KEEP_ALIVE, channel=LINK_CHANNEL)

    def say_goodbye(self, reason: CloseReason) -> None:
        """Queue the reason for a close.  The caller lets the other lanes run empty first: control overtakes them."""
        self.outbox.put(Lane.CONTROL, bytes([_CLOSE, reason]), channel=LINK_CHANNEL)

    def _begin(self) -> bool:
        """Read the initiator's preamble; False while it is not complete."""
        size = len(_PREAMBLE) + 1
        known = min(len(self._buffer), len(_PREAMBLE))
        if self._buffer[:known] != _PREAMBLE[:known]:
            raise PeerError("HANDSHAKE_FAILED", "the first bytes are not metanode's", "a node that speaks noise")
        if len(self._buffer) < size:
            return False
        number = self._buffer[len(_PREAMBLE)]
        if number >= len(_PATTERNS):
            raise PeerError("HANDSHAKE_FAILED", f"handshake pattern {number}", f"0 to {len(_PATTERNS) - 1}")
        del self._buffer[:size]
        self._noise = self._handshake(_PATTERNS[number], None)
        return True

    def _handshake(self, pattern: Pattern, remote_static: bytes | None) -> NoiseHandshake:
        return NoiseHandshake(
            pattern,
            self._side,
            self._crypto,
            prologue=PROLOGUE + self._me.genesis_hash,
            static=self._secret,
            static_public=self._public,
            ephemeral=self._ephemeral,
            remote_static=remote_static,
        )

    def _check_length(self, length: int) -> None:
        limits = {Phase.HANDSHAKE: HANDSHAKE_MESSAGE_BYTES_MAX, Phase.HELLO: HELLO_RECORD_BYTES_MAX}
        limit = limits.get(self.phase, MESSAGE_BYTES_MAX)
        if length > limit:
            code = "HANDSHAKE_FAILED" if self.phase is Phase.HANDSHAKE else "BAD_HELLO"
            raise PeerError(code, f"a record of {length} bytes before the hello", f"at most {limit} bytes")

    def _shake_hands(self, message: bytes) -> bytes:
        noise = self._noise
        assert noise is not None, "begun by the first bytes"
        noise.read(message)
        answer = _framed(noise.write()) if noise.writes_next else b""
        if noise.finished:
            self._sealing, self._opening = noise.split()
            self._hello = Handshake(
                self._side,
                self._me,
                binding=noise.handshake_hash[:BINDING_BYTES],
                nonce=self._nonce,
                expected_peer=self._expected_peer,
            )
            self.phase = Phase.HELLO
            if self._side is Side.INITIATOR:
                self.outbox.put(Lane.CONTROL, self._hello.first(), channel=LINK_CHANNEL)
        return answer

    def _read_frames(self, record: bytes) -> None:
        assert self._opening is not None, "the handshake is over"
        self._decoder.receive_bytes(self._opening.open(b"", record))
        for frame in self._decoder.frames():
            whole = self._inbox.add(frame)
            if whole is None:
                continue
            lane, channel, message = whole
            if self.phase is Phase.HELLO:
                self._read_hello(lane, channel, message)
            elif lane is Lane.CONTROL and channel == LINK_CHANNEL:
                if self._read_own(message):
                    return
            else:
                self.messages.append((lane, message))

    def _read_hello(self, lane: Lane, channel: int, message: bytes) -> None:
        hello = self._hello
        assert hello is not None, "made when the handshake was over"
        assert self._noise is not None
        if lane is not Lane.CONTROL or channel != LINK_CHANNEL:
            raise PeerError("BAD_HELLO", f"a frame of lane {lane} and channel {channel} before the hello")
        answer = hello.receive(message)
        if hello.peer is not None:
            if not is_channel_key(hello.peer.node_key, self._noise.remote_static or b""):
                text = f"node {hello.peer.node_key.hex()} says hello on a channel of another key"
                raise PeerError("WRONG_PEER", text, "the node whose key made the channel")
            self.peer = hello.peer
        if answer is not None:
            self.outbox.put(Lane.CONTROL, answer, channel=LINK_CHANNEL)
        if self.peer is not None:
            self.phase = Phase.OPEN

    def _read_own(self, message: bytes) -> bool:
        """Take one of the connection's own messages; True for the last."""
        if message == _KEEP_ALIVE:
            return False
        if len(message) != 2 or message[0] != _CLOSE or message[1] > max(CloseReason):
            raise PeerError("BAD_FRAME", f"a message of {len(message)} bytes that no connection sends of its own")
        self.closed_by_peer = CloseReason(message[1])
        return True


def is_channel_key(node_key: bytes, channel_key: bytes) -> bool:
    """Whether an X25519 key is this Ed25519 key in Montgomery form, u = (1 + y) / (1 - y) (RFC 7748 section 4.1).

    For a key whose signature has verified: converting it would check the point once more, for 40 us.
    """
    y = int.from_bytes(node_key, "little") & _Y_MASK
    u = int.from_bytes(channel_key, "little")
    return len(channel_key) == PUBLIC_KEY_BYTES and u < P and (u * (1 - y) - (1 + y)) % P == 0


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message

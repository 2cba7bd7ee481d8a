"""What a node says of itself on the control lane: nothing rests on it but an explanation, so it is not signed.

    [1, name, consensus key, height, round, cause, words, clock ms, well, [node keys it is joined to]]
"""

from __future__ import annotations

from dataclasses import dataclass, field

from metanode.core.model import codec
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import PUBLIC_KEY_BYTES, UINT_MAX

VERSION = 1
NAME_BYTES_MAX = 64
"""Longest name of a node in a report, bytes."""
CAUSE_BYTES_MAX = 64
"""Longest cause in a report, bytes."""
WORDS_BYTES_MAX = 512
"""Longest words of a report, bytes."""
PEERS_MAX = 256
"""Most peers that a report names."""
REPORT_BYTES_MAX = 64 + NAME_BYTES_MAX + CAUSE_BYTES_MAX + WORDS_BYTES_MAX + PEERS_MAX * (PUBLIC_KEY_BYTES + 2)
"""Largest report that is read, bytes."""


@dataclass(frozen=True)
class Report:
    """One node at one moment."""

    name: str
    consensus_key: bytes
    height: int
    round: int
    cause: str
    """Its engine's stable name for what it waits for."""
    words: str
    clock_ms: int
    well: bool
    """Every part of it reports that it works."""
    peers: tuple[bytes, ...] = field(repr=False)

    def encode(self) -> bytes:
        """Return the message; what is too long for it is cut."""
        texts = [_cut(self.name, NAME_BYTES_MAX), _cut(self.cause, CAUSE_BYTES_MAX), _cut(self.words, WORDS_BYTES_MAX)]
        return codec.encode([
            VERSION, texts[0], self.consensus_key, self.height, self.round, texts[1], texts[2], self.clock_ms,
            int(self.well), list(self.peers[:PEERS_MAX]),
        ])  # fmt: skip


def decode_report(data: bytes) -> Report:
    """Read a peer's report.  Its texts are made printable: they end on someone's terminal.

    :raises Rejection: BAD_SHAPE or TOO_LARGE.
    :raises CodecError: NOT_CANONICAL.
    """
    match codec.decode(data, bytes_max=REPORT_BYTES_MAX, depth_max=2):
        case [
            int(version), str(name), bytes(key), int(height), int(round_number), str(cause), str(words), int(clock_ms),
            int(well), list(peers),
        ] if version == VERSION and len(key) == PUBLIC_KEY_BYTES and clock_ms <= UINT_MAX // 2:  # fmt: skip
            keys = tuple(codec.expect_bytes(peer, "peer", size=PUBLIC_KEY_BYTES) for peer in peers)
            texts = [_printable(text) for text in (name, cause, words)]
            return Report(texts[0], key, height, round_number, texts[1], texts[2], clock_ms, well == 1, keys)
    raise Rejection("BAD_SHAPE", "a report of another form", f"a report of version {VERSION}")


def _cut(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)

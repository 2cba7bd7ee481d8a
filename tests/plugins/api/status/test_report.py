"""Reports between peers: one form, bounded, harmless to whoever reads them on a terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError
from metanode.plugins.api.status.report import PEERS_MAX, REPORT_BYTES_MAX, Report, decode_report

REPORT = Report("v1", b"k" * 32, 7, 2, "idle", "waiting", 1_000, True, (b"a" * 32, b"b" * 32))


def test_a_report_arrives_as_it_was_sent() -> None:
    """All of its fields."""
    assert decode_report(REPORT.encode()) == REPORT


def test_a_report_that_is_too_long_is_cut_by_who_sends_it() -> None:
    """Long words and many peers still make a message that others read."""
    peers = tuple(bytes([i % 256]) * 32 for i in range(999))
    long = replace(REPORT, name="\u00e9" * 99, words="x" * 9_999, peers=peers)
    encoded = long.encode()
    assert len(encoded) <= REPORT_BYTES_MAX
    read = decode_report(encoded)
    assert read.name == "\u00e9" * 32
    assert len(read.peers) == PEERS_MAX


def test_what_a_stranger_writes_cannot_move_a_cursor() -> None:
    """Control characters come out as question marks."""
    read = decode_report(replace(REPORT, name="\x1b[2J", words="a\nb").encode())
    assert (read.name, read.words) == ("?[2J", "a?b")


@pytest.mark.parametrize(
    "value",
    [
        0,
        [],
        [2, "v", b"k" * 32, 1, 0, "", "", 0, 1, []],
        [1, "v", b"k" * 31, 1, 0, "", "", 0, 1, []],
        [1, "v", b"k" * 32, 1, 0, "", "", 2**64 - 1, 1, []],
        [1, "v", b"k" * 32, 1, 0, "", "", 0, 1, [b"short"]],
        [1, "v", b"k" * 32, 1, 0, "", "", 0, 1, [[b"k" * 32]]],
    ],
)
def test_another_form_is_refused(value: codec.Encodable) -> None:
    """With a code, never another exception."""
    with pytest.raises(MetanodeError):
        decode_report(codec.encode(value))

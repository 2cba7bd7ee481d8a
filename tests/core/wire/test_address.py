"""Addresses: one form, whatever the transport."""

from __future__ import annotations

import pytest

from metanode.core.model.errors import PeerError
from metanode.core.wire.address import Address, join_host_port, parse_node_key, split_host_port

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("noise:203.0.113.5:8646", Address("noise", "203.0.113.5:8646")),
        (f"noise:[2001:db8::1]:8646#{KEY.hex()}", Address("noise", "[2001:db8::1]:8646", KEY)),
        ("memory:alice", Address("memory", "alice")),
    ],
)
def test_an_address_is_transport_place_and_key(text: str, address: Address) -> None:
    """And is written as it was read."""
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "noise", "noise:", ":x", "Noise:x", "noise:x#", "noise:x#00", f"noise:x#{KEY.hex().upper()}ff", "noise:a b",
     "noise:" + "x" * 400, "noise:x\n"],
)  # fmt: skip
def test_anything_else_is_no_address(text: str) -> None:
    """Said in one line, with the form that is right."""
    with pytest.raises(PeerError, match="is no address") as caught:
        Address.parse(text)
    assert caught.value.code == "UNREACHABLE"
    assert "TRANSPORT:PLACE#NODEKEY" in caught.value.expected


@pytest.mark.parametrize(
    ("place", "host", "port"),
    [("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:65535", "::1", 65535), ("node.example:1", "node.example", 1)],
)
def test_a_place_on_a_network_is_host_and_port(place: str, host: str, port: int) -> None:
    """IPv6 in brackets."""
    assert split_host_port(place) == (host, port)
    assert join_host_port(host, port) == place


@pytest.mark.parametrize("place", ["", "x", "x:", ":1", "x:65536", "x:-1", "::1:1", "[]:1", "x:1x", "x:000001"])
def test_anything_else_is_no_place(place: str) -> None:
    """An IPv6 address without brackets among it."""
    with pytest.raises(PeerError, match="is no place"):
        split_host_port(place)


def test_a_node_key_is_64_hex_digits() -> None:
    """Nothing else."""
    assert parse_node_key(KEY.hex()) == KEY
    for text in ("", "00", KEY.hex().upper(), KEY.hex() + "0"):
        with pytest.raises(PeerError, match="is no node key"):
            parse_node_key(text)

"""Real sockets in real network namespaces, over links that are as bad as was asked."""

from __future__ import annotations

import os
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from metanode.core.testing.impaired_net import ImpairedNet, address_of
from metanode.core.testing.impairment import Fates, Impairment
from metanode.core.testing.namespaces import missing

SEED = int(os.environ.get("METANODE_TEST_SEED", "20261120"))
PACKETS = 300
SILENCE_S = 1.0
"""When nothing has come for so long, nothing more comes."""
PORT = 4000

pytestmark = [pytest.mark.faults, pytest.mark.skipif(bool(missing()), reason=missing() or "it can be made")]


@contextmanager
def sockets(net: ImpairedNet) -> Iterator[list[socket.socket]]:
    """A UDP socket in each namespace."""
    opened: list[socket.socket] = []
    try:
        for port, space in enumerate(net.spaces):
            with space.inside():
                opened.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            opened[-1].bind((address_of(port), PORT))
            opened[-1].settimeout(SILENCE_S)
        yield opened
    finally:
        for each in opened:
            each.close()


def pass_packets(source: socket.socket, target: socket.socket, count: int) -> list[tuple[int, float]]:
    """Send numbered packets; return (number, milliseconds under way) of those that arrive, in order."""
    for number in range(count):
        source.sendto(struct.pack("!Id", number, time.monotonic()), target.getsockname())
    arrived = []
    with suppress(TimeoutError):  # then the rest was lost
        while len(arrived) < count:
            number, sent = struct.unpack("!Id", target.recv(64))
            arrived.append((number, (time.monotonic() - sent) * 1000))
    return arrived


def test_delay_loss_and_reordering_are_those_that_were_asked_for() -> None:
    """100 ms one way, 5 % lost, 10 % overtaken; the seed says beforehand which packets are lost and which late."""
    print(f"METANODE_TEST_SEED={SEED}")
    impairment = Impairment(delay_ms=100, loss=0.05, late=0.1, late_ms=400)
    fates = Fates(SEED, 0, 1)
    drawn = [fates.draw(impairment) for _ in range(PACKETS)]
    punctual = [number for number, fate in enumerate(drawn) if fate is not None and not fate[1]]
    late = [number for number, fate in enumerate(drawn) if fate is not None and fate[1]]
    with ImpairedNet(2, seed=SEED, impairment=impairment) as net, sockets(net) as (ours, theirs):
        arrived = pass_packets(ours, theirs, PACKETS)
        counts = net.counts(0, 1)
    numbers = [number for number, _ in arrived]
    assert [number for number in numbers if number in set(punctual)] == punctual
    assert sorted(set(numbers) - set(punctual)) == late
    assert numbers[-1] in late
    assert (counts.delivered, counts.lost) == (len(arrived), PACKETS - len(arrived))
    took = [ms for number, ms in arrived if number in set(punctual)]
    print(f"median {statistics.median(took):.1f} ms, most {max(took):.1f} ms, {counts}")
    assert min(took) >= 100
    assert statistics.median(took) < 200


def test_a_cut_goes_one_way() -> None:
    """What is cut never arrives, the other direction works, and healing gives both back."""
    with ImpairedNet(2, seed=SEED, impairment=Impairment()) as net, sockets(net) as (ours, theirs):
        net.cut(source=0)
        assert pass_packets(ours, theirs, 3) == []
        assert [number for number, _ in pass_packets(theirs, ours, 3)] == [0, 1, 2]
        net.heal()
        assert [number for number, _ in pass_packets(ours, theirs, 3)] == [0, 1, 2]


def test_a_tcp_stream_is_whole_over_a_bad_link() -> None:
    """The kernels' own TCP repairs loss and order: 200 kB arrive as they were sent."""
    data = bytes(range(256)) * 800
    impairment = Impairment(delay_ms=5, jitter_ms=2, loss=0.02, late=0.02)
    with ImpairedNet(2, seed=SEED, impairment=impairment) as net:
        with net.spaces[1].inside():
            listener = socket.create_server((address_of(1), PORT))
        with net.spaces[0].inside():
            client = socket.create_connection((address_of(1), PORT), timeout=20)
        server, (host, _) = listener.accept()
        with listener, client, server:
            assert host == address_of(0)
            server.settimeout(20)
            client.setblocking(False)
            sent, received = 0, b""
            while len(received) < len(data):
                if sent < len(data):
                    with suppress(BlockingIOError):  # the window is full; reading opens it
                        sent += client.send(data[sent:])
                received += server.recv(65536)
            assert received == data
        assert net.counts(0, 1).lost > 0


def test_two_networks_do_not_meet() -> None:
    """The same addresses twice on one machine, and nothing of it outside."""
    with (
        ImpairedNet(2, seed=1, impairment=Impairment()) as one,
        ImpairedNet(2, seed=2, impairment=Impairment()) as other,
        sockets(one) as (ours, _),
        sockets(other) as (_, theirs),
    ):
        assert pass_packets(ours, theirs, 1) == []
        names = [name for _, name in socket.if_nameindex()]
    assert "tun0" not in names

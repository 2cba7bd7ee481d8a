"""What becomes of packets on a bad link, on a clock of the test's own."""

from __future__ import annotations

from metanode.core.testing.impairment import QUEUED_MAX, Counts, Fates, Impairment, Paths

SEED = 7


def drain(paths: Paths, until: float = 1e9) -> list[int]:
    """Return the numbers of the packets that arrive, in order."""
    return [int.from_bytes(packet, "big") for _, packet in paths.due(until)]


def send(paths: Paths, count: int, *, gap_s: float = 0.001, source: int = 0, target: int = 1) -> None:
    """Send numbered packets, one every `gap_s`."""
    for number in range(count):
        paths.take(source, target, number.to_bytes(4, "big"), number * gap_s)


def test_a_packet_arrives_after_its_delay_and_not_before() -> None:
    """`next_due` says when."""
    paths = Paths(SEED, 2, Impairment(delay_ms=100))
    paths.take(0, 1, b"\x05", 10.0)
    assert paths.next_due == 10.1
    assert paths.due(10.099) == []
    assert paths.due(10.1) == [(1, b"\x05")]
    assert paths.next_due is None


def test_jitter_keeps_the_order() -> None:
    """Delays differ by up to 50 ms, packets come 1 ms apart, and none overtakes another."""
    paths = Paths(SEED, 2, Impairment(delay_ms=10, jitter_ms=50))
    send(paths, 500)
    assert drain(paths) == list(range(500))


def test_the_share_that_is_lost_is_the_share_that_was_asked_for() -> None:
    """5 % of 20,000, within four standard deviations, and counted."""
    paths = Paths(SEED, 2, Impairment(loss=0.05))
    for number in range(20_000):
        paths.take(0, 1, number.to_bytes(4, "big"), float(number))
        paths.due(float(number))
    counts = paths.counts(0, 1)
    assert counts.delivered + counts.lost == 20_000
    assert abs(counts.lost - 1000) < 4 * (20_000 * 0.05 * 0.95) ** 0.5


def test_only_late_packets_are_overtaken() -> None:
    """Those drawn late come `late_ms` after their turn; the rest stays in order."""
    impairment = Impairment(delay_ms=5, late=0.2, late_ms=20)
    paths, fates = Paths(SEED, 2, impairment), Fates(SEED, 0, 1)
    drawn = [fates.draw(impairment) for _ in range(300)]
    late = {number for number, fate in enumerate(drawn) if fate is not None and fate[1]}
    send(paths, 300)
    arrived = drain(paths)
    assert sorted(arrived) == list(range(300))
    assert [number for number in arrived if number not in late] == [n for n in range(300) if n not in late]
    assert all(arrived.index(number) > arrived.index(number + 1) for number in late if {number + 1} - late - {300})


def test_the_fate_of_a_packet_depends_on_seed_path_and_number_alone() -> None:
    """Not on the times, on other paths, or on how bad the link was before."""

    def lost(seed: int, gap_s: float, *, others: bool) -> set[int]:
        paths = Paths(seed, 3, Impairment())
        if others:
            send(paths, 50, source=2, target=1)
            send(paths, 50, source=1, target=0)
        send(paths, 100, gap_s=gap_s)
        paths.due(1e9)
        paths.impair(Impairment(loss=0.3))
        send(paths, 200, gap_s=gap_s)
        return set(range(200)) - set(drain(paths))

    assert lost(1, 0.001, others=False) == lost(1, 0.5, others=True)
    assert lost(1, 0.001, others=False) != lost(2, 0.001, others=False)


def test_a_cut_takes_one_direction_and_healing_gives_it_back() -> None:
    """Counted as cut, not as lost; the other direction goes on."""
    paths = Paths(SEED, 3, Impairment())
    paths.cut(source=0)
    send(paths, 3)
    send(paths, 3, target=2)
    send(paths, 3, source=1, target=0)
    assert drain(paths) == [0, 1, 2]
    assert paths.counts(0, 1) == Counts(cut=3)
    paths.heal()
    send(paths, 3)
    assert drain(paths) == [0, 1, 2]


def test_a_queue_holds_only_so_many() -> None:
    """A sender faster than the link loses the newest; another path is not touched."""
    paths = Paths(SEED, 3, Impairment(delay_ms=1000))
    send(paths, QUEUED_MAX + 5, gap_s=0)
    send(paths, 1, target=2)
    assert paths.counts(0, 1).overflowed == 5
    assert paths.counts(0, 2).overflowed == 0
    assert len(drain(paths)) == QUEUED_MAX + 1


def test_what_has_no_port_goes_nowhere() -> None:
    """A broadcast address, or the sender itself."""
    paths = Paths(SEED, 2, Impairment())
    paths.take(0, 0, b"\x01", 0.0)
    paths.take(0, 9, b"\x01", 0.0)
    assert paths.next_due is None

"""What aioquic keeps to itself and `engine` uses: one test for each name, so that another release fails here first."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("aioquic")

from aioquic import tls
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import DatagramFrameReceived, HandshakeCompleted, StreamDataReceived

from metanode.plugins.transport import _shared
from metanode.plugins.transport._shared import engine as engine_module
from metanode.plugins.transport._shared.certificate import Certificate, self_signed
from metanode.plugins.transport._shared.engine import (
    CONNECTION_WINDOW_BYTES,
    DATAGRAMS_UNSENT_MAX,
    INITIAL_BYTES_MIN,
    STREAM_WINDOW_BYTES,
    STREAMS_MAX,
    Engine,
    EngineSettings,
    FirstContact,
    FrontDoor,
    check_version,
    destination_of,
)

HERE, THERE = ("10.0.0.1", 1), ("10.0.0.2", 2)
SETTINGS = EngineSettings(alpn=("test",))


class Pair:
    """Two engines and a clock; what one sends, the other gets at once."""

    def __init__(self, settings: EngineSettings = SETTINGS) -> None:
        self.certificate: Certificate = self_signed()
        self.now = 100.0
        self.client = Engine.client(settings)
        self.client.connect(THERE, now=self.now)
        first = self.client.datagrams_to_send(self.now)
        self.server = Engine.server(settings, self.certificate, FirstContact(destination_of(first[0][0]), None))
        for data, _ in first:
            self.server.receive_datagram(data, HERE, self.now)
        self.events: list[object] = []
        self.pass_on()

    def pass_on(self, rounds: int = 12) -> None:
        """Move datagrams and time."""
        for _ in range(rounds):
            self.now += 0.01
            for sender, receiver, place in ((self.client, self.server, HERE), (self.server, self.client, THERE)):
                due = sender.get_timer()
                if due is not None and due <= self.now:
                    sender.handle_timer(self.now)
                for data, _ in sender.datagrams_to_send(self.now):
                    receiver.receive_datagram(data, place, self.now)
            for end in (self.client, self.server):
                while (event := end.next_event()) is not None:
                    self.events.append(event)

    def received(self) -> int:
        """Bytes of streams that arrived at either end."""
        return sum(len(event.data) for event in self.events if isinstance(event, StreamDataReceived))


def test_the_installed_release_is_the_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another is refused before anything of it is used."""
    check_version()
    monkeypatch.setattr(engine_module, "version", lambda name: "9.9.9")
    with pytest.raises(ImportError, match=r"aioquic 9\.9\.9 is installed"):
        check_version()


def test_only_the_engine_reaches_into_aioquic() -> None:
    """No other file of ours uses a name of it that begins with an underscore."""
    shared = Path(_shared.__path__[0])
    for path in (*shared.glob("*.py"), *(shared.parent / "quic").glob("*.py")):
        if path.name != "engine.py":
            text = path.read_text(encoding="utf-8")
            assert "engine._" not in text, path
            assert "aioquic._" not in text, path


def test_a_handshake_completes_and_shows_the_certificate() -> None:
    """`tls._peer_certificate`; `_remote_initial_source_connection_id`; no session is resumed."""
    pair = Pair()
    done = [event for event in pair.events if isinstance(event, HandshakeCompleted)]
    assert len(done) == 2
    assert not any(event.session_resumed or event.early_data_accepted for event in done)
    assert pair.client.peer_certificate() == pair.certificate.der
    assert pair.client.heard
    assert pair.server.heard
    assert not Engine.client(SETTINGS).heard


def test_only_one_key_share_is_made() -> None:
    """`_initialize`, `tls._supported_groups`."""
    assert Pair().client.tls._supported_groups == [tls.Group.X25519]


def test_windows_follow_the_reader_and_not_what_arrives() -> None:
    """`_write_stream_limits`, `_write_connection_limits`, `_local_max_data`: stock aioquic doubles both here."""
    pair = Pair()
    pair.client.send_stream_data(0, bytes(4 * STREAM_WINDOW_BYTES))
    pair.pass_on(300)
    assert pair.received() == STREAM_WINDOW_BYTES
    assert pair.server.consumed(0, STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES)
    pair.pass_on(300)
    assert pair.received() == 2 * STREAM_WINDOW_BYTES
    assert not pair.server.consumed(0, 1, STREAM_WINDOW_BYTES + 1), "a frame for every byte would cost more"


def test_all_streams_together_have_a_window_too() -> None:
    """One that is not read leaves room for another."""
    pair = Pair()
    for stream_id in (0, 4):
        pair.client.send_stream_data(stream_id, bytes(2 * STREAM_WINDOW_BYTES))
    pair.pass_on(400)
    assert pair.received() == CONNECTION_WINDOW_BYTES


def test_a_narrow_window_is_widened_when_the_peer_is_known() -> None:
    """For streams that are there and for streams that begin later."""
    pair = Pair(EngineSettings(alpn=("test",), window_bytes=10_000))
    pair.client.send_stream_data(0, bytes(200_000))
    pair.pass_on(60)
    assert pair.received() == 10_000
    pair.server.widen()
    pair.pass_on(60)
    assert pair.received() == 200_000
    pair.client.send_stream_data(4, bytes(200_000))
    pair.pass_on(60)
    assert pair.received() == 400_000


def test_what_is_not_confirmed_is_counted() -> None:
    """`_streams[].sender._buffer_start` and `_buffer_stop`."""
    pair = Pair()
    pair.client.send_stream_data(0, bytes(5000), end_stream=True)
    assert pair.client.unacknowledged(0) == 5000
    assert not pair.client.delivered(0)
    pair.pass_on()
    assert pair.client.unacknowledged(0) == 0
    assert pair.client.delivered(0)


def test_a_reset_stream_tells_what_will_never_be_read() -> None:
    """`_streams[].receiver.highest_offset`: it counts against the window of all streams."""
    pair = Pair()
    pair.client.send_stream_data(0, bytes(3000))
    pair.pass_on(2)
    pair.client.reset_stream(0, 7)
    assert pair.server.undelivered(0, 1000) == pair.received() - 1000
    assert pair.server.undelivered(400, 0) == 0


def test_datagrams_are_measured_and_their_queue_is_bounded() -> None:
    """`_datagrams_pending`, `_remote_max_datagram_frame_size`, `_peer_cid`: the largest fits, exactly."""
    pair = Pair()
    largest = pair.client.datagram_payload_max
    assert largest == INITIAL_BYTES_MIN - 30
    dropped = sum(pair.client.queue_datagram(bytes([number % 256]) * largest) for number in range(300))
    assert dropped == 300 - DATAGRAMS_UNSENT_MAX
    pair.pass_on(200)
    arrived = [event.data for event in pair.events if isinstance(event, DatagramFrameReceived)]
    assert len(arrived) == DATAGRAMS_UNSENT_MAX
    assert arrived[-1] == bytes([299 % 256]) * largest
    without = Pair(EngineSettings(alpn=("test",), datagrams=False))
    assert without.client.datagram_payload_max == 0


def test_an_end_is_known_before_the_closing_period_is_over() -> None:
    """`_close_event`, `_state`: aioquic's own event comes three probe timeouts later."""
    pair = Pair()
    assert pair.server.ended is None
    pair.client.close(error_code=3, reason_phrase="bye")
    pair.pass_on(1)
    ended = pair.server.ended
    assert ended is not None
    assert (ended.error_code, ended.frame_type, ended.reason_phrase) == (3, None, "bye")


def test_the_number_of_streams_is_bounded() -> None:
    """`_local_max_streams_bidi`, `_local_max_streams_uni`: more wait at the sender."""
    pair = Pair()
    for number in range(STREAMS_MAX + 3):
        pair.client.send_stream_data(4 * number, b"x")
    pair.pass_on()
    assert pair.received() == STREAMS_MAX


def test_a_burst_is_as_long_as_timers_are_coarse() -> None:
    """`_loss._pacer`: the stock one lets 16 datagrams out and then sleeps, however fast the way is."""
    pacer = Pair().client._loss._pacer
    pacer.update_rate(10**7, 0.001)
    assert pacer.bucket_max == engine_module.BURST_S


@pytest.mark.parametrize("name", [
    "_on_max_stream_data_delivery", "_on_connection_limit_delivery", "_write_stream_limits", "_write_connection_limits",
    "_initialize",
])  # fmt: skip
def test_methods_that_are_overridden_or_called_are_there(name: str) -> None:
    """An override of nothing would be silence."""
    assert callable(getattr(QuicConnection, name))


def test_the_front_door_answers_no_more_than_it_got() -> None:
    """Short, foreign and broken datagrams get nothing; an unknown version is told the known ones."""
    door = FrontDoor()
    for data in (b"", b"\xc0", bytes(1199), bytes(1200), b"\xff" * 1300, b"\x40" + bytes(1300)):
        assert door.look(data, HERE, 1.0, ask_back=False) is None or data[0] & 0x80
    unknown = b"\xc0\x1a\x2a\x3a\x4a\x08" + bytes(8) + b"\x08" + bytes(1300)
    answer = door.look(unknown, HERE, 1.0, ask_back=False)
    assert isinstance(answer, bytes)
    assert answer[1:5] == bytes(4), "version negotiation"
    assert len(answer) < len(unknown)
    assert door.look(b"\xc0" + bytes(4) + unknown[5:], HERE, 1.0, ask_back=False) is None, "no answer to an answer"


def test_a_retry_token_holds_for_its_address_and_its_time() -> None:
    """Another address or a minute later is refused in one packet."""
    client = Engine.client(SETTINGS)
    client.connect(THERE, now=1.0)
    ((data, _),) = client.datagrams_to_send(1.0)[:1]
    door = FrontDoor()
    retry = door.look(data, HERE, 1.0, ask_back=True)
    assert isinstance(retry, bytes)
    assert len(retry) < len(data)
    client.receive_datagram(retry, THERE, 1.1)
    again = client.datagrams_to_send(1.1)[0][0]
    found = door.look(again, HERE, 1.2, ask_back=True)
    assert isinstance(found, FirstContact)
    assert (found.original_cid, found.retry_cid) == (destination_of(data), destination_of(again))
    for sender, now in ((("10.0.0.9", 1), 1.2), (HERE, 60.0)):
        refusal = door.look(again, sender, now, ask_back=True)
        assert isinstance(refusal, bytes)
        assert len(refusal) < 100

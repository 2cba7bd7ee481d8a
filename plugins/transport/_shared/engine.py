"""One QUIC connection, sans-IO: aioquic 1.7.2, and the only file that touches what aioquic keeps to itself.

aioquic leaves four things to private names: how far the receive windows reach (they double when bytes *arrive*, never
waiting for the reader), what a stream still holds unsent, the peer's certificate, and that a connection is closing
before its closing period is over.  Each name used here has a test in `tests/plugins/transport/test_quic_engine.py`
that fails when a release moves it; hence the exact version in pyproject.toml.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE, QuicConfiguration
from aioquic.quic.connection import (
    CONNECTION_LIMIT_FRAME_CAPACITY,
    END_STATES,
    MAX_STREAM_DATA_FRAME_CAPACITY,
    TRANSPORT_CLOSE_FRAME_CAPACITY,
    QuicConnection,
)
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import (
    QuicErrorCode,
    QuicFrameType,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketPacer
from aioquic.quic.retry import QuicRetryTokenHandler
from aioquic.quic.stream import QuicStream
from cryptography.hazmat.primitives.serialization import Encoding

from metanode.plugins.transport._shared.certificate import Certificate
from metanode.plugins.transport._shared.link import Place

AIOQUIC_VERSION = "1.7.2"
"""The release whose private names are known here."""
STREAM_WINDOW_BYTES = 1024 * 1024
"""What one stream may hold that its reader has not taken."""
CONNECTION_WINDOW_BYTES = 3 * STREAM_WINDOW_BYTES // 2
"""What all streams of a connection may hold together: more than one's, so that one that is not read stops no other."""
STREAMS_MAX = 16
"""Streams that the other end may have open in one direction kind."""
DATAGRAMS_UNSENT_MAX = 256
"""Datagrams that wait for the congestion window; the oldest gives way."""
DATAGRAM_FRAME_BYTES_MAX = 65_535
"""Longest DATAGRAM frame that is accepted."""
CONNECTION_ID_BYTES = 8
INITIAL_BYTES_MIN = SMALLEST_MAX_DATAGRAM_SIZE
"""A client's first datagram has at least this many bytes (RFC 9000 section 14.1)."""
INITIAL_RTT_S = 0.1
"""Taken for the round trip before any was measured: probes go out after twice this."""

BURST_S = 0.002
"""How long a pacing pause may be made up for at once."""

_GRANT_SHARE = 4  # a window is raised when a quarter of it was read: a frame for every packet would cost more
_OVERHEAD_BYTES = 1 + 2 + 16 + 3  # short header, packet number, AEAD tag, DATAGRAM frame; and the connection id

# What a stranger sends must not fill a disk: aioquic logs it at warning.
logging.getLogger("quic").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class EngineSettings:
    """What both ends of a connection are made with."""

    alpn: tuple[str, ...]
    """What is spoken above QUIC; without a common one there is no connection."""
    datagram_bytes: int = SMALLEST_MAX_DATAGRAM_SIZE
    """Largest UDP payload sent; the way must carry it whole."""
    idle_s: float = 15.0
    """A connection on which nothing was heard for so long is over."""
    datagrams: bool = True
    """Whether DATAGRAM frames are accepted (RFC 9221)."""
    window_bytes: int | None = None
    """What may arrive before `Engine.widen` is called, on all streams together; None for the whole windows at once."""
    congestion: str = "cubic"


class Engine(QuicConnection):
    """An aioquic connection whose receive windows follow its readers."""

    def __init__(
        self, configuration: QuicConfiguration, *, original_cid: bytes | None = None, retry_cid: bytes | None = None
    ) -> None:
        super().__init__(
            configuration=configuration,
            original_destination_connection_id=original_cid,
            retry_source_connection_id=retry_cid,
        )
        self._loss._pacer = _Pacer(max_datagram_size=configuration.max_datagram_size)
        self._consumed = 0
        self._stream_window, self._window = configuration.max_stream_data, configuration.max_data
        for limit in (self._local_max_streams_bidi, self._local_max_streams_uni):
            limit.value = limit.sent = STREAMS_MAX

    @classmethod
    def client(cls, settings: EngineSettings) -> Engine:
        """Return the dialling end.  Whose the certificate is, is asked later (`session`), not by TLS."""
        return cls(_configuration(settings, is_client=True, verify_mode=ssl.CERT_NONE))

    @classmethod
    def server(cls, settings: EngineSettings, certificate: Certificate, first: FirstContact) -> Engine:
        """Return the end that answers `first`.  It issues no session tickets: no resumption and no 0-RTT."""
        configuration = _configuration(settings, is_client=False)
        configuration.certificate, configuration.private_key = certificate.certificate, certificate.key
        return cls(configuration, original_cid=first.original_cid, retry_cid=first.retry_cid)

    def peer_certificate(self) -> bytes:
        """Return the certificate that the server showed, DER; its key has signed this handshake."""
        certificate = self.tls._peer_certificate
        assert certificate is not None, "asked after the handshake, by a client"
        return certificate.public_bytes(Encoding.DER)

    @property
    def ended(self) -> ConnectionTerminated | None:
        """How the connection was closed, as soon as it is known; aioquic's event comes three probe timeouts later."""
        return self._close_event if self._state in END_STATES else None

    @property
    def heard(self) -> bool:
        """Whether the other end has ever answered."""
        return self._remote_initial_source_connection_id is not None

    def consumed(self, stream_id: int, count: int, total: int) -> bool:
        """Grant the peer what a reader has taken; True when it is to be told.

        :param count: bytes taken now.
        :param total: bytes taken from this stream altogether.
        """
        self._consumed += count
        told = False
        reach = self._consumed + self._window
        if reach - self._local_max_data.value >= self._window // _GRANT_SHARE:
            self._local_max_data.value = reach
            told = True
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            reach = total + self._stream_window
            if reach - stream.max_stream_data_local >= self._stream_window // _GRANT_SHARE:
                stream.max_stream_data_local = reach
                told = True
        return told

    def widen(self) -> None:
        """Open the whole windows: the other end is known now."""
        self._stream_window, self._window = STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES
        self._local_max_data.value = self._consumed + self._window

    def stop_reading(self, stream_id: int) -> None:
        """Tell the other end that nobody reads a stream any more."""
        if stream_id in self._streams:
            self.stop_stream(stream_id, QuicErrorCode.NO_ERROR)

    def undelivered(self, stream_id: int, delivered: int) -> int:
        """Return how many bytes of a stream that was reset count as received and will never be read."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else max(0, stream.receiver.highest_offset - delivered)

    def unacknowledged(self, stream_id: int) -> int:
        """Return how many bytes of a stream are written and not yet confirmed; aioquic would take any number."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.sender._buffer_stop - stream.sender._buffer_start

    def delivered(self, stream_id: int) -> bool:
        """Whether all that was written is confirmed, the end of the stream included."""
        stream = self._streams.get(stream_id)
        return stream is None or stream.sender.is_finished

    @property
    def datagram_payload_max(self) -> int:
        """Longest payload of a datagram now; 0 when the other end takes none."""
        announced = self._remote_max_datagram_frame_size or 0
        room = self._configuration.max_datagram_size - _OVERHEAD_BYTES - len(self._peer_cid.cid)
        return max(0, min(room, announced - 3))

    def queue_datagram(self, data: bytes) -> int:
        """Queue a datagram; return how many older ones gave way.

        One that does not fit into a packet would block all behind it for ever, so the caller asks
        `datagram_payload_max` first.
        """
        assert len(data) <= self.datagram_payload_max, "checked by the caller"
        dropped = 0
        while len(self._datagrams_pending) >= DATAGRAMS_UNSENT_MAX:
            self._datagrams_pending.popleft()
            dropped += 1
        self.send_datagram_frame(data)
        return dropped

    # What aioquic calls.

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        # One key share to make instead of four.
        self.tls._supported_groups = [tls.Group.X25519]

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: object, stream: QuicStream) -> None:
        """Announce how far a stream may go; aioquic would double it here."""
        if stream.max_stream_data_local and stream.max_stream_data_local < self._stream_window:
            stream.max_stream_data_local = self._stream_window  # begun in the narrow window, or promised no more
        if stream.max_stream_data_local_sent == stream.max_stream_data_local or stream.receiver.is_finished:
            return
        buf = builder.start_frame(
            QuicFrameType.MAX_STREAM_DATA,
            capacity=MAX_STREAM_DATA_FRAME_CAPACITY,
            handler=self._on_max_stream_data_delivery,
            handler_args=(stream,),
        )
        buf.push_uint_var(stream.stream_id or 0)
        buf.push_uint_var(stream.max_stream_data_local)
        stream.max_stream_data_local_sent = stream.max_stream_data_local

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: object) -> None:
        """Announce how far all streams may go, and how many there may be; aioquic would double the former here."""
        for limit in (self._local_max_data, self._local_max_streams_bidi, self._local_max_streams_uni):
            if limit.value == limit.sent:
                continue
            counts_streams = limit is not self._local_max_data
            if counts_streams and limit.sent and limit.sent - limit.used >= limit.value - limit.sent:
                continue  # the peer has more streams left than this would add
            buf = builder.start_frame(
                limit.frame_type,
                capacity=CONNECTION_LIMIT_FRAME_CAPACITY,
                handler=self._on_connection_limit_delivery,
                handler_args=(limit,),
            )
            buf.push_uint_var(limit.value)
            limit.sent = limit.value


class _Pacer(QuicPacketPacer):
    """Lets a burst be as long as timers are coarse: a shorter one costs a wake for a few packets each."""

    def update_rate(self, congestion_window: int, smoothed_rtt: float) -> None:
        super().update_rate(congestion_window, smoothed_rtt)
        self.bucket_max = max(self.bucket_max, BURST_S)


@dataclass(frozen=True)
class FirstContact:
    """What is known of a connection that a stranger asks for."""

    original_cid: bytes
    retry_cid: bytes | None
    """Set when the stranger has shown by a Retry that its address is its own."""


class FrontDoor:
    """Answers datagrams that belong to no connection."""

    def __init__(self) -> None:
        self._tokens = QuicRetryTokenHandler()

    def look(self, data: bytes, sender: Place, now: float, *, ask_back: bool) -> FirstContact | bytes | None:
        """Return what may become a connection, an answer to send, or None to say nothing.

        No answer is longer than what it answers.

        :param ask_back: demand that the sender shows its address is its own, at the price of a round trip.
        """
        if len(data) < INITIAL_BYTES_MIN:
            return None
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
        except ValueError:
            return None
        if header.version is None or header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            return None
        if header.version not in VERSIONS:
            return encode_quic_version_negotiation(
                source_cid=header.destination_cid, destination_cid=header.source_cid, supported_versions=list(VERSIONS)
            )
        if header.packet_type is not QuicPacketType.INITIAL:
            return None
        if header.token:
            try:
                original = self._tokens.validate_token(
                    address=sender, destination_cid=header.destination_cid, token=header.token, now=now
                )
            except ValueError:
                return _refusal(header.version, header.destination_cid, header.source_cid, QuicErrorCode.INVALID_TOKEN)
            return FirstContact(original, header.destination_cid)
        if not ask_back:
            return FirstContact(header.destination_cid, None)
        own = os.urandom(CONNECTION_ID_BYTES)
        token = self._tokens.create_token(
            address=sender,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=own,
            now=now,
        )
        return encode_quic_retry(
            version=header.version,
            source_cid=own,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )

    def refuse(self, data: bytes) -> bytes:
        """Return the answer to a first datagram that may not become a connection."""
        header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
        assert header.version is not None, "`look` saw an Initial"
        return _refusal(header.version, header.destination_cid, header.source_cid, QuicErrorCode.CONNECTION_REFUSED)


VERSIONS: Sequence[int] = (QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2)


def destination_of(data: bytes) -> bytes:
    """Return the connection id that a datagram is for, b"" when it has none (RFC 8999)."""
    if not data:
        return b""
    if not data[0] & 0x80:
        return data[1 : 1 + CONNECTION_ID_BYTES]
    return data[6 : 6 + data[5]] if len(data) > 6 else b""


def check_version() -> None:
    """Refuse an aioquic whose private names are not known.

    :raises ImportError: another release.
    """
    found = version("aioquic")
    if found != AIOQUIC_VERSION:
        raise ImportError(f"aioquic {found} is installed, {AIOQUIC_VERSION} is needed")


def _configuration(settings: EngineSettings, *, is_client: bool, verify_mode: int | None = None) -> QuicConfiguration:
    window = settings.window_bytes
    return QuicConfiguration(
        alpn_protocols=list(settings.alpn),
        congestion_control_algorithm=settings.congestion,
        connection_id_length=CONNECTION_ID_BYTES,
        idle_timeout=settings.idle_s,
        initial_rtt=INITIAL_RTT_S,
        is_client=is_client,
        max_data=CONNECTION_WINDOW_BYTES if window is None else window,
        max_datagram_frame_size=DATAGRAM_FRAME_BYTES_MAX if settings.datagrams else None,
        max_datagram_size=settings.datagram_bytes,
        max_stream_data=STREAM_WINDOW_BYTES if window is None else window,
        verify_mode=verify_mode,
    )


def _refusal(quic_version: int, own_cid: bytes, peer_cid: bytes, code: QuicErrorCode) -> bytes:
    """Return an Initial packet that closes what was not opened; its keys follow from `own_cid`, the client's choice."""
    crypto = CryptoPair()
    crypto.setup_initial(cid=own_cid, is_client=False, version=quic_version)
    builder = QuicPacketBuilder(
        host_cid=own_cid,
        is_client=False,
        max_datagram_size=INITIAL_BYTES_MIN,
        peer_cid=peer_cid,
        version=quic_version,
    )
    builder.start_packet(QuicPacketType.INITIAL, crypto)
    buf = builder.start_frame(QuicFrameType.TRANSPORT_CLOSE, capacity=TRANSPORT_CLOSE_FRAME_CAPACITY)
    buf.push_uint_var(code)
    buf.push_uint_var(QuicFrameType.PADDING)
    buf.push_uint_var(0)
    return builder.flush()[0][0]

"""WebSocket (RFC 6455): each event is one text message `{"event": name, "data": ...}`; frames by wsproto.

The handshake is answered here, because the request was read by our own parser already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage

from metanode.plugins.api._shared.messages import Head, bad_request
from metanode.plugins.api._shared.replies import Headers, encode_switch_head

VERSION = "13"
CLOSE_GOING_AWAY = 1001

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_websocket(head: Head, extra: Headers, *, date: str) -> bytes:
    """Return the reply that opens a WebSocket (RFC 6455 section 4.2).

    :raises PeerError: BAD_REQUEST, the request is no handshake.
    """
    key = head.headers.get("sec-websocket-key", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        nonce = b""
    if head.method != "GET" or head.headers.get("sec-websocket-version") != VERSION or len(nonce) != 16:
        raise bad_request("no WebSocket handshake", f"GET with Sec-WebSocket-Version {VERSION} and a key of 16 bytes")
    # SHA-1 only proves that the server speaks WebSocket; nothing rests on its strength.
    digest = hashlib.sha1(key.encode("ascii") + _ACCEPT_GUID, usedforsecurity=False).digest()
    accept = ("Sec-WebSocket-Accept", base64.b64encode(digest).decode("ascii"))
    return encode_switch_head("websocket", (accept, *extra), date=date)


class WebSocketFraming:
    """Frames for one client.  What it says is answered where the protocol asks for it, else dropped."""

    def __init__(self) -> None:
        self._socket = Connection(ConnectionType.SERVER)

    def event(self, name: str, text: str) -> bytes:
        """One text message; empty once the client has closed."""
        if self._socket.state is not ConnectionState.OPEN:
            return b""
        return self._socket.send(TextMessage(data=f'{{"event":{json.dumps(name)},"data":{text.strip()}}}'))

    def heartbeat(self) -> bytes:
        """A ping."""
        return self._socket.send(Ping()) if self._socket.state is ConnectionState.OPEN else b""

    def farewell(self) -> bytes:
        """A close frame, unless the client closed first."""
        if self._socket.state is not ConnectionState.OPEN:
            return b""
        return self._socket.send(CloseConnection(code=CLOSE_GOING_AWAY))

    def receive(self, data: bytes) -> tuple[bytes, bool]:
        """Answer pings and a close frame; a broken frame ends the stream with its close code."""
        if not data:
            return b"", False
        reply = b""
        self._socket.receive_data(data)
        for event in self._socket.events():
            if isinstance(event, Ping):
                reply += self._socket.send(event.response())
            elif isinstance(event, CloseConnection):
                return reply + self._socket.send(event.response()), False
        return reply, True

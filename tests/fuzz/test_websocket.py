"""WebSocket frames of clients that break the protocol: answered or ended, never an error of ours."""

from __future__ import annotations

from random import Random

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from fuzzkit import mutate
from metanode.plugins.api._shared.websocket import WebSocketFraming

ROUNDS = 2_000
SEED = 20_251_126


def client_bytes(chance: Random) -> bytes:
    """Return what a client might send: frames that are right, then perhaps broken."""
    client = Connection(ConnectionType.CLIENT)
    parts = []
    for _ in range(chance.randint(1, 5)):
        event = chance.choice((
            Ping(chance.randbytes(chance.choice((0, 5, 125)))), Pong(b""),
            TextMessage(data="a" * chance.choice((0, 9, 300))),
            BytesMessage(data=bytes(chance.choice((0, 9, 70_000)))), TextMessage(data="x", message_finished=False),
        ))  # fmt: skip
        parts.append(client.send(event))
        if isinstance(event, TextMessage) and not event.message_finished:
            parts.append(client.send(TextMessage(data="y")))
    if chance.randrange(4) == 0:
        parts.append(client.send(CloseConnection(code=chance.choice((1000, 1001, 3000)), reason="bye")))
    data = b"".join(parts)
    return mutate.mutate_bytes(chance, data) if chance.randrange(3) else data


def test_whatever_a_client_sends_is_answered_or_ends_the_stream() -> None:
    """And events can still be written, until one side has closed."""
    chance = Random(SEED)
    ended = 0
    for _ in range(ROUNDS):
        framing = WebSocketFraming()
        data = client_bytes(chance)
        at = 0
        while at < len(data):
            size = chance.choice((1, 7, 100, 16_384))
            _, goes_on = framing.receive(data[at : at + size])
            at += size
            if not goes_on:
                ended += 1
                break
            assert framing.event("block_finalized", "{}")
            assert framing.heartbeat()
        framing.farewell()
        assert framing.event("late", "{}") == b""
    assert ended > ROUNDS / 10

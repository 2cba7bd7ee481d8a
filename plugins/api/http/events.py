"""What happens on the node, as an event stream: blocks, admitted envelopes and the ledger's own events.

An event is a hint to look, never the only copy of a fact: a client that falls behind is told how many
it missed (`lagged`) instead of being buffered for without end, and reads the chain for the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping

from metanode.core.bus import BlockFinalized, Bus, EnvelopeAdmitted
from metanode.core.model.accounts import to_bech32m
from metanode.core.roles import LedgerEvent
from metanode.plugins.api._shared.messages import bad_request

QUEUED_MAX = 256
"""Events that wait for one client; beyond it the oldest are dropped and counted."""
TYPES_MAX = 32
"""Event names in one `?types=`."""

_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def parse_types(text: str) -> frozenset[str]:
    """Return the event names of `?types=`; empty means all.

    :raises PeerError: BAD_REQUEST.
    """
    names = [name for name in text.split(",") if name]
    if len(names) > TYPES_MAX or not all(_TYPE.fullmatch(name) for name in names):
        raise bad_request(f"types={text[:60]!r}", f"at most {TYPES_MAX} event names, joined by commas")
    return frozenset(names)


async def event_texts(
    bus: Bus, wanted: frozenset[str], hello: Callable[[], Mapping[str, int | str]]
) -> AsyncIterator[tuple[str, str]]:
    """Yield (event name, JSON) from now on.

    The first one is `hello`: nothing that happens after what it says is missed.

    :param wanted: names to pass on, all when empty; `hello` and `lagged` always pass.
    :param hello: gives the first event's values; called once events are collected.
    """

    def accept(event: BlockFinalized | EnvelopeAdmitted | LedgerEvent) -> bool:
        return not wanted or name_of(event) in wanted

    types = (BlockFinalized, EnvelopeAdmitted, LedgerEvent)
    async with bus.subscribe(*types, capacity=QUEUED_MAX, accept=accept) as events:
        yield "hello", _text(hello())
        told = 0
        async for event in events:
            if events.dropped > told:
                yield "lagged", _text({"dropped": events.dropped - told})
                told = events.dropped
            yield name_of(event), _text(describe(event))


def name_of(event: BlockFinalized | EnvelopeAdmitted | LedgerEvent) -> str:
    """Return an event's name."""
    if isinstance(event, BlockFinalized):
        return "block_finalized"
    return "envelope_admitted" if isinstance(event, EnvelopeAdmitted) else event.name


def describe(event: BlockFinalized | EnvelopeAdmitted | LedgerEvent) -> Mapping[str, int | str]:
    """Return an event's JSON object."""
    if isinstance(event, BlockFinalized):
        return {
            "height": event.height,
            "header_hash": event.header_hash.hex(),
            "time_ms": event.time_ms,
            "envelopes": event.envelopes,
        }
    if isinstance(event, EnvelopeAdmitted):
        return {"id": event.id.hex(), "kind": event.kind, "sender": to_bech32m(event.sender)}
    return {"height": event.height, **event.data}


def _text(data: Mapping[str, int | str]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))

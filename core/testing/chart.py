"""A message-sequence chart as one HTML file: what a failing seed leaves to look at."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

EVENTS_MAX = 600
"""The chart shows the last so many events: the violation is at their end."""
_LANE, _ROW, _TOP = 190, 16, 40


class Event(NamedTuple):
    """One arrow, or a note at one node when `target` is None."""

    at_ms: int
    source: int
    target: int | None
    words: str
    sent_ms: int = 0


def chart(title: str, nodes: Sequence[str], events: Sequence[Event], violation: str) -> str:
    """Return the page: a column for each node, time downwards, the violated rule in red at the end."""
    shown = events[-EVENTS_MAX:]
    width, height = _LANE * len(nodes), _TOP + _ROW * (len(shown) + 2)
    parts = [
        f'<text x="{_x(i)}" y="16" text-anchor="middle" font-weight="bold">{html.escape(name)}</text>'
        f'<line x1="{_x(i)}" y1="24" x2="{_x(i)}" y2="{height}" stroke="#bbb"/>'
        for i, name in enumerate(nodes)
    ]
    parts += [_row(_TOP + _ROW * i, event, shown[0].at_ms) for i, event in enumerate(shown)]
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<h1 style="font:bold 16px sans-serif">{html.escape(title)}</h1>'
        f'<p style="font:14px sans-serif;background:#c00;color:#fff;padding:6px">{html.escape(violation)}</p>'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 80}" height="{height}" font-family="monospace"'
        ' font-size="10"><defs><marker id="a" markerWidth="6" markerHeight="6" refX="6" refY="3" orient="auto">'
        f'<path d="M0,0 L6,3 L0,6 z"/></marker></defs>{"".join(parts)}'
        f'<text x="4" y="{height - 8}" fill="#c00" font-weight="bold">{html.escape(violation)}</text></svg>\n'
    )


def _x(node: int) -> int:
    return 80 + _LANE // 2 + _LANE * node


def _row(y: int, event: Event, begin_ms: int) -> str:
    words = html.escape(event.words)
    time = f'<text x="4" y="{y + 3}" fill="#888">{(event.at_ms - begin_ms) / 1000:.3f}</text>'
    if event.target is None:
        return f'{time}<text x="{_x(event.source)}" y="{y + 3}" text-anchor="middle" fill="#06c">{words}</text>'
    x1, x2 = _x(event.source), _x(event.target)
    return (
        f'{time}<line x1="{x1}" y1="{y}" x2="{x2}" y2="{y}" stroke="#333" marker-end="url(#a)"/>'
        f'<text x="{(x1 + x2) // 2}" y="{y - 2}" text-anchor="middle">{words}</text>'
    )

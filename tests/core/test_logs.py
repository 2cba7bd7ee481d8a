"""Log lines: one line each, readable by people and machines, without secrets."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import trio

from metanode.core import logs
from metanode.core.current import REQUEST


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger("metanode")
    before = (root.handlers[:], root.level, root.propagate)
    yield
    root.handlers[:], root.level, root.propagate = before


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_a_text_line_is_key_value_pairs() -> None:
    """Values with spaces or quotes are quoted, bytes are hex."""
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    fields = {"height": 7, "hash": b"\x01\xff", "note": 'say "hi"'}
    logging.getLogger("metanode.storage.sqlite").info("block %d stored", 7, extra={"fields": fields})
    (line,) = lines(stream)
    assert line.startswith("time=20")
    assert line.endswith(
        'level=info part=storage.sqlite msg="block 7 stored" height=7 hash=01ff note="say \\"hi\\""'
    )


def test_a_json_line_holds_the_same() -> None:
    """One object a line."""
    stream = io.StringIO()
    logs.configure("info", as_json=True, stream=stream)
    logging.getLogger("metanode.kernel").warning("blocked", extra={"fields": {"ms": 2100}})
    (line,) = lines(stream)
    value = json.loads(line)
    assert {key: value[key] for key in ("level", "part", "msg", "ms")} == {
        "level": "warning", "part": "kernel", "msg": "blocked", "ms": 2100,
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_a_message_stays_on_one_line(as_json: bool) -> None:
    """What a peer sends cannot forge a second line, and a traceback is one too."""
    stream = io.StringIO()
    logs.configure("debug", as_json=as_json, stream=stream)
    log = logging.getLogger("metanode.x")
    log.info("first\nlevel=error second")
    try:
        raise ValueError("boom")
    except ValueError:
        log.debug("caught", exc_info=True)
    assert len(lines(stream)) == 2
    assert "boom" in lines(stream)[1]


def test_a_long_message_is_cut() -> None:
    """A peer's text must not fill the disk."""
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    logging.getLogger("metanode.x").info("y" * 100_000)
    assert len(stream.getvalue()) < logs.LINE_CHARS_MAX + 200


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_left_out(as_json: bool) -> None:
    """Neither a field whose name says so nor a name=value in the message shows a secret."""
    stream = io.StringIO()
    logs.configure("debug", as_json=as_json, stream=stream)
    log = logging.getLogger("metanode.x")
    log.info("opened", extra={"fields": {"seed": "hunter2", "keystore_passphrase": "hunter2", "path": "a.key"}})
    log.info("passphrase=hunter2 api_token: 'hunter2' next")
    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count(logs.REDACTED) == 4
    assert "a.key" in stream.getvalue()
    assert "next" in stream.getvalue()


def test_the_level_is_kept_and_configuring_twice_does_not_double_lines() -> None:
    """The last call counts."""
    logs.configure("debug", stream=io.StringIO())
    stream = io.StringIO()
    logs.configure("warning", stream=stream)
    log = logging.getLogger("metanode.x")
    log.info("no")
    log.warning("yes")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_line_carries_the_id_of_the_request_being_answered(as_json: bool) -> None:
    """Whoever writes it: a task's children and its worker threads too; and nobody else's lines."""
    stream = io.StringIO()
    logs.configure("info", as_json=as_json, stream=stream)
    log = logging.getLogger("metanode.x")

    async def answer(request_id: str) -> None:
        REQUEST.set(request_id)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, log.info, f"thread of {request_id}")
        log.info("task of %s", request_id)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, "a-1")
        nursery.start_soon(answer, "b-2")
    log.info("nobody")
    found = {}
    for line in lines(stream):
        match = re.search(r"(?:request=|\"request\": \")([\w-]+)", line)
        found[line.partition("msg")[2].strip('=": ').partition('"')[0]] = match and match[1]
    assert found == {
        "thread of a-1": "a-1", "task of a-1": "a-1", "thread of b-2": "b-2", "task of b-2": "b-2", "nobody": None,
    }

"""Batches over contiguous buffers: any buffer of the right kind is taken, anything else is refused by name."""

from __future__ import annotations

import mmap
import subprocess
import sys
from array import array
from functools import partial
from typing import Any

import pytest

from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3.buffers import split

DATA = bytes(range(200))
OFFSETS = array("Q", [0, 10, 10, 80, 200])
COUNT = len(OFFSETS) - 1


@pytest.fixture
def expected(provider: shim.ShimProvider) -> list[bytes]:
    """The digests of the messages of `OFFSETS`."""
    return [provider.digest(DATA[start:end]) for start, end in zip(OFFSETS, OFFSETS[1:], strict=False)]


def test_every_kind_of_buffer_serves_as_data_and_offsets(provider: shim.ShimProvider, expected: list[bytes]) -> None:
    """Read-only and writable, owned and borrowed, aligned or not."""
    mapped = mmap.mmap(-1, 4096)
    mapped[: len(DATA)] = DATA
    shifted = memoryview(b"xyz" + OFFSETS.tobytes())[3:].cast("Q")
    assert provider._buffers._aligned == 1 or shifted.obj is not None
    for data in (DATA, bytearray(DATA), memoryview(DATA), memoryview(bytearray(DATA)), mapped, array("B", DATA)):
        for offsets in (OFFSETS, memoryview(OFFSETS), memoryview(OFFSETS.tobytes()).cast("Q"), shifted):
            assert split(provider.digest_packed(data, offsets)) == expected
    mapped.close()


@pytest.mark.parametrize("kind", [bytearray, lambda size: memoryview(bytearray(size)), partial(mmap.mmap, -1)])
def test_digests_go_into_the_buffer_that_is_given(
    provider: shim.ShimProvider, expected: list[bytes], kind: Any
) -> None:
    """And that buffer is the answer."""
    out = kind(32 * COUNT)
    assert provider.digest_packed(DATA, OFFSETS, out) is out
    assert bytes(out) == b"".join(expected)


def test_no_messages_are_a_batch_too(provider: shim.ShimProvider) -> None:
    """One offset and nothing to write."""
    assert provider.digest_packed(b"", array("Q", [0])) == b""
    assert provider.digest_packed(DATA, array("Q", [200])) == b""
    assert provider.derive_key_many("context", []) == []
    assert split(provider.digest_packed(b"", array("Q", [0, 0]))) == [provider.digest(b"")]


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 201], r"offsets\[1\] is 201, beyond the 200 there are"),
        ([201, 201], r"offsets\[0\] is 201, beyond"),
        ([0, 50, 49], r"offsets\[2\] is 49, less than the 50 before it"),
        ([0, 2**32 + 1], r"offsets\[1\] is 4294967297, beyond"),
        ([0, 2**64 - 1], r"offsets\[1\] is 18446744073709551615, beyond"),
        ([2**64 - 1, 0], r"offsets\[0\] is 18446744073709551615, beyond"),
        ([], r"offsets is empty"),
    ],
)
def test_offsets_that_fall_or_leave_the_data_are_named(
    path: str, provider: shim.ShimProvider, offsets: list[int], message: str
) -> None:
    """The first that is wrong; nothing is hashed and nothing is written."""
    out = bytearray(b"\xaa" * 32 * max(len(offsets) - 1, 0))
    with pytest.raises(ValueError, match=message):
        provider.digest_packed(DATA, array("Q", offsets), out)
    assert set(out) <= {0xAA}


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        (array("I", [0, 200]), "unsigned 64-bit integers.*4 bytes each"),
        (array("q", [0, 200]), "format 'q'"),
        (array("d", [0.0, 200.0]), "format 'd'"),
        (bytes(16), "format 'B'"),
        ([0, 200], "bytes-like"),
        (None, "bytes-like"),
    ],
)
def test_offsets_of_another_kind_are_refused(provider: shim.ShimProvider, offsets: Any, message: str) -> None:
    """Bytes that only happen to fit would be read as nonsense."""
    with pytest.raises(TypeError, match=message):
        provider.digest_packed(DATA, offsets)


def test_what_is_not_contiguous_is_refused(provider: shim.ShimProvider) -> None:
    """C would read what lies between."""
    with pytest.raises(ValueError, match="data is not contiguous"):
        provider.digest_packed(memoryview(DATA)[::2], OFFSETS)
    with pytest.raises(ValueError, match="offsets is not contiguous"):
        provider.digest_packed(DATA, memoryview(OFFSETS)[::2])
    with pytest.raises(ValueError, match="out is not contiguous"):
        provider.digest_packed(DATA, OFFSETS, memoryview(bytearray(64 * COUNT))[::2])


def test_an_output_that_cannot_be_written_or_has_another_size_is_refused(provider: shim.ShimProvider) -> None:
    """Neither more nor less than 32 bytes a message."""
    with pytest.raises(ValueError, match="out is read-only"):
        provider.digest_packed(DATA, OFFSETS, bytes(32 * COUNT))
    with pytest.raises(ValueError, match="out is read-only"):
        provider.digest_packed(DATA, OFFSETS, memoryview(bytearray(32 * COUNT)).toreadonly())
    for size in (0, 32 * COUNT - 1, 32 * COUNT + 1, 32 * (COUNT + 1)):
        with pytest.raises(ValueError, match=f"out has {size} bytes, must have exactly {32 * COUNT}"):
            provider.digest_packed(DATA, OFFSETS, bytearray(size))


@pytest.mark.parametrize("start", [0, 1, 150, 199])
def test_an_output_over_an_input_is_refused(provider: shim.ShimProvider, start: int) -> None:
    """Whichever of the two it touches, and by however little."""
    area = bytearray(DATA + bytes(32 * COUNT))
    with memoryview(area) as view, pytest.raises(ValueError, match="out overlaps an input"):
        provider.digest_packed(view[:200], OFFSETS, view[start : start + 32 * COUNT])
    words = bytearray(OFFSETS.tobytes() + bytes(32 * COUNT))
    with memoryview(words) as view, pytest.raises(ValueError, match="out overlaps an input"):
        provider.digest_packed(DATA, view[:40].cast("Q"), view[39 : 39 + 32 * COUNT])


def test_an_output_beside_its_input_is_taken(provider: shim.ShimProvider, expected: list[bytes]) -> None:
    """One buffer may hold both."""
    area = bytearray(DATA + bytes(32 * COUNT))
    with memoryview(area) as view:
        provider.digest_packed(view[:200], OFFSETS, view[200:])
    assert split(area[200:]) == expected
    assert area[:200] == DATA


def test_a_buffer_cannot_shrink_while_c_reads_it(provider: shim.ShimProvider) -> None:
    """Python refuses to resize what is borrowed."""
    data = bytearray(DATA)
    held = provider._buffers.data(data)
    with pytest.raises(BufferError):
        data.clear()
    assert len(held) == len(DATA)


RACE = """
import ctypes, mmap, random, sys, threading
from array import array
from functools import partial
from metanode.platforms.shims import blake3 as shim

provider = shim.load()
page, pages = mmap.PAGESIZE, 64
area = mmap.mmap(-1, page * (pages + 1))
size = page * pages
at = ctypes.addressof(ctypes.c_char.from_buffer(area))
assert ctypes.CDLL(None, use_errno=True).mprotect(ctypes.c_void_p(at + size), page, 0) == 0
data = memoryview(area)[:size]
count = 4000
good = array("Q", [size * i // count for i in range(count + 1)])
offsets = array("Q", good)
out = bytearray(32 * count)
seed = random.randrange(2**32)
print("seed", seed, flush=True)
chance, done, changes = random.Random(seed), threading.Event(), 0

def pick():
    return chance.randrange(count + 1), chance.choice((0, size, size + 1, size - 1, 2**32, 2**63, 2**64 - 1))

def change():
    global changes
    while not done.is_set():
        (i, wrong), _ = pick(), pick()
        offsets[i] = wrong
        pick()  # about half of the time something is wrong
        offsets[i] = good[i]
        changes += 1

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=change) for _ in range(2)]
for thread in threads:
    thread.start()
refused = 0
tree = provider.list_tree("leaf", "node", "root")
calls = 0
while calls < 400 and (calls < 150 or not 10 < refused < calls - 10):
    calls += 1
    for call in (lambda: provider.digest_packed(data, offsets, out), lambda: tree.root_packed(data, offsets)):
        try:
            call()
        except ValueError:
            refused += 1
done.set()
for thread in threads:
    thread.join()
assert changes > 100, changes
before = bytes(provider.digest_packed(data, good))
assert before == bytes(provider.digest_packed(bytes(data), good))
print("survived", refused, "refused of", 2 * calls, "under", changes, "changes")
"""


def test_offsets_that_change_under_way_never_lead_out_of_the_data(path: str) -> None:
    """The page behind the data cannot be read: one byte too far would end the process by a signal."""
    done = subprocess.run(
        [sys.executable, "-c", RACE], env={"METANODE_SIMD": path, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "survived" in done.stdout

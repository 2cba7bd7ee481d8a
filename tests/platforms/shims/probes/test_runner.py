"""The compiled probes: every result is what the challenge asks for, whoever computes it; bad input is refused."""

from __future__ import annotations

import random
import subprocess
import sys
import time
import types
from typing import Any

import pytest

from metanode.fingerprint.probes import workload
from metanode.platforms.shims import probes
from metanode.platforms.shims.probes import CHASES, NAMES, STATUSES, ProbeShim

SEED = 20261120
CHALLENGE = bytes(range(32))


@pytest.fixture(scope="module")
def shim() -> ProbeShim:
    """The extension of this checkout."""
    loaded = probes.load()
    if loaded is None:
        pytest.skip(probes.problem())
    return loaded


@pytest.mark.parametrize("probe", NAMES)
def test_what_runs_what_is_recomputed_and_python_agree(shim: ProbeShim, probe: int) -> None:
    """Three computations of one result: the timed one, portable integers in C, and Python."""
    chance = random.Random(SEED + probe)
    for _ in range(8):
        challenge = chance.randbytes(32)
        right = workload.recompute(challenge, probe)
        assert shim.recompute(probe, challenge) == right, (SEED, challenge.hex())
        assert shim.size(probe, challenge) == workload.draw(challenge, probe).size(probe)
        taken = shim.run(probe, challenge, repeat=2, count=3)
        if taken.status in ("unsupported", "refused"):
            assert taken == (taken.status, (), 0)
            continue
        assert (taken.status, taken.result, len(taken.ns)) == ("ok", right, 3), (SEED, challenge.hex())
        assert min(taken.ns) >= 0


@pytest.mark.parametrize("probe", NAMES)
def test_every_part_of_the_challenge_changes_the_result(shim: ProbeShim, probe: int) -> None:
    """A recording for one challenge is useless for another."""
    right = shim.recompute(probe, CHALLENGE)
    for byte in range(32):
        other = bytearray(CHALLENGE)
        other[byte] ^= 0x10
        assert shim.recompute(probe, bytes(other)) != right


def test_vectors_do_the_work_of_plain_registers(shim: ProbeShim) -> None:
    """Else their times could not be compared."""
    assert workload.draw(CHALLENGE, workload.SIMD) == workload.draw(CHALLENGE, workload.SCALAR)


def test_a_walk_visits_every_line_once_before_it_comes_back() -> None:
    """A shorter round would stay in a cache that the ring does not fit."""
    for probe in CHASES[:6]:
        for first in range(4):
            work = workload.draw(bytes([first, probe]) * 16, probe)
            (lines,) = work.lanes
            at, seen = 0, set()
            for _ in range(lines):
                seen.add(at)
                at = (work.a * at + work.b) % lines
            assert (len(seen), at) == (lines, 0)
            assert work.a < lines
            assert work.b < lines


def test_memory_stays_within_what_a_small_miner_may_hold() -> None:
    """The largest ring and the stream, whatever the challenge."""
    largest = max(workload.draw(bytes([i]) * 32, probe).size(probe)[1] for i in range(64) for probe in NAMES)
    assert largest <= 6 << 20


@pytest.mark.parametrize("challenge", [b"", bytes(31), bytes(33)])
def test_a_challenge_of_another_length_is_refused(shim: ProbeShim, challenge: bytes) -> None:
    """Before anything is read from it."""
    for call in (shim.recompute, shim.size, shim.run):
        with pytest.raises(ValueError, match="range"):
            call(16, challenge)


@pytest.mark.parametrize("probe", [0, 15, 28, 31, 43, 2**32 - 1])
def test_an_unknown_probe_is_refused(shim: ProbeShim, probe: int) -> None:
    """Numbers between and beyond the known ones."""
    assert not shim.supported(probe)
    for call in (shim.recompute, shim.size, shim.run):
        with pytest.raises(ValueError, match="range"):
            call(probe, CHALLENGE)


@pytest.mark.parametrize(("repeat", "count"), [(0, 1), (1, 0), (4097, 1), (1, 1025), (-1, 1), (1, -1)])
def test_counts_out_of_range_are_refused(shim: ProbeShim, repeat: int, count: int) -> None:
    """Before memory is set aside for them."""
    with pytest.raises(ValueError, match="samples"):
        shim.run(16, CHALLENGE, repeat=repeat, count=count)


def test_null_pointers_are_refused_by_the_library_itself(shim: ProbeShim) -> None:
    """C callers have no wrapper before it."""
    module: Any = shim
    lib, ffi = module._lib, module._ffi
    ns, result = ffi.new("int64_t[]", 1), ffi.new("uint64_t *")
    assert lib.mn_probe_run(16, ffi.NULL, 32, 1, ns, 1, result) == lib.MN_NULL
    assert lib.mn_probe_run(16, CHALLENGE, 32, 1, ffi.NULL, 1, result) == lib.MN_NULL
    assert lib.mn_probe_run(16, CHALLENGE, 32, 1, ns, 1, ffi.NULL) == lib.MN_NULL
    assert lib.mn_probe_recompute(16, CHALLENGE, 32, ffi.NULL) == lib.MN_NULL
    assert lib.mn_probe_size(16, CHALLENGE, 32, ffi.NULL, ffi.NULL) == lib.MN_NULL
    assert lib.mn_probe_run(27, CHALLENGE, 32, 1, ffi.new("int64_t[]", 513), 513, result) == lib.MN_RANGE
    assert STATUSES[lib.MN_NULL] == "null"
    assert STATUSES[lib.MN_WRONG] == "wrong"


def test_an_extension_that_recomputes_wrong_results_is_not_used(shim: ProbeShim) -> None:
    """Its owner would fail every check of a validator."""
    real: Any = shim

    def recompute(probe: int, challenge: bytes, size: int, result: Any) -> int:
        status: int = real._lib.mn_probe_recompute(probe, challenge, size, result)
        result[0] ^= probe == 21
        return status

    broken = types.SimpleNamespace(mn_probe_recompute=recompute, MN_OK=0)
    with pytest.raises(ValueError, match="fp_div"):
        ProbeShim(types.SimpleNamespace(ffi=real._ffi, lib=broken))


def test_recomputing_stays_below_a_millisecond(shim: ProbeShim) -> None:
    """A validator does it for every attestation of a block.  The best of many: other work only ever adds."""
    for probe in NAMES:
        taken = []
        for _ in range(20):
            begin = time.perf_counter_ns()
            shim.recompute(probe, CHALLENGE)
            taken.append(time.perf_counter_ns() - begin)
        assert min(taken) < 1_000_000, NAMES[probe]


HARDENED = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit("no PR_SET_MDWE")
from metanode.platforms.shims import probes
shim = probes.load()
print(*(shim.run(probe, bytes(32)).status for probe in (24, 25, 26)))
"""
"""A kernel that refuses memory both writable and executable: Linux 6.3 does so for a process that asks for it."""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_hardened_system_leaves_patched_code_unmeasured(shim: ProbeShim) -> None:
    """It is refused, nothing ends, and the other probes run."""
    done = subprocess.run([sys.executable, "-c", HARDENED], capture_output=True, text=True, check=False)
    if "PR_SET_MDWE" in done.stderr:
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert done.stdout.split() == ["refused" if shim.supported(25) else "unsupported"] * 2 + ["ok"], done.stderr

"""Which path hashes: METANODE_SIMD is obeyed, a path that lies is dropped loudly, a broken extension is not used."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from metanode.core.model import blake3 as pure
from metanode.platforms.shims import blake3 as shim
from metanode.platforms.shims.blake3 import paths
from metanode.platforms.shims.blake3.paths import BEST_FIRST, PATHS, allowed

EXTENSION = "metanode.platforms.shims._blake3"
USABLE = [state.name for state in shim.status().paths if state.usable]


def _started(setting: str | None) -> tuple[dict[str, Any], str]:
    """Return the status and the warnings of a fresh process with METANODE_SIMD set so."""
    code = (
        "import json; from metanode.platforms.shims import blake3; p = blake3.load(); s = blake3.status();"
        "print(json.dumps([s.selected, [r.name for r in s.paths if r.usable], p.digest(bytes(9000)).hex()]))"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))} | ({"METANODE_SIMD": setting} if setting else {})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    selected, usable, digest = json.loads(done.stdout)
    assert digest == pure.digest(bytes(9000)).hex()
    return {"selected": selected, "usable": usable}, done.stderr


def _best(names: list[str]) -> str:
    return next(name for name in BEST_FIRST if name in names)


@pytest.mark.usefixtures("provider")
def test_the_best_path_is_selected_where_nothing_is_asked() -> None:
    """And the portable one is always usable."""
    status, warned = _started(None)
    assert status["usable"] == USABLE
    assert status["selected"] == _best(USABLE)
    assert "portable" in USABLE
    assert not warned


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("name", ["none", *PATHS])
def test_one_path_can_be_forced(name: str) -> None:
    """With the portable one where this machine lacks it."""
    status, warned = _started(name)
    assert status["selected"] == (name if name in USABLE else "portable")
    assert set(status["usable"]) <= {name, "portable"}
    assert not warned


@pytest.mark.usefixtures("provider")
def test_a_name_that_is_no_path_is_warned_of_with_the_valid_ones() -> None:
    """A slip of the pen must not silently cost the speed."""
    status, warned = _started("avx, SSE41")
    assert status["selected"] == ("sse41" if "sse41" in USABLE else "portable")
    assert "METANODE_SIMD" in warned
    assert "avx" in warned
    assert all(name in warned for name in ("none", *PATHS))


@pytest.mark.parametrize(
    ("value", "names", "wrong"),
    [
        ("", set(PATHS), False),
        (" ", set(PATHS), False),
        ("none", {"portable"}, False),
        ("portable", {"portable"}, False),
        ("AVX2,neon", {"avx2", "neon", "portable"}, False),
        (" avx2 , ", {"avx2", "portable"}, False),
        ("none,avx2", {"avx2", "portable"}, False),
        ("all", {"portable"}, True),
        ("avx2;avx512", {"portable"}, True),
    ],
)
def test_the_setting_is_read_as_written(value: str, names: set[str], wrong: bool) -> None:
    """Case and spaces do not matter, anything else does."""
    found, problem = allowed({"METANODE_SIMD": value})
    assert found == names
    assert bool(problem) == wrong


def test_the_pinned_answer_is_that_of_the_reference() -> None:
    """What every path is held to at load is computed here with Python alone."""

    class Reference:
        digest, keyed, derive_key = staticmethod(pure.digest), staticmethod(pure.keyed), staticmethod(pure.derive_key)

        def digest_packed(self, data: bytes, offsets: Any) -> bytes:
            return b"".join(pure.digest(item) for item in self._items(data, offsets))

        def derive_key_packed(self, context: str, data: bytes, offsets: Any) -> bytes:
            return b"".join(pure.derive_key(context, item) for item in self._items(data, offsets))

        def list_tree(self, leaf: str, node: str, root: str) -> Reference:
            assert leaf == node == root
            self.context = leaf
            return self

        def root_packed(self, data: bytes, offsets: Any) -> bytes:
            level = [pure.derive_key(self.context, item) for item in self._items(data, offsets)]
            while len(level) > 1:
                pairs = [b"".join(level[i : i + 2]) for i in range(0, len(level), 2)]
                level = [pure.derive_key(self.context, pair) if len(pair) == 64 else pair for pair in pairs]
            return pure.derive_key(self.context, (len(offsets) - 1).to_bytes(8, "big") + level[0])

        def _items(self, data: bytes, offsets: Any) -> list[bytes]:
            assert offsets[-1] <= len(data)
            return [data[start:end] for start, end in zip(offsets, offsets[1:], strict=False)]

    answers = paths.transcript(Reference())  # type: ignore[arg-type]  # a provider by shape
    assert pure.digest(answers).hex() == paths.TRANSCRIPT_DIGEST


class Lying:
    """The library with one function that is wrong while a path is selected, on a machine that has two paths."""

    def __init__(self, real: Any, function: str, liar: int) -> None:
        self._real, self._function, self._liar, self._now = real, function, liar, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name != self._function:
            return found

        def wrong(*arguments: Any) -> int:
            status: int = found(*arguments)
            if self._now == self._liar:
                out = next(a for a in reversed(arguments) if not isinstance(a, int))
                out[0] ^= 1
            return status

        return wrong

    def mn_blake3_paths_built(self) -> int:
        return 1 | 1 << self._liar

    mn_blake3_paths_supported = mn_blake3_paths_built

    def mn_blake3_select(self, path: int) -> int:
        self._now = path
        return 0

    def mn_blake3_selected(self) -> int:
        return self._now


@pytest.fixture
def restored(provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `load` remembers is put back afterwards."""
    monkeypatch.setattr(shim, "_loaded", shim._loaded)


FUNCTIONS = ("hash", "keyed", "derive", "many", "merkle_root")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("liar", range(1, len(PATHS)))
def test_a_path_that_lies_is_dropped_loudly(
    provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, function: str, liar: int
) -> None:
    """A warning, a reason in the status, and the portable path instead."""
    lib = Lying(provider._module.lib, f"mn_blake3_{function}", liar)
    monkeypatch.setitem(sys.modules, EXTENSION, SimpleNamespace(ffi=provider._module.ffi, lib=lib))
    with pytest.warns(RuntimeWarning, match=f"BLAKE3 path {PATHS[liar]} is dropped: it gives other digests"):
        loaded = shim.load()
    assert loaded is not None
    status = shim.status()
    assert status.selected == "portable"
    assert status.paths[liar].dropped
    assert not status.paths[liar].usable
    with pytest.raises(ValueError, match=f"{PATHS[liar]} is not usable here; portable would be"):
        shim.select(PATHS[liar])


@pytest.mark.usefixtures("restored")
def test_a_path_that_refuses_its_self_test_is_dropped(
    provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is an answer too."""
    lib = Lying(provider._module.lib, "", 1)
    monkeypatch.setattr(lib, "mn_blake3_many", lambda *arguments: 2 * (lib._now == 1), raising=False)
    real = provider._module.lib.mn_blake3_many
    lib.mn_blake3_many = lambda *arguments: 2 if lib._now == 1 else real(*arguments)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, EXTENSION, SimpleNamespace(ffi=provider._module.ffi, lib=lib))
    with pytest.warns(RuntimeWarning, match="sse41 is dropped: its self-test was refused"):
        assert shim.load() is not None


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_extension_that_hashes_wrongly_is_not_handed_out(
    provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """A miscompiled library must never reach consensus: the self-test covers every entry that the node uses."""
    module = SimpleNamespace(ffi=provider._module.ffi, lib=Lying(provider._module.lib, f"mn_blake3_{function}", 0))
    monkeypatch.setitem(sys.modules, EXTENSION, module)
    assert shim.load() is None
    assert "wrong digests" in shim.problem()
    assert shim.status().broken


def test_a_missing_extension_is_none_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler the wheel has no extension; the caller uses Python and can say why."""
    monkeypatch.setitem(sys.modules, EXTENSION, None)
    assert shim.load() is None
    assert "not built" in shim.problem()
    status = shim.status()
    assert (status.broken, status.selected, status.paths) == (False, "", ())
    with pytest.raises(ValueError, match="none would be"):
        shim.select("portable")


@pytest.mark.usefixtures("restored")
def test_an_extension_of_another_version_is_none_with_a_reason(
    provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One built before functions were added."""
    module = SimpleNamespace(ffi=provider._module.ffi, lib=SimpleNamespace(MN_OK=0))
    monkeypatch.setitem(sys.modules, EXTENSION, module)
    assert shim.load() is None
    assert "rebuild it" in shim.problem()
    assert shim.status().broken


def test_loading_twice_checks_once(provider: shim.ShimProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call is free, and changes no path that was selected meanwhile."""
    monkeypatch.setattr(paths, "choose", None)
    assert shim.load() is provider
    assert shim.status().selected == _best(USABLE)

"""Building C: each file gets its own flags, as far as the compiler takes them, and no flag is for all of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from metanode.platforms.shims.native_build import ROOT, WARNINGS, Flags, natives, read


@pytest.fixture
def compiler() -> str:
    """The C compiler of this machine."""
    found = shutil.which("cc")
    if found is None:
        pytest.skip("no C compiler here")
    return found


def test_a_flag_that_the_compiler_refuses_is_dropped(compiler: str) -> None:
    """One list of flags serves every target and every compiler."""
    flags = Flags([compiler])
    assert flags.accepts("-O2")
    assert not flags.accepts("-mno-such-instructions")
    assert not flags.accepts("-mfpu=neon") or not flags.accepts("-mavx2"), "no processor has both"


@pytest.mark.parametrize("compiler", ["/bin/false", "/nowhere/cc"])
def test_without_a_compiler_there_is_no_flag_and_no_error(compiler: str) -> None:
    """The build fails where it compiles, and is optional."""
    assert not Flags([compiler]).accepts("-O2")


def test_a_compiler_that_always_warns_keeps_its_flags(compiler: str, tmp_path: Path) -> None:
    """A warning that has nothing to do with the flag must not cost it."""
    noisy = tmp_path / "cc"
    noisy.write_text(
        f'#!/bin/sh\ncase "$*" in *-Werror*) exit 1;; esac\nexec {compiler} "$@"\n', encoding="ascii"
    )
    noisy.chmod(0o755)
    assert Flags([str(noisy)]).accepts("-O2")
    assert not Flags([str(noisy)]).accepts("-mno-such-instructions")


def test_a_file_has_only_its_own_flags(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector flag on another file would put vector instructions where no check of the processor precedes them."""
    monkeypatch.delenv("METANODE_WERROR", raising=False)
    flags = Flags([compiler])
    for native in natives():
        for source in native.sources:
            (path,) = native.paths(source)
            assert set(flags.of(path)) <= set(native.flags.get(source, ()))
    assert flags.of("platforms/shims/_blake3.c") == [], "what cffi generates"


def test_warnings_are_errors_only_where_that_is_asked(compiler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI sets METANODE_WERROR=1; a user's newer compiler may warn of something new."""
    path = "platforms/shims/blake3/api.c"
    monkeypatch.setenv("METANODE_WERROR", "1")
    assert Flags([compiler]).of(path)[-len(WARNINGS):] == list(WARNINGS)
    monkeypatch.setenv("METANODE_WERROR", "0")
    assert Flags([compiler]).of(path) == []


def test_every_folder_of_c_is_built() -> None:
    """Each has a list and a module of its name."""
    assert "metanode.platforms.shims._blake3" in {native.module for native in natives()}
    for native in natives():
        assert (native.folder / "build_native.py").is_file()
        assert read(native.folder) == native
        for path in native.paths(*native.sources, *native.headers):
            assert (ROOT / path).is_file()

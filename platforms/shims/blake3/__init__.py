"""BLAKE3 in C: one header, a portable reference, one file per instruction set, and the provider that Python hashes by.

`load()` gives the provider, or None where the extension is not built or is wrong; `problem()` then says why, and
`status()` says everything.  Read `blake3.h` first: what C promises; then `provider.py`, `trees.py` and `paths.py`.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from metanode.platforms.shims.blake3 import paths
from metanode.platforms.shims.blake3.paths import PathState
from metanode.platforms.shims.blake3.provider import ShimProvider

__all__ = ["PathState", "ShimProvider", "Status", "load", "problem", "select", "status"]


class Status(NamedTuple):
    """What hashes in this process, and why not something else."""

    problem: str
    """Why there is no provider; empty when there is one."""
    broken: bool
    """The extension is there and cannot be used: more than a machine without a compiler."""
    selected: str
    """The path that hashes now; empty without a provider."""
    paths: tuple[PathState, ...]


class _Loaded(NamedTuple):
    module: Any
    provider: ShimProvider | None
    status: Status


_loaded: _Loaded | None = None


def load() -> ShimProvider | None:
    """Return a provider whose paths have passed their self-test, or None; `problem()` then says why.

    The first call selects a path for the whole process; it belongs before other threads hash.
    """
    return _load().provider


def problem() -> str:
    """Return why `load` answers None, in one line; empty when it does not."""
    return _load().status.problem


def status() -> Status:
    """Return what is built, supported, enabled, dropped and selected now."""
    loaded = _load()
    if loaded.provider is None:
        return loaded.status
    return loaded.status._replace(selected=paths.selected(loaded.module.lib))


def select(name: str) -> None:
    """Let a usable path hash from now on, in the whole process: for measurements and tests.

    :raises ValueError: there is no such path here, or it was dropped.
    """
    loaded = _load()
    usable = [state.name for state in loaded.status.paths if state.usable]
    if name not in usable:
        raise ValueError(f"the BLAKE3 path {name} is not usable here; {', '.join(usable) or 'none'} would be")
    paths.select(loaded.module.lib, name)


def _load() -> _Loaded:
    global _loaded
    try:
        module = importlib.import_module("metanode.platforms.shims._blake3")
    except ImportError as error:
        broken = not isinstance(error, ModuleNotFoundError)
        reason = "does not fit this Python" if broken else "is not built"
        return _Loaded(None, None, Status(f"the BLAKE3 extension {reason}: {error}", broken, "", ()))
    if _loaded is None or _loaded.module is not module:
        try:
            provider = ShimProvider(module)
            states = paths.choose(provider, module.lib)
        except (AttributeError, ValueError) as error:  # an extension of another version lacks functions
            text = f"the BLAKE3 extension cannot be used: {error}; rebuild it"
            _loaded = _Loaded(module, None, Status(text, True, "", ()))
        else:
            _loaded = _Loaded(module, provider, Status("", False, paths.selected(module.lib), states))
    return _loaded

"""The loop: make an input, run a target, keep what behaved in a new way as a seed for later ones."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzzkit.targets import ACCEPTED, Target
from metanode.core.model.errors import MetanodeError

KEPT_MAX = 400
"""Inputs kept per target."""
KEPT_BYTES_MAX = 8192
"""Longer inputs are run and not kept: they would only slow what follows."""

_VARIABLE = re.compile(r"[0-9]+|'.*'|\".*\"")


class Finding(AssertionError):
    """An input that broke a promise."""

    def __init__(self, target: str, data: bytes, error: BaseException) -> None:
        super().__init__(f"{target} on {data[:400].hex()} ({len(data)} bytes): {type(error).__name__}: {error}")
        self.data = data


@dataclass
class Hunt:
    """One target, its seeds and what came of them."""

    target: Target
    chance: Random
    directory: Path | None = None
    """Where kept inputs live across runs."""
    outcomes: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)
    _corpus: list[bytes] = field(default_factory=list)
    _accepted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._corpus = list(self.target.seeds())
        for data in self._corpus:
            kind = self._run(data)
            self._seen.add(kind)
            if kind == ACCEPTED:
                self._accepted.append(data)
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            for path in sorted(self.directory.iterdir()):
                self._take(path.read_bytes())

    @property
    def runs(self) -> int:
        """Inputs tried."""
        return sum(self.outcomes.values())

    @property
    def kinds(self) -> int:
        """Different behaviours seen."""
        return len(self._seen)

    def step(self) -> None:
        """Try one new input.

        :raises Finding: it broke a promise.
        """
        # A change to something whole meets the deepest checks; what was refused once is already off the path.
        whole = self._accepted and self.chance.randrange(4)
        self._take(self.target.make(self.chance, self.chance.choice(self._accepted if whole else self._corpus)))

    def _take(self, data: bytes) -> None:
        kind = self._run(data)
        if kind in self._seen:
            return
        self._seen.add(kind)
        if len(data) <= KEPT_BYTES_MAX and len(self._corpus) < KEPT_MAX + len(self.target.seeds()):
            self._corpus.append(data)
            if self.directory is not None:
                (self.directory / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def _run(self, data: bytes) -> str:
        """Run the target; return its behaviour: the outcome and its message without what varies."""
        try:
            outcome = self.target.outcome(data)
            message = ""
            if outcome != ACCEPTED:
                try:
                    self.target.run(data)
                except MetanodeError as error:
                    message = _VARIABLE.sub("#", error.message)[:120]
        except Exception as error:
            raise Finding(self.target.name, data, error) from error
        self.outcomes[outcome] += 1
        return f"{outcome} {message}" if message else outcome

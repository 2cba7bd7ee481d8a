"""Verdicts remembered between admission and the block: signatures, and keyed probe results.

All of them are pure functions of their key, so a hit, a miss and an eviction differ in time
only, never in outcome.  A signature's key is (envelope id, public key): the id covers the
signature, and a hit counts only for the key that the account has where the envelope stands.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

from metanode.core.model import ed25519
from metanode.core.model.accounts import account_id
from metanode.core.model.bodies import ProbeResults
from metanode.core.model.envelope import Envelope, signing_digests
from metanode.fingerprint.keyed import check_active, run_keyed

VERDICTS_MAX = 50_000
"""Signatures remembered; the pool holds 10,000 envelopes and a block at most as many again."""
PROBES_MAX = 4_096
"""Keyed probe results remembered: a few blocks of attestations."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Lru(Generic[_K, _V]):
    """A bounded map that forgets what was used longest ago.  Safe from any thread."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._entries: OrderedDict[_K, _V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: _K) -> _V | None:
        """Return what is remembered, or None."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def get_many(self, keys: Sequence[_K]) -> list[_V | None]:
        """Return `get` of each key."""
        with self._lock:
            values = list(map(self._entries.get, keys))
            for key, value in zip(keys, values, strict=True):
                if value is not None:
                    self._entries.move_to_end(key)
            return values

    def put(self, key: _K, value: _V) -> None:
        """Remember a value."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._count_max:
                self._entries.popitem(last=False)


class Verdicts:
    """The memory of one ledger."""

    def __init__(self, genesis_hash: bytes, count_max: int = VERDICTS_MAX) -> None:
        self._genesis_hash = genesis_hash
        self._signatures: Lru[tuple[bytes, bytes], bool] = Lru(count_max)
        self._keys: Lru[bytes, bytes] = Lru(count_max)
        self._probes: Lru[tuple[bytes, int], int] = Lru(PROBES_MAX)
        self._active: Lru[tuple[bytes, ProbeResults], int] = Lru(PROBES_MAX)

    def verify(self, pairs: Sequence[tuple[Envelope, bytes]]) -> list[bool]:
        """Tell for each (envelope, public key) whether the signature holds; unknown ones in one batch."""
        verdicts = self._signatures.get_many([(envelope.id, key) for envelope, key in pairs])
        unknown = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is None]
        digests = signing_digests([each.signed for each, _ in unknown], self._genesis_hash)
        fresh = ed25519.verify_many(
            [(key, digest, each.signature) for (each, key), digest in zip(unknown, digests, strict=True)]
        )
        for (envelope, key), verdict in zip(unknown, fresh, strict=True):
            self._signatures.put((envelope.id, key), verdict)
            if verdict and envelope.public_key:
                self._keys.put(account_id(key), key)
        answers = iter(fresh)
        return [next(answers) if verdict is None else verdict for verdict in verdicts]

    def hint(self, account: bytes) -> bytes:
        """Return the key that an account's first envelope showed before it stands on chain, or nothing.

        Only for admission, so that later envelopes of a new account can queue behind the first.
        A key is its account's by hash, so a hint cannot be wrong, only missing.
        """
        return self._keys.get(account) or b""

    def probe(self, challenge: bytes, probe: int) -> int:
        """Return the right result of a keyed probe."""
        result = self._probes.get((challenge, probe))
        if result is None:
            result = run_keyed(challenge, probe)
            self._probes.put((challenge, probe), result)
        return result

    def active(self, challenge: bytes, results: ProbeResults) -> int:
        """Return the first compiled probe whose result is wrong, 0 when all are right."""
        wrong = self._active.get((challenge, results))
        if wrong is None:
            wrong = dict(check_active(challenge, results).numbers).get("probe", 0)
            self._active.put((challenge, results), wrong)
        return wrong

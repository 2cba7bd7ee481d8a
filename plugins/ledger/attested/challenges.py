"""Challenges: which header one rests on, how old it is, and whether its keyed probes were really run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from metanode.core.model.bodies import ProbeResults, challenge
from metanode.core.model.errors import Rejection
from metanode.fingerprint.keyed import PROBES
from metanode.plugins.ledger.attested.rules import Place
from metanode.plugins.ledger.attested.verdicts import Verdicts


@dataclass(frozen=True)
class Challenge:
    """A header that was used as a challenge."""

    header_hash: bytes
    time_ms: int
    age_ms: int
    """From its time to the including block's."""
    fresh: bool


def find(place: Place, height: int) -> Challenge:
    """Return the header at a challenge height, seen from a block.

    :raises Rejection: CHALLENGE_UNKNOWN for a height not below the block's, CHALLENGE_LATE for
        one so old that no rule may look back to it.
    """
    if height >= place.height:
        raise Rejection("CHALLENGE_UNKNOWN", f"challenge height {height} is not below the block's {place.height}")
    header = place.ancestors.at(height)
    if header is None or header[1] < place.parent_ms - place.rules.params.look_back_ms:
        raise Rejection("CHALLENGE_LATE", f"challenge height {height} is too long ago")
    header_hash, time_ms = header
    age_ms = place.time_ms - time_ms
    return Challenge(header_hash, time_ms, age_ms, age_ms <= place.rules.params.challenge_fresh_ms)


def late(found: Challenge, place: Place) -> Rejection:
    """Return the refusal of a challenge that is too old."""
    return Rejection(
        "CHALLENGE_LATE",
        f"the challenge is {found.age_ms} ms old in block time",
        f"at most {place.rules.params.challenge_fresh_ms} ms, from the epoch of the including block",
    )


def check_probes(
    verdicts: Verdicts, header_hash: bytes, machine_key: bytes, results: ProbeResults, asked: Collection[int]
) -> None:
    """Recompute every keyed probe, the dearest check and so the last.

    :param asked: compiled probes whose results may stand beside the interpreted ones, which all must.
    :raises Rejection: PROBE_MISMATCH.
    """
    split = len(PROBES)
    answered = tuple(probe for probe, _ in results)
    if answered[:split] != PROBES or not set(answered[split:]) <= set(asked):
        expected = f"results of probes {list(PROBES)}, and of none but {sorted(asked)}"
        raise Rejection("PROBE_MISMATCH", f"results of probes {list(answered)}", expected)
    seed = challenge(header_hash, machine_key)
    for probe, result in results[:split]:
        if verdicts.probe(seed, probe) != result:
            raise Rejection("PROBE_MISMATCH", f"probe {probe} gave {result:016x} for this challenge")
    wrong = verdicts.active(seed, results[split:])
    if wrong:
        raise Rejection("PROBE_MISMATCH", f"probe {wrong} did something else than this challenge asks for")

"""Who proposes: a draw by bond from the VRF output of the header before.

alpha, the input of each proof, holds nothing of the header being made, so nobody can try many
headers for a better draw; what remains is the choice to withhold one's proof, one bit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from metanode.core.model.hashing import H
from metanode.core.model.validators import Validator


def beta_zero(genesis_hash: bytes) -> bytes:
    """Return the 64 bytes that stand in for a VRF output before block 1."""
    return H("leader", genesis_hash + b"\x00") + H("leader", genesis_hash + b"\x01")


def alpha(beta_prev: bytes, height: int) -> bytes:
    """Return the VRF input of `height`, 32 bytes.

    :param beta_prev: the VRF output of height - 1, 64 bytes.
    """
    return H("leader", b"\x02" + beta_prev + height.to_bytes(8, "big"))


def leader(beta_prev: bytes, height: int, round_number: int, validators: Sequence[Validator]) -> int:
    """Return the index of the validator that proposes at (height, round).

    Each round draws among those who have not yet led in this height; when all have, they all
    stand again (round n of n validators is drawn from the whole set, as round 0 is).

    :param beta_prev: the VRF output of height - 1, 64 bytes.
    """
    tried: list[int] = []
    for earlier in range(round_number - round_number % len(validators), round_number):
        tried.append(draw(beta_prev, height, earlier, validators, tried))
    return draw(beta_prev, height, round_number, validators, tried)


def draw(
    beta_prev: bytes, height: int, round_number: int, validators: Sequence[Validator], excluded: Collection[int]
) -> int:
    """Return the index that one round draws, by bond, among those not `excluded`.

    :raises ValueError: everybody is excluded.
    """
    standing = [index for index in range(len(validators)) if index not in excluded]
    total = sum(validators[index].bond for index in standing)
    if not total:
        raise ValueError("no validator is left to draw")
    digest = H("leader", b"\x03" + beta_prev + height.to_bytes(8, "big") + round_number.to_bytes(4, "big"))
    ticket = int.from_bytes(digest, "big") % total
    for index in standing:
        ticket -= validators[index].bond
        if ticket < 0:
            return index
    raise AssertionError("a ticket is below the sum of the bonds")

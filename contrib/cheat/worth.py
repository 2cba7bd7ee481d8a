"""What a forgery earns: its share of a day's pot beside one honest modern computer and one honest PowerBook G4.

The smallest network that is worth cheating.  In a larger one each share is smaller, and so is everybody's loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from forgery import Outcome

from metanode.core import model
from metanode.core.model.params import WEIGHT_SCALE, network_params

DAY_MS = 86_400_000
MICRO = 1_000_000


class Weights(NamedTuple):
    """What a machine counts for, and what is paid of it at once; billionths."""

    weight: int
    payable: int


class Honest(NamedTuple):
    """The two honest machines."""

    pc: Weights
    g4: Weights


def pot_per_day() -> int:
    """Return what mainnet mints a day, micro-units."""
    text = (Path(model.__file__).parent / "data" / "networks.json").read_text("utf-8")
    params = network_params(text, "mainnet")
    return params.pot_per_epoch * DAY_MS // (params.slot_ms * params.slots_per_epoch)


def shares(honest: Honest, outcome: Outcome | None = None) -> Mapping[str, int]:
    """Return what each is paid a day, micro-units: `pc`, `g4`, and `cheat` with an outcome.

    The pot is shared by weight; what of a share is above the payable part goes into escrow.
    """
    all_of_them = honest._asdict()
    if outcome is not None and outcome.accepted:
        all_of_them["cheat"] = Weights(outcome.weight * outcome.machines, outcome.payable * outcome.machines)
    total = sum(one.weight for one in all_of_them.values())
    paid = {name: pot_per_day() * one.payable // total for name, one in all_of_them.items()}
    return {"cheat": 0, **paid}


def coins(micro: int) -> str:
    """Return an amount with three places."""
    return f"{micro // MICRO}.{micro % MICRO // 1000:03}"


def times(weight: int) -> str:
    """Return a weight as people read it."""
    text = f"{weight // WEIGHT_SCALE}.{weight % WEIGHT_SCALE // 1_000_000:03}".rstrip("0")
    return text + "0" if text.endswith(".") else text

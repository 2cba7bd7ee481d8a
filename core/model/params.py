"""Genesis parameters: the numbers a chain chooses once, and the named networks' choices.

What each parameter means stands in `data/networks.json` beside its values, so that the
documentation and the code cannot differ.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

from metanode.core.model import codec
from metanode.core.model.errors import SettingsError
from metanode.core.model.hashing import H
from metanode.core.model.limits import BLOCK_BYTES_MAX, BLOCK_ENVELOPES_MAX, ENVELOPE_BYTES_MAX, UINT_MAX
from metanode.core.model.strict_json import (
    expect_int,
    expect_keys,
    expect_object,
    expect_string,
    load_object,
    nearest,
)

PROFILES = ("edge", "rustchain")
WEIGHT_SCALE = 1_000_000_000
"""Weights are integers in billionths."""
EMPTY_BLOCK_MS_MAX = 60_000
"""An empty block is due at the latest after this."""
LOOK_BACK_EPOCHS = 2
"""How far back a rule may look, in epochs: a late attestation's slot lies in this epoch or the one before."""

_SCORING = re.compile("[1-9][0-9]{0,8}-[0-9a-f]{64}")

_DAY_MS = 86_400_000

PARAM_RANGES: dict[str, tuple[int, int]] = {
    "block_ms": (1, _DAY_MS),
    "slot_ms": (1, _DAY_MS),
    "slots_per_epoch": (1, 10_000),
    "attest_every_slots": (1, 10_000),
    "challenge_fresh_ms": (1, _DAY_MS),
    "max_valid": (1, 10**9),
    "min_fee": (1, UINT_MAX),
    "pot_per_epoch": (0, 10**15),
    "settle_per_block": (1, 10**6),
    "reveal_window_blocks": (1, 10**6),
    "machines_per_sponsor_epoch": (0, 10**6),
    "block_bytes_max": (ENVELOPE_BYTES_MAX, BLOCK_BYTES_MAX),
    "block_envelopes_max": (1, BLOCK_ENVELOPES_MAX),
    "attests_per_block_max": (0, BLOCK_ENVELOPES_MAX),
    "vm_weight": (0, WEIGHT_SCALE),
    "trust_period_s": (0, 10**9),
    "evidence_epochs": (0, 1_000),
    "reveal_blocks": (1, 10_000),
    "bond_min": (0, UINT_MAX),
    "uncalibrated_cap": (0, 10 * WEIGHT_SCALE),
    "legacy_cap": (0, 10 * WEIGHT_SCALE),
    "twins_per_sponsor": (1, 10**6),
    "slash_permille": (0, 1_000),
}
"""Smallest and largest value of each number."""


@dataclass(frozen=True)
class Params:
    """A chain's parameters, in the order of their map keys.  Meanings and units: `data/networks.json`."""

    profile: str
    block_ms: int
    slot_ms: int
    slots_per_epoch: int
    attest_every_slots: int
    challenge_fresh_ms: int
    max_valid: int
    min_fee: int
    pot_per_epoch: int
    settle_per_block: int
    reveal_window_blocks: int
    machines_per_sponsor_epoch: int
    block_bytes_max: int
    block_envelopes_max: int
    attests_per_block_max: int
    vm_weight: int
    trust_period_s: int
    evidence_epochs: int
    reveal_blocks: int
    bond_min: int
    uncalibrated_cap: int
    legacy_cap: int
    twins_per_sponsor: int
    slash_permille: int
    scoring: str

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise SettingsError("BAD_SETTING", f"params.profile is {self.profile!r}", nearest(self.profile, PROFILES))
        for name, (minimum, maximum) in PARAM_RANGES.items():
            expect_int(getattr(self, name), f"params.{name}", minimum=minimum, maximum=maximum)
        if not _SCORING.fullmatch(expect_string(self.scoring, "params.scoring")):
            raise SettingsError(
                "BAD_SETTING", f"params.scoring is {self.scoring!r}", "a version, a hyphen and 64 lower-case hex digits"
            )
        # An interval across two epochs would have no one epoch to count in.
        if self.slots_per_epoch % self.attest_every_slots:
            raise SettingsError(
                "BAD_SETTING",
                f"params.attest_every_slots is {self.attest_every_slots}",
                f"a divisor of slots_per_epoch ({self.slots_per_epoch})",
            )

    def encode(self) -> bytes:
        """Return the canonical map; keys number the fields from 0."""
        return codec.encode({key: getattr(self, name) for key, name in enumerate(PARAM_NAMES)})

    @cached_property
    def hash(self) -> bytes:
        """H(params, canonical bytes): the headers' params_hash."""
        return H("params", self.encode())

    @property
    def unbonding_epochs(self) -> int:
        """For how many epochs after it left the set a bond stays locked: as long as anything it certified is believed.

        That is trust_period_s, then evidence_epochs, and one more: the block that ends its seat is the old set's.
        """
        trusted = -(-self.trust_period_s * 1000 // (self.slot_ms * self.slots_per_epoch))
        return trusted + self.evidence_epochs + 1

    @property
    def look_back_ms(self) -> int:
        """How far before the parent's time a block's rules may look: two epochs, or as long as a challenge is fresh.

        The longer of both, so that a slow machine's fresh challenge is known where epochs are short.
        """
        return max(LOOK_BACK_EPOCHS * self.slot_ms * self.slots_per_epoch, self.challenge_fresh_ms)

    @property
    def empty_block_ms(self) -> int:
        """After how long a block without envelopes is due: often enough that challenges stay fresh."""
        return max(self.block_ms, min(EMPTY_BLOCK_MS_MAX, self.slot_ms // 4))

    def to_json(self) -> dict[str, int | str]:
        """Return the object that genesis files hold."""
        return asdict(self)


PARAM_NAMES = tuple(field.name for field in fields(Params))
"""Position is the map key."""


def params_from_object(value: Any, what: str = "params") -> Params:
    """Read the object that `Params.to_json` gives.

    :raises SettingsError: BAD_SETTING naming the key, its value and what is allowed.
    """
    entries = expect_object(value, what)
    expect_keys(entries, PARAM_NAMES, what)
    expect_string(entries["profile"], f"{what}.profile")
    return Params(**entries)


class Network(NamedTuple):
    """A named network: what its genesis starts from."""

    name: str
    chain_id: int
    params: Params


def network(networks_json: str, name: str) -> Network:
    """Read one network from the text of `data/networks.json`.

    :raises SettingsError: an unknown network (the nearest is named) or a broken file.
    """
    networks = expect_object(_networks_file(networks_json)["networks"], "networks.json networks")
    if name not in networks:
        raise SettingsError("BAD_SETTING", f"no network is named {name!r}", nearest(name, networks))
    what = f"networks.json {name}"
    row = expect_object(networks[name], what)
    expect_keys(row, ("chain_id", "params"), what)
    chain_id = expect_int(row["chain_id"], f"{what}.chain_id", minimum=1)
    return Network(name, chain_id, params_from_object(row["params"], f"{what}.params"))


def network_params(networks_json: str, name: str) -> Params:
    """Return the parameters of one network; raises as `network`."""
    return network(networks_json, name).params


def param_help(networks_json: str) -> dict[str, str]:
    """Return the explanation of every parameter, in the order of `PARAM_NAMES`."""
    entries = expect_object(_networks_file(networks_json)["help"], "networks.json help")
    expect_keys(entries, PARAM_NAMES, "networks.json help")
    return {name: expect_string(entries[name], f"networks.json help.{name}") for name in PARAM_NAMES}


def _networks_file(text: str) -> dict[str, Any]:
    entries = load_object(text, "networks.json")
    expect_keys(entries, ("source", "help", "networks"), "networks.json")
    return entries

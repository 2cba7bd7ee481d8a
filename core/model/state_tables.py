"""The tables of the state: what the first byte of a state key says.  Their columns: docs/wire_format.md, section 20."""

from __future__ import annotations

from enum import IntEnum


class Table(IntEnum):
    """First byte of a state key; an id follows."""

    ACCOUNT = 1
    MACHINE = 2
    MACHINE_KEY = 3
    BINDING_TAG = 4
    COUNTERS = 5
    STAKE = 6
    VALIDATOR_SET = 7
    PARAMS = 8
    GLOBAL = 9
    ESCROW = 10
    SEAL = 11
    EVIDENCE = 12
    PROPOSAL = 13
    SPONSOR = 32
    TWINS = 33
    CALIBRATED = 34
    STAKE_KEY = 35
    PAST_SET = 36

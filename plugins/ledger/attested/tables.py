"""Where entries stand in the state: a key is the table's number (one byte) and an id.

What stands in each value is in `entries`; docs/wire_format.md lists both.
"""

from __future__ import annotations

from enum import IntEnum


class Table(IntEnum):
    """First byte of a state key."""

    ACCOUNT = 1
    MACHINE = 2
    MACHINE_KEY = 3
    BINDING_TAG = 4
    COUNTERS = 5
    VALIDATOR_SET = 7
    PARAMS = 8
    GLOBAL = 9
    SEAL = 11
    SPONSOR = 32


class Global(IntEnum):
    """Id of an entry in table GLOBAL."""

    CARRIED = 1
    """Pot carried over to the next settlement, micro-units."""
    TREASURY = 2
    FEES = 3
    """Fees of the running epoch, micro-units."""
    SUPPLY = 4
    MACHINES = 5
    """Machine records ever made; the next one's index."""
    SETTLEMENT = 6
    """The settlement in progress; absent when none is."""


def account_key(account: bytes) -> bytes:
    """Key of an account, or in the three tables below of what hangs on it."""
    return bytes((Table.ACCOUNT,)) + account


def machine_key(index: int) -> bytes:
    """Key of a machine record."""
    return bytes((Table.MACHINE,)) + index.to_bytes(8, "big")


def machine_index_key(account: bytes) -> bytes:
    """Key under which a machine's account leads to its index."""
    return bytes((Table.MACHINE_KEY,)) + account


def tag_key(binding_tag: bytes) -> bytes:
    """Key under which a binding tag leads to its holder."""
    return bytes((Table.BINDING_TAG,)) + binding_tag


def counters_key(index: int) -> bytes:
    """Key of a machine's attest counters."""
    return bytes((Table.COUNTERS,)) + index.to_bytes(8, "big")


def global_key(entry: Global) -> bytes:
    """Key of a chain-wide number."""
    return bytes((Table.GLOBAL, entry))


def seal_key(commit: bytes) -> bytes:
    """Key of a machine commit that waits for its reveal."""
    return bytes((Table.SEAL,)) + commit


def sponsor_key(account: bytes) -> bytes:
    """Key of a sponsor's count of commits."""
    return bytes((Table.SPONSOR,)) + account


VALIDATOR_SET_KEY = bytes((Table.VALIDATOR_SET,))
PARAMS_KEY = bytes((Table.PARAMS,))

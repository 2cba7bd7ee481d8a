"""Where entries stand in the state: a key is the table's number (one byte) and an id.

What stands in each value is in `entries`; docs/wire_format.md lists both.
"""

from __future__ import annotations

from enum import IntEnum

from metanode.core.model.state_tables import Table


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
    ROTATION = 7
    """What the checks of the running epoch are drawn by."""
    ESCROW = 8
    """All that is escrowed; absent when nothing is."""
    EPOCHS = 9
    """The first height of each epoch that evidence reaches back to."""


_ACCOUNT = bytes((Table.ACCOUNT,))
_GLOBALS = {entry: bytes((Table.GLOBAL, entry)) for entry in Global}


def account_key(account: bytes) -> bytes:
    """Key of an account, or in the three tables below of what hangs on it."""
    return _ACCOUNT + account


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
    return _GLOBALS[entry]


def stake_key(account: bytes) -> bytes:
    """Key of an account's bond."""
    return bytes((Table.STAKE,)) + account


def stake_holder_key(public_key: bytes) -> bytes:
    """Key under which a validator's key leads to the account that bonded for it."""
    return bytes((Table.STAKE_KEY,)) + public_key


def past_set_key(set_hash: bytes) -> bytes:
    """Key of a set that acts no more."""
    return bytes((Table.PAST_SET,)) + set_hash


def evidence_key(ident: bytes) -> bytes:
    """Key of a double vote that was punished."""
    return bytes((Table.EVIDENCE,)) + ident


def escrow_key(index: int) -> bytes:
    """Key of what is escrowed for a machine."""
    return bytes((Table.ESCROW,)) + index.to_bytes(8, "big")


def seal_key(commit: bytes) -> bytes:
    """Key of a machine commit that waits for its reveal."""
    return bytes((Table.SEAL,)) + commit


def sponsor_key(account: bytes) -> bytes:
    """Key of a sponsor's count of commits."""
    return bytes((Table.SPONSOR,)) + account


def proposal_key(proposal: bytes) -> bytes:
    """Key of an open proposal, by its id."""
    return bytes((Table.PROPOSAL,)) + proposal


def twins_key(sponsor: bytes, inventory_digest: bytes) -> bytes:
    """Key of the number of machines of one inventory that a sponsor has on record."""
    return bytes((Table.TWINS,)) + sponsor + inventory_digest


def calibrated_key(model: str) -> bytes:
    """Key of a calibrated model."""
    return bytes((Table.CALIBRATED,)) + model.encode()


VALIDATOR_SET_KEY = bytes((Table.VALIDATOR_SET,))
PARAMS_KEY = bytes((Table.PARAMS,))

"""Which validator set certified a header: the state keeps the acting one and late ones, the ledger knows the first."""

from __future__ import annotations

from metanode.core.hooks import PluginContext
from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError
from metanode.core.model.limits import VALIDATOR_SET_BYTES_MAX
from metanode.core.model.state_tables import Table
from metanode.core.model.validators import set_hash

STATE_KEY = bytes([Table.VALIDATOR_SET])
"""Key of the acting set in the state: an empty id; its value is CBOR [set bytes]."""


def validator_set(context: PluginContext, wanted: bytes) -> bytes:
    """Return the canonical bytes of the set with this hash.

    :raises MetanodeError: NOT_FOUND, none of the known sets has it.
    """
    known = [context.roles.ledger.genesis_validator_set()]
    past = context.roles.consensus.head.state.get(bytes([Table.PAST_SET]) + wanted)
    if past is not None:
        kept = codec.expect_list(codec.decode(past, bytes_max=VALIDATOR_SET_BYTES_MAX), "state set", size=3)
        known.append(codec.expect_bytes(kept[0], "state set"))
    entry = context.roles.consensus.head.state.get(STATE_KEY)
    if entry is not None:
        value = codec.expect_list(codec.decode(entry, bytes_max=VALIDATOR_SET_BYTES_MAX), "state set", size=1)
        known.append(codec.expect_bytes(value[0], "state set"))
    for candidate in known:
        if set_hash(candidate) == wanted:
            return candidate
    raise MetanodeError("NOT_FOUND", f"validator set {wanted.hex()} is not kept by this node")

"""Following the validator set: from one that is trusted to the one that acts later, over the headers that change it.

Such a header is certified by the set before it and names the one after it.  Headers between two changes need not be
looked at: whoever trusts a set trusts it until a header that it certified names another.
Source: protocol.md section 11.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from metanode.core.light.certificate import certify
from metanode.core.model.errors import MetanodeError, ProofError
from metanode.core.model.genesis import Genesis
from metanode.core.model.validators import decode_set, set_hash


@dataclass(frozen=True)
class SetChange:
    """A header in which the set changes, and what proves it."""

    header: bytes
    certificate: bytes
    next_set: bytes
    """Canonical bytes of the set that acts from the next height on."""


@dataclass(frozen=True)
class TrustedSet:
    """The set that certifies the headers above `height`, up to the one that changes it."""

    height: int
    validator_set: bytes

    @staticmethod
    def of_genesis(genesis: Genesis) -> TrustedSet:
        """Return the set that certifies block 1."""
        return TrustedSet(0, genesis.validators)

    def after(self, change: SetChange, genesis_hash: bytes) -> TrustedSet:
        """Return the set that is trusted behind one change.

        :raises ProofError: UNTRUSTED, the header is of another set, or `next_set` is not the one it names;
            BAD_HEADER, it is not above the last change or changes nothing; BAD_CERTIFICATE, BAD_VRF; or the code of a
            part that does not decode.
        """
        try:
            header = certify(change.header, change.certificate, self.validator_set, genesis_hash).header
            decode_set(change.next_set)
        except ProofError:
            raise
        except MetanodeError as error:
            raise ProofError(error.code, error.message, error.expected) from error
        if header.height <= self.height:
            raise ProofError("BAD_HEADER", f"a change at height {header.height}", f"above {self.height}")
        if header.next_validator_set_hash == header.validator_set_hash:
            raise ProofError("BAD_HEADER", f"the set does not change in header {header.height}")
        named = set_hash(change.next_set)
        if named != header.next_validator_set_hash:
            raise ProofError(
                "UNTRUSTED",
                f"validator set {named.hex()} is not the one that header {header.height} names",
                f"set {header.next_validator_set_hash.hex()}",
            )
        return TrustedSet(header.height, change.next_set)


def follow(trusted: TrustedSet, changes: Iterable[SetChange], genesis_hash: bytes) -> TrustedSet:
    """Return the set that is trusted behind all changes, given by rising height; raises as `TrustedSet.after`."""
    for change in changes:
        trusted = trusted.after(change, genesis_hash)
    return trusted

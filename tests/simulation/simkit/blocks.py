"""A chain whose blocks mean nothing: real headers, hashes and certificates, no ledger."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from metanode.core.model.block import Block, decode_block, tx_root
from metanode.core.model.errors import MetanodeError
from metanode.core.model.hashing import H
from metanode.core.model.header import Header, Roots, decode_header, header_hash
from metanode.core.model.leader import beta_zero
from metanode.core.model.validators import Validator
from metanode.core.model.vote import Certificate, decode_certificate, verify_certificate

AHEAD_MS_MAX = 2_000
BEHIND_MS_MAX = 10_000


@dataclass(frozen=True)
class Final:
    """A block and why it is final."""

    hash: bytes
    block: bytes
    certificate: bytes


class ToyChain:
    """What a node has on disk: blocks, each stored whole or not at all."""

    def __init__(self, genesis_hash: bytes, validators: tuple[Validator, ...]) -> None:
        self.genesis_hash = genesis_hash
        self.validators = validators
        self.blocks: list[Final] = []

    @property
    def height(self) -> int:
        """The newest final height."""
        return len(self.blocks)

    @property
    def head_hash(self) -> bytes:
        """Its header hash."""
        return self.blocks[-1].hash if self.blocks else self.genesis_hash

    @property
    def beta(self) -> bytes:
        """The VRF output of the head; here a hash stands in for it."""
        return beta_zero(self.genesis_hash + self.height.to_bytes(8, "big"))

    def proof(self, proposer: int) -> bytes:
        """What stands for a VRF proof of the next height."""
        return (H("leader", self.beta + bytes([proposer])) * 3)[:80]

    def build(self, proposer: int, now_ms: int, chance: Random) -> bytes:
        """Return a block nobody has seen before."""
        header = Header(
            version=1,
            chain_id=1,
            height=self.height + 1,
            time_ms=now_ms,
            proposer_index=proposer,
            prev_hash=self.head_hash,
            roots=Roots(tx_root([]), chance.randbytes(32), bytes(32)),
            validator_set_hash=bytes(32),
            next_validator_set_hash=bytes(32),
            params_hash=bytes(32),
            vrf_proof=self.proof(proposer),
        )
        return Block.build(header.encode(), []).encode()

    def is_valid(self, block: bytes, leader: int | None, now_ms: int) -> bool:
        """Apply the rules of a block; those of a fresh one when `leader` is given."""
        try:
            header = decode_header(decode_block(block).header)
        except MetanodeError:
            return False
        if header.height != self.height + 1 or header.prev_hash != self.head_hash:
            return False
        if header.proposer_index >= len(self.validators) or header.vrf_proof != self.proof(header.proposer_index):
            return False
        if leader is None:
            return True
        return header.proposer_index == leader and -BEHIND_MS_MAX <= header.time_ms - now_ms <= AHEAD_MS_MAX

    def append(self, block: bytes, certificate: Certificate) -> Final:
        """Store a block that was decided or synced.

        :raises MetanodeError: the certificate does not certify it, or it may not follow the head.
        """
        hash32 = header_hash(decode_block(block).header)
        verify_certificate(certificate, hash32, self.height + 1, self.validators, self.genesis_hash)
        if not self.is_valid(block, None, 0):
            raise AssertionError(f"block {self.height + 1} is certified and not valid")
        final = Final(hash32, block, certificate.encode())
        self.blocks.append(final)
        return final

    def append_synced(self, final: Final) -> Final:
        """As `append`, for what another node sent."""
        return self.append(final.block, decode_certificate(final.certificate))

"""Is this header final?  The one check that everything else a light client believes hangs on."""

from __future__ import annotations

from dataclasses import dataclass

from metanode.core.model import ecvrf
from metanode.core.model.errors import ProofError
from metanode.core.model.header import Header, decode_header, header_hash
from metanode.core.model.leader import alpha, beta_zero
from metanode.core.model.validators import Validator, decode_set, set_hash
from metanode.core.model.vote import Certificate, decode_certificate, verify_certificate


@dataclass(frozen=True)
class CertifiedHeader:
    """A header that a quorum of the given set made final."""

    header: Header
    header_hash: bytes
    certificate: Certificate
    validators: tuple[Validator, ...]
    beta: bytes | None
    """The header's VRF output; None when the output before it was not known, so the proof is unchecked."""


def certify(
    header: bytes, certificate: bytes, validator_set: bytes, genesis_hash: bytes, *, beta_prev: bytes | None = None
) -> CertifiedHeader:
    """Check that the validators of `validator_set` made `header` final.

    The caller must trust the set for this height (by genesis, or by the hash in a certified header
    before it): a made-up set certifies a made-up header.

    :param beta_prev: the VRF output of the header before; known by itself at height 1.  Without it
        the VRF proof is not checked.
    :raises ProofError: UNTRUSTED, the header names another set; BAD_HEADER, its proposer is not in
        the set; BAD_CERTIFICATE; BAD_VRF.
    :raises MetanodeError: one of the three does not decode.
    """
    fields = decode_header(header)
    if set_hash(validator_set) != fields.validator_set_hash:
        raise ProofError(
            "UNTRUSTED",
            f"validator set {set_hash(validator_set).hex()} is not the one of header {fields.height}",
            f"set {fields.validator_set_hash.hex()}",
        )
    validators = decode_set(validator_set)
    if fields.proposer_index >= len(validators):
        raise ProofError(
            "BAD_HEADER", f"proposer {fields.proposer_index} of {len(validators)} validators", "an index into the set"
        )
    identity = header_hash(header)
    votes = decode_certificate(certificate)
    verify_certificate(votes, identity, fields.height, validators, genesis_hash)
    if beta_prev is None and fields.height == 1:
        beta_prev = beta_zero(genesis_hash)
    beta = None
    if beta_prev is not None:
        beta = ecvrf.verify(
            validators[fields.proposer_index].vrf_key, alpha(beta_prev, fields.height), fields.vrf_proof
        )
        if beta is None:
            raise ProofError("BAD_VRF", f"the VRF proof of header {fields.height} does not verify")
    return CertifiedHeader(fields, identity, votes, validators, beta)

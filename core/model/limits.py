"""Bounds that every node must agree on, and the sizes of fixed-length fields.

A limit here is part of the rules: raising one forks the chain.  What the genesis may
choose (block size, caps per block) stands in `genesis.Params`; the values here are the
ceilings those choices and every decoder keep to.  Sizes are bytes unless the name says so.
"""

from __future__ import annotations

HASH_BYTES = 32
"""A BLAKE3-256 digest."""
ACCOUNT_BYTES = 20
"""An account id."""
PUBLIC_KEY_BYTES = 32
"""An Ed25519 public key."""
SEED_BYTES = 32
"""An Ed25519 seed."""
SIGNATURE_BYTES = 64
"""An Ed25519 signature."""
VRF_PROOF_BYTES = 80
"""An ECVRF-EDWARDS25519-SHA512-TAI proof."""
VRF_OUTPUT_BYTES = 64
"""What a VRF proof hashes to."""

UINT_MAX = 2**64 - 1
"""Largest integer in any encoded object."""

ENVELOPE_BYTES_MAX = 65_536
"""Largest envelope, signature included."""
CBOR_DEPTH_MAX = 8
"""How many arrays and maps may stand inside each other."""
BLOCK_BYTES_MAX = 1 << 20
"""Ceiling for the body of a block; genesis chooses a value at or below it."""
BLOCK_ENVELOPES_MAX = 10_000
"""Ceiling for the envelopes of a block; genesis chooses a value at or below it."""
BLOCK_WIRE_BYTES_MAX = BLOCK_BYTES_MAX + 4 * (BLOCK_ENVELOPES_MAX + 1) + 8_192
"""An encoded block: body, offsets, header and framing."""
HEADER_BYTES_MAX = 1_024
"""Largest header."""
RECEIPT_BYTES_MAX = 4_096
"""Largest receipt."""
RECEIPT_EVENTS_MAX = 64
"""Most events in one receipt."""

VALIDATORS_MAX = 100
"""Most members of a validator set."""
VALIDATOR_SET_BYTES_MAX = 65_536
"""Largest encoded validator set."""
CERTIFICATE_BYTES_MAX = 16_384
"""Largest certificate."""
GENESIS_BYTES_MAX = 1 << 20
"""Largest canonical genesis."""
BUNDLE_BYTES_MAX = 1 << 20
"""Largest proof bundle."""

NONCE_AHEAD_MAX = 64
"""How far ahead of an account's next nonce the pool queues."""
MEMO_BYTES_MAX = 256
"""Largest memo of a transfer."""
INVENTORY_BYTES_MAX = 4_096
"""Largest canonical inventory of a machine."""
SAMPLES_BYTES_MAX = 256
"""Largest summary of probe samples in an attestation."""
RECORD_SAMPLES_BYTES_MAX = 512
"""Largest summary of probe samples in a machine record: all checks, not only those that rotate in."""
SMALL_ITEMS_MAX = 32
"""Most entries of an array or map in an envelope or body; a longer one is not read."""
PROBE_RESULTS_MAX = 32
"""Most probe results in one body."""
PROPOSAL_BYTES_MAX = 50_176
"""Largest proposal."""
PROPOSAL_ITEMS_MAX = 16
"""Most items of a proposal's content."""
AGENT_BYTES_MAX = 64
"""Longest agent version text, UTF-8."""
EVIDENCE_PER_BLOCK_MAX = 16
"""Most evidence in a block: it costs its sender nothing and the chain two signatures each."""
HEADERS_PER_READ_MAX = 1_000
"""Most headers returned by one read."""
SET_CHANGES_MAX = 128
"""Most changes of the validator set that one read of storage returns."""

FOREIGN_JSON_BYTES_MAX = 16_384
"""Largest foreign JSON text."""
FOREIGN_JSON_DEPTH_MAX = 16
"""How many arrays and objects of foreign JSON may stand inside each other."""
JSON_NUMBER_CHARS_MAX = 32
"""Longest number token of foreign JSON, characters."""
JSON_EXPONENT_MAX = 18
"""Largest absolute exponent written in a foreign JSON number."""

STATE_PATH_BITS = 256
"""Depth of the state map: bits of a path."""
LIST_ITEMS_MAX = 1 << 32
"""Most items under one list root."""

assert INVENTORY_BYTES_MAX + 1_024 < ENVELOPE_BYTES_MAX, "a machine record fits an envelope"
assert PROPOSAL_BYTES_MAX + 1_024 < ENVELOPE_BYTES_MAX, "a proposal fits an envelope"
assert ENVELOPE_BYTES_MAX <= BLOCK_BYTES_MAX, "every envelope fits a block"
assert VALIDATORS_MAX * 160 <= VALIDATOR_SET_BYTES_MAX, "a full set fits its bound"
assert VALIDATORS_MAX * 66 + 128 <= CERTIFICATE_BYTES_MAX, "a full certificate fits its bound"

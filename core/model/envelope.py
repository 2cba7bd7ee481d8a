"""The envelope: the one signed object by which anything becomes true on a chain.

Wire form: CBOR [signed, signature] with `signed` the canonical map of docs/wire_format.md.
The signature is over the received bytes of `signed` and the id over the whole envelope,
so nothing here ever encodes an envelope a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from metanode.core.model import codec
from metanode.core.model.accounts import account_id, to_bech32m
from metanode.core.model.errors import Rejection
from metanode.core.model.hashing import H, H_many
from metanode.core.model.kinds import KindRegistry
from metanode.core.model.limits import ACCOUNT_BYTES, ENVELOPE_BYTES_MAX, PUBLIC_KEY_BYTES, SIGNATURE_BYTES

VERSION = 1
ALG_ED25519 = 1

_UINT = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\x00)..|\x1a(?!\x00\x00)....|\x1b(?!\x00{4}).{8})"
"""An unsigned integer in its shortest form."""
_START = re.compile(
    rb"\x82(?:\x58([\x18-\xff])|\x59((?!\x00)..))"  # [signed of at least 24 bytes,
    rb"([\xa9\xaa])\x00" + _UINT + rb"\x01" + _UINT + rb"\x02" + _UINT  # {v, chain_id, kind,
    + rb"\x03\x54(.{20})\x04" + _UINT + rb"\x05" + _UINT + rb"\x06" + _UINT  # from, nonce, fee, valid_until,
    + rb"\x07(?:([\x40-\x57])|\x58([\x18-\xff])|\x59((?!\x00)..))",  # body
    re.DOTALL,
)  # fmt: skip
_END = re.compile(rb"\x08" + _UINT + rb"(?:\x09\x58\x20(.{32}))?\x58\x40(.{64})", re.DOTALL)
"""What follows the body: alg, perhaps pubkey}, signature]."""


@dataclass(frozen=True)
class Envelope:
    """A decoded envelope next to the bytes it was decoded from."""

    raw: bytes = field(repr=False)
    """All bytes as received."""
    id: bytes
    """H(tx, raw): 32 bytes, signature included."""
    signed: bytes = field(repr=False)
    """What the signature covers."""
    signature: bytes = field(repr=False)
    version: int
    chain_id: int
    kind: int
    sender: bytes
    """Account id, 20 bytes (field "from")."""
    nonce: int
    fee: int
    """Micro-units."""
    valid_until: int
    """The last height whose block may include it."""
    body: bytes = field(repr=False)
    alg: int
    public_key: bytes
    """32 bytes in an account's first envelope, empty afterwards."""
    _checked: tuple[int, KindRegistry, object] | None = field(default=None, init=False, compare=False, repr=False)
    """What `check_envelope` was asked with, and the body it found."""


def decode_envelope(raw: bytes) -> Envelope:
    """Decode an envelope and check its shape, not its meaning; see `check_envelope`.

    :raises Rejection: TOO_LARGE, or BAD_SHAPE.
    :raises CodecError: bytes that are not canonical CBOR.
    """
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"envelope of {len(raw)} bytes", f"at most {ENVELOPE_BYTES_MAX} bytes")
    return _read_usual(raw) or _read_any(raw)


def _read_usual(raw: bytes) -> Envelope | None:
    """Return an envelope of the usual form, which two expressions describe, or None: then `_read_any` finds out why.

    Takes only what `_read_any` takes, in a third of its time: half of what a node decodes are envelopes.
    """
    start = _START.match(raw)
    if start is None:
        return None
    size, long_size, count, version, chain_id, kind, sender, nonce, fee, valid_until, *body_size = start.groups()
    signed_at = 3 if size else 4
    signed_end = signed_at + int.from_bytes(size or long_size, "big")
    body_at = start.end()
    short, middle, long = body_size
    body_end = body_at + (short[0] - 0x40 if short else int.from_bytes(middle or long, "big"))
    end = _END.fullmatch(raw, body_end)
    if end is None or end.end(1 if end[2] is None else 2) != signed_end or (end[2] is None) != (count == b"\xa9"):
        return None
    alg, public_key, signature = end.groups()
    envelope = object.__new__(Envelope)
    # At once: `__init__` of a frozen class sets its fields one by one, which takes as long as all of the above.
    envelope.__dict__.update(
        raw=raw,
        id=H("tx", raw),
        signed=raw[signed_at:signed_end],
        signature=signature,
        version=_uint(version),
        chain_id=_uint(chain_id),
        kind=_uint(kind),
        sender=sender,
        nonce=_uint(nonce),
        fee=_uint(fee),
        valid_until=_uint(valid_until),
        body=raw[body_at:body_end],
        alg=_uint(alg),
        public_key=public_key or b"",
        _checked=None,
    )
    return envelope


def _uint(item: bytes) -> int:
    return item[0] if len(item) == 1 else int.from_bytes(item[1:], "big")


def _read_any(raw: bytes) -> Envelope:
    parts = codec.expect_list(codec.decode_small(raw, "envelope"), "envelope", size=2)
    signed = codec.expect_bytes(parts[0], "envelope.signed")
    signature = codec.expect_bytes(parts[1], "envelope.signature", size=SIGNATURE_BYTES)
    fields = codec.read_small_map(signed, range(9), "envelope.signed", optional=(9,))
    return Envelope(
        raw=raw,
        id=H("tx", raw),
        signed=signed,
        signature=signature,
        version=codec.expect_uint(fields[0], "envelope.v"),
        chain_id=codec.expect_uint(fields[1], "envelope.chain_id"),
        kind=codec.expect_uint(fields[2], "envelope.kind"),
        sender=codec.expect_bytes(fields[3], "envelope.from", size=ACCOUNT_BYTES),
        nonce=codec.expect_uint(fields[4], "envelope.nonce"),
        fee=codec.expect_uint(fields[5], "envelope.fee"),
        valid_until=codec.expect_uint(fields[6], "envelope.valid_until"),
        body=codec.expect_bytes(fields[7], "envelope.body"),
        alg=codec.expect_uint(fields[8], "envelope.alg"),
        public_key=codec.expect_bytes(fields[9], "envelope.pubkey", size=PUBLIC_KEY_BYTES) if 9 in fields else b"",
    )


def check_envelope(envelope: Envelope, *, chain_id: int, registry: KindRegistry) -> object:
    """Check what needs no state and no signature, cheapest first; return the decoded body.

    The signature, the nonce's place, the height and the balance need the account and are
    the ledger's to check.

    :raises Rejection: BAD_VERSION, WRONG_CHAIN, BAD_ALGORITHM, UNKNOWN_KIND, FEE_NOT_ZERO,
        PUBKEY_UNEXPECTED, or what the kind's decoder says.
    :raises CodecError: the body is not canonical CBOR.
    """
    if envelope._checked is not None and envelope._checked[:2] == (chain_id, registry):
        return envelope._checked[2]
    if envelope.version != VERSION:
        raise Rejection("BAD_VERSION", f"envelope version {envelope.version}", f"version {VERSION}")
    if envelope.chain_id != chain_id:
        raise Rejection("WRONG_CHAIN", f"envelope for chain {envelope.chain_id}", f"chain_id {chain_id}")
    if envelope.alg != ALG_ED25519:
        raise Rejection("BAD_ALGORITHM", f"signature algorithm {envelope.alg}", f"alg {ALG_ED25519} (Ed25519)")
    kind = registry.get(envelope.kind)
    if kind.nonceless and (envelope.nonce != 0 or envelope.fee != 0):
        raise Rejection(
            "FEE_NOT_ZERO", f"{kind.name} with nonce {envelope.nonce} and fee {envelope.fee}", "nonce 0 and fee 0"
        )
    if envelope.public_key and account_id(envelope.public_key) != envelope.sender:
        raise Rejection(
            "PUBKEY_UNEXPECTED",
            f"the public key belongs to {to_bech32m(account_id(envelope.public_key))}",
            f"the key of the sender {to_bech32m(envelope.sender)}",
        )
    body = kind.decode_body(envelope.body)
    # Nothing of an envelope ever changes, so what passed once need not be looked at again in its block.
    object.__setattr__(envelope, "_checked", (chain_id, registry, body))
    return body


def signing_digest(signed: bytes, genesis_hash: bytes) -> bytes:
    """Return the 32 bytes an account signs: H(txsig, genesis_hash || signed)."""
    return H("txsig", genesis_hash + signed)


def signing_digests(signed: Sequence[bytes], genesis_hash: bytes) -> list[bytes]:
    """Return `signing_digest` of each, in order; one call into the hash provider."""
    return H_many("txsig", [genesis_hash + each for each in signed])


def build_envelope(
    *,
    chain_id: int,
    kind: int,
    sender: bytes,
    nonce: int,
    fee: int,
    valid_until: int,
    body: bytes,
    sign: Callable[[bytes], bytes],
    genesis_hash: bytes,
    public_key: bytes = b"",
) -> Envelope:
    """Encode and sign a new envelope.

    :param sign: gives the 64-byte Ed25519 signature of a 32-byte digest.
    :param public_key: the sender's key in its first envelope, empty afterwards.
    :raises Rejection: the result breaks a limit or a length.
    """
    fields: dict[int, codec.Encodable] = {
        0: VERSION,
        1: chain_id,
        2: kind,
        3: sender,
        4: nonce,
        5: fee,
        6: valid_until,
        7: body,
        8: ALG_ED25519,
    }
    if public_key:
        fields[9] = public_key
    signed = codec.encode(fields)
    return decode_envelope(codec.encode([signed, sign(signing_digest(signed, genesis_hash))]))

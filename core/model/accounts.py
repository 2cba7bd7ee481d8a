"""Account ids and their two spellings.

An account id is the first 20 bytes of SHA-256(public key): the same bytes RustChain uses, so
one key has one id on both.  People see it as bech32m with prefix `mn` (BIP-350, checksummed)
or in RustChain's form, `RTC` followed by 40 hex digits (no checksum).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from metanode.core.model.errors import Rejection
from metanode.core.model.limits import ACCOUNT_BYTES, PUBLIC_KEY_BYTES
from metanode.core.model.sha2 import sha256

HRP = "mn"
"""Human-readable part of the bech32m form."""
RTC_PREFIX = "RTC"
"""What stands before the 40 hex digits of the RustChain form."""

TEXTS_MAX = 4_096
"""Accounts whose bech32m form is remembered: a block spells each of its accounts several times."""

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3  # BIP-350: the constant that tells bech32m from bech32
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)  # BIP-173
_REDUCED = [0]
for _generator in _GENERATOR:
    _REDUCED += [_generator ^ _other for _other in _REDUCED]  # what the remainder's top five bits leave behind
_CHECKSUM_CHARS = 6
_TEXT_CHARS = len(HRP) + 1 + ACCOUNT_BYTES * 8 // 5 + _CHECKSUM_CHARS
_PAIRS = [one + other for one in _CHARSET for other in _CHARSET]
_DATA_SHIFTS = range(ACCOUNT_BYTES * 8 - 5, -1, -5)
_PAIR_SHIFTS = range(ACCOUNT_BYTES * 8 + 5 * _CHECKSUM_CHARS - 10, -1, -10)

assert ACCOUNT_BYTES * 8 % 5 == 0, "an id fills its characters without padding bits"


def account_id(public_key: bytes) -> bytes:
    """Return the 20-byte id of an Ed25519 public key.

    :raises ValueError: the key is not 32 bytes.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise ValueError(f"a public key of {len(public_key)} bytes, expected {PUBLIC_KEY_BYTES}")
    return sha256(public_key).digest()[:ACCOUNT_BYTES]


@lru_cache(maxsize=TEXTS_MAX)
def to_bech32m(account: bytes) -> str:
    """Return the `mn1...` form (41 characters) of a 20-byte id.

    Source: BIP-350, with the 5-bit grouping of BIP-173.
    """
    number = int.from_bytes(_checked(account), "big")
    remainder = _polymod([number >> shift & 31 for shift in _DATA_SHIFTS], _HRP_REMAINDER)
    checksum = _polymod([0] * _CHECKSUM_CHARS, remainder) ^ _BECH32M
    number = number << 5 * _CHECKSUM_CHARS | checksum
    return f"{HRP}1" + "".join([_PAIRS[number >> shift & 1023] for shift in _PAIR_SHIFTS])


def to_rtc(account: bytes) -> str:
    """Return the RustChain form of a 20-byte id: `RTC` and 40 lower-case hex digits."""
    return RTC_PREFIX + _checked(account).hex()


def parse_account(text: str) -> bytes:
    """Return the 20-byte id that either form spells.

    The bech32m form may be all lower or all upper case (BIP-173), the hex digits of the
    RustChain form may be of either case.

    :raises Rejection: BAD_ADDRESS.
    """
    if text.startswith(RTC_PREFIX):
        return _parse_rtc(text)
    if text[: len(HRP) + 1].lower() == f"{HRP}1":
        return _parse_bech32m(text)
    raise Rejection("BAD_ADDRESS", f"account {_shown(text)} starts with neither {HRP}1 nor {RTC_PREFIX}")


def _parse_rtc(text: str) -> bytes:
    digits = text[len(RTC_PREFIX) :]
    # Checked by hand: bytes.fromhex would skip blanks.
    if len(digits) != 2 * ACCOUNT_BYTES or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} does not have 40 hex digits after {RTC_PREFIX}")
    return bytes.fromhex(digits)


def _parse_bech32m(text: str) -> bytes:
    if not text.isascii():  # the Kelvin sign is upper case and has the lower case "k"
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} has a character outside the bech32 set")
    if text not in (text.lower(), text.upper()):
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} mixes upper and lower case")
    if len(text) != _TEXT_CHARS:
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} has {len(text)} characters, not {_TEXT_CHARS}")
    values = [_CHARSET.find(char) for char in text.lower()[len(HRP) + 1 :]]
    if -1 in values:
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} has a character outside the bech32 set")
    if _polymod(values, _HRP_REMAINDER) != _BECH32M:
        raise Rejection("BAD_ADDRESS", f"account {_shown(text)} has a wrong checksum: mistyped?")
    number = 0
    for value in values[:-_CHECKSUM_CHARS]:
        number = number << 5 | value
    return number.to_bytes(ACCOUNT_BYTES, "big")


def _polymod(values: Iterable[int], remainder: int = 1) -> int:
    """The BCH remainder of BIP-173 after further 5-bit values; a table instead of its five tests per value."""
    for value in values:
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value ^ _REDUCED[remainder >> 25]
    return remainder


_HRP_REMAINDER = _polymod([*(ord(char) >> 5 for char in HRP), 0, *(ord(char) & 31 for char in HRP)])


def _checked(account: bytes) -> bytes:
    if len(account) != ACCOUNT_BYTES:
        raise ValueError(f"an account id of {len(account)} bytes, expected {ACCOUNT_BYTES}")
    return account


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else text[:61] + "...")

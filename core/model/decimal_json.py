"""The strict JSON reader for foreign texts whose numbers decide about money.

Foreign clients sign JSON, so two nodes must read the same bytes alike: ASCII only, at most
16 KiB, depth at most 16, no duplicate keys, no lone surrogates, numbers exact.  A number is
integer x 10^k, never a float; its token has at most 32 characters and an exponent within +-18.
The grammar is RFC 8259; what it leaves open is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from metanode.core.model.amounts import AMOUNT_MAX, DECIMALS
from metanode.core.model.errors import Rejection
from metanode.core.model.limits import (
    FOREIGN_JSON_BYTES_MAX,
    FOREIGN_JSON_DEPTH_MAX,
    JSON_EXPONENT_MAX,
    JSON_NUMBER_CHARS_MAX,
)

_NUMBER_CHARS = re.compile(r"[-+.0-9A-Za-z]*")
_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?")
_BLANKS = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Decimal10:
    """The exact number mantissa x 10^exponent, in its one normal form.

    The mantissa does not end in 0, and 0 is (0, 0), so equal numbers are equal objects:
    `1`, `1.0` and `10e-1` all read as Decimal10(1, 0).
    """

    mantissa: int
    exponent: int

    @classmethod
    def normal(cls, mantissa: int, exponent: int) -> Decimal10:
        """Return mantissa x 10^exponent in normal form."""
        if mantissa == 0:
            return cls(0, 0)
        while mantissa % 10 == 0:
            mantissa //= 10
            exponent += 1
        return cls(mantissa, exponent)

    def to_int(self) -> int:
        """Return the number as an integer.

        :raises Rejection: BAD_JSON, it is not whole.
        """
        if self.exponent < 0:
            raise Rejection("BAD_JSON", f"{self} is not a whole number", "a whole number")
        scale: int = 10**self.exponent
        return self.mantissa * scale

    def to_micro(self) -> int:
        """Return a number of coins as micro-units.

        :raises Rejection: BAD_AMOUNT, negative, more than six places, or beyond 64 bits.
        """
        places = DECIMALS + self.exponent
        scale: int = 10**places if places >= 0 else 0
        if self.mantissa < 0 or places < 0 or self.mantissa * scale > AMOUNT_MAX:
            raise Rejection("BAD_AMOUNT", f"{self} is not an amount of coins")
        return self.mantissa * scale

    def __str__(self) -> str:
        return f"{self.mantissa}e{self.exponent}" if self.exponent else str(self.mantissa)


Json: TypeAlias = "dict[str, Json] | list[Json] | str | Decimal10 | bool | None"
"""What `loads` returns."""


def loads(data: bytes) -> Json:
    """Return the one JSON value in `data`.

    :raises Rejection: TOO_LARGE above 16 KiB; BAD_JSON for everything else, with the offset.
    """
    if len(data) > FOREIGN_JSON_BYTES_MAX:
        raise Rejection("TOO_LARGE", f"{len(data)} bytes of JSON", f"at most {FOREIGN_JSON_BYTES_MAX} bytes")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise _bad("a byte outside ASCII", error.start) from None
    reader = _Reader(text)
    value = reader.value(FOREIGN_JSON_DEPTH_MAX)
    reader.blanks()
    if reader.at != len(text):
        raise _bad("text after the value", reader.at)
    return value


def _bad(message: str, at: int) -> Rejection:
    return Rejection("BAD_JSON", f"{message} at byte {at}")


class _Reader:
    """A recursive-descent reader over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def blanks(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        assert match is not None, "the pattern matches the empty text"
        self.at = match.end()

    def take(self, char: str) -> bool:
        """Skip blanks, then `char` if it is next."""
        self.blanks()
        if not self.text.startswith(char, self.at):
            return False
        self.at += 1
        return True

    def value(self, depth_left: int) -> Json:
        if self.take("{"):
            return self.object(depth_left)
        if self.take("["):
            return self.array(depth_left)
        if self.take('"'):
            return self.string()
        for word, meaning in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self.number()

    def object(self, depth_left: int) -> dict[str, Json]:
        if depth_left < 1:
            raise _bad(f"nested deeper than {FOREIGN_JSON_DEPTH_MAX}", self.at - 1)
        found: dict[str, Json] = {}
        if self.take("}"):
            return found
        while True:
            begin = self.at
            if not self.take('"'):
                raise _bad("no key in quotes", self.at)
            key = self.string()
            if key in found:
                raise _bad(f"key {key[:32]!r} a second time", begin)
            if not self.take(":"):
                raise _bad("no colon after a key", self.at)
            found[key] = self.value(depth_left - 1)
            if self.take("}"):
                return found
            if not self.take(","):
                raise _bad("no comma or brace after a value", self.at)

    def array(self, depth_left: int) -> list[Json]:
        if depth_left < 1:
            raise _bad(f"nested deeper than {FOREIGN_JSON_DEPTH_MAX}", self.at - 1)
        found: list[Json] = []
        if self.take("]"):
            return found
        while True:
            found.append(self.value(depth_left - 1))
            if self.take("]"):
                return found
            if not self.take(","):
                raise _bad("no comma or bracket after an item", self.at)

    def string(self) -> str:
        """Read on after the opening quote, up to and over the closing one."""
        parts: list[str] = []
        while True:
            match = _PLAIN.match(self.text, self.at)
            assert match is not None, "the pattern matches the empty text"
            parts.append(match.group())
            self.at = match.end()
            if self.take_raw('"'):
                return "".join(parts)
            if not self.take_raw("\\"):
                what = "a control character" if self.at < len(self.text) else "no closing quote"
                raise _bad(what, self.at)
            parts.append(self.escape())

    def take_raw(self, char: str) -> bool:
        if not self.text.startswith(char, self.at):
            return False
        self.at += 1
        return True

    def escape(self) -> str:
        """Read on after a backslash."""
        begin = self.at - 1
        if not self.take_raw("u"):
            char = _ESCAPES.get(self.text[self.at : self.at + 1])
            if char is None:
                raise _bad("an unknown escape", begin)
            self.at += 1
            return char
        unit = self.hex4(begin)
        if not 0xD800 <= unit <= 0xDFFF:
            return chr(unit)
        # RFC 8259 section 7: characters beyond 16 bits are a pair of surrogates, high one first.
        if unit < 0xDC00 and self.take_raw("\\") and self.take_raw("u"):
            low = self.hex4(begin)
            if 0xDC00 <= low <= 0xDFFF:
                return chr(0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)))
        raise _bad("a lone surrogate", begin)

    def hex4(self, begin: int) -> int:
        match = _HEX4.match(self.text, self.at)
        if match is None:
            raise _bad("an escape without four hex digits", begin)
        self.at = match.end()
        return int(match.group(), 16)

    def number(self) -> Decimal10:
        token = _NUMBER_CHARS.match(self.text, self.at)
        assert token is not None, "the pattern matches the empty text"
        if not token.group():
            raise _bad("no value", self.at)
        if len(token.group()) > JSON_NUMBER_CHARS_MAX:
            raise _bad(f"a number of more than {JSON_NUMBER_CHARS_MAX} characters", self.at)
        match = _NUMBER.fullmatch(token.group())
        if match is None:
            raise _bad(f"{token.group()!r} is not a JSON value", self.at)
        sign, whole, places, exponent = match.groups()
        places = places or ""
        power = int(exponent or "0")
        if abs(power) > JSON_EXPONENT_MAX:
            raise _bad(f"an exponent beyond {JSON_EXPONENT_MAX}", self.at)
        self.at = token.end()
        return Decimal10.normal(int(sign + whole + places), power - len(places))

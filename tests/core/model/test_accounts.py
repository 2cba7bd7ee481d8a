"""Account ids: derivation, both spellings, and every mistyped form refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metanode.core.model import accounts
from metanode.core.model.errors import Rejection

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "accounts.json").read_text())
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@pytest.mark.parametrize("row", VECTORS["accept"], ids=lambda row: row["bech32m"])
def test_a_key_has_one_id_and_two_spellings(row: dict[str, str]) -> None:
    """Both forms are the same 20 bytes and read back to them."""
    account = accounts.account_id(bytes.fromhex(row["public_key"]))
    assert account.hex() == row["account"]
    assert accounts.to_bech32m(account) == row["bech32m"]
    assert accounts.to_rtc(account) == row["rtc"]
    assert accounts.parse_account(row["bech32m"]) == account
    assert accounts.parse_account(row["rtc"]) == account


@pytest.mark.parametrize("row", VECTORS["accept_also"], ids=lambda row: row["text"])
def test_other_letter_case_reads_to_the_same_id(row: dict[str, str]) -> None:
    """QR codes carry upper case; hex digits come in both."""
    assert accounts.parse_account(row["text"]).hex() == row["account"]


@pytest.mark.parametrize("row", VECTORS["reject"], ids=lambda row: row["why"])
def test_anything_else_is_refused_with_one_line(row: dict[str, str]) -> None:
    """BAD_ADDRESS, whatever is wrong."""
    with pytest.raises(Rejection, match="^BAD_ADDRESS: ") as caught:
        accounts.parse_account(row["text"])
    assert "\n" not in caught.value.line()


def test_every_single_wrong_character_is_noticed() -> None:
    """The checksum finds any one substitution (and up to four, BIP-173)."""
    text = VECTORS["accept"][2]["bech32m"]
    for place in range(3, len(text)):
        for char in CHARSET:
            if char != text[place]:
                with pytest.raises(Rejection):
                    accounts.parse_account(text[:place] + char + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "a1lqfn3a",
        "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
        "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
        "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
        "?1v759aa",
    ],
)
def test_the_checksum_is_the_one_of_bip_350(text: str) -> None:
    """The valid bech32m strings of the BIP leave the bech32m constant."""
    prefix, _, data = text.rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    assert accounts._polymod(values + [CHARSET.index(char) for char in data]) == 0x2BC830A3


@pytest.mark.parametrize("size", [0, 19, 21, 33])
def test_ids_and_keys_of_another_length_are_a_mistake_of_the_caller(size: int) -> None:
    """ValueError: lengths are checked when bytes are decoded, long before this."""
    with pytest.raises(ValueError, match=f"{size} bytes"):
        accounts.to_bech32m(bytes(size))
    with pytest.raises(ValueError, match=f"{size} bytes"):
        accounts.to_rtc(bytes(size))
    with pytest.raises(ValueError, match=f"{size} bytes"):
        accounts.account_id(bytes(size))


def test_a_long_text_is_cut_in_the_message() -> None:
    """A message stays one readable line."""
    with pytest.raises(Rejection) as caught:
        accounts.parse_account("x" * 100_000)
    assert len(caught.value.line()) < 250

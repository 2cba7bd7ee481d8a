"""The table of error codes: numbers and HTTP statuses that others have written down already."""

from __future__ import annotations

import pytest

from metanode.core.model.errors import ERROR_CODES, CodecError, MetanodeError, Rejection

PUBLISHED = """
NOT_CANONICAL:100:400 BAD_SHAPE:101:400 TOO_LARGE:102:413 BAD_JSON:103:400 BAD_AMOUNT:104:400
BAD_ADDRESS:105:400 BAD_HEX:106:400 INVALID_SIGNATURE:150:401 WRONG_CHAIN:151:400 UNKNOWN_KIND:152:400
BAD_VERSION:153:400 EXPIRED:154:400 VALID_TOO_LONG:155:400 BAD_NONCE:156:409 REPLAYED:157:409
PUBKEY_MISSING:158:400 PUBKEY_UNEXPECTED:159:400 FEE_TOO_LOW:160:400 FEE_NOT_ZERO:161:400
INSUFFICIENT_FUNDS:162:402 BAD_ALGORITHM:163:400 KIND_CAP:164:429 ZERO_AMOUNT:200:400 SELF_TRANSFER:201:400
OVERFLOW:202:400 TOO_MANY_OUTPUTS:203:400 SEAL_UNKNOWN:250:409 SEAL_EXPIRED:251:409 SEAL_TAKEN:252:409
HARDWARE_ALREADY_BOUND:253:409 MACHINE_KNOWN:254:409 MACHINE_UNKNOWN:255:404 CHALLENGE_UNKNOWN:256:400
CHALLENGE_LATE:257:409 CHALLENGE_USED:258:409 DIGEST_MISMATCH:259:409 PROBE_MISMATCH:260:400 VM_DETECTED:261:403
SPONSOR_CAP:262:429 INVENTORY_TOO_LARGE:263:413 EMULATOR_DETECTED:264:403 UNSUPPORTED_PLATFORM:265:501
BAD_HEADER:350:400 BAD_ROOT:351:400 BAD_CERTIFICATE:352:400 BAD_VRF:353:400 BAD_PROOF:354:400 UNTRUSTED:355:400
SUPPLY_BROKEN:356:500 SAFETY_FAULT:357:500 BAD_SETTING:400:500 PLUGIN_BROKEN:401:500 PLUGIN_UNKNOWN:402:500
ROLE_FAILED:403:500 PLUGIN_TIMEOUT:404:500 STORAGE_CORRUPT:410:500 STORAGE_LOCKED:411:500 STORAGE_FULL:412:507
STORAGE_VERSION:413:500 WAL_CORRUPT:414:500 KEYSTORE_LOCKED:420:401 KEYSTORE_CORRUPT:421:500 FILE_EXISTS:422:409
FILE_MISSING:423:404 CRYPTO_DIFFERS:424:500 CRYPTO_MISSING:425:500 NOT_FOUND:480:404 METHOD_NOT_ALLOWED:481:405
BAD_REQUEST:482:400 BODY_TOO_LARGE:483:413 RATE_LIMITED:484:429 POOL_FULL:485:503 NOT_READY:486:503
INTERNAL:487:500 UNREACHABLE:488:503 TIMEOUT:489:504 BAD_REPLY:490:502 USAGE:491:400 HEADERS_TOO_LARGE:492:431
TOO_MANY_CONNECTIONS:493:503 REQUEST_TIMEOUT:494:408 ORIGIN_REFUSED:495:403 BODIES_FULL:496:503
CONNECTION_CLOSED:530:503 BAD_FRAME:531:400 BAD_HELLO:532:400 CHANNEL_MISMATCH:533:400 WRONG_PEER:534:403
"""
"""Code, number and status of every row ever published.  Rows are added here, never changed."""


@pytest.mark.parametrize("row", PUBLISHED.split(), ids=lambda row: row.partition(":")[0])
def test_a_published_code_keeps_its_number_and_status(row: str) -> None:
    """Receipts hold the number for ever, and clients branch on the status."""
    code, number, status = row.split(":")
    assert ERROR_CODES[code][:3] == (int(number), code, int(status))


def test_every_code_is_in_the_published_list() -> None:
    """A new row is pinned with its first release, or nothing would hold its number."""
    missing = set(ERROR_CODES) - {row.partition(":")[0] for row in PUBLISHED.split()}
    assert not missing, "add their code:number:status to PUBLISHED"


def test_numbers_are_unique_and_fit_a_receipt() -> None:
    """A receipt stores 16 bits, and 0 there means success."""
    numbers = [row.number for row in ERROR_CODES.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 1 << 16 for number in numbers)


def test_an_error_tells_what_was_wrong_and_what_would_be_right() -> None:
    """In a reply and in a line; the table's cure stands in where the caller names none."""
    error = Rejection("BAD_AMOUNT", "x is no amount")
    cure = ERROR_CODES["BAD_AMOUNT"].cure
    assert str(error) == "BAD_AMOUNT: x is no amount"
    assert (error.number, error.status, error.expected) == (104, 400, cure)
    assert error.reply() == {
        "ok": False, "error": "bad_amount", "code": "BAD_AMOUNT", "message": "x is no amount", "expected": cure,
    }  # fmt: skip
    assert MetanodeError("BAD_AMOUNT", "x", "1.5").line() == "error BAD_AMOUNT: x (expected: 1.5)"
    assert CodecError("odd", 7).offset == 7

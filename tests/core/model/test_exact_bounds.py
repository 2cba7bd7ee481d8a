"""What lies exactly on a bound is taken, and the next beyond it is not, in every part of the model."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from metanode.core.model import amounts, blake3, bodies, codec, ecvrf, ed25519, limits
from metanode.core.model import edwards25519 as group
from metanode.core.model.accounts import parse_account, to_rtc
from metanode.core.model.block import decode_block
from metanode.core.model.bundle import decode_bundle
from metanode.core.model.decimal_json import loads
from metanode.core.model.errors import CodecError, MetanodeError, Rejection

SEED = bytes(range(32))
LAW = {
    "HASH_BYTES": 32, "ACCOUNT_BYTES": 20, "PUBLIC_KEY_BYTES": 32, "SEED_BYTES": 32, "SIGNATURE_BYTES": 64,
    "VRF_PROOF_BYTES": 80, "VRF_OUTPUT_BYTES": 64, "UINT_MAX": 0xFFFF_FFFF_FFFF_FFFF, "ENVELOPE_BYTES_MAX": 65_536,
    "CBOR_DEPTH_MAX": 8, "BLOCK_BYTES_MAX": 1_048_576, "BLOCK_ENVELOPES_MAX": 10_000, "BLOCK_WIRE_BYTES_MAX": 1_096_772,
    "HEADER_BYTES_MAX": 1_024, "RECEIPT_BYTES_MAX": 4_096, "RECEIPT_EVENTS_MAX": 64, "VALIDATORS_MAX": 100,
    "VALIDATOR_SET_BYTES_MAX": 65_536, "CERTIFICATE_BYTES_MAX": 16_384, "GENESIS_BYTES_MAX": 1_048_576,
    "BUNDLE_BYTES_MAX": 1_048_576, "NONCE_AHEAD_MAX": 64, "MEMO_BYTES_MAX": 256, "INVENTORY_BYTES_MAX": 4_096,
    "SAMPLES_BYTES_MAX": 256, "PROBE_RESULTS_MAX": 32, "RECORD_SAMPLES_BYTES_MAX": 512,
    "SMALL_ITEMS_MAX": 32, "PROPOSAL_BYTES_MAX": 50_176, "PROPOSAL_ITEMS_MAX": 16,
    "AGENT_BYTES_MAX": 64, "HEADERS_PER_READ_MAX": 1_000,
    "FOREIGN_JSON_BYTES_MAX": 16_384, "FOREIGN_JSON_DEPTH_MAX": 16, "JSON_NUMBER_CHARS_MAX": 32,
    "JSON_EXPONENT_MAX": 18, "STATE_PATH_BITS": 256, "LIST_ITEMS_MAX": 4_294_967_296,
}  # fmt: skip
"""Limits of the protocol: a node with another one forks from the rest."""


@pytest.mark.parametrize("name", LAW)
def test_a_limit_of_the_protocol_is_the_same_in_every_node(name: str) -> None:
    """A block one node takes must be taken by all, so a limit changes with the protocol's version only."""
    assert getattr(limits, name) == LAW[name]


def code_of(call: Callable[[], object]) -> str:
    """Return the code a call is refused with, or nothing."""
    try:
        call()
    except MetanodeError as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", ["block", "bundle"])
def test_an_object_of_the_largest_size_is_read_and_one_more_byte_is_not(name: str) -> None:
    """These are no blocks and no bundles, and are refused as such until they are too long to look at."""
    read, most = {
        "block": (decode_block, limits.BLOCK_WIRE_BYTES_MAX), "bundle": (decode_bundle, limits.BUNDLE_BYTES_MAX),
    }[name]  # fmt: skip
    assert code_of(lambda: read(bytes(most))) == "NOT_CANONICAL"
    assert code_of(lambda: read(bytes(most + 1))) == "TOO_LARGE"


def test_a_product_may_take_all_of_128_bits_and_none_below_zero() -> None:
    """Rewards are shares of a pot: pot x weight comes first."""
    assert amounts.mul_div(2**128 - 1, 1, 2**64) == 2**64 - 1
    assert amounts.mul_div(0, 5, 7) == 0
    assert code_of(lambda: amounts.mul_div(2**127, 2, 2**64)) == "OVERFLOW"
    assert code_of(lambda: amounts.mul_div(-1, 1, 1)) == "OVERFLOW"


def test_an_id_may_use_every_hex_digit_of_either_case() -> None:
    """All 22 characters at once."""
    digits = "0123456789abcdefABCDEF" + "0" * 18
    assert parse_account(f"RTC{digits}") == bytes.fromhex(digits)
    assert to_rtc(bytes.fromhex(digits)) == f"RTC{digits.lower()}"


def test_a_record_with_the_largest_inventory_is_read_and_a_larger_is_not() -> None:
    """4 KiB, in a record that is otherwise good."""

    def record(inventory_bytes: int) -> bytes:
        return bodies.MachineRecord(
            machine_key=bytes(32), owner=bytes(20), binding_tag=bytes(32), inventory=bytes(inventory_bytes),
            challenge_height=0, probe_results=(), samples=b"", agent="",
        ).encode()  # fmt: skip

    assert len(bodies.decode_machine_record(record(4_096)).inventory) == 4_096
    assert code_of(lambda: bodies.decode_machine_record(record(4_097))) == "INVENTORY_TOO_LARGE"


@pytest.mark.parametrize(
    ("results", "code"),
    [
        (((0, 5),), ""), (((0, 5), (1, 5)), ""), (((0, 5), (1, 5), (2, 5)), ""), (((0, 5), (0, 5)), "BAD_SHAPE"),
        (((1, 5), (0, 5)), "BAD_SHAPE"), (((0, 5), (2, 5), (1, 5)), "BAD_SHAPE"),
    ],
)  # fmt: skip
def test_probe_ids_rise_from_zero_on(results: tuple[tuple[int, int], ...], code: str) -> None:
    """One result a probe, in one order."""
    data = codec.encode({0: 0, 1: bytes(32), 2: b"", 3: results, 4: ""})
    assert code_of(lambda: bodies.decode_attest(data)) == code
    if not code:
        assert bodies.decode_attest(data).probe_results == results


@pytest.mark.parametrize("extra", [b"\0", bytes(32)])
def test_zero_bytes_at_the_end_make_no_second_signature(extra: bytes) -> None:
    """s is read lowest byte first, so zeros behind it would not change it: only the length tells."""
    key, signature = ed25519.PureBackend().public_key(SEED), ed25519.PureBackend().sign(SEED, b"message")
    assert ed25519.PureBackend().verify(key, b"message", signature)
    assert not ed25519.PureBackend().verify(key, b"message", signature + extra)
    proof = ecvrf.PureBackend().prove(SEED, b"alpha")
    assert ecvrf.PureBackend().verify(key, b"alpha", proof)
    assert ecvrf.PureBackend().verify(key, b"alpha", proof + extra) is None


def test_a_seed_of_another_length_is_the_callers_mistake() -> None:
    """Not a signature that nobody can check."""
    for seed in (SEED[:31], SEED + b"\0", b""):
        with pytest.raises(ValueError, match="32 bytes"):
            ecvrf.split_secret(seed)


def test_the_pure_backends_are_named() -> None:
    """The status line says which implementation runs."""
    assert (ed25519.PureBackend.name, ecvrf.PureBackend.name, blake3.PureProvider.name) == ("pure", "pure", "pure")
    assert ecvrf.backend().name
    assert ed25519.backend().name


@pytest.mark.parametrize(
    ("counter", "begins"),
    [(2**31, "7e6c07cb7b0d67d2"), (2**32, "f5d8179f233d44dc"), (2**33 + 2**32 + 5, "b8f8f2fefa950782")],
)
def test_a_block_counter_beyond_32_bits_fills_the_second_word(counter: int, begins: str) -> None:
    """Output block `counter` of BLAKE3("metanode"), as the published implementation gives it by seeking."""
    node = blake3._subtree(blake3._IV, b"metanode", 0, 0)
    rows = blake3._compress(node.chain, node.block, counter, node.length, node.flags | blake3._ROOT)
    assert struct.pack("<2I", *blake3._words(rows[0])[:2]).hex() == begins


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_json_nests_sixteen_deep_and_no_deeper(opening: str) -> None:
    """Arrays and objects count alike."""
    closing = "]" if opening == "[" else "}"
    innermost = "[]" if opening == "[" else "{}"
    for depth, code in ((16, ""), (17, "BAD_JSON")):
        text = opening * (depth - 1) + innermost + closing * (depth - 1)
        assert code_of(lambda text=text: loads(text.encode())) == code  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\ud7ff"', "\ud7ff"), (r'"\ue000"', "\ue000"), (r'"\ud800\udc00"', "\U00010000"),
        (r'"\udbff\udfff"', "\U0010ffff"), (r'"\ud800"', None), (r'"\udbff"', None), (r'"\udc00"', None),
        (r'"\udfff"', None), (r'"\ud800\udbff"', None), (r'"\ud800\ue000"', None), (r'"\udc00\udc00"', None),
        (r'"\ud800\n"', None), (r'"\ud800x"', None),
    ],
)  # fmt: skip
def test_surrogates_come_in_pairs_of_a_high_and_a_low_one(text: str, value: str | None) -> None:
    """RFC 8259 section 7, with both ends of both ranges."""
    if value is None:
        assert code_of(lambda: loads(text.encode())) == "BAD_JSON"
    else:
        assert loads(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[" * 17, 16), ('{"a":' * 17, 80), ('{a":1}', 1), ('{"a":1,"a":2}', 7), (r'"x\q"', 2), (r'"x\u12"', 2),
        (r'"x\ud800"', 2), (r'"x\ud800\udbff"', 2), ('"x', 2), ('"x\n"', 2), ("1 1", 2), ("", 0), (" ", 1),
    ],
)  # fmt: skip
def test_a_refusal_names_the_byte_where_the_fault_begins(text: str, at: int) -> None:
    """Who signs by hand looks there."""
    with pytest.raises(Rejection, match=rf"at byte {at}$"):
        loads(text.encode())


def test_a_codec_error_names_the_byte_where_the_item_begins() -> None:
    """Also for the short items that are read without looking for their head."""
    for data, at in ((b"", 0), (b"\x82\x01", 2), (b"\x42\x00", 2), (b"\x81\xf5", 1), (b"\xa1\xff\x00", 1)):
        with pytest.raises(CodecError) as caught:
            codec.decode(data)
        assert caught.value.offset == at


def test_bytes_by_another_name_are_bytes() -> None:
    """A subclass is encoded as what it is."""

    class Name(bytes):
        pass

    for size in (0, 1, 23, 24, 255, 256):
        assert codec.encode([Name(size), 1]) == codec.encode([bytes(size), 1])
        assert codec.decode(codec.encode(Name(size))) == bytes(size)


@pytest.mark.parametrize("info", [28, 29, 30, 31])
def test_a_reserved_length_is_no_length(info: int) -> None:
    """Alone, in a list and in a map; with as many bytes behind it as a longer integer would take."""
    for begin in (b"", b"\x81", b"\xa1\x00", b"\x82\x01"):
        for major in (0, 2):
            data = begin + bytes([major << 5 | info]) + b"\x01" + bytes(15)
            assert code_of(lambda data=data: codec.decode(data)) == "NOT_CANONICAL"  # type: ignore[misc]


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {0: inner}], ids=["list", "map"])
def test_cbor_nests_eight_deep_and_no_deeper(wrap: Callable[[codec.Encodable], codec.Encodable]) -> None:
    """In writing as in reading; a number is no nesting."""
    value: codec.Encodable = 1
    for _ in range(8):
        value = wrap(value)
    data = codec.encode(value)
    assert codec.encode(codec.decode(data)) == data
    assert code_of(lambda: codec.encode(wrap(value))) == "NOT_CANONICAL"
    head = b"\x81" if isinstance(value, list) else b"\xa1\x00"
    assert code_of(lambda: codec.decode(head + data)) == "NOT_CANONICAL"
    assert codec.decode(b"\x01", depth_max=0) == 1
    assert codec.decode(head + b"\x01", depth_max=1) in ([1], {0: 1})
    assert code_of(lambda: codec.decode(head + b"\x01", depth_max=0)) == "NOT_CANONICAL"


def test_only_the_neutral_element_is_the_identity() -> None:
    """(0, -1) has the same x."""
    assert group.is_identity(group.IDENTITY)
    assert group.is_identity((0, 5, 5, 0))
    assert not group.is_identity((0, group.P - 1, 1, 0))
    assert not group.is_identity(group.BASE)

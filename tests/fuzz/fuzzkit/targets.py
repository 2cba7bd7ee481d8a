"""What must hold of every decoder: a target takes any bytes, and only a refusal of ours may come out.

A target returns how the input fared, as a short word for the counts: `accepted`, or the code of the refusal.
Anything else that is raised, and a second spelling of an accepted object, is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

from fuzzkit import mutate, seeds
from metanode.core.light.bundle import verify_bundle
from metanode.core.manifests import manifest_from_mapping, parse_toml
from metanode.core.model import amounts, bodies, bundle, codec, decimal_json, genesis, header, receipt, validators, vote
from metanode.core.model.accounts import parse_account, to_bech32m
from metanode.core.model.block import decode_block
from metanode.core.model.envelope import check_envelope, decode_envelope
from metanode.core.model.errors import CodecError, MetanodeError, PluginError, ProofError, Rejection, SettingsError
from metanode.core.model.kinds import KindRegistry
from metanode.core.model.merkle import verify_path
from metanode.core.model.state_map import StateProof, verify_state
from metanode.core.settings import Settings
from metanode.fingerprint.inventory import decode_inventory
from metanode.fingerprint.samples import decode_samples
from metanode.fingerprint.scoring import CAP_MAX, Policy, score

ACCEPTED = "accepted"
"""The word for what was not refused."""


@dataclass(frozen=True)
class Target:
    """One decoder under test."""

    name: str
    run: Callable[[bytes], None]
    """Raises what the decoder raises; AssertionError when something accepted does not hold."""
    make: Callable[[Random, bytes], bytes]
    """Makes an input from a seed."""
    seeds: Callable[[], tuple[bytes, ...]]
    refusals: tuple[type[MetanodeError], ...] = (CodecError, Rejection)
    """What may come out."""

    def outcome(self, data: bytes) -> str:
        """Run on one input and return the word for the counts; raises on a finding."""
        try:
            self.run(data)
        except self.refusals as error:
            return one_line(error).code
        return ACCEPTED


def one_line(error: MetanodeError) -> MetanodeError:
    """Return a refusal after holding it to what every refusal promises."""
    line = error.line()
    assert line.isprintable(), f"a refusal is one line: {line!r}"
    assert error.expected, "a refusal says what would be right"
    return error


def _cbor(chance: Random, seed: bytes) -> bytes:
    way = chance.randrange(10)
    if way < 6:
        return mutate.mutate_cbor(chance, seed)
    return mutate.mutate_bytes(chance, seed) if way < 9 else chance.randbytes(chance.randint(0, 60))


def _text(chance: Random, seed: bytes) -> bytes:
    text = seed.decode("utf-8", "surrogatepass")
    other = chance.choice(seeds.json_texts())
    return mutate.mutate_text(chance, text, other).encode("utf-8", "surrogatepass")


def _codec(data: bytes) -> None:
    assert codec.encode(codec.decode(data)) == data


def _envelope(data: bytes) -> None:
    envelope = decode_envelope(data)
    assert codec.encode([envelope.signed, envelope.signature]) == data
    numbers = (envelope.version, envelope.chain_id, envelope.kind, envelope.sender, envelope.nonce, envelope.fee,
               envelope.valid_until, envelope.body, envelope.alg)  # fmt: skip
    fields: dict[int, int | bytes] = dict(enumerate(numbers))
    if envelope.public_key:
        fields[9] = envelope.public_key
    assert codec.encode(fields) == envelope.signed
    check_envelope(envelope, chain_id=envelope.chain_id, registry=REGISTRY)


REGISTRY = KindRegistry()
for _kind in bodies.KINDS:
    REGISTRY.register(_kind)


def _reencoded(decode: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        assert decode(data).encode() == data, "one object, one spelling"

    return run


def _validators(data: bytes) -> None:
    assert validators.encode_set(validators.decode_set(data)) == data


def _certificate(data: bytes) -> None:
    certificate = vote.decode_certificate(data)
    assert certificate.encode() == data
    # Whom the bits name and how many signed is `verify_certificate`'s to judge, against a set.
    with suppress(ProofError):
        vote.verify_certificate(certificate, certificate.header_hash, certificate.height, SET, bytes(32))


SET = [validators.Validator(bytes([n]) * 20, bytes([n]) * 32, bytes([n + 9]) * 32, 1) for n in range(1, 5)]


def _reveal(data: bytes) -> None:
    reveal = bodies.decode_machine_reveal(data)
    assert reveal.encode() == data
    record = bodies.decode_machine_record(reveal.inner)
    assert record.encode() == reveal.inner


def _inventory(data: bytes) -> None:
    inventory = decode_inventory(data)
    assert inventory.encode() == data
    for profile in ("edge", "rustchain"):
        result = score(inventory, (), Policy(profile, 0, CAP_MAX, CAP_MAX))
        assert 0 <= result.weight <= result.base_multiplier < 2**64


def _samples(data: bytes) -> None:
    rows = [[s.kind, s.count, s.minimum, s.median, s.maximum] for s in decode_samples(data)]
    assert codec.encode(rows) == data or not data


def _decimal_json(data: bytes) -> None:
    value = decimal_json.loads(data)
    # The standard reader sees the same value; numbers it may round are compared as text elsewhere (vectors).
    assert _shape(value) == _shape(json.loads(data))
    for number in _numbers(value):
        for read in (number.to_int, number.to_micro):
            with suppress(Rejection):  # a number that is not whole, or no amount
                assert read() == read()


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return value if isinstance(value, (str, bool)) or value is None else 0


def _numbers(value: Any) -> list[decimal_json.Decimal10]:
    if isinstance(value, decimal_json.Decimal10):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [number for item in items for number in _numbers(item)]


def _genesis(data: bytes) -> None:
    read = genesis.genesis_from_json(data.decode("utf-8", "surrogatepass"))
    again = genesis.genesis_from_json(read.to_json())
    assert again == read
    assert again.hash == read.hash


def _account(data: bytes) -> None:
    text = data.decode("utf-8", "surrogatepass")
    account = parse_account(text)
    assert parse_account(to_bech32m(account)) == account
    assert text.isascii()


def _amount(data: bytes) -> None:
    amount = amounts.parse_amount(data.decode("utf-8", "surrogatepass"))
    assert amounts.parse_amount(amounts.format_amount(amount)) == amount


def _settings(data: bytes) -> None:
    settings = Settings.from_mapping(parse_toml(data, "fuzz.toml"), source="fuzz.toml")
    assert len(settings.roles["storage"]) == 1


def _manifest(data: bytes) -> None:
    manifest = manifest_from_mapping(parse_toml(data, "fuzz.toml"), source="fuzz.toml")
    for spec in manifest.settings.values():
        assert spec.required or not spec.fault(spec.default)
        assert spec.allowed()
        for value in (0, -1, 2**64, "", "x", True, [], ["x"], [1], 1.5, None):
            assert isinstance(spec.fault(value), str)


def _bundle(data: bytes) -> None:
    assert bundle.decode_bundle(data).encode() == data


def _verified(data: bytes) -> None:
    # Whatever a stranger's bundle proves, nothing but a refusal may come out of checking it.
    report = verify_bundle(data, trusted_genesis_hash=None, trusted_set_hash=None)
    assert all(item.line.isprintable() for item in report.items)


def _state_proof(data: bytes) -> None:
    parts = codec.expect_list(codec.decode(data), "proof", size=4)
    siblings = [each for each in codec.expect_list(parts[0], "siblings") if isinstance(each, bytes)]
    leaf = [each for each in codec.expect_list(parts[1], "leaf") if isinstance(each, bytes)]
    count = codec.expect_uint(parts[2], "count")
    key = codec.expect_bytes(parts[3], "key")
    proof = StateProof(tuple(siblings), (leaf[0], leaf[1]) if len(leaf) > 1 else None, count)
    for value in (None, b"", key):
        assert not verify_state(bytes(32), key, value, proof), "nobody knows a proof of this root"
    assert not verify_path(bytes(32), key, count, count + 1, siblings)


def _vector_seeds() -> tuple[bytes, ...]:
    return seeds.vector_bytes()


def _json_seeds() -> tuple[bytes, ...]:
    return tuple(text.encode("utf-8", "surrogatepass") for text in seeds.json_texts())


def _proof_seeds() -> tuple[bytes, ...]:
    hashes = [bytes([n]) * 32 for n in range(40)]
    return tuple(codec.encode([hashes[:n], hashes[:m], n + 1, b"\x01" * 21]) for n in range(40) for m in (0, 2))


TOML_SEEDS = (
    b'[node]\nname = "n"\nlog_level = "info"\nfailures_max = 3\nblocked_ms = 0\n[roles]\nstorage = "sqlite"\n'
    b'ledger = "attested"\nmempool = "fifo"\nconsensus = "solo"\ntransport = []\napi = ["http"]\n'
    b'[plugins.api.http]\nport = 1\ncors_origins = ["*"]\n',
    b'[roles]\nstorage = "memory"\nledger = "attested"\nmempool = "fifo"\nconsensus = "solo"\n[plugins]\n',
    b'[node]\nname = 1979-05-27T07:32:00Z\nx = inf\ny = 0xff\nz = {a = {b = [1, [2]]}}\n[[roles]]\n',
)
MANIFEST_SEEDS = (
    b'name = "storage.x"\nrole = "storage"\nimport = "a.b"\nsummary = "s"\nfailure = "critical"\nram_mib = 1\n'
    b'start_timeout_s = 2\n[api]\nroles = 1\n[settings.a]\ntype = "int"\ndefault = 3\nmin = 1\nmax = 9\nhelp = "h"\n'
    b'[settings.b]\ntype = "list"\ndefault = ["a"]\nchoices = ["a", "b"]\n[settings.c]\ntype = "text"\n',
    b'name = "api.x"\nrole = "api"\n[settings.a]\ntype = "bool"\ndefault = false\n[settings.b]\ntype = "text"\n'
    b'choices = ["x"]\ndefault = "x"\n',
)
_TOML_VALUES = (
    "1", "-1", "true", '"x"', "[]", "[1]", '["x", 1]', "[[]]", "{}", "{a = 1}", "1.5", "inf", "nan", "1979-05-27",
    "07:32:00", "0x" + "f" * 5000, "9" * 25, "9" * 4400, '"\\u0000"', '"""\na\nb"""', '"\\n"', '""', "{a = {b = []}}",
)  # fmt: skip


def _toml(chance: Random, seed: bytes) -> bytes:
    """Replace values and keys of TOML lines; the text mostly stays TOML."""
    lines = seed.decode("utf-8", "replace").splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines) + 1)
        match chance.randrange(6):
            case 0 | 1 | 2 if at < len(lines) and "=" in lines[at]:
                lines[at] = f"{lines[at].partition('=')[0]}= {chance.choice(_TOML_VALUES)}"
            case 3 if at < len(lines):
                del lines[at]
            case 4:
                key = chance.choice(("min", "max", "choices", "default", "type", "help", "nme", '"a\\nb"', "a.b"))
                lines.insert(at, f"{key} = {chance.choice(_TOML_VALUES)}")
            case _ if at < len(lines):
                lines[at] = mutate.mutate_text(chance, lines[at]).encode("utf-8", "replace").decode()
    return "\n".join(lines).encode("utf-8", "replace")


def _inventories() -> tuple[bytes, ...]:
    return tuple(codec.encode(fields) for fields in (
        {0: 1, 1: "linux", 2: "ppc", 3: 32, 4: 1, 5: ["", "7447A", 0, 0, 0, 0x80030101, 1500, 1, 1, 1], 6: ["altivec"],
         7: [[1, 1, 32, 32, 8, 1], [2, 3, 512, 64, 8, 1]], 8: 1024, 9: ["", "", "", "", "", "PowerBook6,8", 0], 10: [],
         11: 3, 12: 255},
        {0: 1, 1: "linux", 2: "x86_64", 3: 64, 4: 0, 5: ["GenuineIntel", "Xeon", 6, 143, 8, 0, 2100, 1, 4, 8],
         6: ["cmov", "fpu", "hypervisor", "lm"], 7: [], 8: 1, 9: ["QEMU", "KVM", "", "", "SeaBIOS", "", 3],
         10: [[1, "hypervisor"], [12, "control_d"]], 11: 0, 12: 0},
        {0: 1, 1: "linux", 2: "armv7l", 3: 32, 4: 0, 5: ["0x41", "", 7, 3081, 0, 0, 0, 0, 0, 0], 6: [], 7: [], 8: 0,
         9: ["", "", "", "", "", "", 0], 10: [], 11: 1, 12: 1},
    ))  # fmt: skip


def _summaries() -> tuple[bytes, ...]:
    return codec.encode([[n, 5, n, n + 1, n + 9] for n in range(1, 8)]), codec.encode([[1, 1, 0, 0, 2**64 - 1]]), b""


def _accounts() -> tuple[bytes, ...]:
    return tuple(to_bech32m(bytes([n]) * 20).encode() for n in (0, 7, 255)) + (b"RTC" + b"ab" * 20, b"MN1" + b"Q" * 38)


def _amounts() -> tuple[bytes, ...]:
    return b"0", b"1.5", b"18446744073709.551615", b"0.000001", b"1e6"


TARGETS: tuple[Target, ...] = (
    Target("cbor", _codec, _cbor, _vector_seeds),
    Target("envelope", _envelope, _cbor, _vector_seeds),
    Target("transfer", _reencoded(bodies.decode_transfer), _cbor, _vector_seeds),
    Target("machine_commit", _reencoded(bodies.decode_machine_commit), _cbor, _vector_seeds),
    Target("machine_reveal", _reveal, _cbor, _vector_seeds),
    Target("machine_record", _reencoded(bodies.decode_machine_record), _cbor, _vector_seeds),
    Target("attest", _reencoded(bodies.decode_attest), _cbor, _vector_seeds),
    Target("header", _reencoded(header.decode_header), _cbor, _vector_seeds),
    Target("block", _reencoded(decode_block), _cbor, _vector_seeds),
    Target("receipt", _reencoded(receipt.decode_receipt), _cbor, _vector_seeds),
    Target("vote", _reencoded(vote.decode_vote), _cbor, _vector_seeds),
    Target("certificate", _certificate, _cbor, _vector_seeds, (MetanodeError,)),
    Target("validator_set", _validators, _cbor, _vector_seeds),
    Target("bundle", _bundle, _cbor, _vector_seeds),
    Target("bundle_verified", _verified, _cbor, _vector_seeds, (MetanodeError,)),
    Target("state_proof", _state_proof, _cbor, _proof_seeds),
    Target("inventory", _inventory, _cbor, _inventories),
    Target("samples", _samples, _cbor, _summaries),
    Target("decimal_json", _decimal_json, _text, _json_seeds),
    Target(
        "genesis_json", _genesis, _text, lambda: tuple(text.encode() for text in seeds.genesis_texts()),
        (SettingsError, Rejection),
    ),
    Target("account", _account, _text, _accounts),
    Target("amount", _amount, _text, _amounts),
    Target("settings_toml", _settings, _toml, lambda: TOML_SEEDS, (SettingsError,)),
    Target("manifest_toml", _manifest, _toml, lambda: MANIFEST_SEEDS, (SettingsError, PluginError)),
)
"""Every decoder of bytes and texts that strangers or operators write."""

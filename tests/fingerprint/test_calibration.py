"""Calibration reports: what three owners must show before a model is paid in full, and every way to be refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metanode.core.crypto.keys import KeyPair
from metanode.core.model import calibration as wire
from metanode.core.model import codec
from metanode.core.model.errors import MetanodeError, Rejection
from metanode.core.model.limits import ENVELOPE_BYTES_MAX
from metanode.fingerprint import calibrate as measuring
from metanode.fingerprint.calibration import AGREEMENT, check_reports, examine
from metanode.fingerprint.command import main
from metanode.fingerprint.inventory import Sign
from metanode.fingerprint.probes.summaries import RATIOS
from metanode.fingerprint.probes.workload import FP_ADD, FP_DIV, INT_DIV, PATCH, SIMD
from metanode.platforms.shims import probes as shim

GENESIS = bytes(32)


def refused(code: str, reports: list[bytes], genesis_hash: bytes = GENESIS) -> Rejection:
    """Return the refusal of a set of reports."""
    with pytest.raises(Rejection) as caught:
        check_reports(reports, genesis_hash)
    assert caught.value.code == code, caught.value
    return caught.value


# --- a set of reports


def test_three_owners_of_one_model_calibrate_it(composer: Any) -> None:
    """The result names the model, and the range of every ratio that was measured."""
    done = check_reports([composer.signed(number) for number in range(3)], GENESIS)
    assert done.model == "ppc pvr 8003"
    assert [name for name, _, _ in done.ranges] == list(RATIOS)
    assert all(0 < low <= high <= AGREEMENT * low for _, low, high in done.ranges)


def test_the_order_of_reports_changes_nothing(composer: Any) -> None:
    """Whoever proposes orders them as they came."""
    reports = [composer.signed(number) for number in range(4)]
    assert check_reports(reports, GENESIS) == check_reports(reports[::-1], GENESIS)


def test_the_largest_proposal_fits_an_envelope(composer: Any) -> None:
    """So many reports are judged and one more is not; a report of full size is counted."""
    reports = [composer.signed(number) for number in range(wire.REPORTS_MAX + 1)]
    assert check_reports(reports[: wire.REPORTS_MAX], GENESIS).model
    refused("TOO_LARGE", reports)
    assert wire.REPORTS_MAX * wire.REPORT_BYTES_MAX < ENVELOPE_BYTES_MAX


def test_two_reports_are_too_few(composer: Any) -> None:
    """However good they are."""
    refused("CALIBRATION_TOO_FEW", [composer.signed(number) for number in range(wire.REPORTS_MIN - 1)])
    refused("CALIBRATION_TOO_FEW", [])


def test_an_owner_counts_once(composer: Any) -> None:
    """A second machine of the same owner is no second witness."""
    owner = composer.owner(0)
    reports = [composer.signed(0), composer.signed(1, owner=owner), composer.signed(2)]
    assert "have one owner" in refused("CALIBRATION_SAME_OWNER", reports).message


@pytest.mark.parametrize("what", ["binding_tag", "samples", "machine_key"])
def test_a_machine_counts_once(composer: Any, what: str) -> None:
    """By its tag, by its key, and by timings that no second machine would repeat."""
    same = KeyPair.from_seed(bytes(32))
    first = composer.report(0, machine=same)
    changes = {"machine": same} if what == "machine_key" else {what: getattr(first, what)}
    reports = [composer.signed(0, machine=same), composer.signed(1, **changes), composer.signed(2)]
    assert what.replace("_", " ") in refused("CALIBRATION_SAME_MACHINE", reports).message


def test_reports_are_of_one_model(composer: Any) -> None:
    """By what they say and by what their inventories hold."""
    other = replace(composer.inventory, cpu=replace(composer.inventory.cpu, pvr=0x80010201))
    odd = composer.signed(2, model="ppc pvr 8001", inventory=other.encode())
    good = [composer.signed(0), composer.signed(1)]
    assert "'ppc pvr 8001'" in refused("CALIBRATION_MODEL_DIFFERS", [*good, odd]).message
    lie = composer.signed(2, inventory=other.encode())
    refused("CALIBRATION_MODEL_DIFFERS", [*good, lie])


def test_only_the_owner_signs_and_only_for_this_chain(composer: Any) -> None:
    """A report of another chain, of a thief, or changed after signing does not count."""
    good = [composer.signed(number) for number in range(2)]
    refused("INVALID_SIGNATURE", [*good, composer.sign(composer.report(2), composer.owner(7))])
    refused("INVALID_SIGNATURE", [*good, composer.signed(2)], bytes(31) + b"\1")
    signed = wire.decode_signed_report(composer.signed(2))
    changed = replace(wire.decode_report(signed.report), agent="test/2").encode()
    refused("INVALID_SIGNATURE", [*good, wire.SignedReport(changed, signed.signature).encode()])


@pytest.mark.parametrize("at", [0, 1, -1])
def test_a_wrong_probe_result_is_found(composer: Any, at: int) -> None:
    """The interpreted one, a compiled one and the last one: each is recomputed."""
    results = list(composer.report(2).probe_results)
    results[at] = (results[at][0], results[at][1] ^ 1)
    wrong = composer.signed(2, probe_results=tuple(results))
    refused("PROBE_MISMATCH", [composer.signed(0), composer.signed(1), wrong])


def test_results_of_another_challenge_do_not_count(composer: Any) -> None:
    """Neither another header's nor another machine's."""
    old = composer.report(2, header_hash=b"\1" * 32).probe_results
    refused("PROBE_MISMATCH", [composer.signed(0), composer.signed(1), composer.signed(2, probe_results=old)])
    stolen = composer.report(1).probe_results
    refused("PROBE_MISMATCH", [composer.signed(0), composer.signed(1), composer.signed(2, probe_results=stolen)])


def test_timings_without_their_results_count_for_nothing(composer: Any) -> None:
    """A timing alone shows no work."""
    bare = composer.signed(2, probe_results=composer.report(2).probe_results[:1])
    refused("CALIBRATION_UNMEASURED", [composer.signed(0), composer.signed(1), bare])


@pytest.mark.parametrize("sign", [Sign(3, "kvm"), Sign(8, "qemu"), Sign(31, "blank")])
def test_a_virtual_machine_or_emulator_calibrates_nothing(composer: Any, sign: Sign) -> None:
    """One declared sign is enough, and it is named."""
    inventory = replace(composer.inventory, signs=(sign,)).encode()
    reports = [composer.signed(0), composer.signed(1), composer.signed(2, inventory=inventory)]
    message = refused("CALIBRATION_NOT_REAL", reports).message
    assert "VM_DETECTED" in message or "EMULATOR_DETECTED" in message


def test_timings_of_an_emulator_calibrate_nothing_though_all_three_agree(composer: Any) -> None:
    """Three copies of one emulator agree with each other and not with the processor they claim."""
    emulated = {FP_ADD: 120_000, FP_DIV: 130_000, SIMD: 20_000, PATCH: 700_000}
    reports = [composer.signed(number, cycles=emulated) for number in range(3)]
    assert "execution_engine (EMULATOR_DETECTED)" in refused("CALIBRATION_NOT_REAL", reports).message


def test_memory_faster_than_the_model_can_be_calibrates_nothing(composer: Any) -> None:
    """The strongest proof against an old part."""
    reports = [composer.signed(number, cycles={26: 100}) for number in range(3)]
    assert "memory_ceiling (MEMORY_TOO_FAST)" in refused("CALIBRATION_NOT_REAL", reports).message


@pytest.mark.parametrize(("cycles", "agrees"), [(45_900, True), (46_400, False)])
def test_ratios_agree_within_a_factor_of_two(composer: Any, cycles: int, agrees: bool) -> None:
    """Also those that no envelope judges: one more than twice as slow is another machine."""
    reports = [composer.signed(0), composer.signed(1), composer.signed(2, cycles={INT_DIV: cycles})]
    if agrees:
        assert check_reports(reports, GENESIS).model
    else:
        assert refused("CALIBRATION_INCONSISTENT", reports).message.startswith("int_div is 23")


# --- bytes and files


def test_a_report_has_one_encoding_and_comes_back(composer: Any) -> None:
    """Field by field; its owner and challenge follow from it."""
    report = composer.report(1, height=7, header_hash=b"\7" * 32)
    again = wire.decode_report(report.encode())
    assert again == report
    assert again.encode() == report.encode()
    assert again.owner == composer.owner(1).account
    signed = wire.decode_signed_report(composer.signed(1))
    assert wire.decode_report(signed.report).model == "ppc pvr 8003"


def test_the_bytes_of_a_report_never_change() -> None:
    """What was signed once stays signed: layout and digest are pinned."""
    report = wire.CalibrationReport(
        owner_key=b"\1" * 32, machine_key=b"\2" * 32, binding_tag=b"\3" * 32, model="ppc pvr 8003", inventory=b"\4",
        challenge_height=5, header_hash=b"\6" * 32, probe_results=((1, 7), (16, 8)), samples=b"\x80", agent="a/1",
    )  # fmt: skip
    keys = ["01" * 32, "02" * 32, "03" * 32]
    texts = ["6c" + b"ppc pvr 8003".hex(), "4104", "05", "5820" + "06" * 32, "828201078210" + "08", "4180", "63612f31"]
    fields = ["01", *(f"5820{key}" for key in keys), *texts]
    assert report.encode().hex() == "ab" + "".join(f"{number:02x}{field}" for number, field in enumerate(fields))
    digest = wire.report_digest(report.encode(), b"\7" * 32)
    assert digest.hex() == "23fcf5af270a455cf2b139d9f6e07c39883732434b2670ff1f0bb802d738cf1e"
    signed = wire.SignedReport(report.encode(), bytes(64)).encode()
    assert signed.hex() == f"a20058{len(report.encode()):02x}{report.encode().hex()}015840" + "00" * 64


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (0, 2, "BAD_VERSION"), (1, b"x", "BAD_SHAPE"), (2, bytes(33), "BAD_SHAPE"), (3, b"", "BAD_SHAPE"),
        (4, "x" * 65, "BAD_SHAPE"), (5, bytes(4097), "BAD_SHAPE"), (6, b"", "BAD_SHAPE"), (7, bytes(20), "BAD_SHAPE"),
        (8, [[1, 2], [1, 3]], "BAD_SHAPE"), (8, [[1]], "BAD_SHAPE"), (8, [[n, 0] for n in range(33)], "BAD_SHAPE"),
        (9, bytes(513), "BAD_SHAPE"), (10, "x" * 65, "BAD_SHAPE"), (11, 0, "BAD_SHAPE"), (5, bytes(7000), "TOO_LARGE"),
    ],
)  # fmt: skip
def test_every_field_of_a_report_has_its_bounds(composer: Any, key: int, value: Any, code: str) -> None:
    """A stable code for each, never a crash."""
    fields = codec.decode(composer.report(1).encode())
    assert isinstance(fields, dict)
    with pytest.raises(Rejection) as caught:
        wire.decode_report(codec.encode({**fields, key: value}))
    assert caught.value.code == code


def test_no_byte_of_a_signed_report_is_decoration(composer: Any) -> None:
    """Each bit flipped is refused, with a code."""
    data = composer.signed(2)
    good = [composer.signed(0), composer.signed(1)]
    for at in range(0, len(data), 3):
        changed = bytearray(data)
        changed[at] ^= 0x04
        with pytest.raises(MetanodeError):
            check_reports([*good, bytes(changed)], GENESIS)


def test_tickets_and_report_files_come_back(composer: Any) -> None:
    """As text that people can look at and send by mail."""
    ticket = wire.Ticket(b"\1" * 32, 9, b"\2" * 32, b"\3" * 32, b"\4" * 32)
    assert wire.ticket_from_json(ticket.to_json()) == ticket
    for file in (wire.ReportFile(GENESIS, b"abc"), wire.ReportFile(GENESIS, b"abc", bytes(64))):
        assert wire.report_file_from_json(file.to_json()) == file


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "BAD_JSON"), ("[]", "BAD_SETTING"), ("{}", "BAD_SHAPE"), ('{"what": "metanode capture"}', "BAD_SHAPE")],
)
def test_another_file_is_named_as_such(text: str, code: str) -> None:
    """What it should have been is told."""
    for read in (wire.ticket_from_json, wire.report_file_from_json):
        with pytest.raises(MetanodeError) as caught:
            read(text)
        assert caught.value.code == code


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"version": True}, {"height": -1}, {"owner_key": "00"}, {"more": 1}]
)
def test_a_ticket_that_was_changed_is_refused(change: dict[str, Any]) -> None:
    """Key by key."""
    entries = json.loads(wire.Ticket(GENESIS, 0, GENESIS, GENESIS, GENESIS).to_json())
    with pytest.raises(MetanodeError):
        wire.ticket_from_json(json.dumps(entries | change))


# --- the command


@pytest.fixture
def three(composer: Any, tmp_path: Path) -> list[str]:
    """Three signed report files."""
    paths = []
    for number in range(3):
        signed = wire.decode_signed_report(composer.signed(number))
        path = tmp_path / f"{number}.report"
        path.write_text(wire.ReportFile(GENESIS, signed.report, signed.signature).to_json())
        paths.append(str(path))
    return paths


def test_anyone_can_judge_reports_before_a_vote(three: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and the ranges; two of them are too few, and the code says so."""
    assert main(["--json", "--reports", *three]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["accepted"], answer["model"]) == (True, True, "ppc pvr 8003")
    assert [report["counts"] for report in answer["reports"]] == [True] * 3
    assert answer["ranges"]["fp_div_mul"] == [7000, 7001]
    assert main(["--reports", *three]) == 0
    assert "these calibrate ppc pvr 8003" in capsys.readouterr().out
    assert main(["--json", "--reports", *three[:2]]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["accepted"], answer["code"]) == (False, False, "CALIBRATION_TOO_FEW")


def test_unsigned_and_foreign_reports_are_told_apart(
    three: list[str], composer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without its owner's signature, and one of another chain."""
    Path(three[0]).write_text(wire.ReportFile(GENESIS, composer.report(0).encode()).to_json())
    assert main(["--json", "--reports", *three]) == 1
    assert json.loads(capsys.readouterr().out)["message"] == f"not signed: {three[0]}"
    Path(three[0]).write_text(wire.ReportFile(b"\1" * 32, composer.report(0).encode()).to_json())
    assert main(["--reports", *three]) == 1
    assert "WRONG_CHAIN" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["--calibrate", "r"], 2, "USAGE"), (["--ticket", "t"], 2, "USAGE"),
        (["--calibrate", "r", "--ticket", "none"], 1, "FILE_MISSING"), (["--reports", "none"], 1, "FILE_MISSING"),
        (["--reports", "/dev/zero"], 1, "TOO_LARGE"), (["--calibrate", "r", "--ticket", "noise"], 1, "BAD_JSON"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_a_code(
    words: list[str], exit_code: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As text and as JSON, and no file is left."""
    monkeypatch.chdir(tmp_path)
    Path("noise").write_bytes(b"\xff\xfe")
    assert main(words) == exit_code
    assert capsys.readouterr().err.startswith(f"error {code}: ")
    assert main(["--json", *words]) == exit_code
    assert json.loads(capsys.readouterr().out)["code"] == code
    assert [path.name for path in tmp_path.iterdir()] == ["noise"]


# --- this machine


@pytest.fixture
def ticket(composer: Any, tmp_path: Path) -> Path:
    """A ticket for this machine."""
    path = tmp_path / "ticket"
    key = KeyPair.from_seed(bytes(32)).public_key
    path.write_text(wire.Ticket(GENESIS, 0, GENESIS, composer.owner(0).public_key, key).to_json())
    return path


@pytest.mark.skipif(shim.load() is None, reason="the compiled probes are not built")
def test_this_machine_measures_itself_for_a_ticket(ticket: Path, tmp_path: Path, capsys: Any) -> None:
    """Right results for the ticket's challenge, and a word on what the report is worth."""
    out = tmp_path / "my.report"
    assert main(["--json", "--calibrate", str(out), "--ticket", str(ticket)]) == 0
    answer = json.loads(capsys.readouterr().out)
    file = wire.report_file_from_json(out.read_text())
    examined = examine(wire.decode_report(file.report))
    assert (file.signature, file.genesis_hash) == (b"", GENESIS)
    assert answer["model"] == examined.report.model
    assert answer["counts"] is not bool(examined.failed)
    assert answer["ratios"] == dict(examined.ratios)
    assert len(file.report) < wire.REPORT_BYTES_MAX
    before = out.read_bytes()
    assert main(["--calibrate", str(out), "--ticket", str(ticket)]) == 1
    assert "FILE_EXISTS" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_without_the_compiled_probes_there_is_no_report(
    ticket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """The reason is told before anything is written."""
    monkeypatch.setattr(measuring, "measure_compiled", lambda *args, **more: None)
    assert main(["--calibrate", str(tmp_path / "r"), "--ticket", str(ticket)]) == 1
    assert capsys.readouterr().err.startswith("error CALIBRATION_UNMEASURED: ")
    assert not (tmp_path / "r").exists()

"""Lines of a report: folding and the numbers behind a check."""

from __future__ import annotations

import pytest

from metanode.fingerprint.checks import MEANINGS, Check
from metanode.fingerprint.report_lines import check_lines, fold

ROW = "  pass       timer                TIMER_STEADY: the timer never ran backwards, and is fine"


def plain(text: str, *names: str) -> str:
    """No colour."""
    return text


def red(text: str, *names: str) -> str:
    """Always red."""
    return f"\x1b[31m{text}\x1b[0m"


def test_a_long_row_goes_on_below_its_last_column() -> None:
    """The verdict and the name stay alone on the left."""
    assert fold(ROW, 78) == [ROW[:78], " " * 34 + "and is fine"]
    assert fold(ROW, 60)[1].startswith(" " * 13 + "never"), "a column in the right half leaves too little room"
    assert fold(ROW, len(ROW)) == fold(ROW, 0) == [ROW]
    assert fold("    - one two three", 14) == ["    - one two", "      three"]
    assert fold("one two three", 8) == ["one two", "three"]


def test_colour_takes_no_columns() -> None:
    """A coloured row breaks where the plain one does."""
    coloured = ROW.replace("pass", red("pass"))
    assert [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in fold(coloured, 78)] == fold(ROW, 78)


@pytest.mark.parametrize("columns", range(1, 100))
def test_no_width_loses_a_word_or_hangs(columns: int) -> None:
    """Even one narrower than a word."""
    assert " ".join(fold(ROW, columns)).split() == ROW.split()


def test_words_told_before_are_left_out() -> None:
    """The numbers then stand beside the reason."""
    check = Check("memory_speed", "unmeasured", "NO_ENVELOPE", (("copy_mb_s", 7), ("samples", 15)))
    short, _ = check_lines(check, plain, words=False)
    assert short == "  unmeasured memory_speed         NO_ENVELOPE: copy_mb_s 7, samples 15"
    first, second, _ = check_lines(check, plain)
    assert check.words in first
    assert second == " " * 34 + "copy_mb_s 7, samples 15"
    assert check_lines(Check("timer", "unmeasured", "NOT_RUN"), plain, words=False)[0].endswith(" NOT_RUN")


@pytest.mark.parametrize("name", MEANINGS)
def test_each_check_says_what_it_asks_and_what_it_is_worth(name: str) -> None:
    """Below its verdict, in one line."""
    last = check_lines(Check(name, "unmeasured", "NOT_RUN"), plain)[-1]
    assert last == " " * 34 + f"{MEANINGS[name].question} Worth: {MEANINGS[name].worth}"
    assert "shown only" in check_lines(Check("py-cpuinfo", "pass", "AGREES"), plain)[-1]

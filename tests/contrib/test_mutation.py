"""The mutation tester: it changes what it says it changes, and nothing on disk."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = '''"""A module."""
LIMIT = 8

def clamp(value: int, low: int = 0) -> int:
    """Keep a value between two bounds."""
    assert low <= LIMIT
    if not low <= value < LIMIT:
        raise ValueError(f"{value + 1} is out of range")
    return min(value * 2, LIMIT)
'''


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of contrib/mutation, found as its command finds them."""
    monkeypatch.syspath_prepend(str(ROOT / "contrib" / "mutation"))
    names = ("operators", "scope", "explained", "reach", "trial")
    loaded: dict[str, ModuleType] = {}
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in names:
        loaded[name] = __import__(name)
    yield loaded  # type: ignore[misc]
    for name in names:
        sys.modules.pop(name, None)


def test_each_operator_finds_its_place_and_text_is_left_alone(tools: Any) -> None:
    """Docstrings, annotations, messages and assertions are no behaviour."""
    changes = {mutant.change for mutant in tools["operators"].mutants_of(SOURCE)}
    assert changes >= {
        "LIMIT = 8 => LIMIT = 9",
        "not low <= value < LIMIT => low <= value < LIMIT",
        "not low <= value < LIMIT => not low < value < LIMIT",
        "not low <= value < LIMIT => not low <= value <= LIMIT",
        "not low <= value < LIMIT => not LIMIT <= value < low",
        "raise ValueError(f'{value + 1} is out of range') => pass",
        "return min(value * 2, LIMIT) => return max(value * 2, LIMIT)",
        "return min(value * 2, LIMIT) => return None",
        "min(value * 2, LIMIT) => min(value // 2, LIMIT)",
        "value * 2 => value * 3",
        "value * 2 => value * 1",
    }
    assert not any("value + 2" in change or "value - 1" in change for change in changes)
    assert not any("assert" in change for change in changes)


def test_a_mutant_is_the_source_with_one_change(tools: Any) -> None:
    """Each compiles, none equals the source, and ids do not repeat."""
    operators = tools["operators"]
    mutants = operators.mutants_of(SOURCE)
    trees = [ast.dump(operators.mutated_tree(SOURCE, mutant)) for mutant in mutants]
    assert len(set(trees)) == len(trees)
    assert ast.dump(ast.parse(SOURCE)) not in trees
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        compile(operators.mutated_tree(SOURCE, mutant), "clamp.py", "exec")


def test_code_at_import_and_defaults_are_told_from_functions(tools: Any) -> None:
    """What runs at import can be noticed by every test, what runs in a function by its callers."""
    starts = {mutant.change: mutant.starts for mutant in tools["operators"].mutants_of(SOURCE)}
    assert starts["LIMIT = 8 => LIMIT = 9"] == ()
    assert starts["0 => 1"] == ()
    assert starts["value * 2 => value * 3"] == (4,)


def test_the_scope_is_there_and_its_tests_exist(tools: Any) -> None:
    """A module that is renamed leaves the scope loudly."""
    scopes = {scope.name: scope for scope in tools["scope"].scopes(ROOT)}
    assert {"core/model/codec", "plugins/ledger/attested/settlement", "fingerprint/scoring"} <= set(scopes)
    assert set(tools["scope"].OWN) <= set(scopes)
    for scope in scopes.values():
        assert all((ROOT / test).is_file() for test in scope.own)
    for name, tests in tools["scope"].OWN.items():
        assert len(scopes[name].own) == len(tests), f"tests of {name} that are not there"


def test_an_explained_survivor_names_a_module_in_scope_and_says_why(tools: Any) -> None:
    """A bar inside a cell is escaped, as Markdown asks."""
    page = ROOT / "docs" / "mutation.md"
    if not page.exists():
        pytest.skip("no survivor is explained yet: docs/mutation.md is not written")
    rows = tools["explained"].explained(page)
    assert rows
    names = {scope.name for scope in tools["scope"].scopes(ROOT)}
    for (module, _, change), why in rows.items():
        assert module in names
        assert change.count(" => ") == 1
        assert len(why) > 10

"""The mutants of a module: each is its source with one small change that a test should notice.

A mutant exists as a syntax tree only; no file is ever written.  What is not behaviour is left alone: docstrings, other
text (messages and error codes), annotations, decorators, imports, and `assert` (a claim, which must not fire).
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
"""A bound moves by one; the others are turned round."""
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
SWAPPED_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
DELETED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)
_SKIPPED_FIELDS = frozenset({"annotation", "returns", "decorator_list", "type_params"})
_SKIPPED_NODES = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
_TEXT_MAX = 96

Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, what it is, and how to make it again."""

    id: str
    line: int
    function: str
    operator: str
    change: str
    starts: tuple[int, ...]
    """First lines of the functions around it, the outermost first; none for code that runs at import."""
    position: int
    """Number of the changed place in the order of `_places`."""
    variant: int


@dataclass(frozen=True)
class _Place:
    """A node and where it hangs."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    function: str
    starts: tuple[int, ...]

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants_of(source: str) -> list[Mutant]:
    """Return every mutant of a module in the order of its source; ids stay the same while a function does."""
    seen: Counter[str] = Counter()
    found = []
    for position, place in enumerate(_places(ast.parse(source))):
        for variant, (operator, change) in enumerate(_changes(place)):
            text = _describe(place, change)
            key = f"{place.function}|{operator}|{text}"
            seen[key] += 1
            digest = hashlib.sha256(f"{key}|{seen[key]}".encode()).hexdigest()[:10]
            line = getattr(place.node, "lineno", 0)
            found.append(Mutant(digest, line, place.function, operator, text, place.starts, position, variant))
    return found


def mutated_tree(source: str, mutant: Mutant) -> ast.Module:
    """Return the syntax tree of the module with this one change."""
    tree = ast.parse(source)
    for position, place in enumerate(_places(tree)):
        if position == mutant.position:
            _, change = _changes(place)[mutant.variant]
            place.put(ast.copy_location(change(place.node), place.node))
            return ast.fix_missing_locations(tree)
    raise ValueError(f"no place {mutant.position} in this source")


def _places(tree: ast.Module) -> Iterator[_Place]:
    """Yield each node that may change, parents first."""
    yield from _below(tree, "", ())


def _below(parent: ast.AST, function: str, starts: tuple[int, ...]) -> Iterator[_Place]:
    if isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.dump(parent.test):
        return
    if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        function = f"{function}.{parent.name}".lstrip(".")
    inside = starts
    if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
        inside = (*starts, min(node.lineno for node in (parent, *parent.decorator_list)))
    for field, value in ast.iter_fields(parent):
        if field in _SKIPPED_FIELDS:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, _SKIPPED_NODES) or _is_text(node):
                continue
            # Defaults of parameters are values of the code around the function.
            around = starts if field == "args" else inside
            yield _Place(node, parent, field, index, function, around)
            yield from _below(node, function, around)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(place: _Place) -> list[tuple[str, Change]]:
    """Return the changes that a node can undergo, each with the name of its operator."""
    node, parent = place.node, place.parent
    changes: list[tuple[str, Change]] = []
    condition = place.field == "ifs" or (place.field == "test" and isinstance(parent, (ast.If, ast.While, ast.IfExp)))
    if condition and not _negated_otherwise(node):
        changes.append(("negated condition", _negated))
    if place.function and isinstance(node, DELETED):
        changes.append(("deleted statement", lambda _: ast.Pass()))
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        changes.append(("return value", lambda _: ast.Return(ast.Constant(None))))
    if isinstance(node, ast.Constant):
        changes += _constant_changes(node)
    elif isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            changes.append(("comparison", _compared(number, COMPARISONS[type(operator)])))
        if len(node.ops) == 2:
            changes.append(("swapped bounds", _ends_swapped))
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC:
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_str(node.left)):
            changes.append(("arithmetic", _with_operator(ARITHMETIC[type(node.op)])))
    elif isinstance(node, ast.BoolOp):
        changes.append(("boolean", _with_operator(ast.Or if isinstance(node.op, ast.And) else ast.And)))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        changes.append(("boolean" if isinstance(node.op, ast.Not) else "arithmetic", lambda found: found.operand))  # type: ignore[attr-defined]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in SWAPPED_CALLS:
            changes.append(("swapped bounds", _calling(SWAPPED_CALLS[node.func.id])))
        elif node.func.id == "range" and len(node.args) > 1:
            changes.append(("swapped bounds", _first_two_swapped))
    return changes


def _constant_changes(node: ast.Constant) -> list[tuple[str, Change]]:
    value = node.value
    if isinstance(value, bool):
        return [("constant", lambda _: ast.Constant(not value))]
    if isinstance(value, (int, float)):
        return [("constant", lambda _: ast.Constant(value + 1)), ("constant", lambda _: ast.Constant(value - 1))]
    return []


def _negated_otherwise(node: ast.AST) -> bool:
    """Whether another operator negates this already: `not a` to `a`, `a == b` to `a != b`."""
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1 and not isinstance(node.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE))
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _negated(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.expr)
    return ast.UnaryOp(ast.Not(), node)


def _compared(number: int, operator: type[ast.cmpop]) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        ops = [operator() if index == number else other for index, other in enumerate(node.ops)]
        return ast.Compare(node.left, ops, node.comparators)

    return change


def _ends_swapped(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.Compare)
    return ast.Compare(node.comparators[1], node.ops, [node.comparators[0], node.left])


def _with_operator(operator: type[ast.operator] | type[ast.boolop]) -> Change:
    def change(node: ast.AST) -> ast.AST:
        fields = dict(ast.iter_fields(node))
        return type(node)(**{**fields, "op": operator()})

    return change


def _calling(name: str) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Call)
        return ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)

    return change


def _first_two_swapped(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.Call)
    return ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)


def _describe(place: _Place, change: Change) -> str:
    """Say what a change does, with enough around a small node to recognise it."""
    node, shown = place.node, place.node
    if isinstance(place.parent, (ast.expr, ast.Return, ast.AugAssign, ast.Assign, ast.keyword)):
        shown = place.parent if len(ast.unparse(place.parent)) <= _TEXT_MAX else node
    before = ast.unparse(shown)
    if shown is node:
        after = ast.unparse(ast.fix_missing_locations(change(node)))
    else:
        place.put(ast.fix_missing_locations(ast.copy_location(change(node), node)))
        after = ast.unparse(shown)
        place.put(node)
    return " ".join(f"{_cut(before)} => {_cut(after)}".split())


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX // 2]}...{text[-_TEXT_MAX // 2 :]}"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_str(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)

"""Formulas of suites: arithmetic over named values, read once, without any of Python's powers."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from statistics import fmean
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.metrics.psnr import psnr
from evalkit.metrics.recalled import recalled

LONGEST = 2000  # characters of a formula


def _times(a: Any, b: Any) -> Any:
    """The product of two numbers; a text or a list times a number would fill the memory."""
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        raise TypeError("only numbers are multiplied")
    return a * b


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def _gmean(values: Any) -> float:
    """Geometric mean; 0 where any value is."""
    return math.exp(fmean(math.log(v) for v in values)) if min(values) > 0 else 0.0


def _same(a: Any, b: Any) -> float:
    """How many places of two lists hold the same."""
    return float(sum(x == y for x, y in zip(a, b, strict=True)))


def _known(values: Any) -> list[Any]:
    """The values that are there."""
    return [each for each in values if each is not None]


def _dependent(values: Any, parents: Any) -> list[float]:
    """Answers with those at 0 that have a parent of 0; parents are places in the list (DSG, OneIG)."""
    return [0.0 if any(values[p] == 0 for p in above) else v for v, above in zip(values, parents, strict=True)]


def _cascade(values: Any, parents: Any) -> list[float]:
    """The same one after the other, so that zeros pass on along the order (DPG-Bench)."""
    found = list(values)
    for place, above in enumerate(parents):
        if any(found[p] == 0 for p in above):
            found[place] = 0.0
    return found


def _balance(a: float, b: float) -> float:
    """Harmonic mean, 0 where both are (VAREdit's balance of success and over-editing)."""
    return 2 * a * b / (a + b) if a + b else 0.0


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "sum": math.fsum,
    "mean": fmean,
    "gmean": _gmean,
    "sqrt": math.sqrt,
    "round": round,
    "len": len,
    "same": _same,
    "dot": lambda a, b: math.fsum(x * y for x, y in zip(a, b, strict=True)),
    "psnr": lambda mse: None if mse is None else min(psnr(mse), 100.0),
    "balance": _balance,
    "known": _known,
    "dependent": _dependent,
    "cascade": _cascade,
    "first": lambda value: value[0] if isinstance(value, list) else value,
    "recalled": recalled,
}


def evaluate(formula: str, names: Mapping[str, Any]) -> Any:
    """The value of a formula over `names`; a name that is not there is None.

    >>> evaluate("(0.7 * c + 0.3 * mean(r)) / 2 if kind == 'a' else 0", {"c": 2, "r": [0, 2], "kind": "a"})
    0.85
    """
    try:
        return _value(_tree(formula), names)
    except DAMAGED as error:
        raise EvalkitError(f"the formula {formula!r} has no value here: {error}. Mend the suite's file") from None


def number_of(formula: str, names: Mapping[str, Any], none: float | None = None) -> float:
    """The same as a number; `none` in place of None. Raises `EvalkitError` for what is no number."""
    value = evaluate(formula, names)
    return none if value is None and none is not None else as_number(value, formula)


def as_number(value: Any, formula: str) -> float:
    """What a formula gave, as a number. Raises `EvalkitError` where it is none."""
    if not isinstance(value, int | float):
        raise EvalkitError(f"the formula {formula!r} gives {str(value)[:60]!r}, and no number. Mend the suite's file")
    return float(value)


def _either(node: ast.BoolOp, names: Mapping[str, Any]) -> Any:
    """The first operand that decides, as in Python."""
    wanted = isinstance(node.op, ast.Or)
    for each in node.values:
        found = _value(each, names)
        if bool(found) == wanted:
            return found
    return found


@lru_cache(maxsize=512)
def names_in(formula: str) -> frozenset[str]:
    """The names without which a formula that asks nothing about them has no value.

    >>> sorted(names_in("a + min(b)")), sorted(names_in("known([a, b])")), sorted(names_in("a if b else 0"))
    (['a', 'b'], [], [])
    """
    nodes = list(ast.walk(_tree(formula)))
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    if "known" in called or any(isinstance(node, ast.IfExp | ast.BoolOp) for node in nodes):
        return frozenset()
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name)) - called


@lru_cache(maxsize=512)
def _tree(formula: str) -> ast.expr:
    try:
        if len(formula) <= LONGEST:
            return ast.parse(formula.strip(), mode="eval").body
        raise ValueError
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise EvalkitError(f"{formula!r} is no formula. Mend the suite's file") from None


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return names.get(node.id)
        case ast.List() | ast.Tuple():
            return [_value(each, names) for each in node.elts]
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, names)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, names)
        case ast.BinOp() if type(node.op) in _BINARY:
            return _BINARY[type(node.op)](_value(node.left, names), _value(node.right, names))
        case ast.BoolOp():
            return _either(node, names)
        case ast.IfExp():
            return _value(node.body if _value(node.test, names) else node.orelse, names)
        case ast.Compare() if len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
            return _COMPARE[type(node.ops[0])](_value(node.left, names), _value(node.comparators[0], names))
        case ast.Subscript():
            return _value(node.value, names)[_value(node.slice, names)]
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(each, names) for each in node.args))
    raise EvalkitError(f"a formula holds {ast.unparse(node)[:60]!r}, which it may not. Mend the suite's file")

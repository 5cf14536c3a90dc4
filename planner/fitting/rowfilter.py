"""A small, safe language for choosing rows: `in_fit_240 == 1 and C < 1e20`.

The expression is parsed by Python's own parser and interpreted over a whitelist: column names, numbers, strings,
comparisons (chains too), `in` with a list, and/or/not, & | ~, and + - * /. A column whose name is no word stands in
backticks, as pandas has it: `` `N (B)` < 3 ``. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import ast
import keyword
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation
from planner.fitting.runs import Runs

MAX_LENGTH = 2000
MAX_NODES = 400
_QUOTED = re.compile(r"`([^`]+)`")
ALLOWED = "column names (`N (B)` in backticks), numbers, 'text', comparisons, in [...], and, or, not, + - * /"

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def chosen_rows(runs: Runs, expression: str) -> NDArray[np.bool_]:
    """Mask (rows,) of the rows for which `expression` holds; blank cells compare as false.

    Raises InvalidInput for anything outside the language, UnknownName for a column the table does not have.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidInput(Violation("where", f"{len(expression)} characters", f"at most {MAX_LENGTH}"))
    quoted: dict[str, str] = {}
    try:
        tree = ast.parse(_QUOTED.sub(lambda name: _placeholder(name[1], quoted), expression.strip()), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidInput(Violation("where", expression, ALLOWED)) from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise InvalidInput(Violation("where", f"{expression[:60]}…", f"at most {MAX_NODES} operations"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = quoted.get(node.id, node.id)
    mask = _truth(tree.body, runs, expression)
    return np.array(np.broadcast_to(mask, runs.row_count))


def as_written(column: str) -> str:
    """The name of a column as an expression has it."""
    return column if column.isidentifier() and not keyword.iskeyword(column) else f"`{column}`"


def _placeholder(column: str, quoted: dict[str, str]) -> str:
    """A word that stands for a quoted column while the expression is parsed."""
    word = f"_quoted_{len(quoted)}_"
    quoted[word] = column
    return word


def _refuse(expression: str, why: str) -> InvalidInput:
    return InvalidInput(Violation("where", expression, f"{why}; allowed: {ALLOWED}"))


def _truth(node: ast.expr, runs: Runs, source: str) -> NDArray[np.bool_]:
    """A condition, as a mask."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(v, runs, source) for v in node.values]
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return np.asarray(combine.reduce(np.broadcast_arrays(*parts)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        return ~_truth(node.operand, runs, source)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        left, right = _truth(node.left, runs, source), _truth(node.right, runs, source)
        return np.asarray((left & right) if isinstance(node.op, ast.BitAnd) else (left | right))
    if isinstance(node, ast.Compare):
        return _comparison(node, runs, source)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return np.asarray(node.value)
    if isinstance(node, ast.Name):
        column = runs.column(node.id)
        if column.is_text:
            raise _refuse(source, f"column {node.id} holds text and is no condition")
        return np.asarray(np.nan_to_num(column.numbers) != 0)
    raise _refuse(source, f"{ast.unparse(node)!r} is no condition")


def _comparison(node: ast.Compare, runs: Runs, source: str) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = np.asarray(True)
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            held = _member(left, right, runs, source)
            result = result & (held if isinstance(op, ast.In) else ~held)
        elif type(op) in _COMPARISONS:
            a, b = _value(left, runs, source), _value(right, runs, source)
            if _is_text(a) != _is_text(b):
                raise _refuse(source, f"{ast.unparse(node)!r} compares text with numbers")
            held = np.asarray(_COMPARISONS[type(op)](a, b))
            result = result & held & ~(_blank(a) | _blank(b))
        else:
            raise _refuse(source, f"{ast.unparse(node)!r} uses an unknown comparison")
        left = right
    return np.asarray(result)


def _member(left: ast.expr, right: ast.expr, runs: Runs, source: str) -> NDArray[np.bool_]:
    if not isinstance(right, ast.List | ast.Tuple | ast.Set):
        raise _refuse(source, "'in' needs a list in brackets")
    value = _value(left, runs, source)
    result: NDArray[np.bool_] = np.zeros(np.shape(value), dtype=bool)
    for element in right.elts:
        option = _value(element, runs, source)
        if _is_text(option) != _is_text(value):
            raise _refuse(source, f"{ast.unparse(element)} is not of the kind of {ast.unparse(left)}")
        result = result | np.asarray(value == option)
    return np.asarray(result)


def _value(node: ast.expr, runs: Runs, source: str) -> Any:
    """Numbers or text, scalar or (rows,)."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
        return np.asarray(node.value)
    if isinstance(node, ast.Name):
        return runs.column(node.id).cells
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _numbers(node.operand, runs, source)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = _numbers(node.left, runs, source), _numbers(node.right, runs, source)
        with np.errstate(all="ignore"):
            return _ARITHMETIC[type(node.op)](left, right)
    raise _refuse(source, f"{ast.unparse(node)!r} is not a value")


def _numbers(node: ast.expr, runs: Runs, source: str) -> Any:
    value = _value(node, runs, source)
    if _is_text(value):
        raise _refuse(source, f"{ast.unparse(node)} is text")
    return value


def _is_text(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "US"


def _blank(value: Any) -> NDArray[np.bool_]:
    """Where there is no value: NaN, or empty text."""
    array = np.asarray(value)
    return np.asarray(array == "") if _is_text(array) else np.isnan(array.astype(float))

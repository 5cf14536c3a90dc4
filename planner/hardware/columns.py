"""Reading measurement tables: columns of text or numbers in which anything may be blank.

Cells come from CSV files (text), JSON (numbers, null) or data frames (NaN); here they become float arrays
(NaN = blank) and lists of stripped text (empty = blank), so that the estimators speak of physics only. Long tables
repeat few configurations: `distinct_rows` finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation

Columns = Mapping[str, Sequence[Any]]
Floats = NDArray[np.float64]

BLANK = ("", "nan", "none", "null", "na", "n/a", "-")


def row_count(columns: Columns) -> int:
    """The common length of all columns (`InvalidInput` if they differ)."""
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise InvalidInput(Violation("columns", f"lengths {sorted(lengths)}", "columns of one length"))
    return lengths.pop() if lengths else 0


def require_columns(columns: Columns, *names: str) -> None:
    """`InvalidInput` that names every missing column; `a|b` means either."""
    missing = [n for n in names if not any(option in columns for option in n.split("|"))]
    if missing:
        raise InvalidInput(*(Violation(n, "absent", "a column of the table") for n in missing))


def text(columns: Columns, name: str) -> list[str]:
    """A column as stripped text; blanks and an absent column are empty strings."""
    values = columns.get(name)
    if values is None:
        return [""] * row_count(columns)
    known = {v: _text(v) for v in dict.fromkeys(values)}
    return list(map(known.__getitem__, values))


def numbers(columns: Columns, name: str, default: float = float("nan")) -> Floats:
    """A column as floats; blanks, unreadable cells and an absent column are `default`."""
    values = columns.get(name)
    if values is None:
        return np.full(row_count(columns), default)
    found = _numeric(values)
    if found is None:
        known = {v: _number(_text(v), default) for v in dict.fromkeys(values)}
        found = np.fromiter(map(known.__getitem__, values), np.float64, len(values))
    return np.where(np.isfinite(found), found, default)


def unreadable(columns: Columns, names: Iterable[str]) -> dict[str, Any]:
    """Cells of these columns that are neither blank nor a number: reason to mask of rows."""
    found = {}
    for name in names:
        values = columns.get(name)
        if values is None or _numeric(values) is not None:
            continue
        bad = {v for v in dict.fromkeys(values) if _text(v) and np.isnan(_number(_text(v), float("nan")))}
        for value in bad:
            found[f"{name} = {_text(value)} is not a number"] = np.array([v == value for v in values])
    return found


def distinct_rows(columns: Columns, names: tuple[str, ...]) -> tuple[Any, Any]:
    """Rows that differ in some of the named columns: positions of the first of each kind, and the kind of every row.

    What is costly to look up (names, layouts) is then looked up once for each kind, however long the table.
    """
    count = row_count(columns)
    kinds = np.zeros(count, dtype=np.int64)
    size = 1
    for name in names:
        if name in columns:
            codes, distinct = _codes(columns[name])
            if distinct == 1:
                continue
            kinds, size = kinds * distinct + codes, size * distinct
            if size > 2**31:
                _, kinds = np.unique(kinds, return_inverse=True)
                size = int(kinds.max()) + 1
    _, first, inverse = np.unique(kinds, return_index=True, return_inverse=True)
    return first, inverse


def take_rows(columns: Columns, rows: Any) -> dict[str, list[Any]]:
    """Some rows of a table."""
    return {name: [values[i] for i in rows] for name, values in columns.items()}


def first_of(*options: Floats) -> Floats:
    """Row by row the first number that is not blank."""
    chosen = options[0]
    for option in options[1:]:
        chosen = np.where(np.isnan(chosen), option, chosen)
    return chosen


def _numeric(values: Sequence[Any]) -> Floats | None:
    """The values as an array if they are numbers already (text is not converted here)."""
    if len(values) == 0 or not isinstance(values[0], (int, float, np.number)):
        return None
    try:
        found = np.asarray(values)
    except ValueError:
        return None
    return found.astype(np.float64) if found.dtype.kind in "fiu" else None


def _codes(values: Sequence[Any]) -> tuple[Any, int]:
    """Small integers that are equal where the values are, and how many there are (blanks are one value)."""
    array = _numeric(values)
    if array is not None:
        if np.all(array == array[0]) or np.isnan(array).all():
            return np.zeros(len(array), dtype=np.int64), 1
        found, codes = np.unique(array, return_inverse=True)
        return codes, len(found)
    distinct = dict.fromkeys(values)
    if len(distinct) <= 1:
        return np.zeros(len(values), dtype=np.int64), 1
    spelt: dict[Any, int] = {}
    known = {v: spelt.setdefault(v if v == v else None, len(spelt)) for v in distinct}
    return np.fromiter(map(known.__getitem__, values), np.int64, len(values)), len(spelt)


def _text(value: Any) -> str:
    stripped = str(value).strip()
    return "" if stripped.lower() in BLANK else stripped


def _number(value: str, default: float) -> float:
    try:
        number = float(value)
    except ValueError:
        return default
    return number if np.isfinite(number) else default

"""Reading measurement tables: columns of text or numbers in which anything may be blank.

Cells come from CSV files (text), JSON (numbers, null) or data frames (NaN); here they become float arrays
(NaN = blank) and lists of stripped text (empty = blank), so that the estimators speak of physics only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    values = columns.get(name, [""] * row_count(columns))
    stripped = (str(v).strip() for v in values)
    return ["" if v.lower() in BLANK else v for v in stripped]


def numbers(columns: Columns, name: str, default: float = float("nan")) -> Floats:
    """A column as floats; blanks, unreadable cells and an absent column are `default`."""
    return np.array([_number(v, default) for v in text(columns, name)], dtype=np.float64)


def first_of(*options: Floats) -> Floats:
    """Row by row the first number that is not blank."""
    chosen = options[0]
    for option in options[1:]:
        chosen = np.where(np.isnan(chosen), option, chosen)
    return chosen


def _number(value: str, default: float) -> float:
    try:
        number = float(value)
    except ValueError:
        return default
    return number if np.isfinite(number) else default

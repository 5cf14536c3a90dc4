"""Tables: columns of numbers (NaN where blank) or of text, checked before anything is computed from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apportion.v1 import table_pb2
from planner.errors import InvalidInput, Violation, require

Numbers = NDArray[np.float64]
Columns = dict[str, Numbers | list[str]]

MAX_COLUMNS = 1000
MAX_NAME = 200


def from_table(table: table_pb2.Table, field: str, *, max_cells: int, min_rows: int = 1) -> Columns:
    """The columns of a table by name: float arrays (rows,), NaN where blank, or lists of text.

    Raises InvalidInput naming every fault: no columns, names twice or empty, lengths that differ, too few rows, too
    many cells, blank rows that do not exist.
    """
    names = [c.name for c in table.columns]
    lengths = [len(c.numbers.values) if _numeric(c) else len(c.texts.values) for c in table.columns]
    require(*_shape_violations(field, names, lengths, max_cells, min_rows))
    require(*(v for c in table.columns for v in _cell_violations(field, c)))
    return {c.name: _cells(c) for c in table.columns}


def to_table(columns: Mapping[str, Any]) -> table_pb2.Table:
    """A table of columns that hold numbers (NaN is blank), truth values or text."""
    table = table_pb2.Table()
    for name, cells in columns.items():
        add_column(table, name, cells)
    return table


def add_column(table: table_pb2.Table, name: str, cells: Sequence[Any] | NDArray[Any]) -> None:
    """Append a column, or replace the one of that name in its place."""
    column = next((c for c in table.columns if c.name == name), None)
    if column is None:
        column = table.columns.add(name=name)
    column.ClearField("numbers")
    column.ClearField("texts")
    array = np.asarray(cells)
    if array.dtype.kind == "b":
        column.texts.values.extend("true" if cell else "false" for cell in array.tolist())
    elif array.dtype.kind in "iuf":
        numbers = array.astype(float)
        blank = np.isnan(numbers)
        column.numbers.values.extend(np.where(blank, 0.0, numbers).tolist())
        column.numbers.blank_rows.extend(np.flatnonzero(blank).tolist())
    else:
        column.texts.values.extend("" if cell is None else str(cell) for cell in array.tolist())


def row_count(table: table_pb2.Table) -> int:
    """Rows of a table that was checked."""
    if not table.columns:
        return 0
    first = table.columns[0]
    return len(first.numbers.values) if _numeric(first) else len(first.texts.values)


def require_runs(columns: Columns, field: str) -> None:
    """Training runs hold at least one column with a number in it. Raises InvalidInput."""
    numeric = {name: cells for name, cells in columns.items() if isinstance(cells, np.ndarray)}
    if not numeric:
        raise InvalidInput(Violation(f"{field}.columns", "text only", "at least one column of numbers"))
    if all(np.isnan(cells).all() for cells in numeric.values()):
        raise InvalidInput(Violation(f"{field}.columns", "blank cells only", "at least one number"))


def sha256(table: table_pb2.Table) -> str:
    """Digest of the content."""
    return hashlib.sha256(table.SerializeToString(deterministic=True)).hexdigest()


def _numeric(column: table_pb2.Column) -> bool:
    return column.WhichOneof("values") != "texts"


def _cells(column: table_pb2.Column) -> Numbers | list[str]:
    if not _numeric(column):
        return list(column.texts.values)
    numbers = np.array(column.numbers.values, float)
    if column.numbers.blank_rows:
        numbers[list(column.numbers.blank_rows)] = np.nan
    return numbers


def _shape_violations(
    field: str, names: list[str], lengths: list[int], max_cells: int, min_rows: int
) -> list[Violation]:
    found = []
    if not names:
        return [Violation(f"{field}.columns", "none", "at least one column")]
    if len(names) > MAX_COLUMNS:
        return [Violation(f"{field}.columns", f"{len(names)} columns", f"at most {MAX_COLUMNS}")]
    if any(not n.strip() or len(n) > MAX_NAME for n in names):
        found.append(Violation(f"{field}.columns.name", "an empty or very long name", f"1 to {MAX_NAME} characters"))
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        found.append(Violation(f"{field}.columns.name", ", ".join(twice[:5]), "no two columns of one name"))
    if len(set(lengths)) > 1:
        found.append(
            Violation(f"{field}.columns", f"between {min(lengths)} and {max(lengths)} cells", "as many cells in each")
        )
    elif lengths[0] < min_rows:
        found.append(Violation(f"{field}.columns", f"{lengths[0]} rows", f"at least {min_rows}"))
    if sum(lengths) > max_cells:
        found.append(Violation(f"{field}.columns", f"{sum(lengths)} cells", f"at most {max_cells}"))
    return found


def _cell_violations(field: str, column: table_pb2.Column) -> list[Violation]:
    if not _numeric(column):
        return []
    where = f"{field}.columns[{column.name}]"
    rows, blanks = len(column.numbers.values), column.numbers.blank_rows
    if blanks and (min(blanks) < 0 or max(blanks) >= rows):
        return [Violation(f"{where}.blank_rows", f"{min(blanks)} to {max(blanks)}", f"0 to {rows - 1}")]
    return []

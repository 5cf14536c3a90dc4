"""The runs table: observed training runs as named columns, with a hash that identifies the data.

Cells are numbers or text; a blank cell is a value the source does not have, which is not the same as a literal NaN
(a computation that failed) and is treated differently when a fit needs the column. Reads dictionaries of columns,
CSV text and files, pandas frames and Parquet files (pandas is imported only then).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, UnknownName, Violation, require

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 5_000_000


@dataclass(frozen=True, eq=False)
class Column:
    """One column: numbers (text None) or text, with a mask of blank cells; all arrays (rows,)."""

    numbers: NDArray[np.float64]
    blank: NDArray[np.bool_]
    text: NDArray[np.str_] | None = None

    @property
    def is_text(self) -> bool:
        return self.text is not None

    @property
    def cells(self) -> NDArray[Any]:
        """Text or numbers."""
        return self.numbers if self.text is None else self.text

    def take(self, rows: NDArray[Any]) -> Column:
        """The column at these rows (indices or a mask)."""
        return Column(self.numbers[rows], self.blank[rows], None if self.text is None else self.text[rows])


@dataclass(frozen=True, eq=False)
class Runs:
    """Observed training runs: column name -> Column, all of the same length."""

    columns: Mapping[str, Column]

    @property
    def row_count(self) -> int:
        return len(next(iter(self.columns.values())).blank) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @cached_property
    def sha256(self) -> str:
        """Hash of names, cells and order: equal for equal tables however they were read."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            column = self.columns[name]
            digest.update(name.encode() + b"\0")
            cells = "\x1f".join(column.text) if column.text is not None else ""
            digest.update(cells.encode() if column.is_text else np.ascontiguousarray(column.numbers).tobytes())
            digest.update(np.packbits(column.blank).tobytes())
        return digest.hexdigest()

    def column(self, name: str) -> Column:
        """The column called `name`. Raises UnknownName with suggestions."""
        if name not in self.columns:
            raise UnknownName("column", name, self.columns)
        return self.columns[name]

    def take(self, rows: NDArray[Any]) -> Runs:
        """The table at these rows (indices or a mask)."""
        return Runs({k: c.take(rows) for k, c in self.columns.items()})

    def groups(self, column: str) -> dict[str, Runs]:
        """The table split by the values of one column, in order of first appearance."""
        cells = self.column(column).cells.astype(str)
        return {value: self.take(cells == value) for value in dict.fromkeys(cells.tolist())}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Iterable[Any]]) -> Runs:
        """From column name -> numbers or strings. Raises InvalidInput if empty or of unequal lengths."""
        built = {str(k): _column(list(v)) for k, v in columns.items()}
        lengths = {k: len(c.blank) for k, c in built.items()}
        if not built or not max(lengths.values()):
            raise InvalidInput(Violation("runs", "an empty table", "at least one row of named columns"))
        rows = max(lengths.values())
        require(*(Violation(k, f"{n} rows", f"{rows} rows like the others") for k, n in lengths.items() if n != rows))
        if rows > MAX_ROWS:
            raise InvalidInput(Violation("runs", f"{rows} rows", f"at most {MAX_ROWS} rows"))
        return cls(built)

    @classmethod
    def from_csv_text(cls, text: str) -> Runs:
        """From CSV with a header line. Raises InvalidInput naming the line that has too many or few cells."""
        lines = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if any(c.strip() for c in row)]
        if len(lines) < 2:
            found = "an empty table" if not lines else "a header without rows"
            raise InvalidInput(Violation("runs", found, "CSV with a header line and at least one row"))
        header = [name.strip() for name in lines[0]]
        repeated = sorted({n for n in header if header.count(n) > 1 or not n})
        require(*(Violation("runs", f"column name {n!r}", "distinct names that are not blank") for n in repeated))
        for number, row in enumerate(lines[1:], start=1):
            if len(row) != len(header):
                raise InvalidInput(Violation("runs", f"row {number}: {len(row)} cells", f"{len(header)} cells"))
        return cls.from_columns(dict(zip(header, zip(*lines[1:], strict=True), strict=True)))

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame) -> Runs:
        """From a pandas frame; its missing values become blank cells."""
        return cls.from_columns(
            {str(k): [None if m else v for v, m in zip(frame[k], frame[k].isna(), strict=True)] for k in frame}
        )

    @classmethod
    def read(cls, path: str | Path) -> Runs:
        """From a `.parquet` file, or CSV otherwise. Raises InvalidInput if it cannot be read as such."""
        path = Path(path)
        try:
            if path.suffix.lower() in (".parquet", ".pq"):
                import pandas as pd  # late: a heavy import that most callers do without

                return cls.from_pandas(pd.read_parquet(path))
            return cls.from_csv_text(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InvalidInput(Violation("runs", str(path), f"a readable CSV or Parquet file ({error})")) from error


def _column(cells: list[Any]) -> Column:
    blank = np.array([c is None or (isinstance(c, str) and not c.strip()) for c in cells], dtype=bool)
    numbers = np.full(len(cells), np.nan)
    try:
        for k, cell in enumerate(cells):
            if not blank[k]:
                numbers[k] = float(cell)
    except (TypeError, ValueError):
        text = np.array(["" if b else str(c) for c, b in zip(cells, blank, strict=True)], dtype=np.str_)
        return Column(np.full(len(cells), np.nan), blank, text)
    return Column(numbers, blank)

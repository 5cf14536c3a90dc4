"""Tables of runs, points and measurements: whatever a person has at hand, to and from the wire.

A table is named columns of equal length; a cell is a number, a text, a truth value (in answers only) or None
for a blank. A column is numeric when every cell that is not blank is a number; one word among the numbers makes
it text, and the service then says which field wanted numbers. Accepted: another `Table`, a mapping of lists, a
list of mappings, a pandas DataFrame, the path of a CSV or Parquet file. pandas is imported only for the last two.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apportion.errors import InvalidArgument, Violation
from apportion.v1 import table_pb2

Cell = float | str | bool | None
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_LARGEST_EXACT_INTEGER = 2.0**53


@dataclass(frozen=True)
class Table:
    """Named columns of equal length, in order. Cells are floats, texts or None for a blank."""

    columns: Mapping[str, tuple[Cell, ...]]

    @property
    def row_count(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __len__(self) -> int:
        return self.row_count

    def __getitem__(self, name: str) -> tuple[Cell, ...]:
        return self.columns[name]

    def rows(self) -> Iterator[dict[str, Cell]]:
        """Row after row, each a mapping from header to cell."""
        for cells in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, cells, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """`{"rows": [{column: cell}, …]}`, fit for JSON: a blank or a number that is not finite is None."""
        return {"rows": [{name: _plain(cell) for name, cell in row.items()} for row in self.rows()]}

    def to_csv(self) -> str:
        """The table as CSV text; a blank is an empty cell."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows():
            writer.writerow(_text(cell) for cell in row.values())
        return out.getvalue()

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame (needs the extra `pandas`)."""
        return _pandas().DataFrame({name: list(cells) for name, cells in self.columns.items()})

    def to_proto(self) -> table_pb2.Table:
        """The table as it goes over the wire."""
        message = table_pb2.Table()
        for name, cells in self.columns.items():
            column = message.columns.add(name=name)
            if any(isinstance(cell, str) for cell in cells):
                column.texts.values.extend("" if cell is None else str(_plain_or_text(cell)) for cell in cells)
            else:
                column.numbers.values.extend(float(cell) if cell is not None else 0.0 for cell in cells)
                column.numbers.blank_rows.extend(row for row, cell in enumerate(cells) if cell is None)
        return message

    @staticmethod
    def from_proto(message: table_pb2.Table, truths: Iterable[str] = ()) -> Table:
        """A table as it came over the wire; the columns named by `truths` hold truth values."""
        told = set(truths)
        columns: dict[str, tuple[Cell, ...]] = {}
        for column in message.columns:
            if column.WhichOneof("values") == "texts":
                texts = column.texts.values
                yes_no = column.name in told and all(text in ("true", "false") for text in texts)
                columns[column.name] = tuple((text == "true") if yes_no else (text or None) for text in texts)
            else:
                cells: list[Cell] = list(column.numbers.values)
                for row in column.numbers.blank_rows:
                    cells[row] = None
                columns[column.name] = tuple(cells)
        return Table(columns)

    @staticmethod
    def read(source: Any, field: str = "table") -> Table:
        """A table from whatever holds one (see the module). `field` is what an error calls it.

        Raises InvalidArgument: no such file, not a table, columns of unequal length, no rows.
        """
        table = _read(source, field)
        if not table.columns or not table.row_count:
            raise _refuse(field, _described(source), "a table with at least one row under its header")
        return table


def _read(source: Any, field: str) -> Table:
    if isinstance(source, Table):
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix.lower() in (".parquet", ".pq"):
            return _from_frame(_read_parquet(path, field))
        return _from_csv(file_text(path, field), field, str(path))
    if isinstance(source, Mapping):
        return _from_columns(source, field)
    if hasattr(source, "itertuples") and hasattr(source, "columns"):
        return _from_frame(source)
    if isinstance(source, Iterable):
        return _from_records(list(source), field)
    raise _refuse(field, _described(source), "a mapping of lists, a list of mappings, a DataFrame or a file")


def file_text(path: str | os.PathLike[str], field: str) -> str:
    """The text of a file. `field` is what an error calls it. Raises InvalidArgument: it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refuse(field, str(path), f"a file that can be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise _refuse(field, str(path), "a text file in UTF-8, or a Parquet file named *.parquet") from None


def _from_csv(text: str, field: str, shown: str) -> Table:
    try:
        lines = [c for c in csv.reader(io.StringIO(text), strict=True, delimiter=_delimiter(text)) if c]
    except csv.Error as error:
        raise _refuse(field, shown, f"well-formed CSV ({error})") from None
    if not lines:
        raise _refuse(field, f"{shown} (empty)", "a CSV file with a header and at least one row")
    header = [name.strip() for name in lines[0]]
    for name in header:
        if not name or header.count(name) > 1:
            raise _refuse(field, f"header {name!r} of {shown}", "one distinct name for each column")
    for number, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(header):
            raise _refuse(field, f"line {number} of {shown} ({len(cells)} cells)", f"{len(header)} cells a line")
    return Table(
        {
            name: _typed([line[place].strip() or None for line in lines[1:]], parse=True)
            for place, name in enumerate(header)
        }
    )


def _delimiter(text: str) -> str:
    """What separates the cells of a header: a comma, or where it has none a semicolon or a tab."""
    header = text.lstrip().partition("\n")[0]
    return next((mark for mark in ",;\t" if mark in header), ",")


def _from_columns(source: Mapping[Any, Any], field: str) -> Table:
    columns = {}
    for name, cells in source.items():
        listed = cells.tolist() if hasattr(cells, "tolist") else cells
        if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
            raise _refuse(f"{field}.{name}", repr(cells), "a list of cells")
        columns[str(name)] = _typed(list(listed))
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len(set(lengths.values())) > 1:
        raise _refuse(field, ", ".join(f"{n}: {k} rows" for n, k in lengths.items()), "columns of equal length")
    return Table(columns)


def _from_records(records: Sequence[Any], field: str) -> Table:
    names: dict[str, None] = {}
    for number, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise _refuse(f"{field}[{number}]", _described(record), "a mapping from column to cell")
        names.update(dict.fromkeys(map(str, record)))
    return Table({name: _typed([record.get(name) for record in records]) for name in names})


def _from_frame(frame: Any) -> Table:
    # In a DataFrame NaN is how a blank is written, so here alone it is read as one.
    return Table(
        {
            str(name): _typed([None if blank else cell for cell, blank in zip(cells, blanks, strict=True)])
            for name, cells, blanks in (
                (name, frame[name].tolist(), frame[name].isna().tolist()) for name in frame.columns
            )
        }
    )


def _read_parquet(path: Path, field: str) -> Any:
    try:
        return _pandas().read_parquet(path)
    except (OSError, ValueError) as error:
        raise _refuse(field, str(path), f"a Parquet file that can be read ({error})") from None


def _typed(cells: list[Any], parse: bool = False) -> tuple[Cell, ...]:
    """Numbers if all cells that are not blank are; else texts."""
    kept = [cell for cell in cells if cell is not None]
    if parse:
        if all(_NUMBER.fullmatch(cell) for cell in kept):
            return tuple(None if cell is None else float(cell) for cell in cells)
    elif all(isinstance(cell, int | float) or hasattr(cell, "__float__") for cell in kept):
        return tuple(None if cell is None else float(cell) for cell in cells)
    return tuple(None if cell is None else str(cell) for cell in cells)


def _plain(cell: Cell) -> float | int | str | bool | None:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return None if cell is None else _plain_or_text(cell)


def _text(cell: Cell) -> float | int | str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return "" if cell is None else _plain_or_text(cell)


def _plain_or_text(cell: float | str) -> float | int | str:
    """Whole numbers as integers, so that a column of counts comes back as it went in."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _LARGEST_EXACT_INTEGER:
        return int(cell)
    return cell


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise _refuse("pandas", "not installed", "pip install 'apportion[pandas]'") from None
    return pd


def _described(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else type(source).__name__


def _refuse(field: str, value: str, allowed: str) -> InvalidArgument:
    return InvalidArgument(violations=[Violation(field, value, allowed)])

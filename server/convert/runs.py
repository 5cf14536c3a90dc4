"""Tables of training runs as the planner's `Runs`, which tell a blank cell from a literal NaN."""

from __future__ import annotations

import numpy as np

from apportion.v1 import table_pb2
from planner.fitting import Runs
from planner.fitting.runs import Column


def to_runs(table: table_pb2.Table) -> Runs:
    """The runs of a table that was checked when it was imported."""
    return Runs({column.name: _column(column) for column in table.columns})


def _column(column: table_pb2.Column) -> Column:
    if column.WhichOneof("values") == "texts":
        text = np.array(column.texts.values, dtype=np.str_)
        return Column(np.full(len(text), np.nan), np.char.strip(text) == "", text)
    numbers = np.array(column.numbers.values, float)
    blank = np.zeros(len(numbers), dtype=bool)
    if column.numbers.blank_rows:
        blank[list(column.numbers.blank_rows)] = True
    return Column(np.where(blank, np.nan, numbers), blank)

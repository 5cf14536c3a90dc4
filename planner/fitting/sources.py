"""Where the values of a variable come from, and how that is written: `N`, `N*1e9`, `1-accuracy`, `1-percent*0.01`.

What people write in a mapping and what a law records of its columns is the same notation, so that the record of one fit
can be stated for the next. A column is taken as it is, times a positive number if it is in another unit, and taken from
one if it is a share of successes where a law wants errors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation
from planner.fitting.runs import Runs
from planner.fitting.units import abbreviations, quantity

Array = NDArray[np.float64]

COUNTING_OF_COLUMN: Mapping[str, str] = {
    "N_active": "active",
    "active_parameter_count": "active",
    "active_params": "active",
    "N_nonemb": "non_embedding",
    "N_nonvocab": "non_embedding",
    "non_vocab_parameters": "non_embedding",
    "non_embedding_param_size": "non_embedding",
    "dense_parameter_count": "active",
    "N_total": "total",
    "total_parameter_count": "total",
    "total_params": "total",
    "N_nonzero": "nonzero",
    "nonzero_parameter_count": "nonzero",
}
ALLOWED = "a column of the table, one times a positive number (N*1e9), or one less a share (1-accuracy)"
_STATED = re.compile(r"(?P<one>1\s*-\s*)?(?P<column>.+?)\s*(?:\*(?P<factor>[^*]*))?")


@dataclass(frozen=True)
class Source:
    """`factor` times a column, or one less that (`complement`).

    `meant` is the name that says what the column counts; `by_header` tells a factor that the header was read to say
    from one that was stated.
    """

    column: str
    factor: float = 1.0
    meant: str = ""
    by_header: bool = False
    complement: bool = False

    def __str__(self) -> str:
        scaled = self.column if self.factor == 1.0 else f"{self.column}*{_written(self.factor)}"
        return f"1-{scaled}" if self.complement else scaled

    @property
    def counting(self) -> str | None:
        """How parameters are counted, by the name the column is mapped to or its own; None where neither says."""
        said = (self.meant, self.column, *(reading.stem for reading in abbreviations(self.column)))
        return next((COUNTING_OF_COLUMN[name] for name in said if name in COUNTING_OF_COLUMN), None)

    def of(self, numbers: Array) -> Array:
        """The variable, of the numbers in the column."""
        return 1.0 - self.factor * numbers if self.complement else self.factor * numbers

    def numbers(self, runs: Runs) -> Array:
        """The variable (rows,), NaN where the cell is blank or says no number."""
        column = runs.column(self.column)
        return self.of(column.numbers if column.text is None else quantities(column.text))


def quantities(text: NDArray[np.str_]) -> Array:
    """The numbers that cells of text say (`70M`, `1.3B`), NaN where they say none."""
    return np.array([quantity(cell) for cell in text.tolist()], dtype=np.float64)


def stated_source(text: str, runs: Runs, meant: str = "") -> Source:
    """The source that `text` states.

    Raises UnknownName for a column the table does not have, InvalidInput for a factor that is no positive number.
    """
    stated = _STATED.fullmatch(text.strip())
    if text in runs.columns or stated is None:
        runs.column(text)
        return Source(text, meant=meant)
    runs.column(stated["column"])
    try:
        factor = 1.0 if stated["factor"] is None else float(stated["factor"])
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InvalidInput(Violation("mapping", text, ALLOWED))
    return Source(stated["column"], factor, meant, complement=stated["one"] is not None)


def has_source(text: str, runs: Runs) -> bool:
    """Whether the table has the column of the source that `text` states."""
    stated = _STATED.fullmatch(text.strip())
    return text in runs.columns or (stated is not None and stated["column"] in runs.columns)


def _written(factor: float) -> str:
    """A number as people write it (1e9), with all its digits."""
    short = re.sub(r"e\+0?", "e", f"{factor:g}")
    return short if float(short) == factor else repr(factor)

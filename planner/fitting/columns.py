"""Which column of a runs table holds which variable, and in which unit.

Columns are found by the names people give them (N, D, params, tokens, …), with a unit if the header names one (`N (B)`,
`tokens_millions`), overridden by an explicit mapping, which may state a factor too: `{"N_active*1e9": "N_active"}`. How
a column came to be used is written the way it can be stated: `N (B)*1e9`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, UnknownName, Violation
from planner.fitting.runs import Runs
from planner.fitting.units import abbreviations, borne_out, is_abbreviated
from planner.laws.variables import canonical, variables

Array = NDArray[np.float64]

COUNTING_OF_COLUMN: Mapping[str, str] = {
    "N_active": "active",
    "active_parameter_count": "active",
    "N_nonemb": "non_embedding",
    "N_nonvocab": "non_embedding",
    "non_vocab_parameters": "non_embedding",
    "non_embedding_param_size": "non_embedding",
    "dense_parameter_count": "active",
    "N_total": "total",
    "total_parameter_count": "total",
    "N_nonzero": "nonzero",
    "nonzero_parameter_count": "nonzero",
}
LOSS_WORD = re.compile(r"(?<![a-z])(loss|nll)(?![a-z])", re.IGNORECASE)
FACTOR = "a column of the table, or one times a positive number, such as N*1e9"


@dataclass(frozen=True)
class Source:
    """Where a variable comes from: `factor` times the column. `meant` is the name that says what the column counts.

    `by_header` tells a factor that the header was read to say from one that was stated.
    """

    column: str
    factor: float = 1.0
    meant: str = ""
    by_header: bool = False

    def __str__(self) -> str:
        return self.column if self.factor == 1.0 else f"{self.column}*{_written(self.factor)}"

    @property
    def counting(self) -> str | None:
        """How parameters are counted, by the name the column is mapped to or its own; None where neither says."""
        said = (self.meant, self.column, *(reading.stem for reading in abbreviations(self.column)))
        return next((COUNTING_OF_COLUMN[name] for name in said if name in COUNTING_OF_COLUMN), None)

    def numbers(self, runs: Runs) -> Array:
        """The values (rows,), NaN where the cell is blank or text."""
        return runs.column(self.column).numbers * self.factor


def stated_source(text: str, runs: Runs, meant: str = "") -> Source:
    """The source that `text` states: the name of a column, or a column times a number.

    Raises UnknownName for a column the table does not have, InvalidInput for a factor that is no positive number.
    """
    column, times, number = (part.strip() for part in text.rpartition("*"))
    if text in runs.columns or not times:
        runs.column(text)
        return Source(text, meant=meant)
    runs.column(column)
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InvalidInput(Violation("mapping", text, FACTOR))
    return Source(column, factor, meant)


def columns_of_variables(runs: Runs, mapping: Mapping[str, str] | None = None) -> dict[str, Source]:
    """variable -> source, by `mapping` (column, or column*factor -> variable) first, then by the usual names.

    Of the usual names those without a unit come first. The one column of numbers that is named like a loss is the loss
    where none has its usual name.

    Raises UnknownName for a mapped column the table does not have and for a variable that no law has, InvalidInput for
    a factor that is no positive number.
    """
    found = {_known(variable): stated_source(text, runs, variable) for text, variable in (mapping or {}).items()}
    mapped = {source.column for source in found.values()}
    folded = {_folded(name): name for name in reversed(runs.names)}
    for variable, entry in variables().items():
        for alias in entry.aliases:
            column = alias if alias in runs.columns else folded.get(_folded(alias), "") if len(alias) > 1 else ""
            if variable not in found and column and column not in mapped:
                found[variable] = Source(column, meant=alias)
    plain = {source.column for source in found.values()}
    for variable, source in _abbreviated(runs):
        if source.column not in plain and borne_out(variable, runs.column(source.column).numbers, source.factor):
            found.setdefault(variable, source)
    for column in runs.names:
        numbered_name = re.fullmatch(r"(.+)_(\d+)", column)
        if numbered_name and column not in mapped and canonical(numbered_name[1]) in variables():
            found.setdefault(_known(column), Source(column))
    if "loss" not in found:
        losses = [c for c in runs.names if LOSS_WORD.search(c) and c not in mapped and not runs.columns[c].is_text]
        if len(losses) == 1:
            found["loss"] = Source(losses[0])
    return found


def missing_column(variable: str, runs: Runs) -> Violation:
    """What is said of a variable that no column holds: the columns there are, and how to name one of them."""
    names = runs.names
    candidates = [c for c in names if LOSS_WORD.search(c)] if variable == "loss" else []
    candidates += [
        str(source) if borne_out(variable, runs.column(source.column).numbers, source.factor) else source.column
        for name, source in _abbreviated(runs, unclear=True)
        if name == variable
    ]
    example = candidates[0] if candidates else "COLUMN"
    allowed = f"a column for it, or a mapping such as {example}={variable}, among: {', '.join(names)}"
    return Violation(variable, "missing", allowed)


def _abbreviated(runs: Runs, *, unclear: bool = False) -> Iterator[tuple[str, Source]]:
    """(variable, source) of headers that name a unit, in the order of the names of variables.

    Two columns for one name (`N (B)` and `N (M)`) say nothing clearly.
    """
    read: dict[tuple[str, str], list[Source]] = {}
    for column in runs.names:
        for reading in abbreviations(column):
            for variable, entry in variables().items():
                for alias in entry.aliases if is_abbreviated(variable) else ():
                    same = alias == reading.stem or (len(alias) > 1 and _folded(alias) == _folded(reading.stem))
                    if same and (reading.clear or unclear):
                        read.setdefault((variable, alias), []).append(Source(column, reading.factor, alias, True))
    for variable, entry in variables().items():
        for alias in entry.aliases:
            sources = read.get((variable, alias), [])
            if len(sources) == 1 or unclear:
                yield from ((variable, source) for source in sources)


def _known(name: str) -> str:
    """The variable, numbered or not, that `name` means. Raises UnknownName."""
    stem, _, number = name.rpartition("_")
    numbered = number.isdigit() and canonical(name) not in variables()
    variable = canonical(stem if numbered else name)
    if variable not in variables():
        raise UnknownName("variable", name, variables())
    return f"{variable}_{number}" if numbered else variable


def _written(factor: float) -> str:
    """A number as people write it (1e9), with all its digits."""
    short = re.sub(r"e\+0?", "e", f"{factor:g}")
    return short if float(short) == factor else repr(factor)


def _folded(name: str) -> str:
    """A name without regard to case and to what joins its words."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")

"""Which column of a runs table holds which variable, and in which unit.

Columns are found by the names people give them (N, D, params, tokens, …), with a unit if the header names one (`N (B)`,
`tokens_millions`), overridden by an explicit mapping, which may state a factor too: `{"N_active*1e9": "N_active"}` (see
`planner.fitting.sources`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from planner.errors import UnknownName
from planner.fitting.runs import Runs
from planner.fitting.sources import Source, stated_source
from planner.fitting.units import abbreviations, borne_out, is_abbreviated, is_size
from planner.laws.variables import canonical, variables

LOSS_WORD = re.compile(r"(?<![a-z])(loss|nll)(?![a-z])", re.IGNORECASE)


def columns_of_variables(runs: Runs, mapping: Mapping[str, str] | None = None) -> dict[str, Source]:
    """variable -> source, by `mapping` (`column`, `column*factor` -> variable) first, then by the usual names.

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
            if variable in found or not column or column in mapped:
                continue
            if not is_size(alias) or _says_numbers(runs, column):
                found[variable] = Source(column, meant=alias)
    plain = {source.column for source in found.values()}
    for variable, source in abbreviated(runs):
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


def abbreviated(runs: Runs, *, unclear: bool = False) -> Iterator[tuple[str, Source]]:
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


def _says_numbers(runs: Runs, column: str) -> bool:
    """Whether any cell does: a `model_size` of small and large is no count. A blank column may hold numbers."""
    cells = runs.columns[column]
    return cells.text is None or bool(cells.blank.all() or np.isfinite(Source(column).numbers(runs)).any())


def _known(name: str) -> str:
    """The variable, numbered or not, that `name` means. Raises UnknownName."""
    stem, _, number = name.rpartition("_")
    numbered = number.isdigit() and canonical(name) not in variables()
    variable = canonical(stem if numbered else name)
    if variable not in variables():
        raise UnknownName("variable", name, variables())
    return f"{variable}_{number}" if numbered else variable


def _folded(name: str) -> str:
    """A name without regard to case and to what joins its words."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")

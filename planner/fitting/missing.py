"""What is said of variables that no column holds: which columns there are, and a mapping that can be typed.

A guess is offered, never taken: a column that is named like a loss, an error, or an accuracy (which is taken from one);
a header whose unit could not be read for certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from planner.errors import Violation
from planner.fitting.columns import LOSS_WORD, abbreviated
from planner.fitting.runs import Runs
from planner.fitting.sources import Source
from planner.fitting.units import borne_out, is_abbreviated

ERROR_WORD = re.compile(r"(?<![a-z])(err|error|perplexity|ppl|bpb)(?![a-z])", re.IGNORECASE)
SCORE_WORD = re.compile(r"(?<![a-z])(acc|accuracy|top1|miou|recall|precision|f1|match|score)(?![a-z])", re.IGNORECASE)
MOST_NAMES = 16


def missing_columns(variables: Iterable[str], runs: Runs) -> tuple[Violation, ...]:
    """One violation a variable; the columns of the table are listed once, in the last."""
    said: list[Violation] = []
    guessed: set[str] = set()
    for variable in variables:
        guess = next((guess for guess in _guesses(variable, runs) if guess not in guessed), "COLUMN")
        guessed.add(guess)
        said.append(Violation(variable, "missing", f"a column for it, or a mapping such as {guess}={variable}"))
    if not said:
        return ()
    return (*said[:-1], Violation(said[-1].field, said[-1].value, f"{said[-1].allowed}, among: {_listed(runs)}"))


def _guesses(variable: str, runs: Runs) -> Iterator[str]:
    """What may hold the variable, as it would be stated, the likeliest first."""
    numeric = [name for name, column in runs.columns.items() if not column.is_text]
    if variable == "loss":
        yield from (name for name in runs.names if LOSS_WORD.search(name))
        yield from (name for name in numeric if ERROR_WORD.search(name))
        yield from (f"1-{name}" for name in numeric if SCORE_WORD.search(name) and _is_share(runs, name))
    if is_abbreviated(variable):
        yield from (name for name in runs.names if name not in numeric and _says_counts(runs, name))
    for name, source in abbreviated(runs, unclear=True):
        if name == variable:
            clear = borne_out(variable, runs.column(source.column).numbers, source.factor)
            yield str(source if clear else Source(source.column))


def _says_counts(runs: Runs, name: str) -> bool:
    values = Source(name).numbers(runs)
    return bool(np.isfinite(values).all())


def _is_share(runs: Runs, name: str) -> bool:
    values = runs.column(name).numbers
    usable = values[np.isfinite(values)]
    return bool(len(usable) and usable.min() >= 0.0 and usable.max() <= 1.0)


def _listed(runs: Runs) -> str:
    """The columns by name, those of numbers first, and not too many."""
    names = sorted(runs.names, key=lambda name: runs.columns[name].is_text)
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more

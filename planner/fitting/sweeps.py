"""Sweeps of hyper-parameters in a table of runs: many runs at one point, most of them tuned badly.

A law says what a size and an amount of data can reach. Runs that differ from a better one only in learning rate,
batch or the like say what a wrong choice costs: fitted along, they raise the law and its scatter. So where a table
holds such a sweep (columns of hyper-parameters vary among runs that agree in every variable of laws and in kind, and
the loss with them) only the best run of each point counts, and the fit says so. Repeats with other seeds are noise:
they all count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.columns import columns_of_variables
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.laws.caution import Caution
from planner.laws.form import Form

FEWEST_AT_POINT = 3
SWEPT_SHARE = 0.5  # of the runs, that lie at points with so many
LEAST_SPREAD = 0.005  # of the loss: median over best run of a point, in the middle of the points
TUNED = re.compile(
    r"(^|_)(lr|learning_rate|batch|batch_size|batch_sequences|batch_tokens|bs|bsz|warmup|warmup_steps|weight_decay|wd"
    r"|beta1|beta2|momentum|dropout|clip|optimizer|optimiser|steps|epochs_planned|hyperparameters)($|_)"
)
SET_BY_HAND = frozenset({"batch_token_count", "step_count", "learning_rate", "batch_size"})  # variables of laws


@dataclass(frozen=True, eq=False)
class Sweep:
    """`best` marks the best run of each point (rows,) of the whole table; runs outside the filter are not marked."""

    best: NDArray[np.bool_]
    points: int
    runs: int
    spread: float
    columns: tuple[str, ...]

    def caution(self) -> Caution:
        """What a reader of a law of these runs has to know."""
        sentence = (
            f"{self.runs} runs lie at {self.points} points and differ there in {', '.join(self.columns)}, which costs "
            f"{100 * self.spread:.2g} % of the loss at the median: only the best run of each point is fitted"
        )
        return Caution("BEST_OF_SWEEP", sentence)


def found_sweep(
    runs: Runs,
    form: type[Form] | None = None,
    *,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Sweep | None:
    """The sweep that the rows for which `where` holds make, if any; none for a `form` of hyper-parameters or no loss.

    Raises InvalidInput for a condition that cannot be read.
    """
    if form is not None and (form.observed != "loss" or SET_BY_HAND & set(form.variables)):
        return None
    known = {variable: source.column for variable, source in columns_of_variables(runs, mapping).items()}
    axes = [c for v, c in known.items() if v != "loss" and v not in SET_BY_HAND and not _tuned(c, v)]
    tuned = [c for c in runs.names if c not in axes and _tuned(c, "")]
    if "loss" not in known or runs.column(known["loss"]).is_text or not axes or not tuned:
        return None
    losses = runs.column(known["loss"]).numbers
    rows = np.isfinite(losses) & (losses > 0)
    rows &= True if where is None else chosen_rows(runs, where)
    if not rows.any():
        return None
    keys = [*axes, *([group] if group is not None and group in runs.columns else []), *_categories(runs, rows)]
    which = _numbered(runs, keys, rows)
    counts = np.bincount(which)
    if counts[counts >= FEWEST_AT_POINT].sum() < SWEPT_SHARE * rows.sum():
        return None
    differing = tuple(c for c in tuned if _varies(runs, c, rows, which))
    chosen = losses[rows]
    order = np.lexsort((chosen, which))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sorted_losses = chosen[order]
    middles = sorted_losses[starts + counts // 2]
    spread = float(np.median((np.log(middles) - np.log(sorted_losses[starts]))[counts >= FEWEST_AT_POINT]))
    if not differing or spread < LEAST_SPREAD:
        return None
    best = np.zeros(len(rows), dtype=bool)
    best[np.flatnonzero(rows)[order[starts]]] = True
    return Sweep(best, len(counts), int(rows.sum()), spread, differing)


def _categories(runs: Runs, rows: NDArray[np.bool_]) -> list[str]:
    """Columns of text that name kinds of runs (corpora, families, schedules) and not single ones."""
    texts = {name: column.text for name, column in runs.columns.items() if column.text is not None}
    most = int(rows.sum()) // FEWEST_AT_POINT
    return [n for n, text in texts.items() if not _tuned(n, "") and len(np.unique(text[rows])) <= most]


def _tuned(column: str, variable: str) -> bool:
    return not variable and TUNED.search(column.lower()) is not None


def _numbered(runs: Runs, names: list[str], rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """A number from 0 for each combination of cells of these columns, blanks being equal."""
    number = np.zeros(int(rows.sum()), dtype=np.intp)
    for name in names:
        column = runs.column(name)
        cells = np.where(column.blank, "", column.cells.astype(str))[rows]
        _, of_column = np.unique(cells, return_inverse=True)
        _, number = np.unique(np.stack([number, of_column.reshape(-1)]), axis=1, return_inverse=True)
        number = number.reshape(-1)
    return np.asarray(number, dtype=np.intp)


def _varies(runs: Runs, name: str, rows: NDArray[np.bool_], which: NDArray[np.intp]) -> bool:
    """Whether the column differs among runs of one point, at half of the points or more."""
    cells = _numbered(runs, [name], rows)
    pairs = np.unique(np.stack([which, cells]), axis=1)[0]
    return bool(np.mean(np.bincount(pairs) > 1) >= 0.5)

"""Joint bootstrap over runs: the whole cloud of coefficients, not one error bar each.

Every draw resamples the runs with replacement (multinomial counts as weights) and minimises the same objective from
the fit, all draws at once by batched Newton. Runs that share a corpus, a recipe or a training curve err together, so
where groups are known whole groups are drawn instead (cluster bootstrap); too few groups to draw from are kept, and
runs are drawn within each (stratified). Deterministic in the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.newton import minimise, schedule
from planner.fitting.objective import DELTA
from planner.fitting.problem import Problem

Array = NDArray[np.float64]
START_DELTA = 0.003
FEWEST_GROUPS = 5  # fewer say next to nothing about the scatter between groups


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Draws of all coefficients (draws, coefficients) in the form's order; `failed` draws were left out."""

    draws: Array
    failed: int


def bootstrap(
    problem: Problem,
    theta: Array,
    draws: int,
    seed: int,
    groups: NDArray[np.intp] | None = None,
    *,
    delta: float = DELTA,
    within: bool = False,
) -> Bootstrap:
    """`draws` refits of resampled runs, starting at the fit `theta` (free,); `groups` (rows,) numbers them from 0.

    `within`: every group is kept and its runs are drawn, as coefficients of single groups need. `delta` is Huber's δ.
    """
    weights = resampled(len(problem.losses), draws, seed, groups, within=within)
    found = minimise(problem, np.tile(theta, (draws, 1)), schedule(START_DELTA, delta), weights)
    good = np.isfinite(found.objective) & np.isfinite(found.theta).all(axis=1)
    return Bootstrap(problem.vectors(found.theta[good]), int((~good).sum()))


def resampled(
    rows: int, draws: int, seed: int, groups: NDArray[np.intp] | None = None, *, within: bool = False
) -> Array:
    """How often each run occurs in each draw (draws, rows)."""
    generator = np.random.default_rng(seed)
    if groups is None:
        return _counts(generator, rows, draws)
    count = int(groups.max()) + 1
    if count >= FEWEST_GROUPS and not within:
        return _counts(generator, count, draws)[:, groups]
    weights = np.empty((draws, rows))
    for group in range(count):
        mine = np.flatnonzero(groups == group)
        weights[:, mine] = _counts(generator, len(mine), draws)
    return weights


def _counts(generator: np.random.Generator, size: int, draws: int) -> Array:
    return generator.multinomial(size, np.full(size, 1.0 / size), size=draws).astype(float)

"""Joint bootstrap over runs: the whole cloud of coefficients, not one error bar each.

Every draw resamples the runs with replacement (multinomial counts as weights) and minimises the same objective, all
draws at once by batched Newton. What is drawn are the units that err independently (`clusters`: runs, training curves,
groups), and each draw is pulled weakly to a point of its own (`anchors`), so that directions which the runs leave open
are as wide as they are unknown. A draw starts where it is lowest itself among the fit and the points of the search: one
that only went downhill from the fit would stay in its valley. Deterministic in the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.anchors import pulls
from planner.fitting.clusters import Clusters
from planner.fitting.newton import best_points, minimise, schedule
from planner.fitting.objective import DELTA
from planner.fitting.problem import Problem, Sample

Array = NDArray[np.float64]
START_DELTA = 0.003


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Draws of all coefficients (draws, coefficients) in the form's order; `failed` draws were left out."""

    draws: Array
    failed: int


def bootstrap(
    problem: Problem, theta: Array, draws: int, seed: int, units: Clusters, others: Array, *, delta: float = DELTA
) -> Bootstrap:
    """`draws` refits of resampled units, about the fit `theta` (free,), from it or from the best of `others`.

    `others` is (points, free); `delta` is Huber's δ.
    """
    weights = resampled(units, draws, seed)
    pull = pulls(problem, theta, draws, units.count, np.random.default_rng([seed, 1]), delta)
    sample = Sample(weights, pull)
    starts = best_points(problem, np.vstack([theta, others]), sample, delta)
    found = minimise(problem, starts, schedule(START_DELTA, delta), sample)
    good = np.isfinite(found.objective) & np.isfinite(found.theta).all(axis=1)
    return Bootstrap(problem.vectors(found.theta[good]), int((~good).sum()))


def resampled(units: Clusters, draws: int, seed: int) -> Array:
    """How often each row occurs in each draw (draws, rows): as often as its unit is drawn within its stratum."""
    generator = np.random.default_rng(seed)
    if units.strata is None:
        return _counts(generator, units.count, draws)[:, units.labels]
    weights = np.empty((draws, len(units.labels)))
    for stratum in range(int(units.strata.max()) + 1):
        mine = np.flatnonzero(units.strata == stratum)
        members, inside = np.unique(units.labels[mine], return_inverse=True)
        weights[:, mine] = _counts(generator, len(members), draws)[:, inside.reshape(-1)]
    return weights


def _counts(generator: np.random.Generator, size: int, draws: int) -> Array:
    return generator.multinomial(size, np.full(size, 1.0 / size), size=draws).astype(float)

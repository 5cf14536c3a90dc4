"""Joint bootstrap over runs: the whole cloud of coefficients, not one error bar each.

Every draw resamples the runs with replacement (multinomial counts as weights) and minimises the same objective from
the fit, all draws at once by batched Newton. Deterministic in the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.newton import minimise, schedule
from planner.fitting.problem import Problem

Array = NDArray[np.float64]
START_DELTA = 0.003


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Draws of all coefficients (draws, coefficients) in the form's order; `failed` draws were left out."""

    draws: Array
    failed: int


def bootstrap(problem: Problem, theta: Array, draws: int, seed: int) -> Bootstrap:
    """`draws` refits of resampled runs, starting at the fit `theta` (free,)."""
    rows = len(problem.losses)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(rows, np.full(rows, 1.0 / rows), size=draws).astype(float)
    found = minimise(problem, np.tile(theta, (draws, 1)), schedule(START_DELTA), weights)
    good = np.isfinite(found.objective) & np.isfinite(found.theta).all(axis=1)
    return Bootstrap(problem.vectors(found.theta[good]), int((~good).sum()))

"""Anchors: where a bootstrap draw goes when its runs do not say.

A draw that descends from the fit stays at the fit along every direction that the runs leave open, so that a fit which
cannot be determined looks certain. Here each draw is pulled, ever so weakly, to a point of its own drawn over the whole
range that is plausible before data is seen (the randomised maximum a posteriori of Bayesian inversion; Bardsley et al.
2014): what the runs determine is not moved, what they do not spreads as widely as prior knowledge does. No rule has to
name the poor designs: two sizes, one budget, a frontier, five points show as wide intervals by themselves.

The pull is worth one standard deviation of the prior against one of the noise. Noise is estimated by the residuals with
the freedom they have left, and by what repeated runs usually show where they have little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.fitting.objective import DELTA
from planner.fitting.problem import Problem, Pull
from planner.fitting.projection import linear_columns

Array = NDArray[np.float64]
USUAL_NOISE = 0.01  # log loss between runs that differ in what a table does not tell (seed, tuning)
USUAL_NOISE_RUNS = 2.0  # runs that knowledge is worth
SMALLEST_SHARE = 0.01  # of the loss, that a term may be
ROWS_LOOKED_AT = 64


def anchors(problem: Problem, theta: Array, draws: int, generator: np.random.Generator) -> Array:
    """Points (draws, free) spread over the search ranges, widened to hold the fit `theta` (free,)."""
    low, high = problem.bounds
    found = np.empty((draws, len(theta)))
    for k in range(len(problem.free)):
        ends = problem.search_range(k)
        found[:, k] = generator.uniform(min(ends[0], theta[k]), max(ends[1], theta[k]), draws)
    linear = [k for k, c in enumerate(problem.free) if c.linear]
    if linear:  # scales follow from the exponents: the loss is dealt out to the terms at random
        share = np.maximum(generator.dirichlet(np.ones(max(len(linear), 2)), draws)[:, : len(linear)], SMALLEST_SHARE)
        with np.errstate(all="ignore"):
            columns, _ = linear_columns(_few_rows(problem), found, linear)
            scales = np.log(share * _size(problem) / np.sqrt((columns**2).mean(axis=2)))
        found[:, linear] = np.where(np.isfinite(scales), scales, theta[linear])
    return np.clip(found, low, high)


def pulls(
    problem: Problem, theta: Array, draws: int, independent: int, generator: np.random.Generator, delta: float = DELTA
) -> Pull:
    """The pull of every draw, where `independent` of the rows err independently (the others with them)."""
    anchor = anchors(problem, theta, draws, generator)
    spread = np.maximum(anchor.std(axis=0), 1e-3)
    residual = problem.residuals(theta[None])[0]
    freedom = max(independent - len(theta), 0)
    unit = _size(problem)
    known = freedom * float(np.mean(np.abs(residual))) ** 2
    if freedom:
        known *= (independent / freedom) ** 2
    noise = np.sqrt(
        (known + USUAL_NOISE_RUNS * (USUAL_NOISE * unit) ** 2) / generator.chisquare(freedom + USUAL_NOISE_RUNS, draws)
    )
    # Huber's sum is δ Σ|r| for residuals beyond δ and Σ r²/2 within: over noise × min(noise, δ) a log likelihood.
    temperature = noise * np.minimum(noise, delta) * (len(residual) / independent)
    return Pull(anchor, temperature[:, None] / spread**2)


def _size(problem: Problem) -> float:
    """What a share is a share of: one in log loss, else the spread of the metric."""
    return max(float(np.std(problem.losses)), 1e-12) if problem.signed else 1.0


def _few_rows(problem: Problem) -> Problem:
    spread = np.linspace(0, len(problem.losses) - 1, min(ROWS_LOOKED_AT, len(problem.losses))).astype(int)
    rows = np.argsort(problem.losses, kind="stable")[spread]
    return Problem(
        problem.form, {k: v[rows] for k, v in problem.variables.items()}, problem.losses[rows], problem.fixed
    )

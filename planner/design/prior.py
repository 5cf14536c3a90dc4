"""What is believed of a form's coefficients before any run: a middle and a width for each.

Width and middle come from a coefficient's search range, or from a given law. Tails of the former are Cauchy's (Gelman,
Jakulin, Pittau & Su 2008, doi 10.1214/08-AOAS191): a search range says where to start looking, not where truth must
lie. And no width is so small that the coefficient could not matter among the points in question, as inputs are scaled
there: the rate of a domain whose share never passes a tenth has to be large to be felt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.problem import Problem
from planner.laws.form import Form

Array = NDArray[np.float64]
LOSS_SPREAD = 0.7  # standard deviation of log loss before any is seen: a factor of two either way
SIGNED_SPREAD = 3.0  # the same of a metric that may be negative, in its own unit
RANGE_SIGMAS = 1.5  # half a search range is this many widths
LAWS_WIDTH = 0.3  # of the usual width, about a law without draws
LAWS_WIDENING = 3.0  # of a law's own draws: it was fitted to other runs
STEEPEST = 100.0  # slopes of absurd draws count no more than this


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent beliefs in the coordinates of the fit: middle and width (free,), Cauchy if `tailed`, else normal."""

    mean: Array
    sd: Array
    tailed: bool


def search_prior(form: type[Form]) -> Prior:
    """The middle of every coefficient's search range, and a width that covers it."""
    ends = np.array([np.log(c.search) if c.logarithmic else c.search for c in form.coefficients], float)
    return Prior(ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / (2.0 * RANGE_SIGMAS), tailed=True)


def law_prior(form: Form, draws: Array | None) -> Prior:
    """About a law's coefficients: as wide as its draws, widened, or a share of the usual width.

    `draws` (draws, coefficients) or None.
    """
    kind = type(form)
    broad = search_prior(kind)
    problem = Problem(kind, {}, np.ones(1))
    centre = problem.to_theta(form.vector())
    if draws is None:
        return Prior(centre, LAWS_WIDTH * broad.sd, tailed=False)
    spread = problem.to_theta(draws).std(axis=0)
    return Prior(centre, np.clip(LAWS_WIDENING * spread, 0.02 * broad.sd, broad.sd), tailed=False)


def felt_prior(form: type[Form], points: Mapping[str, Array], seed: int) -> Prior:
    """`search_prior`, each width at least such that all coefficients together let the losses at `points` differ as is
    usual, as long as no coefficient alone moves them all by more than that."""
    prior = search_prior(form)
    problem = noiseless(form, points)
    low, high = problem.bounds
    generator = np.random.default_rng(seed)
    draws = np.clip(prior.mean + prior.sd * generator.standard_normal((64, len(prior.mean))), low, high)
    slopes = np.nan_to_num(problem.jacobian(draws), nan=0.0, posinf=STEEPEST, neginf=-STEEPEST)
    differing, moving = (
        np.sqrt((np.minimum(felt, STEEPEST) ** 2).mean(axis=0))
        for felt in (slopes.std(axis=2), np.sqrt((slopes**2).mean(axis=2)))
    )
    usual = spread(form)
    needed = usual / np.sqrt(len(prior.mean)) / np.maximum(differing, 1e-9)
    limit = np.minimum(usual / np.maximum(moving, 1e-9), 0.5 * (high - low))
    return Prior(prior.mean, np.maximum(prior.sd, np.minimum(needed, limit)), tailed=True)


def spread(form: type[Form]) -> float:
    """Standard deviation of what the form predicts, before any run."""
    return SIGNED_SPREAD if form.signed() else LOSS_SPREAD


def noiseless(form: type[Form], variables: Mapping[str, Array]) -> Problem:
    """A problem whose residuals are the predictions themselves: log loss, or the metric as it is if signed."""
    count = len(next(iter(variables.values())))
    chosen = {k: np.asarray(variables[k], float) for k in form.variables}
    return Problem(form, chosen, np.zeros(count) if form.signed() else np.ones(count))

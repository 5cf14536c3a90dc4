"""Whether most runs agree on another law than the one fitted to all of them.

Huber's loss bears with a few wrong losses, but not with a few wrong sizes: a row whose parameters are in millions lies
so far out that the law bends to it. The law that fits most rows best does not see such rows (least trimmed squares:
Rousseeuw 1984; by concentration steps, Rousseeuw & Van Driessen 1999). Where it fits the others far better than the
fit to all does, the rows it leaves out are named; the fit itself is not touched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.fitting.newton import best_points, minimise, schedule
from planner.fitting.observations import Observations
from planner.fitting.problem import Problem, Sample
from planner.laws.caution import Caution

Array = NDArray[np.float64]
KEPT = 0.75  # of the rows, that must agree
SUBSETS, SUBSET_PER_COEFFICIENT = 16, 2  # most likely one of them is free of a tenth of wrong rows
ROUGH_DELTAS, ITERATIONS = (0.03, 0.01), 15
PROMISING = 0.9  # of the fit's own residuals, that those of a law worth following are at most
STARTS, STEPS = 4, 3
BETTER = 2.0  # times smaller is the median residual of those that agree
FAR = 10.0  # robust standard deviations
LEAST = 0.01  # log loss that is never called far
ROWS_PER_COEFFICIENT = 3
MOST_ROWS = 2000  # beyond which a few wrong rows bend nothing
NAMED = 5


def majority_cautions(problem: Problem, theta: Array, others: Array, seen: Observations) -> tuple[Caution, ...]:
    """A caution that names the rows off the law of the others; `others` (points, free) are places to look for it."""
    rows = len(problem.losses)
    if problem.signed or not ROWS_PER_COEFFICIENT * len(theta) <= rows <= MOST_ROWS:
        return ()
    own = np.abs(problem.residuals(theta[None])[0])
    places = np.vstack([theta, others])
    kept = _subsets(rows, SUBSET_PER_COEFFICIENT * len(theta))
    points = best_points(problem, places, Sample(kept))
    points = minimise(problem, points, ROUGH_DELTAS, Sample(kept), iterations=ITERATIONS).theta
    size = np.abs(problem.residuals(points))
    each = np.quantile(size, KEPT, axis=1)
    if each.min() > PROMISING * np.quantile(own, KEPT):  # no part of the rows knows of a law that suits most better
        return ()
    best_few = np.argsort(each, kind="stable")[:STARTS]
    points, size = points[best_few], size[best_few]
    for _ in range(STEPS):
        kept = (size <= np.quantile(size, KEPT, axis=1, keepdims=True)).astype(float)
        points = minimise(problem, points, schedule(0.03), Sample(kept), iterations=ITERATIONS).theta
        size = np.abs(problem.residuals(points))
    best = size[int(np.argmin(np.quantile(size, KEPT, axis=1)))]
    far = best > max(FAR * 1.4826 * float(np.median(best)), LEAST)
    if not far.any() or np.mean(far) > 1.0 - KEPT or np.median(own[~far]) < BETTER * np.median(best[~far]):
        return ()
    named = ", ".join(str(r + 1) for r in seen.rows[far][:NAMED]) + (", …" if far.sum() > NAMED else "")
    sentence = (
        f"{int(far.sum())} rows ({named}) bend the law: without them the others are fitted "
        f"{np.median(own[~far]) / max(float(np.median(best[~far])), 1e-12):.2g} times better; are they in other units?"
    )
    return (Caution("FEW_ROWS_BEND", sentence),)


def _subsets(rows: int, size: int) -> Array:
    """Weights (SUBSETS, rows) of random parts of so many rows each."""
    order = np.random.default_rng(0).random((SUBSETS, rows)).argsort(axis=1)
    return (order < size).astype(float)

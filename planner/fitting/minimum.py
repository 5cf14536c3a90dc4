"""The lowest minimum of an objective over all starts, and the evidence that there is none below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.newton import Minimum, minimise, schedule
from planner.fitting.problem import Problem
from planner.fitting.projection import Screening, screen

Array = NDArray[np.float64]
CELLS_FOR_DRAWS = 256
EXACT = 1e-15  # an objective this small means data without noise


@dataclass(frozen=True)
class SearchEvidence:
    """Why the minimum found is believed to be the global one."""

    starts: int
    share_at_best: float  # of the polished starts that end within 1e-6 of the best objective
    profile_minima: int | None  # interior minima of the projected objective over the grid of exponents
    gradient: float  # largest entry of the projected gradient at the minimum


def screened(problem: Problem, starts: int | None = None, seed: int = 0) -> Screening:
    """Points worth starting from, the best first."""
    return screen(problem, max(starts or 0, CELLS_FOR_DRAWS), seed)


def _gridded(problem: Problem) -> bool:
    return sum(not c.linear for c in problem.free) <= 2


def lowest_minimum(
    problem: Problem, screening: Screening, starts: int | None, delta: float
) -> tuple[Array, float, SearchEvidence, Array]:
    """θ (free,) of the best minimum, its objective, the evidence, and other points (points, free) to look at.

    Fewer of the points screened are polished where they come from a grid.
    """
    polished = screening.theta[: starts or (12 if _gridded(problem) else 48)]
    # Continuation from a large δ crosses small barriers, from a small one it keeps to separate valleys: do both.
    deltas = (0.05 if _gridded(problem) else 0.5, 0.003)
    unit = max(float(np.std(problem.losses)), 1.0) if problem.signed else 1.0  # log residuals are of order one at most
    both = minimise(
        problem,
        np.tile(polished, (2, 1)),
        _stages(*(schedule(unit * d, delta) for d in deltas), each=len(polished)),
        iterations=150,
    )
    found = _better(both, len(polished))
    lowest = found.objective.min()
    tied = found.objective <= lowest * (1.0 + 1e-14) if np.isfinite(lowest) else np.ones(len(found.objective), bool)
    best = int(np.argmin(np.where(tied, found.gradient, np.inf)))
    objective = float(found.objective[best])
    share = float(np.mean(found.objective <= objective * (1.0 + 1e-6) + EXACT))
    evidence = SearchEvidence(len(polished), share, screening.profile_minima, float(found.gradient[best]))
    return found.theta[best], objective, evidence, np.vstack([found.theta, screening.theta])


def _stages(*schedules: tuple[float, ...], each: int) -> Array:
    """Stages (members, most stages) of `each` members of every schedule, short ones passing over the first."""
    most = max(len(s) for s in schedules)
    rows = [(float("nan"),) * (most - len(s)) + s for s in schedules]
    return np.repeat(np.array(rows), each, axis=0)


def _better(both: Minimum, count: int) -> Minimum:
    """Per start, the lower of two descents."""
    one = np.arange(count)
    lower = np.where(both.objective[:count] <= both.objective[count:], one, one + count)
    return Minimum(both.theta[lower], both.objective[lower], both.gradient[lower])

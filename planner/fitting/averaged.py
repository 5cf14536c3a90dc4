"""The early stop of published fits, reproduced: Huber's loss averaged over runs, minimised with default tolerances.

Averaging divides objective and gradient by the number of runs while an optimiser's absolute tolerances stay, so it
reports success far from the minimum (Besiroglu et al. 2024, 2404.10102, found this behind Hoffmann's coefficients).
Here to show what that does to a plan, never to fit with.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from planner.fitting.objective import DELTA, Huber
from planner.fitting.observations import Observations
from planner.laws.chinchilla import Chinchilla

Array = NDArray[np.float64]
STARTS = 96  # of the 4,500 of Hoffmann et al. 2022, App. D.3, evenly drawn
GRID = (
    (-1.0, -0.5, 0.0, 0.5, 1.0),
    (0.0, 5.0, 10.0, 15.0, 20.0, 25.0),
    (0.0, 5.0, 10.0, 15.0, 20.0, 25.0),
    (0.0, 0.5, 1.0, 1.5, 2.0),
    (0.0, 0.5, 1.0, 1.5, 2.0),
)  # ln E, ln A, ln B, alpha, beta


def averaged_fit(seen: Observations, starts: int = STARTS) -> tuple[Chinchilla, int]:
    """Chinchilla's law where the best of `starts` descents of the averaged loss stops, and how many were made."""
    grid = np.array(list(itertools.product(*GRID)))
    chosen = np.random.default_rng(0).permutation(grid)[:starts]
    n, d, y = (np.log(v) for v in (seen.variables["parameter_count"], seen.variables["token_count"], seen.losses))
    huber = Huber(DELTA)

    def mean_loss(theta: Array) -> tuple[float, Array]:
        e, a, b, alpha, beta = theta
        terms = np.stack([np.full_like(n, e), a - alpha * n, b - beta * d])
        top = terms.max(axis=0)
        shares = np.exp(terms - top)
        total = shares.sum(axis=0)
        shares /= total
        residual = top + np.log(total) - y
        pull = huber.slope(residual) * shares / len(y)
        gradient = [pull[0].sum(), pull[1].sum(), pull[2].sum(), -(pull[1] @ n), -(pull[2] @ d)]
        return float(huber.value(residual).mean()), np.array(gradient)

    found = [minimize(mean_loss, start, jac=True, method="L-BFGS-B") for start in chosen]
    best = min(found, key=lambda f: float(f.fun)).x
    return Chinchilla(*(float(v) for v in (*np.exp(best[:3]), best[3], best[4]))), len(chosen)

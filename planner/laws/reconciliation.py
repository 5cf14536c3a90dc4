"""Kaplan and Chinchilla reconciled: what a law in total parameters looks like counted as Kaplan et al. counted.

Pearce & Song 2024 (2406.12907): put N_total = N + w N^(1/3) into Chinchilla's law, count compute as 6 N D without
embeddings, and read a power law off the frontier of Kaplan's sizes (768 to 1.5e9). The exponent near 0.5 becomes 0.78.

The exponent depends on how the frontier is read. Theirs is discrete: the best of twenty sizes at each of a hundred
budgets, on a grid of tokens, by least squares over budgets evenly spaced in log C; the published 0.7805 is that. The
analytic frontier over the same sizes is curved, and its slope depends on where the points lie (0.793 evenly in log N).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.laws.chinchilla import Chinchilla
from planner.laws.compute import SIMPLE
from planner.laws.counting import convention, total_from_non_embedding

Array = NDArray[np.float64]
# The grids of the published reading, in decades.
SIZES = (2.9, 9.2, 20)
TOKENS = (6.0, 25.0, 1000)
BUDGETS = (12.95, 20.7, 100)
BUDGETS_TOTAL = (14.0, 20.7, 100)
LARGE_SIZES = (2.0, 11.0, 100)  # the last ten are the large ones
LARGE = 10


@dataclass(frozen=True)
class ReconciledExponents:
    """Exponents of the best size, and of the loss, by compute, one way of counting each."""

    non_embedding: float  # read off the frontier of Kaplan's sizes, counted without embeddings
    large: float  # the same counting, on the analytic frontier at about 1e10 to 1e11 parameters
    total: float  # read off the same frontier counted in total parameters
    analytic: float  # without embeddings, on the analytic frontier of Kaplan's sizes, evenly in log N
    limit: float  # the law's own
    loss: float  # of the loss by compute, as Kaplan counted and without a floor: his is -0.057 (-0.050 of best batches)
    reducible_loss: float  # of what is above the floor, in total parameters


def reconciled_exponents(law: Chinchilla) -> ReconciledExponents:
    """What Kaplan's counting makes of a law in total parameters (coefficients: floats)."""
    sizes = np.logspace(*SIZES)
    totals = np.asarray(total_from_non_embedding(sizes))
    small = np.logspace(SIZES[0], SIZES[1], 400)
    large = np.logspace(*LARGE_SIZES)[-LARGE:]
    budgets, budgets_total = np.logspace(*BUDGETS), np.logspace(*BUDGETS_TOTAL)
    best, losses = _read_off(law, sizes, totals, budgets)
    best_total, losses_total = _read_off(law, totals, totals, budgets_total)
    return ReconciledExponents(
        _slope(budgets, best),
        _slope(frontier_flops(law, large), large),
        _slope(budgets_total, best_total),
        _slope(frontier_flops(law, small), small),
        float(law.parameter_exponent()),
        _slope(budgets, losses),
        _slope(budgets_total, losses_total - float(law.E)),
    )


def frontier_flops(law: Chinchilla, non_embedding_count: Array) -> Array:
    """Compute without embeddings, 6 N D, at which a model of this size is the best one: their Eq. 14."""
    n = non_embedding_count
    w = convention("total_from_non_embedding")
    total = total_from_non_embedding(n)
    # dL/dN at constant N D: alpha A total^-(alpha+1) dtotal/dN = beta B D^-beta / N.
    slope = 1.0 + w / 3.0 * n ** (-2.0 / 3.0)
    gain = law.alpha * law.A * total ** -(law.alpha + 1.0) * slope
    tokens = (law.beta * law.B / (gain * n)) ** (1.0 / law.beta)
    return np.asarray(SIMPLE.training_flops(n, tokens))


def _read_off(law: Chinchilla, counted: Array, totals: Array, budgets: Array) -> tuple[Array, Array]:
    """The best of the sizes, as counted, and its loss at each budget; each size at the token count nearest to it."""
    tokens = np.logspace(*TOKENS)
    losses = np.asarray(law.loss(parameter_count=totals[:, None], token_count=tokens))
    flops = np.asarray(SIMPLE.training_flops(counted[:, None], tokens))
    sizes, lowest = [], []
    for budget in budgets:
        nearest = np.argmin(np.abs(flops - budget), axis=1)
        reached = losses[np.arange(len(counted)), nearest]
        best = int(np.argmin(reached))
        sizes.append(counted[best])
        lowest.append(reached[best])
    return np.array(sizes), np.array(lowest)


def _slope(flops: Array, values: Array) -> float:
    return float(np.polyfit(np.log(flops), np.log(values), 1)[0])

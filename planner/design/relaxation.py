"""The convex design problem: fractional runs of least expected regret within the budget, by cvxpy.

    minimise mean_d ½ tr(G_d (P_d + Σ_i w_i J_di J_diᵀ)^-1 G_dᵀ)  subject to  Σ_i cost_i w_i ≤ budget,  0 ≤ w ≤ 1

is a semidefinite program (`matrix_frac`; Boyd & Vandenberghe 2004, §7.5). It is stated in coordinates in which an even
spread of the budget is the identity. The gradient at its solution bounds what any set of whole runs can do, whatever
the solver says of itself, so the design that is returned comes with a proven gap.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from planner.design.criterion import Criterion

Array = NDArray[np.float64]
LARGEST = 160  # candidates the program is stated over; the others are screened out by their gains
DRAWS = 8


@dataclass(frozen=True, eq=False)
class Relaxed:
    """Fractional runs (candidates,), the regret they leave, and a lower bound on that of any design in the budget."""

    weights: Array
    regret: float
    lower_bound: float


def relax(criterion: Criterion, costs: Array, budget: float) -> Relaxed | None:
    """The relaxed design, or None where the solver fails (whole runs are then chosen without it)."""
    kept = _screened(criterion, costs, budget)
    small = criterion.take(kept)
    few = np.unique(np.linspace(0, len(criterion.runs) - 1, min(DRAWS, len(criterion.runs))).astype(int))
    weights = cp.Variable(len(kept), nonneg=True)
    price = costs[kept] / budget
    even = np.full(len(kept), min(1.0, 1.0 / max(float(price.sum()), 1e-300)))
    scale = max(small.regret(even), 1e-300)
    terms = []
    for d in few:
        # With P + K diag(even) Kᵀ = L Lᵀ every matrix near the solution is near the identity.
        middle = small.precision[d] + (small.runs[d].T * even) @ small.runs[d]
        root = np.linalg.cholesky(_ridged(middle))
        known = np.linalg.solve(root, np.linalg.solve(root, small.precision[d]).T)
        aims = np.linalg.solve(root, small.aims[d].T) / np.sqrt(2.0 * scale)
        rows = np.linalg.solve(root, small.runs[d].T)
        vectors, values, _ = np.linalg.svd(aims, full_matrices=False)
        strong = values > 1e-4 * values[0] if len(values) and values[0] > 0 else np.zeros(len(values), bool)
        if not strong.any():
            continue
        squares = (rows[:, None, :] * rows[None, :, :]).reshape(len(rows) ** 2, -1)
        information = cp.reshape(squares @ weights, (len(rows), len(rows)), order="C") + known
        terms.append(cp.matrix_frac(vectors[:, strong] * values[strong], (information + information.T) / 2))
    if not terms:
        return None
    problem = cp.Problem(cp.Minimize(sum(terms) / len(few)), [price @ weights <= 1.0, weights <= 1.0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # how near the optimum it is follows from the bound, not from the status
            problem.solve(solver=cp.CLARABEL)
    except (cp.error.SolverError, ValueError, ArithmeticError):
        return None
    if weights.value is None:
        return None
    whole = np.zeros(len(costs))
    whole[kept] = np.clip(weights.value, 0.0, 1.0)
    whole *= min(1.0, budget / max(float(costs @ whole), 1e-300))
    return Relaxed(whole, criterion.regret(whole), _bound(criterion, costs, budget, whole))


def _screened(criterion: Criterion, costs: Array, budget: float) -> NDArray[np.intp]:
    """The affordable candidates worth stating the program over: the best by gain at several powers of the cost."""
    affordable = np.flatnonzero(costs <= budget)
    if len(affordable) <= LARGEST:
        return affordable
    gains = criterion.standing(np.zeros(len(costs))).gains()[affordable]
    powers = (0.0, 0.35, 0.7, 1.0)
    best = [np.argsort(-gains / costs[affordable] ** p)[: LARGEST // len(powers)] for p in powers]
    return np.asarray(affordable[np.unique(np.concatenate(best))])


def _bound(criterion: Criterion, costs: Array, budget: float, weights: Array) -> float:
    """Convexity: no design can be better than the tangent at `weights` minimised over the budget (a small LP)."""
    slopes = criterion.slopes(weights)
    usable = (costs <= budget).astype(float)
    best = linprog(-slopes, A_ub=(costs / budget)[None], b_ub=[1.0], bounds=np.stack([0 * usable, usable], axis=1))
    if not best.success:
        return 0.0
    return max(criterion.regret(weights) + float(slopes @ weights) + float(best.fun), 0.0)


def _ridged(matrix: Array) -> Array:
    return matrix + 1e-10 * np.diag(np.diag(matrix))

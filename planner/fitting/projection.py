"""Variable projection: search the nonlinear coefficients only, the linear ones follow from a convex problem.

For fixed exponents a Chinchilla-like loss is linear in (E, A, B) ≥ 0, and Huber's loss of the *relative* residual is
convex in them, so iteratively reweighted least squares finds their optimum for every cell of a grid at once (Golub &
Pereyra 1973 for the idea). What remains is a profile over the exponents whose minima can be counted: evidence that the
polished minimum is the global one. With one or two nonlinear coefficients the cells form a grid, with more a Sobol
sequence over the search ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.objective import Huber
from planner.fitting.problem import Problem

Array = NDArray[np.float64]
GRID_SIDE = 32
SOBOL_POINTS = 2048
SCREENING_ROWS = 480  # more rows do not change which cells are worth polishing
CELL_VALUES = 65_536  # (cells × rows) projected at once
SCREENING_DELTA = 0.01
REWEIGHTINGS = 4


@dataclass(frozen=True, eq=False)
class Screening:
    """Starting points θ (starts, free), best first, and the number of interior minima of the profile.

    `profile_minima` is None where the cells form no grid (more than two nonlinear coefficients).
    """

    theta: Array
    scores: Array
    profile_minima: int | None


def screen(
    problem: Problem, starts: int, seed: int = 0, rows: int = SCREENING_ROWS, points: int = SOBOL_POINTS
) -> Screening:
    """Score every cell on at most `rows` runs and return the `starts` best as starting points.

    `points` is the number of cells where they form no grid, a power of two.
    """
    small = _fewer_rows(problem, rows)
    nonlinear = [k for k, c in enumerate(problem.free) if not c.linear]
    cells, side = _cells(problem, nonlinear, seed, points)
    theta = np.empty((len(cells), len(problem.free)))
    theta[:, nonlinear] = cells
    size = max(1, CELL_VALUES // len(small.losses))
    for k in range(0, len(theta), size):
        _project(small, theta[k : k + size])
    huber = Huber(SCREENING_DELTA)
    scores = np.concatenate([small.objective(theta[k : k + size], huber) for k in range(0, len(theta), size)])
    minima = None if side is None else _interior_minima(scores.reshape((side,) * len(nonlinear)))
    order = np.argsort(scores, kind="stable")[:starts]
    return Screening(theta[order], scores[order], minima)


def _fewer_rows(problem: Problem, most: int) -> Problem:
    """The problem on at most `most` rows, evenly spread over the losses."""
    if len(problem.losses) <= most:
        return problem
    spread = np.linspace(0, len(problem.losses) - 1, most).astype(int)
    rows = np.argsort(problem.losses, kind="stable")[spread]
    variables = {k: v[rows] for k, v in problem.variables.items()}
    return Problem(problem.form, variables, problem.losses[rows], problem.fixed)


def _cells(problem: Problem, nonlinear: list[int], seed: int, points: int) -> tuple[Array, int | None]:
    """θ of the nonlinear coefficients (cells, nonlinear), and the grid's side if it is a grid."""
    if not nonlinear:
        return np.zeros((1, 0)), None
    lower, upper = np.array([problem.search_range(k) for k in nonlinear]).T
    if len(nonlinear) <= 2:
        axes = [np.linspace(a, b, GRID_SIDE) for a, b in zip(lower, upper, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(nonlinear)), GRID_SIDE
    from scipy.stats import qmc  # late: half a second that fits with two exponents do without

    unit = qmc.Sobol(len(nonlinear), seed=seed).random(points)
    return lower + unit * (upper - lower), None


def _project(problem: Problem, theta: Array) -> None:
    """Fill in the linear coefficients of every row of `theta` (cells, free), in place."""
    linear = [k for k, c in enumerate(problem.free) if c.linear]
    if not linear:
        return
    with np.errstate(all="ignore"):  # far cells may overflow; their score is infinite
        columns, offset = linear_columns(problem, theta, linear)
    goal = problem.losses if problem.signed else np.ones_like(problem.losses)
    huber = Huber(SCREENING_DELTA)
    scale = np.sqrt((columns**2).mean(axis=2, keepdims=True))
    scale = np.where(scale == 0.0, 1.0, scale)  # a column that no run of this cell depends on
    columns /= scale
    weights = np.ones_like(offset)
    solution = np.zeros(columns.shape[:2])
    for _ in range(REWEIGHTINGS):
        solution = _nonnegative_least_squares(columns, goal - offset, weights)
        residual = np.einsum("gkn,gk->gn", columns, solution) + offset - goal
        weights = huber.weight(residual)
    values = solution / scale[:, :, 0]
    low, high = problem.bounds
    for j, k in enumerate(linear):  # a coefficient projected to zero starts at a thousandth of its column's weight
        least = 1e-3 / scale[:, j, 0]
        theta[:, k] = np.clip(np.log(np.maximum(values[:, j], least)), low[k], high[k])


def linear_columns(problem: Problem, theta: Array, linear: list[int]) -> tuple[Array, Array]:
    """Columns ∂loss/∂linear (cells, linear, rows), and what no linear coefficient explains: over the observed loss."""
    names = [c.name for c in problem.form.coefficients]
    at = theta.copy()
    at[:, linear] = 0.0
    vectors = problem.vectors(at)
    positions = [names.index(problem.free[k].name) for k in linear]
    vectors[:, positions] = 0.0
    shape = (len(theta), len(problem.losses))
    offset = np.broadcast_to(problem.form.from_vector(vectors).loss(**problem.variables), shape)
    columns = np.empty((len(theta), len(linear), len(problem.losses)))
    for j, position in enumerate(positions):
        vectors[:, position] = 1.0
        columns[:, j] = problem.form.from_vector(vectors).loss(**problem.variables) - offset
        vectors[:, position] = 0.0
    scale = np.ones_like(problem.losses) if problem.signed else problem.losses
    return columns / scale, offset / scale


def _nonnegative_least_squares(columns: Array, target: Array, weights: Array) -> Array:
    """Weighted least squares per cell with the most negative coefficient set to zero until none is negative."""
    count = columns.shape[1]
    weighted = columns * weights[:, None, :]
    normal = weighted @ columns.transpose(0, 2, 1)
    right = np.einsum("gkn,gn->gk", weighted, target)
    ridge = 1e-12 * np.einsum("gkk->g", normal)[:, None, None] * np.eye(count)
    kept = np.ones(right.shape, dtype=bool)
    solution = np.zeros_like(right)
    for _ in range(count):
        both = kept[:, :, None] & kept[:, None, :]
        system = np.where(both, normal + ridge, np.eye(count))
        solution = np.linalg.solve(system, np.where(kept, right, 0.0)[..., None])[..., 0]
        negative = solution < 0.0
        if not negative.any():
            break
        worst = np.argmin(solution, axis=1)
        rows = np.flatnonzero(negative.any(axis=1))
        kept[rows, worst[rows]] = False
    return np.asarray(np.maximum(solution, 0.0))


def _interior_minima(scores: Array) -> int:
    """Number of cells off the border that are lower than all their neighbours."""
    inner = tuple(slice(1, -1) for _ in range(scores.ndim))
    lowest = np.ones(scores[inner].shape, dtype=bool)
    for shift in np.ndindex(*(3,) * scores.ndim):
        if any(s != 1 for s in shift):
            neighbour = scores[tuple(slice(s, n - 2 + s) for s, n in zip(shift, scores.shape, strict=True))]
            lowest &= scores[inner] < neighbour
    return int(lowest.sum())

"""Robust least squares for a batch of problems that share a form and its points: Levenberg-Marquardt on all at once.

Every member has its own data, scales and prior, so that a search from many starts, the evidence on a grid of scatters
and randomised draws are one call each. Members that have arrived are dropped from the work. Runs have Student's t
errors (four degrees of freedom: those that no form explains do not steer), anchors normal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.problem import Problem

Array = NDArray[np.float64]
RUN_TAIL, PRIOR_TAIL = 4.0, 1.0  # degrees of freedom
STEPS = 40
DIFFERENCE = 1e-6
ARRIVED = 1e-3  # of the objective, a negative log probability


@dataclass(frozen=True, eq=False)
class Members:
    """One problem a row: `goals` of the predictions and their `weights` (members, points), a prior (members, free).

    The first `runs` points are runs, the others anchors. The prior has Cauchy tails if `tailed`, else it is normal.
    """

    goals: Array
    weights: Array
    mean: Array
    sd: Array
    runs: int
    tailed: bool

    def take(self, rows: NDArray[np.intp]) -> Members:
        """These members."""
        return Members(self.goals[rows], self.weights[rows], self.mean[rows], self.sd[rows], self.runs, self.tailed)

    def cost(self, theta: Array, predicted: Array) -> Array:
        """-log posterior (members,), constants left out."""
        errors = ((predicted - self.goals) * self.weights) ** 2
        away = ((theta - self.mean) / self.sd) ** 2
        prior = _tail_cost(away, PRIOR_TAIL) if self.tailed else 0.5 * away
        runs = _tail_cost(errors[:, : self.runs], RUN_TAIL).sum(axis=1)
        return np.asarray(runs + 0.5 * errors[:, self.runs :].sum(axis=1) + prior.sum(axis=1))

    def normal(self, theta: Array, predicted: Array, slopes: Array) -> tuple[Array, Array]:
        """Reweighted Gauss-Newton matrix (members, free, free) and slope (members, free)."""
        errors = (predicted - self.goals) * self.weights
        weight = np.ones_like(errors)
        weight[:, : self.runs] = _tail_weight(errors[:, : self.runs] ** 2, RUN_TAIL)
        scaled = slopes * self.weights[:, None, :]
        away = (theta - self.mean) / self.sd
        held = _tail_weight(away**2, PRIOR_TAIL) if self.tailed else np.ones_like(away)
        matrix = (scaled * weight[:, None, :]) @ scaled.transpose(0, 2, 1)
        matrix += np.eye(theta.shape[1]) * (held / self.sd**2)[:, :, None]
        return matrix, (scaled @ (weight * errors)[:, :, None])[:, :, 0] + held * away / self.sd


def _tail_cost(squares: Array, freedom: float) -> Array:
    return np.asarray(0.5 * (freedom + 1.0) * np.log1p(squares / freedom))


def _tail_weight(squares: Array, freedom: float) -> Array:
    return np.asarray((freedom + 1.0) / (freedom + squares))


@dataclass(frozen=True, eq=False)
class Search:
    """The points that all members share."""

    problem: Problem

    def predictions(self, theta: Array) -> Array:
        """(members, points)."""
        return np.asarray(np.nan_to_num(self.problem.residuals(theta), nan=1e3, posinf=1e3, neginf=-1e3))

    def slopes(self, theta: Array, predicted: Array) -> Array:
        """∂ prediction / ∂ θ (members, free, points) by differences: on the way to a minimum no more is needed."""
        members, free = theta.shape
        if not members:
            return np.zeros((0, free, predicted.shape[1]))
        moved = (theta[:, None, :] + DIFFERENCE * np.eye(free)).reshape(-1, free)
        at = self.predictions(moved).reshape(members, free, -1)
        return np.asarray((at - predicted[:, None, :]) / DIFFERENCE)

    def minimised(self, starts: Array, members: Members) -> tuple[Array, Array, Array]:
        """From `starts` (members, free): θ, predictions there (members, points), cost (members,)."""
        low, high = self.problem.bounds
        theta = np.clip(starts, low, high)
        predicted = self.predictions(theta)
        cost = members.cost(theta, predicted)
        damping, arrivals = np.full(len(theta), 1e-2), np.zeros(len(theta), int)
        slopes = np.zeros((*theta.shape, predicted.shape[1]))
        left = moved = np.arange(len(theta))
        identity = np.eye(theta.shape[1])
        for _ in range(STEPS):
            some = members.take(left)
            slopes[moved] = self.slopes(theta[moved], predicted[moved])
            matrix, slope = some.normal(theta[left], predicted[left], slopes[left])
            diagonal = damping[left, None] * np.einsum("bkk->bk", matrix)
            step = np.linalg.solve(matrix + identity * diagonal[:, :, None], slope[..., None])[..., 0]
            trial = np.clip(theta[left] - step, low, high)
            at = self.predictions(trial)
            reached = some.cost(trial, at)
            better = reached <= cost[left]
            little = better & (cost[left] - reached < ARRIVED)
            moved = left[better]
            theta[moved], predicted[moved], cost[moved] = trial[better], at[better], reached[better]
            damping[left] = np.clip(np.where(better, 0.2, 5.0) * damping[left], 1e-9, 1e9)
            arrivals[left] = np.where(little, arrivals[left] + 1, np.where(better, 0, arrivals[left]))
            stays = (arrivals[left] < 2) & (damping[left] < 1e4)
            left, moved = left[stays], left[stays & better]
            if not len(left):
                break
        return theta, predicted, cost

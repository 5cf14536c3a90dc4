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
    """One problem a row: `goals` of the predictions and their `weights` (members, points), a prior (members, unknowns).

    The first `runs` points are runs, the others anchors. The prior of the first `tailed` unknowns has Cauchy tails, of
    the others it is normal.
    """

    goals: Array
    weights: Array
    mean: Array
    sd: Array
    runs: int
    tailed: int

    def take(self, rows: NDArray[np.intp]) -> Members:
        """These members."""
        return Members(self.goals[rows], self.weights[rows], self.mean[rows], self.sd[rows], self.runs, self.tailed)

    def cost(self, theta: Array, predicted: Array) -> Array:
        """-log posterior (members,), constants left out."""
        errors = ((predicted - self.goals) * self.weights) ** 2
        away = ((theta - self.mean) / self.sd) ** 2
        runs = _tail_cost(errors[:, : self.runs], RUN_TAIL).sum(axis=1) + 0.5 * errors[:, self.runs :].sum(axis=1)
        prior = _tail_cost(away[:, : self.tailed], PRIOR_TAIL).sum(axis=1) + 0.5 * away[:, self.tailed :].sum(axis=1)
        return np.asarray(runs + prior)

    def normal(self, theta: Array, predicted: Array, slopes: Array) -> tuple[Array, Array]:
        """Reweighted Gauss-Newton matrix (members, unknowns, unknowns) and slope (members, unknowns)."""
        errors = (predicted - self.goals) * self.weights
        weight = np.ones_like(errors)
        weight[:, : self.runs] = _tail_weight(errors[:, : self.runs] ** 2, RUN_TAIL)
        scaled = slopes * self.weights[:, None, :]
        away = (theta - self.mean) / self.sd
        held = np.ones_like(away)
        held[:, : self.tailed] = _tail_weight(away[:, : self.tailed] ** 2, PRIOR_TAIL)
        matrix = (scaled * weight[:, None, :]) @ scaled.transpose(0, 2, 1)
        matrix += np.eye(theta.shape[1]) * (held / self.sd**2)[:, :, None]
        return matrix, (scaled @ (weight * errors)[:, :, None])[:, :, 0] + held * away / self.sd


def _tail_cost(squares: Array, freedom: float) -> Array:
    return np.asarray(0.5 * (freedom + 1.0) * np.log1p(squares / freedom))


def _tail_weight(squares: Array, freedom: float) -> Array:
    return np.asarray((freedom + 1.0) / (freedom + squares))


@dataclass(frozen=True, eq=False)
class Search:
    """The points that all members share: the form there, and modes (points, modes) that are added to it.

    The unknowns θ are the form's free coefficients, then how much there is of each mode.
    """

    problem: Problem
    modes: Array

    def predictions(self, theta: Array) -> Array:
        """(members, points)."""
        return self._of_form(theta) + self._of_modes(theta)

    def _of_form(self, theta: Array) -> Array:
        coefficients = theta[:, : theta.shape[1] - self.modes.shape[1]]
        return np.asarray(np.nan_to_num(self.problem.residuals(coefficients), nan=1e3, posinf=1e3, neginf=-1e3))

    def _of_modes(self, theta: Array) -> Array:
        return np.asarray(theta[:, theta.shape[1] - self.modes.shape[1] :] @ self.modes.T)

    def slopes(self, theta: Array, predicted: Array) -> Array:
        """∂ prediction / ∂ θ (members, unknowns, points) by differences: on the way to a minimum no more is needed."""
        members, unknowns = theta.shape
        free = unknowns - self.modes.shape[1]
        slopes = np.empty((members, unknowns, predicted.shape[1]))
        if not members:
            return slopes
        moved = (theta[:, None, :] + DIFFERENCE * np.eye(unknowns)[:free]).reshape(-1, unknowns)
        at = self._of_form(moved).reshape(members, free, -1)
        slopes[:, :free] = (at - (predicted - self._of_modes(theta))[:, None, :]) / DIFFERENCE
        slopes[:, free:] = self.modes.T
        return slopes

    def minimised(self, starts: Array, members: Members) -> tuple[Array, Array, Array]:
        """From `starts` (members, unknowns): θ, predictions there (members, points), cost (members,)."""
        endless = np.full(self.modes.shape[1], np.inf)
        low, high = (np.concatenate(ends) for ends in zip(self.problem.bounds, (-endless, endless), strict=True))
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

"""How much regret a set of runs leaves: the linearised variance of the decision, averaged over draws of the law.

About each draw θ_d the coefficients' covariance after a design is Σ_d = (P_d + Σ_i w_i J_i J_iᵀ / σ²)^-1, and the
expected regret ½ tr(G_d Σ_d G_dᵀ), where the rows of G_d say how the decision's loss bends with the coefficients. This
is c-, V- or I-optimality according to G (Pukelsheim 1993, ch. 2-3; Chaloner & Verdinelli 1995), convex in w.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REFRESH = 24  # purchases after which a standing is computed anew
RIDGE = 1e-12  # of matrices with ones on the diagonal, before they are inverted
MOST = 0.5  # regret in log loss that no decision is worse than, whatever the draw


@dataclass(frozen=True, eq=False)
class Criterion:
    """`runs` (draws, candidates, free): gradients over the noise's standard deviation, so that a run adds J Jᵀ;
    `aims` (draws, aims, free): the decision's gradients; `precision` (draws, free, free): what is known already."""

    runs: Array
    aims: Array
    precision: Array

    def covariance(self, weights: Array) -> Array:
        """Σ (draws, free, free) after the candidates were bought `weights` (candidates,) times."""
        chosen = np.flatnonzero(weights)
        rows = self.runs[:, chosen]
        return _inverse(self.precision + (rows * weights[chosen, None]).transpose(0, 2, 1) @ rows)

    def regret(self, weights: Array) -> float:
        """Expected regret that the design leaves, in the units of the aims squared."""
        return self.left(self.covariance(weights))

    def left(self, covariance: Array) -> float:
        """½ mean tr(G Σ Gᵀ)."""
        return float(0.5 * np.einsum("dak,dkl,dal->d", self.aims, covariance, self.aims).mean())

    def losses(self, covariance: Array, held: NDArray[np.intp]) -> Array:
        """By how much the regret rises when one of the `held` runs is given back."""
        rows = self.runs[:, held]
        moved = rows @ covariance
        variance = np.minimum(np.einsum("dck,dck->dc", moved, rows), 1.0 - 1e-9)
        crossed = moved @ self.aims.transpose(0, 2, 1)
        return np.asarray(0.5 * ((crossed**2).sum(axis=2) / (1.0 - variance)).mean(axis=0))

    def slopes(self, weights: Array) -> Array:
        """-∂ regret / ∂ weight of each candidate (candidates,)."""
        moved = self.runs @ self.covariance(weights) @ self.aims.transpose(0, 2, 1)
        return np.asarray(0.5 * (moved**2).sum(axis=2).mean(axis=0))

    def tempered(self) -> Criterion:
        """The same, with the stakes of absurd draws lowered to `MOST`: a few far out must not decide for all."""
        stakes = 0.5 * np.einsum("dak,dkl,dal->d", self.aims, _inverse(self.precision), self.aims)
        lowered = np.sqrt(MOST / np.maximum(stakes, MOST))
        return Criterion(self.runs, self.aims * lowered[:, None, None], self.precision)

    def standing(self, weights: Array) -> Standing:
        """Where a design stands that grows run by run."""
        covariance = self.covariance(weights)
        moved = self.runs @ covariance
        variance = np.einsum("dck,dck->dc", moved, self.runs)
        crossing = ((moved @ self.aims.transpose(0, 2, 1)) ** 2).sum(axis=2)
        return Standing(self, np.array(weights, float), covariance, variance, crossing)

    def take(self, rows: NDArray[np.intp]) -> Criterion:
        """The criterion over these candidates only."""
        return Criterion(self.runs[:, rows], self.aims, self.precision)


@dataclass(eq=False)
class Standing:
    """A design to which runs are added one by one: Σ (draws, free, free), for each draw and candidate the variance
    J Σ Jᵀ and the squared crossing |G Σ Jᵀ|². A purchase updates all three (rank one) by two products of J."""

    criterion: Criterion
    weights: Array
    covariance: Array
    variance: Array
    crossing: Array

    def gains(self) -> Array:
        """By how much one more run at each candidate lowers the regret (candidates,)."""
        return np.asarray(0.5 * (self.crossing / (1.0 + self.variance)).mean(axis=0))

    def add(self, candidate: int) -> None:
        """Buy one run at `candidate`."""
        self.weights[candidate] += 1.0
        if self.weights.sum() % REFRESH == 0:  # rounding adds up
            fresh = self.criterion.standing(self.weights)
            self.covariance, self.variance, self.crossing = fresh.covariance, fresh.variance, fresh.crossing
            return
        runs, aims = self.criterion.runs, self.criterion.aims
        moved = (self.covariance @ runs[:, candidate, :, None])[:, :, 0]
        aimed = aims @ moved[:, :, None]
        back = (self.covariance @ (aims.transpose(0, 2, 1) @ aimed))[:, :, 0]
        scale = 1.0 / (1.0 + np.maximum(np.einsum("dk,dk->d", moved, runs[:, candidate]), 0.0))
        shared = (runs @ moved[:, :, None])[:, :, 0] * scale[:, None]
        crossed = (runs @ back[:, :, None])[:, :, 0]
        self.crossing = self.crossing + shared * (shared * (aimed**2).sum(axis=1) - 2.0 * crossed)
        self.crossing = np.maximum(self.crossing, 0.0)
        self.variance = np.maximum(self.variance - shared**2 / scale[:, None], 0.0)
        self.covariance = self.covariance - scale[:, None, None] * moved[:, :, None] * moved[:, None, :]


def compressed(aims: Array) -> Array:
    """Aims (draws, aims, free) as at most `free` rows with the same GᵀG."""
    if aims.shape[1] <= aims.shape[2]:
        return aims
    values, vectors = np.linalg.eigh(aims.transpose(0, 2, 1) @ aims)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]).transpose(0, 2, 1))


def joined(parts: list[Criterion]) -> Criterion:
    """The mean of several criteria over the same candidates; coefficients a part does not have are known in it."""
    if len(parts) == 1:
        return parts[0]
    free = max(p.precision.shape[1] for p in parts)
    aims = max(p.aims.shape[1] for p in parts)

    def wide(rows: Array, count: int) -> Array:
        return np.pad(rows, ((0, 0), (0, count - rows.shape[1]), (0, free - rows.shape[2])))

    precision = []
    for p in parts:
        padded = np.tile(np.eye(free), (len(p.precision), 1, 1))
        padded[:, : p.precision.shape[1], : p.precision.shape[1]] = p.precision
        precision.append(padded)
    return Criterion(
        np.concatenate([wide(p.runs, p.runs.shape[1]) for p in parts]),
        np.concatenate([wide(p.aims, aims) for p in parts]),
        np.concatenate(precision),
    )


def _inverse(matrices: Array) -> Array:
    """Inverses of positive definite matrices of very unequal scales."""
    scale = 1.0 / np.sqrt(np.einsum("dkk->dk", matrices))
    balanced = matrices * scale[:, :, None] * scale[:, None, :] + RIDGE * np.eye(matrices.shape[1])
    inverse = np.linalg.inv(balanced)
    inverse = 0.5 * (inverse + inverse.transpose(0, 2, 1))
    return np.asarray(inverse * scale[:, :, None] * scale[:, None, :])

"""Capabilities of models: the principal components of their scores on many benchmarks.

Ruan et al. 2024 (2405.10938). Scores are standardised; a missing score is filled in from the components themselves, by
iterating (the imputation of principal component analysis), so that a benchmark which some models never took counts for
the others. Components are ordered by the variance they explain and turned so that better models have larger values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation

Array = NDArray[np.float64]
ROUNDS = 500
SETTLED = 1e-10


@dataclass(frozen=True, eq=False)
class Capabilities:
    """Capabilities (models, components) of the models given, and how scores make them."""

    values: Array  # (models, components)
    explained: Array  # (components,) share of the variance of the scores
    centre: Array  # (benchmarks,) mean score
    spread: Array  # (benchmarks,) standard deviation of the scores
    loadings: Array  # (components, benchmarks), orthonormal rows

    def of(self, scores: Array) -> Array:
        """Capabilities (models, components) of further models from their scores (models, benchmarks), NaN if not taken.

        Least squares over the benchmarks that a model took; NaN for one that took fewer than there are components.
        """
        standard = (np.atleast_2d(scores) - self.centre) / self.spread
        found = np.full((len(standard), len(self.loadings)), np.nan)
        for row, taken in enumerate(np.isfinite(standard)):
            if taken.sum() >= len(self.loadings):
                found[row] = np.linalg.lstsq(self.loadings[:, taken].T, standard[row, taken], rcond=None)[0]
        return found


def capabilities(scores: Array, component_count: int = 3) -> Capabilities:
    """The first principal components of `scores` (models, benchmarks), larger being better, NaN where not taken.

    Raises InvalidInput where models, or benchmarks that tell them apart, are fewer than the components asked for.
    """
    scores = np.asarray(scores, float)
    known = np.isfinite(scores)
    centre, spread = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0)
    if min(scores.shape[0] - 1, int((spread > 0).sum())) < component_count:
        allowed = f"at most one less than the {scores.shape[0]} models, and the benchmarks that differ between them"
        raise InvalidInput(Violation("component_count", str(component_count), allowed))
    spread = np.where(spread > 0, spread, 1.0)
    standard = np.where(known, (scores - centre) / spread, 0.0)
    for _ in range(ROUNDS):
        shift = standard.mean(axis=0)
        left, sizes, right = np.linalg.svd(standard - shift, full_matrices=False)
        low_rank = (left[:, :component_count] * sizes[:component_count]) @ right[:component_count] + shift
        change = float(np.max(np.abs(np.where(known, 0.0, low_rank - standard)), initial=0.0))
        standard = np.where(known, standard, low_rank)
        if change < SETTLED:
            break
    loadings = right[:component_count] * np.where(right[:component_count].sum(axis=1) < 0, -1.0, 1.0)[:, None]
    explained = sizes[:component_count] ** 2 / np.sum(sizes**2)
    return Capabilities((standard - shift) @ loadings.T, explained, centre + shift * spread, spread, loadings)

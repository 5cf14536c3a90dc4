"""The fitting objective: Huber's loss on log residuals, summed over runs.

Hoffmann et al. 2022 (2203.15556) App. D.2 with δ = 1e-3; summed, not averaged, since the mean makes optimisers with
absolute tolerances stop early (Besiroglu et al. 2024, 2404.10102). δ is below most residuals, so this is close to
least absolute deviations: robust to outliers, but kinked, which is why fits approach it through larger δ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DELTA = 1e-3


def described(signed: bool) -> str:
    """The objective in words; `signed` for metrics that may be negative, whose residuals are differences."""
    residual = "predicted - observed" if signed else "log(predicted) - log(observed)"
    return f"Huber loss of {residual}, summed over runs"


@dataclass(frozen=True, eq=False)
class Huber:
    """Huber's function and its derivatives at residuals r: r²/2 within δ, δ(|r| - δ/2) beyond.

    δ is one, or an array that broadcasts with the residuals.
    """

    delta: float | Array = DELTA

    def value(self, residual: Array) -> Array:
        """Huber's function, elementwise."""
        clipped = np.clip(residual, -self.delta, self.delta)
        return np.asarray(clipped * (residual - 0.5 * clipped))

    def slope(self, residual: Array) -> Array:
        """First derivative: the residual, clipped."""
        return np.asarray(np.clip(residual, -self.delta, self.delta))

    def curvature(self, residual: Array) -> Array:
        """Second derivative: 1 within δ, 0 beyond."""
        return np.asarray((np.abs(residual) <= self.delta).astype(float))

    def weight(self, residual: Array) -> Array:
        """slope / residual: the weight that makes a least-squares step a descent step."""
        return np.asarray(self.delta / np.maximum(np.abs(residual), self.delta))

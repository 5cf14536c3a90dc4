"""How far a refit to a part of the runs comes to lie from the fit to all when nothing is the matter.

A part knows less than the whole, so its law differs, and what it says of the other runs errs by more than their noise.
Only beyond that is a difference evidence against the form. Of an efficient estimate, refit less fit has the variance of
the refit less that of the fit (Hausman 1978); variances are those of the linearised law.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MEDIAN_REGRESSION = 0.5 * np.pi  # variance of coefficients that minimise absolute residuals, over least squares
SINGULAR = 1e-12


def usual_misses(jacobian: Array, chosen: NDArray[np.bool_]) -> Array:
    """Errors of a refit to the `chosen` runs at each of the others, in standard deviations of the noise (others,).

    `jacobian` is (free, rows), of residuals.
    """
    part, others = jacobian[:, chosen], jacobian[:, ~chosen]
    spread = np.linalg.pinv(part @ part.T, rcond=SINGULAR, hermitian=True)
    return np.asarray(
        np.sqrt(1.0 + MEDIAN_REGRESSION * np.maximum(np.einsum("kn,kj,jn->n", others, spread, others), 0.0))
    )


def usual_shift(jacobian: Array, chosen: NDArray[np.bool_], slope: Array) -> float:
    """Of a quantity with this `slope` (free,) in the coefficients, in its standard errors of the fit to all runs."""
    whole, part = (
        float(slope @ np.linalg.pinv(j @ j.T, rcond=SINGULAR, hermitian=True) @ slope)
        for j in (jacobian, jacobian[:, chosen])
    )
    return float(np.sqrt(max(part / whole - 1.0, 0.0))) if whole > 0 else 0.0

"""A value with the interval of its bootstrap draws, and the exponents of the best model that fits are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from planner.laws.form import Form

Array = NDArray[np.float64]
LEVEL = 0.8


@dataclass(frozen=True)
class Estimate:
    """A value with its 80 % interval and standard error over the draws (NaN without draws)."""

    value: float
    lower: float
    upper: float
    standard_error: float


@dataclass(frozen=True)
class ComputeOptimalExponent:
    """N* ∝ C^parameters and D* ∝ C^tokens."""

    parameters: Estimate
    tokens: Estimate


@dataclass(frozen=True)
class ApproachExponents:
    """a in N* ∝ C^a of the same runs by every approach that they allow: the parametric fit, parabolas, the envelope.

    Their disagreement is uncertainty that no bootstrap of one approach shows; `pooled` is over the draws of all.
    """

    exponents: Mapping[str, Estimate]
    disagreement: float  # largest less smallest
    pooled: Estimate


def estimate_of(value: float, sample: Array | None) -> Estimate:
    """The value with the middle 80 % of the `sample` (draws,), which takes the value in; NaN with fewer than two.

    Where the runs leave a direction open the draws may lie to one side of the fit, which is as possible as they are.
    """
    if sample is None or len(sample) < 2:
        return Estimate(value, float("nan"), float("nan"), float("nan"))
    tail = 0.5 * (1.0 - LEVEL)
    low, high = np.quantile(sample, [tail, 1.0 - tail])
    return Estimate(value, float(min(low, value)), float(max(high, value)), float(np.std(sample, ddof=1)))


def estimates_of(best: Form, draws: Array | None) -> Mapping[str, Estimate]:
    """Every coefficient of `best` with the interval of its column of `draws` (draws, coefficients)."""
    columns = {k: None if draws is None else draws[:, j] for j, k in enumerate(best.names())}
    return MappingProxyType({k: estimate_of(float(v), columns[k]) for k, v in best.values().items()})


def exponents_of(best: Form, draws: Array | None) -> ComputeOptimalExponent | None:
    """Exponents of the compute-optimal model and tokens; None where the form has none."""
    points = best.compute_optimal_exponents()
    samples = None if draws is None else type(best).from_vector(draws).compute_optimal_exponents()
    if points is None:
        return None
    parameters, tokens = (
        estimate_of(float(points[k]), None if samples is None else np.asarray(samples[k], float).reshape(-1))
        for k in (0, 1)
    )
    return ComputeOptimalExponent(parameters, tokens)

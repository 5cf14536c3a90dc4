"""A user's own measurements refit the serving constants, shrunk towards the shipped ones.

Ridge regression in the logarithm of the constants: each may leave its shipped value as far as the measurements pay
for it, so that twenty rows of one accelerator and model suffice and none are needed. Beside the constants a level of
the whole stack and one of each engine and weight format are fitted, which take what the constants cannot. Soft-L1 loss,
because a few measurements are always odd. Interval factors come from the residuals of leaving parts of the rows out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from planner.errors import Violation, require
from planner.hardware.columns import Columns, Floats, numbers, require_columns
from planner.hardware.intervals import Interval, interval_factors
from planner.hardware.serving import ServingConstants, serving_constants
from planner.hardware.serving_estimate import ServingTimes, serving_times, take
from planner.hardware.serving_points import ServingPoints, serving_points

_SHRINKAGE = 0.2  # standard deviation, in log units, of a stack's constants around the shipped ones
_TPOT_NOISE, _TTFT_NOISE = 0.06, 0.3  # log units: what repeats of one measurement differ by
_SHARED = len(fields(ServingConstants))  # then the level of step times, that of first tokens, then engines
_ENGINE_SHRINKAGE = 0.2
_LEAST_ROWS = 3
_PARTS = 5


@dataclass(frozen=True)
class Recalibration:
    """Constants and levels of one stack; intervals by quantity; errors before and after on rows left out.

    `tpot_level` and `ttft_level` multiply the times of every configuration, `engine_levels` the step times of one
    engine and weight format (`vllm fp8`). Errors are medians of |predicted / measured - 1|.
    """

    constants: ServingConstants
    tpot_level: float
    ttft_level: float
    engine_levels: dict[str, float]
    intervals: dict[str, Interval]
    row_count: int
    tpot_error_before: float
    tpot_error_after: float

    def times(self, columns: Columns) -> tuple[ServingPoints, ServingTimes]:
        """Predictions for a table under these constants. Raises InvalidInput as `estimate_serving`."""
        points = serving_points(columns)
        own = np.log([self.engine_levels.get(name, 1.0) for name in _engines(points)])
        points = _levelled(points, np.log(self.tpot_level) + own, np.log(self.ttft_level))
        return points, serving_times(points, self.constants)


def recalibrate(columns: Columns) -> Recalibration:
    """Fit the serving constants to measurements.

    Args:
        columns: a table as `estimate_serving` takes it, with `tpot_ms` and, where known, `ttft_ms` (milliseconds).

    Raises:
        InvalidInput: a column is absent, or fewer than three rows can be used.
    """
    require_columns(columns, "tpot_ms")
    points = serving_points(columns)
    tpot = numbers(columns, "tpot_ms")[points.rows] / 1e3
    ttft = numbers(columns, "ttft_ms")[points.rows] / 1e3
    good = (tpot > 0) & np.isfinite(tpot) & serving_times(points).fits
    require(
        *(
            [Violation("rows", f"{int(good.sum())} usable", f"at least {_LEAST_ROWS} measured configurations")]
            if good.sum() < _LEAST_ROWS
            else []
        )
    )
    points, log_tpot = take(points, good), np.log(tpot[good])
    log_ttft = np.log(np.where(ttft[good] > 0, ttft[good], np.nan))
    everything, names = np.arange(len(log_tpot)), sorted(set(_engines(points)))
    theta = _fit(points, log_tpot, log_ttft, names)
    left = np.zeros((2, len(log_tpot)))
    parts = np.random.default_rng(0).permutation(len(log_tpot)) % min(_PARTS, len(log_tpot))
    for part in sorted(set(parts.tolist())):
        rest, here = everything[parts != part], everything[parts == part]
        found = _fit(take(points, rest), log_tpot[rest], log_ttft[rest], names)
        left[:, here] = _errors(take(points, here), log_tpot[here], log_ttft[here], found, names)
    before = _errors(points, log_tpot, log_ttft, np.zeros(len(theta)), names)[0]
    return Recalibration(
        constants=_constants(theta),
        tpot_level=float(np.exp(theta[_SHARED])),
        ttft_level=float(np.exp(theta[_SHARED + 1])),
        engine_levels={n: float(np.exp(t)) for n, t in zip(names, theta[_SHARED + 2 :])},
        intervals={
            "tpot_seconds": _interval(left[0], "tpot_seconds"),
            "ttft_seconds": _interval(left[1], "ttft_seconds"),
        },
        row_count=len(log_tpot),
        tpot_error_before=_median_error(before),
        tpot_error_after=_median_error(left[0]),
    )


def _constants(theta: Floats) -> ServingConstants:
    shipped = asdict(serving_constants())
    return ServingConstants(**{n: float(v * np.exp(t)) for (n, v), t in zip(shipped.items(), theta)})


def _engines(points: ServingPoints) -> list[str]:
    return [f"{name} {number}" for name, number in zip(points.framework, points.cell.precision)]


def _levelled(points: ServingPoints, log_tpot_level: Any, log_ttft_level: float) -> ServingPoints:
    cell = points.cell
    change = {
        "framework_factor": cell.framework_factor * np.exp(log_tpot_level),
        "first_token_factor": cell.first_token_factor * np.exp(log_ttft_level - log_tpot_level),
    }
    return replace(points, cell=replace(cell, **change))


def _errors(points: ServingPoints, log_tpot: Floats, log_ttft: Floats, theta: Floats, names: list[str]) -> Floats:
    """Log of predicted over measured TPOT and TTFT (NaN where the latter is not given)."""
    own = theta[_SHARED + 2 :][[names.index(n) for n in _engines(points)]]
    levelled = _levelled(points, theta[_SHARED] + own, float(theta[_SHARED + 1]))
    times = serving_times(levelled, _constants(theta))
    return np.stack([np.log(times.tpot_seconds) - log_tpot, np.log(times.ttft_seconds) - log_ttft])


def _fit(points: ServingPoints, log_tpot: Floats, log_ttft: Floats, names: list[str]) -> Floats:
    count = _SHARED + 2 + len(names)
    width = np.full(count, _SHRINKAGE)
    width[_SHARED + 2 :] = _ENGINE_SHRINKAGE

    def cost(theta: Floats) -> Floats:
        each, first = _errors(points, log_tpot, log_ttft, theta, names)
        residuals = np.concatenate([each / _TPOT_NOISE, np.nan_to_num(first) / _TTFT_NOISE])
        return np.concatenate([residuals, theta / width])

    bound = np.full(count, 3.0)
    return np.asarray(least_squares(cost, np.zeros(count), loss="soft_l1", bounds=(-bound, bound), max_nfev=60).x)


def _interval(left: Floats, quantity: str) -> Interval:
    """80 % factors from left-out residuals, with the shipped interval as ten rows' worth of prior knowledge."""
    known = -left[np.isfinite(left)]
    shipped = interval_factors(quantity)
    weight = len(known) / (len(known) + 10.0)
    if not len(known):
        return shipped
    low, high = np.quantile(known, [0.1, 0.9])
    return Interval(
        float(np.exp(weight * low + (1 - weight) * np.log(shipped.lower))),
        float(np.exp(weight * high + (1 - weight) * np.log(shipped.upper))),
    )


def _median_error(residual: Floats) -> float:
    return float(np.median(np.abs(np.expm1(residual))))

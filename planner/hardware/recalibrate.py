"""A user's own measurements refit the serving constants, shrunk towards the shipped ones.

Ridge regression in the logarithm of the constants: each may leave its shipped value as far as the measurements pay
for it, so that twenty rows of one accelerator and model suffice and none are needed. Beside the constants stand levels
of the whole stack, of each engine and weight format, and of each accelerator with each model, so that what only one of
them shows stays with it (partial pooling: Gelman & Hill 2007, ch. 12). Soft-L1 loss, because a few measurements are
always odd. Errors and intervals come from leaving parts of the rows out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from scipy.optimize import least_squares

from planner.errors import Violation, require
from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.columns import Columns, Floats, numbers, require_columns
from planner.hardware.intervals import Interval, interval_factors
from planner.hardware.recalibration import Recalibration, engines, groups, levelled, log_levels
from planner.hardware.serving import ServingConstants
from planner.hardware.serving_estimate import serving_times, take
from planner.hardware.serving_points import ServingPoints, serving_points

SHRINKAGE = 0.2  # standard deviation, in log units, of a stack's constants and levels around the shipped ones
_TPOT_NOISE, _TTFT_NOISE = 0.06, 0.3  # log units: what repeats of one measurement differ by
_SHARED = len(fields(ServingConstants))  # then levels: of steps, of first tokens, of engines, of groups
_TAIL = 0.1
_LEAST_ROWS = 3
_LONGEST_SECONDS, _MOST = 1e4, 1e8  # of a step or a first token; tokens or users
_PARTS = 5
_QUANTITIES = ("tpot_seconds", "ttft_seconds", "output_tokens_per_second")


@dataclass(frozen=True)
class _Measured:
    """Configurations with the logarithms of what was measured, (3, rows) in the order of `_QUANTITIES`, NaN = blank;
    `engine`, `group`: which level of each kind holds for each row; `start`: the constants to shrink towards."""

    start: ServingConstants
    points: ServingPoints
    log_values: Floats
    engine_names: tuple[str, ...]
    group_names: tuple[str, ...]
    engine: np.ndarray[tuple[int], np.dtype[np.intp]]
    group: np.ndarray[tuple[int], np.dtype[np.intp]]

    def part(self, chosen: np.ndarray[tuple[int], np.dtype[np.intp]]) -> _Measured:
        return replace(
            self,
            points=take(self.points, chosen),
            log_values=self.log_values[:, chosen],
            engine=self.engine[chosen],
            group=self.group[chosen],
        )

    @property
    def unknowns(self) -> int:
        return _SHARED + 2 + len(self.engine_names) + len(self.group_names)

    def errors(self, theta: Floats) -> Floats:
        """Log of predicted over measured, (3, rows)."""
        own = theta[_SHARED + 2 :]
        steps = np.exp(theta[_SHARED] + own[self.engine] + own[len(self.engine_names) + self.group])
        cell = levelled(self.points.cell, steps, np.exp(theta[_SHARED + 1]))
        times = serving_times(replace(self.points, cell=cell), self.constants(theta))
        predicted = np.stack([times.tpot_seconds, times.ttft_seconds, times.output_tokens_per_second])
        found: Floats = np.log(predicted) - self.log_values
        return found

    def constants(self, theta: Floats) -> ServingConstants:
        """The constants at logarithmic distances `theta` from the start."""
        return ServingConstants(**{n: float(v * np.exp(t)) for (n, v), t in zip(asdict(self.start).items(), theta)})


def recalibrate(columns: Columns, catalogue: Catalogue = SHIPPED) -> Recalibration:
    """Fit the serving constants to measurements.

    Args:
        columns: a table as `estimate_serving` takes it, with `tpot_ms` and, where known, `ttft_ms` (milliseconds) and
            `output_tok_s` (output tokens per second of the whole deployment).
        catalogue: own accelerators and models that the table names, and the constants to start from (the shipped ones,
            unless it has a calibration).

    Raises:
        InvalidInput: a column is absent, or fewer than three rows can be used; then with the reasons.
    """
    measured, refused = _usable(columns, catalogue)
    theta = _fit(measured)
    left = _left_out(measured)
    before = measured.errors(np.zeros(len(theta)))
    own = theta[_SHARED + 2 :]
    usual = measured.engine_names[int(np.bincount(measured.engine).argmax())]
    return Recalibration(
        constants=measured.constants(theta),
        tpot_level=float(np.exp(theta[_SHARED])),
        ttft_level=float(np.exp(theta[_SHARED + 1])),
        engine_levels=log_levels(own[: len(measured.engine_names)], measured.engine_names),
        group_levels=log_levels(own[len(measured.engine_names) :], measured.group_names),
        intervals={name: _interval(left[i], name) for i, name in enumerate(_QUANTITIES)},
        engine=usual.rpartition(" ")[0],
        row_count=left.shape[1],
        refused=refused,
        tpot_error_before=_median_error(before[0]),
        tpot_error_after=_median_error(left[0]),
        ttft_error_before=_median_error(before[1]),
        ttft_error_after=_median_error(left[1]),
    )


def require_usable(columns: Columns, catalogue: Catalogue = SHIPPED) -> None:
    """The errors that `recalibrate` would raise, without its work."""
    _usable(columns, catalogue)


def _usable(columns: Columns, catalogue: Catalogue) -> tuple[_Measured, dict[int, str]]:
    """The rows that can be fitted, and why each other one cannot."""
    require_columns(columns, "tpot_ms")
    points = serving_points(columns, catalogue)
    given = [numbers(columns, n)[points.rows] for n in ("tpot_ms", "ttft_ms", "output_tok_s")]
    tpot, ttft = (np.where((v > 0) & (v < _LONGEST_SECONDS), v, np.nan) for v in (given[0] / 1e3, given[1] / 1e3))
    speed = np.where((given[2] > 0) & np.isfinite(given[2]), given[2], np.nan)
    answer = ttft + points.output_tokens * tpot
    speed = np.where(np.isnan(speed), points.concurrency * points.output_tokens / answer, speed)
    with np.errstate(over="ignore", invalid="ignore"):
        times = serving_times(points, catalogue.serving_constants)
        both = times.ttft_seconds * times.tpot_seconds
    known, most = np.isfinite(tpot), np.stack([points.input_tokens, points.output_tokens, points.concurrency])
    sound = np.isfinite(both) & ~(np.max(most, axis=0, initial=0) > _MOST)
    refused = dict(points.reasons)
    refused |= {int(i): f"no tpot_ms between 0 and {1e3 * _LONGEST_SECONDS:g}" for i in points.rows[~known]}
    refused |= {int(i): "lengths or users beyond anything physical" for i in points.rows[known & ~sound]}
    refused |= {int(i): "the model does not fit into the memory" for i in points.rows[known & sound & ~times.fits]}
    good = np.flatnonzero(known & sound & times.fits)
    reasons = "; ".join(sorted(set(refused.values()))[:5])
    usable = f"{len(good)} usable" + (f" ({reasons})" if reasons else "")
    if len(good) < _LEAST_ROWS:
        require(Violation("rows", usable, f"at least {_LEAST_ROWS} measured configurations"))
    engine = np.array(engines(points.framework, points.cell.precision))[good]
    group = np.array(groups(points.cell.accelerator, points.shape))[good]
    engine_names, engine_of = np.unique(engine, return_inverse=True)
    group_names, group_of = np.unique(group, return_inverse=True)
    values = np.log(np.stack([tpot, ttft, speed]))[:, good]
    names = tuple(map(str, engine_names)), tuple(map(str, group_names))
    start = catalogue.serving_constants
    found = _Measured(start, take(points, good), values, *names, engine_of, group_of)
    return found, dict(sorted(refused.items()))


def _fit(measured: _Measured) -> Floats:
    """Logarithms of constants and levels over the shipped ones (throughput follows from the two times)."""

    def cost(theta: Floats) -> Floats:
        each, first, _ = measured.errors(theta)
        residuals = np.concatenate([each / _TPOT_NOISE, np.nan_to_num(first) / _TTFT_NOISE])
        return np.concatenate([residuals, theta / SHRINKAGE])

    bound = np.full(measured.unknowns, 3.0)
    start = np.zeros(measured.unknowns)
    return np.asarray(least_squares(cost, start, loss="soft_l1", bounds=(-bound, bound), max_nfev=60).x)


def _left_out(measured: _Measured) -> Floats:
    """Errors of every row under constants that were fitted without its part of the rows, (3, rows)."""
    rows = np.arange(measured.log_values.shape[1])
    parts = np.random.default_rng(0).permutation(len(rows)) % min(_PARTS, len(rows))
    left = np.zeros(measured.log_values.shape)
    for part in range(parts.max() + 1):
        left[:, parts == part] = measured.part(rows[parts == part]).errors(_fit(measured.part(rows[parts != part])))
    return left


def _interval(left: Floats, quantity: str) -> Interval:
    """80 % factors: the order statistics of left-out residuals between which a new one falls with that probability
    (cross-conformal prediction: Vovk 2015); with too few rows for them, the shipped interval or wider."""
    known = np.sort(-left[np.isfinite(left)])
    shipped = interval_factors(quantity)
    rank = int((len(known) + 1) * _TAIL)
    if rank >= 1:
        return Interval(float(np.exp(known[rank - 1])), float(np.exp(known[-rank])))
    low, high = np.exp(known.min(initial=np.inf)), np.exp(known.max(initial=-np.inf))
    return Interval(min(shipped.lower, float(low)), max(shipped.upper, float(high)))


def _median_error(residual: Floats) -> float:
    known = residual[np.isfinite(residual)]
    return float(np.median(np.abs(np.expm1(known)))) if len(known) else float("nan")

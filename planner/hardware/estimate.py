"""Predictions for whole tables of configurations, as new columns in the order of the rows.

`estimate_serving`, `estimate_energy` and `estimate_training` take the columns of published benchmark tables
and give each prediction with the bounds of its 80 % interval, and `supported`: false, with blank (NaN)
numbers, where the row cannot be run (unknown accelerator or model, precision the chip lacks, layout that
does not divide, model that does not fit).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.columns import Columns, Floats, numbers
from planner.hardware.energy import board_watts
from planner.hardware.hypothetical import HYPOTHETICAL, distance_from_known, widened
from planner.hardware.intervals import Interval, interval_factors
from planner.hardware.serving_estimate import ServingTimes, serving_times
from planner.hardware.serving_points import ServingPoints, serving_points
from planner.hardware.training import accelerator_hours, tokens_per_second_per_accelerator
from planner.hardware.training_points import training_points

_SITUATION = {"loop": "", "batch": "_batch", "split": "_split"}


def estimate_serving(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds `predicted_ttft_seconds`, `predicted_tpot_seconds`, `predicted_output_tokens_per_second`, `shape_distance`.

    Understands tables of a closed loop (`concurrency`), of whole batches (`batch_size`: time to first token
    is the prefill of the batch) and of disaggregated sets (`mode` = disagg). `shape_distance` is 1 for models
    whose shape is known; of a row that has parameter counts only, the factor from the nearest known model.

    Raises:
        InvalidInput: a needed column is absent, or columns differ in length.
    """
    points, times = _served(columns, catalogue)
    values = {
        "ttft_seconds": times.ttft_seconds,
        "tpot_seconds": times.tpot_seconds,
        "output_tokens_per_second": times.output_tokens_per_second,
    }
    result: dict[str, list[Any]] = {}
    for name, value in values.items():
        lower, upper = _bounds(name, points, catalogue)
        result |= _columns(name, points.row_count, points.rows[times.fits], *_pick(times.fits, value, lower, upper))
    distance = np.full(points.row_count, np.nan)
    distance[points.rows[times.fits]] = _distances(points)[times.fits]
    return result | {"shape_distance": distance.tolist()} | _supported(points.row_count, points.rows[times.fits])


def estimate_energy(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds `predicted_joules_per_token` (boards of the replica, per output token) and `predicted_power_watts`
    (their sum).

    Where the table has a measured throughput (`output_tok_s`), power follows from it and joules are power over it;
    else from the estimated one.

    Raises:
        InvalidInput: a needed column is absent, or columns differ in length.
    """
    points, times = _served(columns, catalogue)
    given = numbers(columns, "output_tok_s")[points.rows]
    speed = np.where(given > 0, given, times.output_tokens_per_second)
    power = serving_watts(points, times, speed)
    known = times.fits & np.isfinite(power)
    result: dict[str, list[Any]] = {}
    free, known_speed = interval_factors("joules_per_token"), interval_factors("power_watts")
    lower = np.where(given > 0, known_speed.lower, free.lower)
    upper = np.where(given > 0, known_speed.upper, free.upper)
    for name, value in (("joules_per_token", power / speed), ("power_watts", power)):
        around = (known_speed.lower, known_speed.upper) if name == "power_watts" else (lower, upper)
        picked = _pick(known, value, *(np.broadcast_to(a, value.shape) for a in around))
        result |= _columns(name, points.row_count, points.rows[known], *picked)
    return result | _supported(points.row_count, points.rows[known])


def serving_watts(points: ServingPoints, times: ServingTimes, tokens_per_second: Floats) -> Floats:
    """Board power of all accelerators of each configuration at that throughput, between idle and TDP."""
    replica = tokens_per_second * (points.cell.accelerators / points.accelerators)
    lengths = (points.input_tokens, points.output_tokens)
    each = board_watts(points.shape, points.cell, times.running, *lengths, replica)
    watts: Floats = each * points.accelerators
    return watts


def estimate_training(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds `predicted_accelerator_hours` (whole runs; blank without tokens or FLOPs) and
    `predicted_tokens_per_second_per_accelerator` (steady state).

    Raises:
        InvalidInput: a needed column is absent, or columns differ in length.
    """
    points = training_points(columns, catalogue)
    cell, active, count = points.cell, points.active_parameters, points.accelerators
    speed = tokens_per_second_per_accelerator(cell, points.flops_per_token, active, count, **points.counted(1.0))
    tokens = points.total_flops / points.flops_per_token
    hours = accelerator_hours(cell, active, points.total_flops, count, **points.counted(tokens))
    result: dict[str, list[Any]] = {}
    for name, value in (("accelerator_hours", hours), ("tokens_per_second_per_accelerator", speed)):
        factors = interval_factors(name)
        bounds = (_constant(factors.lower, value), _constant(factors.upper, value))
        result |= _columns(name, points.row_count, points.rows, value, *bounds)
    return result | _supported(points.row_count, points.rows)


def _constant(factor: float, like: Floats) -> Floats:
    return np.full(len(like), factor)


def _served(columns: Columns, catalogue: Catalogue) -> tuple[ServingPoints, ServingTimes]:
    """Configurations and their times, under the constants of the caller's stack if these are known."""
    points, own = serving_points(columns, catalogue), catalogue.calibration
    if own is None:
        return points, serving_times(points)
    points = replace(points, cell=own.cell(points.cell, points.shape.name, points.framework))
    return points, serving_times(points, own.constants)


def _bounds(quantity: str, points: ServingPoints, catalogue: Catalogue) -> tuple[Floats, Floats]:
    """Interval factors row by row: each situation has its own errors, and so has what a calibration measured."""
    known: dict[str, Interval] = {k: interval_factors(quantity + suffix) for k, suffix in _SITUATION.items()}
    lower, upper = (np.array([getattr(known[k], side) for k in points.kind]) for side in ("lower", "upper"))
    own = catalogue.calibration
    if own is not None:
        measured = own.measured(points.cell.accelerator, points.shape.name)
        lower = np.where(measured, own.intervals[quantity].lower, lower)
        upper = np.where(measured, own.intervals[quantity].upper, upper)
    planned = points.shape.name == HYPOTHETICAL
    if not np.any(planned):
        return lower, upper
    wide = widened(quantity, lower, upper, points.shape.expert_count > 1)
    return np.where(planned, wide[0], lower), np.where(planned, wide[1], upper)


def _distances(points: ServingPoints) -> Floats:
    """The factor between each configuration's model and the nearest known one: 1 where it is known."""
    found = np.ones(len(points.rows))
    planned = np.flatnonzero(points.shape.name == HYPOTHETICAL)
    if len(planned):
        sizes = np.stack([points.shape.active_parameters, points.shape.total_parameters], axis=1)[planned]
        kinds, kind = np.unique(sizes.astype(float), axis=0, return_inverse=True)
        found[planned] = np.array([distance_from_known(*size) for size in kinds.tolist()])[kind.reshape(-1)]
    return found


def _pick(chosen: Any, *values: Floats) -> tuple[Floats, ...]:
    return tuple(v[chosen] for v in values)


def _columns(name: str, count: int, rows: Any, value: Floats, lower: Floats, upper: Floats) -> dict[str, list[Any]]:
    full = {}
    for suffix, part in (("", value), ("_lower", value * lower), ("_upper", value * upper)):
        column = np.full(count, np.nan)
        column[rows] = part
        full[f"predicted_{name}{suffix}"] = column.tolist()
    return full


def _supported(count: int, rows: Any) -> dict[str, list[Any]]:
    flags = np.zeros(count, dtype=bool)
    flags[rows] = True
    return {"supported": flags.tolist()}

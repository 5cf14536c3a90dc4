"""Predictions for whole tables of configurations, as new columns in the order of the rows.

`estimate_serving` and `estimate_energy` (and `training_estimate.estimate_training`) take the columns of published
benchmark tables and give each prediction with the bounds of its 80 % interval, and `supported`: false, with blank (NaN)
numbers, where the row cannot be run (unknown accelerator or model, precision the chip lacks, layout that
does not divide, model that does not fit).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.hardware.carbon import carbon_grams
from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.columns import Columns, Floats, numbers
from planner.hardware.energy import board_watts
from planner.hardware.hypothetical import HYPOTHETICAL, distance_from_known, widened
from planner.hardware.intervals import Interval, interval_factors
from planner.hardware.predictions import predicted, spread, supported
from planner.hardware.serving_estimate import ServingTimes, serving_times
from planner.hardware.serving_load import limit_probabilities, load_answers
from planner.hardware.serving_points import ServingPoints, serving_points
from planner.hardware.sites import sites
from planner.hardware.tables import calibration

DOES_NOT_FIT = "the weights and the cache of one request do not fit in the memory of the accelerators"
UNKNOWN_POWER = "the power of the accelerator is not known"
_SITUATION = {"loop": "", "batch": "_batch", "split": "_split"}


def estimate_serving(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds `predicted_ttft_seconds`, `predicted_tpot_seconds`, `predicted_output_tokens_per_second`, `shape_distance`.

    Understands tables of a closed loop (`concurrency`), of an arrival rate (`requests_per_second`), of whole batches
    (`batch_size`: time to first token is the prefill of the batch) and of disaggregated sets (`mode` = disagg); prefix
    caching and speculative decoding as `serving_techniques.py` reads them; and answers to a percentile, a rate or a
    demand where the table has one (`serving_load.py`). `shape_distance` is 1 for models whose shape is known; of a
    row that has parameter counts only, the factor from the nearest known model. Under a calibration `calibrated` says
    whether it has measured this accelerator with this model.

    Raises:
        InvalidInput: a needed column is absent, or columns differ in length.
    """
    points, times = _served(columns, catalogue)
    values = {
        "ttft_seconds": times.ttft_seconds,
        "tpot_seconds": times.tpot_seconds,
        "output_tokens_per_second": times.output_tokens_per_second,
    }
    around = {name: _bounds(name, points, catalogue) for name in values}
    answers = {name: (value, *around[name]) for name, value in values.items()}
    result: dict[str, list[Any]] = {}
    fitting = points.rows[times.fits]
    answers |= load_answers(columns, points, times, around)
    for name, bounded in answers.items():
        result |= predicted(name, points.row_count, fitting, *_pick(times.fits, *bounded))
    for name, share in limit_probabilities(columns, points, answers).items():
        result |= spread(name, points.row_count, fitting, share[times.fits])
    result |= spread("shape_distance", points.row_count, fitting, _distances(points)[times.fits])
    if catalogue.calibration:
        measured = np.zeros(points.row_count, dtype=bool)
        measured[points.rows] = catalogue.calibration.measured(points.cell.accelerator, points.shape)
        result["calibrated"] = measured.tolist()
    return result | _judged(points, times.fits, times.fits)


def estimate_energy(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds `predicted_joules_per_token` (boards of the replica, per output token), `predicted_power_watts` (their sum)
    and `predicted_kgco2e_per_million_tokens` (of the site, with the embodied share; see `sites.py`).

    Where the table has a measured throughput (`output_tok_s`), power follows from it and joules are power over it;
    else from the estimated one. The bounds of emissions are those of the energy.

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
    values = {
        "joules_per_token": power / speed,
        "power_watts": power,
        "kgco2e_per_million_tokens": _kgco2e_per_token(columns, points, power / speed, speed, catalogue) * 1e6,
    }
    for name, value in values.items():
        around = (known_speed.lower, known_speed.upper) if name == "power_watts" else (lower, upper)
        picked = _pick(known, value, *(np.broadcast_to(a, value.shape) for a in around))
        result |= predicted(name, points.row_count, points.rows[known], *picked)
    return result | _judged(points, times.fits, known)


def _kgco2e_per_token(
    columns: Columns, points: ServingPoints, joules: Floats, speed: Floats, catalogue: Catalogue
) -> Floats:
    """Emissions of a token: electricity of the site that its board energy needs, and the hours of its accelerators."""
    where = sites(columns, points.rows, points.cell.accelerator, catalogue)
    site_joules = joules * float(calibration("energy")["node_overhead"]) * where.pue
    hours = points.accelerators / speed / 3600.0
    grams = carbon_grams(site_joules, hours, where.grams_co2e_per_kwh, where.embodied_grams_per_hour)
    return np.asarray(grams * 1e-3)


def serving_watts(points: ServingPoints, times: ServingTimes, tokens_per_second: Floats) -> Floats:
    """Board power of all accelerators of each configuration at that throughput, between idle and TDP."""
    replica = tokens_per_second * (points.cell.accelerators / points.accelerators)
    lengths = (points.input_tokens, points.output_tokens)
    each = board_watts(points.shape, points.cell, times.running, *lengths, replica)
    watts: Floats = each * points.accelerators
    return watts


def _served(columns: Columns, catalogue: Catalogue) -> tuple[ServingPoints, ServingTimes]:
    """Configurations and their times, under the constants of the caller's stack if these are known."""
    points, own = serving_points(columns, catalogue), catalogue.calibration
    if own is None:
        return points, serving_times(points)
    points = replace(points, cell=own.cells(points.cell, points.shape, points.framework))
    return points, serving_times(points, own.constants)


def _bounds(quantity: str, points: ServingPoints, catalogue: Catalogue) -> tuple[Floats, Floats]:
    """Interval factors row by row: each situation has its own errors, and so has what a calibration measured."""
    known: dict[str, Interval] = {k: interval_factors(quantity + suffix) for k, suffix in _SITUATION.items()}
    kinds = [points.kind == k for k in known]
    lower, upper = (np.select(kinds, [getattr(i, side) for i in known.values()]) for side in ("lower", "upper"))
    own = catalogue.calibration
    if own is not None and quantity in own.intervals:
        measured = own.measured(points.cell.accelerator, points.shape)
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


def _judged(points: ServingPoints, fits: Any, answered: Any) -> dict[str, list[Any]]:
    """Which rows are answered, and in words why the others are not."""
    reasons = np.full(points.row_count, "", dtype=object)
    reasons[list(points.reasons)] = list(points.reasons.values())
    reasons[points.rows[~answered]] = UNKNOWN_POWER
    reasons[points.rows[~fits]] = DOES_NOT_FIT
    return {"unsupported_reason": reasons.tolist()} | supported(points.row_count, points.rows[answered])


def _pick(chosen: Any, *values: Floats) -> tuple[Floats, ...]:
    return tuple(v[chosen] for v in values)

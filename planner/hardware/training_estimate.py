"""Training runs of whole tables: speed, hours, goodput, energy, emissions and money, as new columns.

Takes the columns of published tables (`training_points.py`) and, where given, the cluster or network that a run is on
(`placements.py`), what interrupts it (`accelerator_hours_between_failures`, `checkpoint_seconds`, `restart_seconds`,
`checkpoint_interval_seconds`) and where it runs (`sites.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.hardware.carbon import carbon_grams
from planner.hardware.catalogue import SHIPPED, Catalogue
from planner.hardware.columns import Columns, first_of, numbers
from planner.hardware.energy import JOULES_PER_KWH, training_energy_joules
from planner.hardware.goodput import Interruptions, best_interval_seconds, interruptions, lost_share
from planner.hardware.intervals import interval_factors
from planner.hardware.predictions import predicted, spread, supported
from planner.hardware.sites import sites
from planner.hardware.training import accelerator_hours, tokens_per_second_per_accelerator
from planner.hardware.training_points import training_points


def estimate_training(columns: Columns, catalogue: Catalogue = SHIPPED) -> dict[str, list[Any]]:
    """Adds, with bounds, `predicted_tokens_per_second_per_accelerator` (steady state) and, of whole runs whose tokens
    or FLOPs are given, `predicted_accelerator_hours`, `predicted_wall_hours` (if the count of accelerators is, too),
    `predicted_energy_kwh` (of the site), `predicted_kgco2e` and `predicted_usd`.

    The bounds of all but the first are those of the hours: doubt about prices, grids and embodied emissions is not in
    them. Without bounds: `goodput` (share of time that trains), `best_checkpoint_interval_seconds`, `price_source`, and
    `memory_bytes_per_accelerator` (where microbatch and layout are stated); `unsupported_reason` in words.

    Raises:
        InvalidInput: a needed column is absent, columns differ in length, or a time between failures, of a checkpoint
            or of a restart is not positive.
    """
    points = training_points(columns, catalogue)
    rows, all_rows = points.rows, points.row_count
    cell, active, count = points.cell, points.active_parameters, points.accelerators
    where = sites(columns, rows, points.accelerator, catalogue)
    cause, interval = _interruptions(columns, rows, where.spot, count)
    speed = tokens_per_second_per_accelerator(cell, points.flops_per_token, active, count, **points.counted(1.0))
    counted = points.counted(points.total_flops / points.flops_per_token)
    hours = accelerator_hours(
        cell, active, points.total_flops, count, cause=cause, interval_seconds=interval, **counted
    )
    joules = training_energy_joules(hours, where.tdp_watts, pue=where.pue)
    grams = carbon_grams(joules, hours, where.grams_co2e_per_kwh, where.embodied_grams_per_hour)
    steady, whole = (interval_factors(q) for q in ("tokens_per_second_per_accelerator", "accelerator_hours"))
    runs = {
        "accelerator_hours": hours,
        "wall_hours": hours / np.where(points.accelerators_known, count, np.nan),
        "energy_kwh": joules / JOULES_PER_KWH,
        "kgco2e": grams * 1e-3,
        "usd": hours * where.price_usd_per_hour,
    }
    result = predicted("tokens_per_second_per_accelerator", all_rows, rows, speed, steady.lower, steady.upper)
    for name, value in runs.items():
        result |= predicted(name, all_rows, rows, value, whole.lower, whole.upper)
    extra = {
        "goodput": 1.0 / (1.0 + lost_share(count, cause, interval)),
        "best_checkpoint_interval_seconds": best_interval_seconds(count, cause),
        "price_source": where.price_source,
        "memory_bytes_per_accelerator": points.memory_bytes,
    }
    for name, values in extra.items():
        result |= spread(name, all_rows, rows, values)
    reasons = np.full(all_rows, "", dtype=object)
    reasons[list(points.reasons)] = list(points.reasons.values())
    return result | {"unsupported_reason": reasons.tolist()} | supported(all_rows, rows)


def _interruptions(columns: Columns, rows: Any, spot: Any, count: Any) -> tuple[Interruptions, Any]:
    """What the table says, else what was measured (on spot instances where these are the term); and the interval
    between checkpoints, the best one where the table does not say it."""
    usual, taken = interruptions(), interruptions(spot=True)
    between = np.where(spot, taken.accelerator_hours_between_failures, usual.accelerator_hours_between_failures)

    def stated(name: str, default: Any) -> Any:
        return first_of(numbers(columns, name)[rows], np.broadcast_to(default, np.shape(rows)))

    cause = Interruptions(
        accelerator_hours_between_failures=stated("accelerator_hours_between_failures", between),
        checkpoint_seconds=stated("checkpoint_seconds", usual.checkpoint_seconds),
        restart_seconds=stated("restart_seconds", usual.restart_seconds),
    )
    return cause, stated("checkpoint_interval_seconds", best_interval_seconds(count, cause))

"""Models that do not exist yet: how far they are from those that do, and what that costs in certainty.

A law's N becomes depth, width and cache by power laws over the catalogue (`shapes.hypothetical_shape`). That is an
interpolation between known models, and two things are said of it: the factor to the nearest of them, and the wider
interval of what follows (`hypothetical.toml`, measured over the catalogue).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from planner.hardware.columns import Floats
from planner.hardware.intervals import Interval, interval_factors
from planner.hardware.shapes import hypothetical_shape, model_shape, model_shape_names
from planner.hardware.tables import table

HYPOTHETICAL = hypothetical_shape(1e9).name


@cache
def _known_sizes() -> tuple[tuple[float, float], ...]:
    shapes = [model_shape(name) for name in model_shape_names()]
    return tuple((math.log(s.active_parameters), math.log(s.total_parameters)) for s in shapes)


def distance_from_known(active_parameters: float, total_parameters: float) -> float:
    """The factor (at least 1) between these parameter counts and those of the nearest known model: the larger of that
    in active and that in total parameters."""
    active, total = math.log(active_parameters), math.log(total_parameters)
    return math.exp(min(max(abs(active - a), abs(total - t)) for a, t in _known_sizes()))


def widened(quantity: str, lower: Any, upper: Any, is_moe: Any) -> tuple[Floats, Floats]:
    """The interval factors of predictions for hypothetical models, row by row: errors of shape and of prediction are
    independent, so that their logarithms add in squares."""
    known = [_of_shape(kind, quantity) for kind in ("dense", "experts")]
    of_shape = [np.where(is_moe, known[1][side], known[0][side]) for side in (0, 1)]
    wider = [np.hypot(np.log(factor), np.log(own)) for factor, own in zip((lower, upper), of_shape)]
    return np.exp(-wider[0]), np.exp(wider[1])


def planned_intervals(*, is_moe: bool) -> dict[str, Interval]:
    """Intervals of serving, by quantity, for a model that is known by its parameter counts alone."""
    found = {}
    for quantity in ("tpot_seconds", "ttft_seconds", "output_tokens_per_second"):
        known = interval_factors(quantity)
        lower, upper = widened(quantity, known.lower, known.upper, is_moe)
        found[quantity] = Interval(float(lower), float(upper))
    return found


def _of_shape(kind: str, quantity: str) -> tuple[float, float]:
    section = table("hypothetical")[kind]
    if quantity in section:
        return section[quantity]["lower"], section[quantity]["upper"]
    steps = section["tpot_seconds"]  # throughput is one over the time of an answer, nearly all of which is steps
    return 1.0 / steps["upper"], 1.0 / steps["lower"]

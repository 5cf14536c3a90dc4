"""Models that do not exist yet: how far they are from those that do, and what that costs in certainty.

A law's N becomes depth, width and cache by power laws over the catalogue (`shapes.hypothetical_shape`). That is an
interpolation between known models, and two things are said of it: the factor to the nearest of them, and the wider
interval of what follows (`hypothetical.toml`, measured over the catalogue).
"""

from __future__ import annotations

import math
from functools import cache

from planner.hardware.intervals import Interval
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


def widened(interval: Interval, quantity: str, *, is_moe: bool) -> Interval:
    """The interval of a prediction for a hypothetical model: errors of shape and of prediction are independent, so that
    their logarithms add in squares."""
    known = table("hypothetical")["experts" if is_moe else "dense"]
    # Throughput is one over the time of an answer, nearly all of which is steps.
    steps = known["tpot_seconds"]
    of_shape = known.get(quantity, {"lower": 1.0 / steps["upper"], "upper": 1.0 / steps["lower"]})
    return Interval(
        math.exp(-math.hypot(math.log(interval.lower), math.log(of_shape["lower"]))),
        math.exp(math.hypot(math.log(interval.upper), math.log(of_shape["upper"]))),
    )

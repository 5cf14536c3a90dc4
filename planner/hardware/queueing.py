"""From means of one replica to percentiles and replica counts under load.

Percentile factors are measured, not assumed: the median over MLPerf inference server runs (Poisson arrivals
at a load that meets the limits) of percentile / mean. Replica counts follow Little's law and square-root
staffing (Halfin & Whitt 1981); both are posynomials of the request rate. A replica shares its time among
requests, so its mean slowdown is 1/(1 - load).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from planner.errors import InvalidInput, Violation
from planner.hardware.tables import calibration

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def percentile_factor(quantity: str, percentile: float) -> float:
    """Percentile over mean of `ttft` or `tpot`, log-interpolated in -log(1 - q) between the measured
    percentiles.

    Raises:
        InvalidInput: another quantity, or a percentile outside 50..99.9.
    """
    if quantity not in ("ttft", "tpot"):
        raise InvalidInput(Violation("quantity", quantity, "ttft or tpot"))
    if not PERCENTILES[0] <= percentile <= PERCENTILES[-1]:
        raise InvalidInput(
            Violation("percentile", f"{percentile:g}", f"between {PERCENTILES[0]:g} and {PERCENTILES[-1]:g}")
        )
    factors: dict[str, float] = calibration("queueing")[f"{quantity}_percentile_over_mean"]
    for low, high in pairwise(PERCENTILES):
        if percentile <= high:
            position = math.log((100 - low) / (100 - percentile)) / math.log((100 - low) / (100 - high))
            below, above = factors[f"p{low:g}"], factors[f"p{high:g}"]
            return float(below * (above / below) ** position)
    return float(factors["p99.9"])


def utilisation_limit() -> float:
    """The share of a replica's capacity that should be planned with (the rest absorbs bursts)."""
    return float(calibration("queueing")["utilisation_limit"])


def slowdown(utilisation: Any) -> Any:
    """Mean slowdown of processor sharing, 1/(1 - utilisation); in a geometric program use a slack variable
    instead."""
    return 1.0 / (1.0 - utilisation)


def requests_in_flight(request_rate_per_second: Any, request_seconds: Any) -> Any:
    """Little's law: mean requests in the system."""
    return request_rate_per_second * request_seconds


def replicas_needed(
    request_rate_per_second: Any, request_seconds: Any, batch: Any, *, headroom: float | None = None
) -> Any:
    """Replicas for a Poisson request rate, each with `batch` slots (not rounded up).

    Offered load R = rate x seconds / batch replicas, over the utilisation limit, plus `headroom` x sqrt(R /
    batch): the square-root rule on the R x batch slots, expressed in replicas. A posynomial of rate and
    1/batch.
    """
    spare = float(calibration("queueing")["staffing_headroom"]) if headroom is None else headroom
    slots = requests_in_flight(request_rate_per_second, request_seconds)
    return slots / batch * (1.0 / utilisation_limit()) + spare * slots**0.5 / batch

"""Replica counts under load.

Little's law gives the requests in flight, square-root staffing (Halfin & Whitt 1981) the replicas that hold them with
room for bursts; both are posynomials of the request rate. A replica shares its time among requests, so its mean
slowdown is 1/(1 - load). Percentiles of latency: `percentiles.py`.
"""

from __future__ import annotations

from typing import Any

from planner.hardware.tables import calibration


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

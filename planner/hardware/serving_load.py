"""What a load makes of a configuration: percentiles of latency, requests in flight, replicas for a demand.

Each answer is given where the table asks: `latency_percentile` (50 to 99.9) for the percentiles, an arrival rate
(`requests_per_second`, `target_qps`) for the requests in flight by Little's law, `demand_requests_per_second` for the
replicas of the configuration that serve it, `max_ttft_seconds` and `max_tpot_seconds` for the probability that they are
met (by the percentile, where one is asked for, else by the mean).
"""

from __future__ import annotations

import numpy as np

from planner.hardware.columns import Columns, Floats, numbers
from planner.hardware.intervals import interval_factors, probability_within
from planner.hardware.percentiles import PERCENTILES, percentile_factor
from planner.hardware.queueing import replicas_needed, requests_in_flight
from planner.hardware.serving_columns import ARRIVALS
from planner.hardware.serving_estimate import ServingTimes
from planner.hardware.serving_points import ServingPoints

PERCENTILE, DEMAND = "latency_percentile", "demand_requests_per_second"
Bounded = tuple[Floats, Floats, Floats]  # a value and the factors of its interval


def load_answers(
    columns: Columns, points: ServingPoints, times: ServingTimes, around: dict[str, tuple[Floats, Floats]]
) -> dict[str, Bounded]:
    """The answers that the table asks for; `around`: interval factors of `ttft_seconds`, `tpot_seconds` and
    `output_tokens_per_second`. NaN where a row does not ask, or for a percentile outside 50 to 99.9."""
    found: dict[str, Bounded] = {}
    if PERCENTILE in columns:
        found |= _percentiles(numbers(columns, PERCENTILE)[points.rows], points, times, around)
    lower, upper = around["output_tokens_per_second"]
    seconds = times.ttft_seconds + points.output_tokens * times.tpot_seconds
    if any(name in columns for name in ARRIVALS):
        in_flight = requests_in_flight(points.requests_per_second, seconds)
        found["requests_in_flight"] = in_flight, 1.0 / upper, 1.0 / lower
    if DEMAND in columns:
        demand = numbers(columns, DEMAND)[points.rows]
        held = times.output_tokens_per_second / points.output_tokens * seconds
        exact = replicas_needed(np.where(demand > 0, demand, np.nan), seconds, held)
        whole = np.ceil(exact)
        found["replica_count"] = whole, np.ceil(exact / upper) / whole, np.ceil(exact / lower) / whole
    return found


def limit_probabilities(columns: Columns, points: ServingPoints, answers: dict[str, Bounded]) -> dict[str, Floats]:
    """Probability that each limit of the table is met: a mean estimate right at the limit meets it in half of cases."""
    found = {}
    for quantity in ("ttft", "tpot"):
        limit = f"max_{quantity}_seconds"
        if limit in columns:
            value, lower, upper = answers.get(f"{quantity}_percentile_seconds", answers[f"{quantity}_seconds"])
            asked = numbers(columns, limit)[points.rows]
            positive = np.where(asked > 0, asked, np.nan)
            found[f"{quantity}_limit_probability"] = probability_within(positive, value, value * lower, value * upper)
    return found


def _percentiles(
    asked: Floats, points: ServingPoints, times: ServingTimes, around: dict[str, tuple[Floats, Floats]]
) -> dict[str, Bounded]:
    """Means times their percentile factors.

    Errors of the two are independent, so that logarithms add in squares; those of tails, measured at the 99th, grow
    from the median on as -log(1 - q) does.
    """
    inside = (asked >= PERCENTILES[0]) & (asked <= PERCENTILES[-1])
    depth = np.log(50.0 / (100.0 - np.where(inside, asked, 50.0))) / np.log(50.0)
    explained = {
        "ttft": {"steps_to_first_token": times.ttft_seconds / times.tpot_seconds},
        "tpot": {"input_per_output": points.input_tokens / points.output_tokens},
    }
    found = {}
    for quantity, means in (("ttft", times.ttft_seconds), ("tpot", times.tpot_seconds)):
        factor = np.full(len(asked), np.nan)
        for percentile in np.unique(asked[inside]):
            here = asked == percentile
            some = {name: values[here] for name, values in explained[quantity].items()}
            factor[here] = percentile_factor(quantity, float(percentile), **some)
        tails = interval_factors(f"{quantity}_percentile")
        lower, upper = around[f"{quantity}_seconds"]
        lowest = np.exp(-np.hypot(np.log(lower), depth * np.log(tails.lower)))
        highest = np.exp(np.hypot(np.log(upper), depth * np.log(tails.upper)))
        found[f"{quantity}_percentile_seconds"] = means * factor, lowest, highest
    return found

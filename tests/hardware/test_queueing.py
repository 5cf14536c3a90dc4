"""Percentiles and replica counts."""

from __future__ import annotations

import pytest

from planner.errors import InvalidInput
from planner.hardware.queueing import (
    percentile_factor,
    replicas_needed,
    requests_in_flight,
    slowdown,
    utilisation_limit,
)
from planner.posynomial import variable


def test_percentile_factors_are_those_of_poisson_server_runs() -> None:
    # MLPerf inference v4.1 (AMD, 8 x MI300X, llama2-70b): p99 over mean 1.59 for TTFT, 1.38 for TPOT
    assert 1.3 < percentile_factor("ttft", 99.0) < 4.0
    assert 1.05 < percentile_factor("tpot", 99.0) < 1.4
    for quantity in ("ttft", "tpot"):
        steps = [percentile_factor(quantity, p) for p in (50, 75, 90, 95, 99, 99.5, 99.9)]
        assert steps == sorted(steps)


def test_percentiles_outside_the_measured_are_refused() -> None:
    with pytest.raises(InvalidInput):
        percentile_factor("ttft", 99.99)
    with pytest.raises(InvalidInput):
        percentile_factor("e2e", 99.0)


def test_littles_law_and_replicas() -> None:
    assert requests_in_flight(5.0, 12.0) == 60.0
    assert slowdown(0.75) == pytest.approx(4.0)
    exact = replicas_needed(5.0, 12.0, 20.0, headroom=0.0)
    assert exact == pytest.approx(3.0 / utilisation_limit())
    assert replicas_needed(5.0, 12.0, 20.0) > exact
    # Economy of scale: ten times the rate needs less than ten times the replicas.
    assert replicas_needed(50.0, 12.0, 20.0) < 10 * replicas_needed(5.0, 12.0, 20.0)
    expression = replicas_needed(variable("r"), 12.0, variable("b"))
    assert expression.at({"r": 5.0, "b": 20.0}) == pytest.approx(replicas_needed(5.0, 12.0, 20.0))

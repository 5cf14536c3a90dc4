"""Percentiles and replica counts."""

from __future__ import annotations

import pytest

from planner.hardware.queueing import (
    replicas_needed,
    requests_in_flight,
    slowdown,
    utilisation_limit,
)
from planner.posynomial import variable


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

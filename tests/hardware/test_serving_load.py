"""Percentiles, requests in flight and replicas as answers of the estimate."""

from __future__ import annotations

import math
from typing import Any

import pytest

from planner.hardware import estimate_serving
from planner.hardware.intervals import probability_within
from planner.hardware.percentiles import percentile_factor
from planner.hardware.queueing import replicas_needed


def estimated(**changes: Any) -> dict[str, Any]:
    row = {
        "system": "H100", "model": "Llama-3.1-70B", "precision": "fp8", "n_gpus": 8, "tp": 8, "isl": 1000, "osl": 500,
        "concurrency": 16,
    }  # fmt: skip
    return {n: v[0] for n, v in estimate_serving({n: [v] for n, v in {**row, **changes}.items()}).items()}


def test_a_percentile_is_the_mean_times_its_factor_with_a_wider_interval() -> None:
    found = estimated(latency_percentile=99)
    ttft, tpot = found["predicted_ttft_seconds"], found["predicted_tpot_seconds"]
    first = percentile_factor("ttft", 99.0, steps_to_first_token=ttft / tpot)
    assert found["predicted_ttft_percentile_seconds"] == pytest.approx(ttft * first)
    assert found["predicted_tpot_percentile_seconds"] == pytest.approx(
        tpot * percentile_factor("tpot", 99.0, input_per_output=2.0)
    )
    for quantity in ("ttft", "tpot"):
        mean, tail = f"predicted_{quantity}_seconds", f"predicted_{quantity}_percentile_seconds"
        assert found[f"{tail}_upper"] / found[f"{tail}_lower"] > found[f"{mean}_upper"] / found[f"{mean}_lower"]


def test_percentiles_rise_and_those_outside_the_measured_are_blank() -> None:
    found = [estimated(latency_percentile=p)["predicted_ttft_percentile_seconds"] for p in (50, 90, 99, 99.9)]
    assert found == sorted(found)
    for percentile in (20, 99.99, ""):
        assert math.isnan(estimated(latency_percentile=percentile)["predicted_ttft_percentile_seconds"])


def test_at_an_arrival_rate_requests_in_flight_follow_littles_law() -> None:
    found = estimated(concurrency="", requests_per_second=3)
    seconds = found["predicted_ttft_seconds"] + 500 * found["predicted_tpot_seconds"]
    assert found["predicted_requests_in_flight"] == pytest.approx(3 * seconds)
    assert found["predicted_output_tokens_per_second"] == pytest.approx(3 * 500, rel=1e-3)


def test_a_demand_is_held_by_whole_replicas_with_room_for_bursts() -> None:
    found = estimated(demand_requests_per_second=50)
    seconds = found["predicted_ttft_seconds"] + 500 * found["predicted_tpot_seconds"]
    exact = replicas_needed(50.0, seconds, 16.0)
    assert found["predicted_replica_count"] == math.ceil(exact)
    assert found["predicted_replica_count_lower"] <= math.ceil(exact) <= found["predicted_replica_count_upper"]
    # without room: the demand in tokens over what one replica gives
    assert exact > 50 * 500 / found["predicted_output_tokens_per_second"]


def test_tables_that_do_not_ask_are_not_answered() -> None:
    assert not [n for n in estimated() if "percentile" in n or "replica" in n or "in_flight" in n]


def test_a_limit_at_the_estimate_is_met_in_half_of_cases_and_at_its_bounds_in_nine_and_one_of_ten() -> None:
    assert probability_within(2.0, 2.0, 1.5, 3.0) == pytest.approx(0.5)
    assert probability_within(3.0, 2.0, 1.5, 3.0) == pytest.approx(0.9)
    assert probability_within(1.5, 2.0, 1.5, 3.0) == pytest.approx(0.1)


def test_limits_of_a_table_get_their_probability() -> None:
    plain = estimated()
    at = plain["predicted_tpot_seconds_upper"]
    found = estimated(max_tpot_seconds=at, max_ttft_seconds="")
    assert found["tpot_limit_probability"] == pytest.approx(0.9)
    assert math.isnan(found["ttft_limit_probability"])
    # the 99th percentile of latency is harder to keep below the limit than the mean
    assert estimated(max_tpot_seconds=at, latency_percentile=99)["tpot_limit_probability"] < 0.9

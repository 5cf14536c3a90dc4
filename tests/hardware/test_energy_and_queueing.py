"""Power, energy, percentiles and replica counts."""

from __future__ import annotations

import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware import hypothetical_shape, interval_factors, model_shape, serving_cell
from planner.hardware.energy import (
    capped_power_watts,
    joules_per_output_token,
    serving_power_watts,
    training_energy_joules,
    training_power_watts,
)
from planner.hardware.queueing import (
    percentile_factor,
    replicas_needed,
    requests_in_flight,
    slowdown,
    utilisation_limit,
)
from planner.posynomial import variable


def test_power_stays_between_idle_and_tdp() -> None:
    shape = model_shape("Llama-3.1-405B")
    for batch in (1.0, 64.0, 4096.0):
        watts = capped_power_watts(shape, serving_cell("H100", "fp8", tensor_parallel=8), batch)
        assert 70 <= watts <= 700


# ML.ENERGY v3 (Chung et al. 2025, 2505.06371): model, boards, sequences in flight, mean watts of all boards
@pytest.mark.parametrize(
    ("model", "chip", "boards", "sequences", "watts"),
    [
        ("Qwen3-14B", "H100", 1, 31.9, 493.9),
        ("Llama-3.3-70B", "H100", 4, 8.0, 1787.4),
        ("Llama-3.3-70B", "B200", 2, 510.6, 1930.1),
        ("Qwen3-8B", "H100", 1, 255.5, 632.8),
    ],
)
def test_measured_board_power_is_predicted(model: str, chip: str, boards: int, sequences: float, watts: float) -> None:
    cell = serving_cell(chip, "bf16", tensor_parallel=boards)
    assert boards * capped_power_watts(model_shape(model), cell, sequences) == pytest.approx(watts, rel=0.3)


def test_energy_per_token_is_power_times_time_and_falls_with_batch() -> None:
    shape, cell = model_shape("Llama-3.1-70B"), serving_cell("H100", "fp8", tensor_parallel=4)
    joules = [joules_per_output_token(shape, cell, b, 1024.0, 1024.0) for b in (1.0, 8.0, 64.0)]
    assert joules == sorted(joules, reverse=True)
    assert joules_per_output_token(shape, cell, 8.0, 1024.0, 1024.0, pue=1.2) == pytest.approx(1.2 * joules[1])
    expression = joules_per_output_token(shape, cell, variable("b"), 1024.0, 1024.0)
    assert expression.at({"b": 8.0}) == pytest.approx(joules[1])


def test_power_of_a_planned_model_is_a_monomial() -> None:
    cell = serving_cell("B200", "fp4")
    watts = serving_power_watts(hypothetical_shape(variable("n"), 8.0), cell, variable("b"))
    assert watts.is_monomial
    assert watts.at({"n": 1e10, "b": 32.0}) == pytest.approx(
        serving_power_watts(hypothetical_shape(1e10, 8.0), cell, 32.0)
    )


def test_training_power_of_an_h100_node_is_that_of_mlperf() -> None:
    # MLPerf training v4.1 (Dell, 8 x H100): 6320.8 W per node at the wall
    assert 8 * training_power_watts(700.0, pue=1.0) == pytest.approx(6320.8, rel=0.05)
    assert training_energy_joules(2.0, 700.0) == pytest.approx(7200 * training_power_watts(700.0))


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


def test_every_interval_holds_one_and_unknown_quantities_are_refused() -> None:
    for quantity in (
        "ttft_seconds",
        "tpot_seconds",
        "output_tokens_per_second",
        "power_watts",
        "joules_per_token",
        "tokens_per_second_per_accelerator",
        "training_seconds",
        "accelerator_hours",
    ):
        factors = interval_factors(quantity)
        assert factors.lower < 1 < factors.upper
        assert factors.around(2.0) == (2 * factors.lower, 2 * factors.upper)
    with pytest.raises(UnknownName):
        interval_factors("happiness")

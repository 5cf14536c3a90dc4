"""Board power and energy: limits, posynomials, and measured boards of three generations."""

from __future__ import annotations

import pytest

from planner.errors import UnknownName
from planner.hardware import hypothetical_shape, interval_factors, model_shape, serving_cell
from planner.hardware.energy import (
    board_watts,
    energy_constants,
    joules_per_output_token,
    tdp_share,
    training_energy_joules,
    training_power_watts,
    used_joules_per_output_token,
)
from planner.hardware.serving import seconds_per_output_token
from planner.posynomial import Posynomial, variable


def test_a_board_that_does_nothing_draws_its_floor_and_no_board_draws_more_than_tdp() -> None:
    floor = energy_constants().idle_tdp_share
    assert tdp_share(floor) == pytest.approx(floor, rel=0.01)
    shares = [tdp_share(drawn) for drawn in (0.3, 0.6, 1.0, 3.0, 30.0)]
    assert shares == sorted(shares)
    assert shares[-1] <= 1.0
    shape, cell = model_shape("Llama-3.1-405B"), serving_cell("H100", "fp8", tensor_parallel=8)
    for speed in (1e-3, 100.0, 1e5):
        watts = board_watts(shape, cell, 64.0, 1024.0, 1024.0, speed)
        assert 0.99 * floor * 700 <= watts <= 700


# model, chip, boards, sequences in flight, prompt, answer, tokens/s of all boards, mean watts of all boards.
MEASURED = [
    ("Qwen3-8B", "H100", 1, 255.5, 128.0, 690.0, 7718.8, 632.8),  # ML.ENERGY v3 (Chung et al. 2025, 2505.06371)
    ("Qwen3-8B", "B200", 1, 16.0, 128.0, 690.0, 2086.3, 532.4),
    ("Qwen3-14B", "B200", 1, 32.0, 128.0, 6907.0, 1010.3, 422.3),
    ("Llama-2-70b-hf", "A100", 2, 1.0, 512.0, 128.0, 17.86, 588.8),  # Splitwise: power over TDP, times 400 W a board
    ("Llama-2-70b-hf", "A100", 4, 1.0, 512.0, 128.0, 21.90, 958.9),
    ("Llama-2-70b-hf", "A100", 8, 1.0, 512.0, 128.0, 22.06, 1391.8),
    ("Llama-3-8B", "A100-40GB", 1, 64.0, 1024.0, 1024.0, 1812.3, 315.8),  # LLM-Inference-Bench, vLLM
]


@pytest.mark.parametrize(("model", "chip", "boards", "sequences", "prompt", "answer", "speed", "watts"), MEASURED)
def test_measured_board_power_follows_from_throughput(
    model: str, chip: str, boards: int, sequences: float, prompt: float, answer: float, speed: float, watts: float
) -> None:
    cell = serving_cell(chip, "bf16", tensor_parallel=boards)
    predicted = boards * board_watts(model_shape(model), cell, sequences, prompt, answer, speed)
    assert predicted == pytest.approx(watts, rel=0.2)


def test_joules_of_a_token_are_those_of_time_awake_of_reads_and_of_products() -> None:
    shape, cell = model_shape("Llama-3.1-70B"), serving_cell("H100", "bf16", tensor_parallel=4)
    c, lengths = energy_constants(), (8.0, 1024.0, 1024.0)
    awake = 4 * c.idle_tdp_share * 700 * seconds_per_output_token(shape, cell, *lengths)
    used = used_joules_per_output_token(shape, cell, *lengths)
    assert joules_per_output_token(shape, cell, *lengths) == pytest.approx(awake + used)
    products = 2 * shape.active_parameters * 2 * c.product_tdp_share * 700 / cell.bf16_flops_per_second
    weights = c.joules_per_byte * 2 * (shape.total_parameters - shape.embedding_parameters) / 8
    cache = c.joules_per_byte * shape.kv_bytes_per_token_16bit * 1536
    assert used == pytest.approx(products + weights + cache, rel=0.01)


def test_energy_per_token_falls_with_batch_and_grows_with_overheads() -> None:
    shape, cell = model_shape("Llama-3.1-70B"), serving_cell("H100", "fp8", tensor_parallel=4)
    joules = [joules_per_output_token(shape, cell, b, 1024.0, 1024.0) for b in (1.0, 8.0, 64.0)]
    assert joules == sorted(joules, reverse=True)
    assert joules_per_output_token(shape, cell, 8.0, 1024.0, 1024.0, pue=1.2) == pytest.approx(1.2 * joules[1])


def test_energy_of_a_planned_model_is_a_posynomial_that_bounds_the_power_of_numbers() -> None:
    cell = serving_cell("B200", "fp4", tensor_parallel=2)
    symbolic = joules_per_output_token(hypothetical_shape(variable("n"), 8.0), cell, variable("b"), 512.0, 512.0, 8.0)
    assert isinstance(symbolic, Posynomial)
    shape = hypothetical_shape(1e10, 8.0)
    numeric = joules_per_output_token(shape, cell, 512.0, 512.0, 512.0, 8.0)
    assert symbolic.at({"n": 1e10, "b": 512.0}) == pytest.approx(numeric)
    speed = 1.0 / seconds_per_output_token(shape, cell, 512.0, 512.0, 512.0)
    assert 2 * board_watts(shape, cell, 512.0, 512.0, 512.0, speed) / speed <= numeric


def test_training_power_of_an_h100_node_is_that_of_mlperf() -> None:
    # MLPerf training v4.1 (Dell, 8 x H100): 6320.8 W per node at the wall
    assert 8 * training_power_watts(700.0, pue=1.0) == pytest.approx(6320.8, rel=0.05)
    assert training_energy_joules(2.0, 700.0) == pytest.approx(7200 * training_power_watts(700.0))


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

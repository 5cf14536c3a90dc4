"""Training time: limits, posynomials, and published runs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from planner.errors import UnsupportedCombination
from planner.hardware import accelerator, hypothetical_shape, interval_factors, model_shape
from planner.hardware.goodput import interruptions, lost_share
from planner.hardware.training import (
    accelerator_hours,
    busy_seconds,
    communication_share,
    flops_of,
    pipeline_bubble,
    step_share,
    tokens_per_second_per_accelerator,
    training_cell,
    training_constants,
    training_flops,
    training_seconds,
    training_usd,
)
from planner.hardware.training_contexts import trained_context_tokens
from planner.hardware.training_layouts import usual_layout
from planner.posynomial import Posynomial, variable


def test_flops_are_six_per_parameter_and_token_plus_causal_attention() -> None:
    assert training_flops(1e9, 2e10) == pytest.approx(1.2e20)
    shape = model_shape("Llama-3.1-8B")
    attention = flops_of(shape, 1.0, 8192.0) - 6 * shape.active_parameters
    assert attention == pytest.approx(6 * 32 * 4096 * 8192)  # 6 L h s


def test_time_is_never_less_than_the_peak_allows() -> None:
    cell = training_cell("H100", "bf16")
    floor = 1e22 / (512 * cell.bf16_flops_per_second)
    assert training_seconds(cell, 1e10, 1e22, 512.0) > floor


def test_more_accelerators_are_faster_but_cost_more_hours() -> None:
    cell = training_cell("H100", "bf16")
    counts = (64.0, 512.0, 4096.0, 16384.0)
    seconds = [training_seconds(cell, 7e10, 1e24, g) for g in counts]
    hours = [accelerator_hours(cell, 7e10, 1e24, g) for g in counts]
    assert seconds == sorted(seconds, reverse=True)
    assert hours == sorted(hours)
    assert training_usd(cell, 7e10, 1e24, 512.0, 2.0) == pytest.approx(2 * hours[1])


def test_a_precision_the_chip_lacks_is_refused() -> None:
    with pytest.raises(UnsupportedCombination):
        training_cell("A100", "fp8")


def test_time_of_variables_is_the_posynomial_of_the_numbers() -> None:
    n, d, g = variable("n"), variable("d"), variable("g")
    cell = training_cell("B200", "fp8", is_moe=True, bubble_share=pipeline_bubble(8.0, 64.0))
    symbolic = training_seconds(cell, n, flops_of(hypothetical_shape(n, 8.0), d), g)
    assert isinstance(symbolic, Posynomial)
    numeric = training_seconds(cell, 1e10, flops_of(hypothetical_shape(1e10, 8.0), 1e12), 2048.0)
    assert symbolic.at({"n": 1e10, "d": 1e12, "g": 2048.0}) == pytest.approx(numeric)


def test_the_bubble_of_an_interleaved_pipeline() -> None:
    assert pipeline_bubble(8.0, 32.0, 2.0) == pytest.approx(7 / 64)  # 2104.04473, section 2.2
    plain, bubbly = training_cell("H100"), training_cell("H100", bubble_share=0.2)
    assert step_share(bubbly, 1e10, 64.0) > step_share(plain, 1e10, 64.0)


def test_whole_runs_take_as_much_longer_as_failures_cost() -> None:
    cell, often = training_cell("H100"), replace(interruptions(), accelerator_hours_between_failures=5e3)
    rare = replace(interruptions(), accelerator_hours_between_failures=1e12)
    spent = [accelerator_hours(cell, 7e10, 1e24, 4096.0, cause=cause) for cause in (often, rare)]
    assert spent[0] / spent[1] == pytest.approx(1 + lost_share(4096.0, often), rel=1e-3)
    default = accelerator_hours(cell, 7e10, 1e24, 4096.0)
    assert default / spent[1] == pytest.approx(1 + lost_share(4096.0, interruptions()), rel=1e-3)
    assert accelerator_hours(cell, 7e10, 1e24, 4096.0, interval_seconds=36e3) > default


# model, chip, 16-bit or 8-bit, active parameters, tokens, MoE, accelerators, published accelerator-hours
PUBLISHED = [
    ("Llama-2-7B", "A100", "bf16", 6.7e9, 2e12, False, 1024, 184_320),  # model card
    ("Llama-2-13B", "A100", "bf16", 13e9, 2e12, False, 1024, 368_640),  # model card
    ("Llama-3-70B", "H100", "bf16", 70.6e9, 15e12, False, 8192, 6.4e6),  # model card, all stages
    ("BLOOM", "A100", "bf16", 176e9, 366e9, False, 384, 1_082_990),  # 2211.02001
    ("DeepSeek-V3", "H800", "fp8", 37e9, 14.8e12, True, 2048, 2.664e6),  # 2412.19437, pre-training
    ("OLMo-3-7B", "H100", "bf16", 7e9, 5.93e12, False, 1024, 234_000),  # as given by Ai2, with restarts
]


@pytest.mark.parametrize("run", PUBLISHED)
def test_published_runs_are_predicted_within_a_factor_of_two(
    run: tuple[str, str, str, float, float, bool, int, float],
) -> None:
    _, chip, precision, n, d, moe, count, published = run
    layout = {"tensor_parallel": 8, "pipeline_parallel": 4, "global_batch_tokens": 1.6e7}
    cell = training_cell(chip, precision, is_moe=moe, **layout)
    hours = accelerator_hours(cell, n, 6 * n * d, float(count))
    assert published / 2 < hours < published * 2


# MLPerf training v5.0 (NVIDIA, H100, Llama-3.1-405B): accelerators, sequences of 8192 tokens a step, seconds a step
@pytest.mark.parametrize(
    ("count", "sequences", "seconds"), [(512, 1152, 55.134), (2048, 1152, 14.220), (8192, 1536, 5.180)]
)
def test_scaling_of_a_405b_model_on_h100_as_measured_in_mlperf(count: int, sequences: int, seconds: float) -> None:
    shape = model_shape("Llama-3.1-405B")
    measured = sequences * 8192 / seconds / count
    tokens = sequences * 8192.0
    layout = {"tensor_parallel": 4, "pipeline_parallel": 8, "global_batch_tokens": tokens}
    cell = training_cell("H100", "fp8", **layout)
    predicted = tokens_per_second_per_accelerator(
        cell, flops_of(shape, 1.0, 8192.0), shape.active_parameters, float(count)
    )
    factors = interval_factors("tokens_per_second_per_accelerator")
    assert factors.lower * predicted < measured < factors.upper * predicted


def test_slow_links_make_training_slower() -> None:
    fast, slow = training_cell("H100", tensor_parallel=8), training_cell("H100-PCIe", tensor_parallel=8)
    args = (7e10, 7e10, 1024.0)
    assert communication_share(slow, *args) > 3 * communication_share(fast, *args)
    alone = training_cell("H100", accelerator_count=8)  # inside one scale-up domain only its links are used
    assert communication_share(alone, 7e9, 7e9, 8.0) < communication_share(training_cell("H100"), 7e9, 7e9, 8.0)


def test_gathering_takes_three_times_the_weights_over_the_link() -> None:
    cell = training_cell("GH200", global_batch_tokens=4e6)
    c = training_constants()
    step_seconds = 3 * 2 * 1e10 / cell.gather_bytes_per_second  # 3 x 2 N bytes for every global batch
    share = step_seconds * 256 / 4e6 * cell.bf16_flops_per_second / (6 * 1e10)
    assert communication_share(cell, 1e10, 1e10, 256.0) == pytest.approx(c.gather_exposed * share)


def test_attention_over_long_sequences_takes_longer_than_products() -> None:
    cell = training_cell("H100")
    plain = busy_seconds(cell, 1e9, 1e20, 8.0)
    assert busy_seconds(cell, 1e9, 1e20, 8.0, attention_flops=5e19) > 1.2 * plain


def test_software_matures() -> None:
    new, old = training_cell("H100", maturity_years=0.0), training_cell("H100", maturity_years=3.0)
    assert accelerator_hours(new, 7e9, 1e22, 512.0) > accelerator_hours(old, 7e9, 1e22, 512.0)


def test_an_unstated_layout_is_the_fastest_usual_one() -> None:
    tensor, stages, bubble = usual_layout(accelerator("H100"), "bf16", 4e11, 8192.0, 1.6e7, 8192.0, False)
    assert tensor * stages > 8
    assert 0 < bubble < 0.5
    assert usual_layout(accelerator("H100"), "bf16", 1e9, 8.0, 4e6, 2048.0, False)[1] == 1.0


def test_blank_sequence_lengths_are_the_published_or_the_usual_ones() -> None:
    assert trained_context_tokens("meta-llama/Llama-3.1-8B") == 8192  # 2407.21783
    assert trained_context_tokens("LLaMA-65B", "2023-02") == 2048  # 2302.13971, not the later Llama 2
    assert trained_context_tokens("Llama-4-Scout", "2025-04") == trained_context_tokens("optimist", "2025-04") == 8192
    assert trained_context_tokens("somebody's model", "2020-12") == 2048
    assert trained_context_tokens("somebody's model", "2025-01-31") == 8192
    assert math.isnan(trained_context_tokens("somebody's model"))

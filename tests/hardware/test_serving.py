"""Serving latency: limits, monotonicity, arrays and posynomials alike, and measured points."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.hardware import ServingCell, hypothetical_shape, model_shape, serving_cell
from planner.hardware.cells import stack
from planner.hardware.serving import (
    decode_seconds,
    distinct_experts,
    output_tokens_per_second,
    prefill_seconds,
    seconds_per_output_token,
    tpot_seconds,
    ttft_seconds,
    usd_per_million_output_tokens,
)
from planner.posynomial import Posynomial, variable

LLAMA = model_shape("Llama-3.1-70B")
DEEPSEEK = model_shape("DeepSeek-V3")


def test_a_step_is_never_faster_than_reading_the_weights_at_full_bandwidth() -> None:
    for tensor in (2, 4, 8):
        cell = serving_cell("H100", "fp8", tensor_parallel=tensor)
        floor = LLAMA.dense_parameters * 1.0 / tensor / 3.35e12
        assert decode_seconds(LLAMA, cell, 1.0, 1.0) > floor


def test_distinct_experts_are_k_for_one_token_and_all_for_many() -> None:
    assert distinct_experts(DEEPSEEK, 1.0) == pytest.approx(8.0)
    assert distinct_experts(DEEPSEEK, 1e5) == pytest.approx(256.0)
    assert distinct_experts(DEEPSEEK, 2.0) < 16.0


@settings(max_examples=30, deadline=None)
@given(
    batch=st.floats(1.0, 512.0),
    inputs=st.floats(16.0, 32768.0),
    outputs=st.floats(16.0, 8192.0),
    field=st.sampled_from(["memory_bytes_per_second", "peak_flops_per_second", "link_bytes_per_second"]),
    name=st.sampled_from(["Llama-3.1-8B", "DeepSeek-V3", "gpt-oss-120b"]),
)
def test_doubling_a_speed_of_the_chip_never_raises_latency(
    batch: float, inputs: float, outputs: float, field: str, name: str
) -> None:
    shape, cell = model_shape(name), serving_cell("H200", "fp8", tensor_parallel=8)
    faster = dataclasses.replace(cell, **{field: 2 * getattr(cell, field)})
    for latency in (tpot_seconds, ttft_seconds, seconds_per_output_token):
        assert latency(shape, faster, batch, inputs, outputs) <= latency(shape, cell, batch, inputs, outputs)


@settings(max_examples=30, deadline=None)
@given(batch=st.floats(1.0, 256.0), factor=st.floats(1.0, 4.0))
def test_more_users_raise_latency_and_throughput(batch: float, factor: float) -> None:
    cell = serving_cell("H100", "fp8", tensor_parallel=4)
    few, many = (tpot_seconds(LLAMA, cell, b, 1024.0, 1024.0) for b in (batch, batch * factor))
    assert many >= few
    slow, fast = (output_tokens_per_second(LLAMA, cell, b, 1024.0, 1024.0) for b in (batch, batch * factor))
    assert fast >= slow


def test_tensor_parallelism_helps_less_than_in_proportion() -> None:
    times = [
        tpot_seconds(LLAMA, serving_cell("H100", "fp8", tensor_parallel=t), 16.0, 1024.0, 1024.0) for t in (2, 4, 8)
    ]
    assert times == sorted(times, reverse=True)
    assert times[0] / times[2] < 4


def test_leaving_the_fast_links_costs_time() -> None:
    inside = serving_cell("GB200", "fp8", tensor_parallel=16)
    outside = serving_cell("B200", "fp8", tensor_parallel=16)
    assert outside.link_bytes_per_second < inside.link_bytes_per_second
    assert prefill_seconds(LLAMA, outside, 4096.0) > prefill_seconds(LLAMA, inside, 4096.0)


@pytest.mark.parametrize("experts", [1.0, 8.0])
def test_formulas_of_variables_are_the_posynomials_of_their_numbers(experts: float) -> None:
    n, b, i = variable("n"), variable("b"), variable("i")
    at = {"n": 3e10, "b": 40.0, "i": 700.0}
    cell = serving_cell("H100", "fp8", tensor_parallel=4)
    read = 3.0 * b**0.3 if experts > 1 else 1.0
    read_number = 3.0 * 40.0**0.3 if experts > 1 else 1.0
    symbolic, numeric = hypothetical_shape(n, experts), hypothetical_shape(3e10, experts)
    for latency in (tpot_seconds, ttft_seconds, seconds_per_output_token):
        expression = latency(symbolic, cell, b, i, 256.0, read)
        assert isinstance(expression, Posynomial)
        assert expression.at(at) == pytest.approx(latency(numeric, cell, 40.0, 700.0, 256.0, read_number))
    cost = usd_per_million_output_tokens(symbolic, cell, b, i, 256.0, 3.0, read)
    assert cost.at(at) == pytest.approx(
        usd_per_million_output_tokens(numeric, cell, 40.0, 700.0, 256.0, 3.0, read_number)
    )


def test_arrays_over_cells_give_what_single_cells_give() -> None:
    cells = [serving_cell(a, "fp8", tensor_parallel=t) for a in ("H100", "B200", "MI300X") for t in (1, 2, 8)]
    together = stack(ServingCell, cells)
    alone = [ttft_seconds(LLAMA, c, 32.0, 1024.0, 512.0) for c in cells]
    np.testing.assert_allclose(ttft_seconds(LLAMA, together, 32.0, 1024.0, 512.0), alone)
    expression = tpot_seconds(LLAMA, together, variable("b"), 1024.0, 512.0)
    np.testing.assert_allclose(expression.at({"b": 32.0}), tpot_seconds(LLAMA, together, 32.0, 1024.0, 512.0))


# InferenceX (SemiAnalysis, Apache-2.0), 2025-10 to 2026-04:
# model, chip, precision, tensor, engine, input, output, users, TTFT seconds, TPOT seconds
MEASURED = [
    ("Llama-3.1-70B", "H100", "fp8", 4, "vllm", 1024, 1024, 16, 0.1214, 0.013192),
    ("Llama-3.1-70B", "H100", "fp8", 4, "vllm", 1024, 8192, 4, 0.0859, 0.011995),
    ("Llama-3.1-70B", "H100", "fp8", 4, "vllm", 1024, 8192, 16, 0.1279, 0.014095),
    ("Qwen3-32B", "H100", "fp8", 8, "trtllm", 1024, 256, 32, 0.1846, 0.010784),
    ("MiniMax-M2.5", "H100", "fp8", 4, "vllm", 1024, 1024, 32, 0.1414, 0.020021),
    ("DeepSeek-V3", "B200", "fp8", 8, "trtllm", 8192, 1024, 256, 8.3278, 0.089409),
]


@pytest.mark.parametrize("row", MEASURED)
def test_measured_points_are_predicted_within_their_spread(
    row: tuple[str, str, str, int, str, int, int, int, float, float],
) -> None:
    model, chip, precision, tensor, engine, inputs, outputs, users, ttft, tpot = row
    cell = serving_cell(chip, precision, tensor_parallel=tensor, engine=engine)
    args = (model_shape(model), cell, float(users), float(inputs), float(outputs))
    assert tpot_seconds(*args) == pytest.approx(tpot, rel=0.35)
    assert ttft / 2.5 < ttft_seconds(*args) < ttft * 2.5

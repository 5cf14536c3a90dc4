"""Memory: what fits where, and Korthikanti's activation formulas."""

from __future__ import annotations

import pytest

from planner.hardware import hypothetical_shape, model_shape, serving_cell
from planner.hardware.memory import (
    activation_bytes_per_layer,
    kv_bytes_per_accelerator,
    largest_batch,
    serving_memory_fraction,
    training_memory_bytes,
    training_memory_fraction,
    weight_bytes_per_accelerator,
)
from planner.posynomial import variable

LLAMA = model_shape("Llama-3.1-70B")


def test_llama_70b_in_16_bits_needs_more_than_one_h100_and_fits_on_four() -> None:
    one, four = serving_cell("H100", "bf16"), serving_cell("H100", "bf16", tensor_parallel=4)
    assert serving_memory_fraction(LLAMA, one, 1.0, 2048.0) > 1
    assert serving_memory_fraction(LLAMA, four, 8.0, 4096.0) < 1
    assert largest_batch(LLAMA, one, 2048.0) < 0 < largest_batch(LLAMA, four, 2048.0)


def test_weights_of_one_accelerator_are_the_bytes_of_its_share() -> None:
    assert weight_bytes_per_accelerator(LLAMA, serving_cell("H100", "bf16")) == pytest.approx(2 * 70.55e9, rel=0.001)


def test_more_tensor_parallelism_never_adds_weights_or_cache_per_accelerator() -> None:
    for name in ("Llama-3.1-8B", "DeepSeek-V3", "Qwen3-235B-A22B"):
        shape = model_shape(name)
        cells = [serving_cell("H200", "fp8", tensor_parallel=t) for t in (1, 2, 4, 8)]
        weights = [weight_bytes_per_accelerator(shape, c) for c in cells]
        cache = [kv_bytes_per_accelerator(shape, c, 16.0, 4096.0) for c in cells]
        assert weights == sorted(weights, reverse=True)
        assert cache == sorted(cache, reverse=True)


def test_a_latent_cache_is_replicated_on_tensor_ranks_but_not_on_data_parallel_ones() -> None:
    shape = model_shape("DeepSeek-V3")
    plain, tensor = serving_cell("H200", "fp8"), serving_cell("H200", "fp8", tensor_parallel=8)
    data = serving_cell("H200", "fp8", attention_data_parallel=8)
    whole = kv_bytes_per_accelerator(shape, plain, 64.0, 1024.0)
    assert kv_bytes_per_accelerator(shape, tensor, 64.0, 1024.0) == whole
    assert kv_bytes_per_accelerator(shape, data, 64.0, 1024.0) == pytest.approx(whole / 8)


def test_the_largest_batch_fills_the_memory_exactly() -> None:
    cell = serving_cell("H100", "fp8", tensor_parallel=4)
    batch = largest_batch(LLAMA, cell, 2048.0)
    assert serving_memory_fraction(LLAMA, cell, batch, 2048.0) == pytest.approx(1.0)


def test_activations_of_gpt3_175b_are_those_of_korthikanti_2022() -> None:
    shape = model_shape("GPT-3 175B")  # s = 2048, micro batch 1, t = 8 (2205.05198, table 3)
    sbh = 2048.0 * 12288.0
    none = activation_bytes_per_layer(shape, 1.0, 2048.0, tensor_parallel=8.0, recompute="none")
    assert none == pytest.approx(sbh * (34 + 5 * 96 * 2048 / 12288) / 8)
    assert activation_bytes_per_layer(shape, 1.0, 2048.0, tensor_parallel=8.0) == pytest.approx(34 * sbh / 8)
    assert activation_bytes_per_layer(shape, 1.0, 2048.0, recompute="full") == pytest.approx(2 * sbh)


def test_zero_stages_shard_twelve_fourteen_and_sixteen_bytes() -> None:
    shape = model_shape("Llama-3.1-8B")
    bytes_by_stage = [
        training_memory_bytes(shape, data_parallel=64.0, zero_stage=z, recompute="full") for z in range(4)
    ]
    n = shape.total_parameters
    saved = [bytes_by_stage[0] - b for b in bytes_by_stage]
    assert saved[1] == pytest.approx(12 * n * (1 - 1 / 64))
    assert saved[2] == pytest.approx(14 * n * (1 - 1 / 64))
    assert saved[3] == pytest.approx(16 * n * (1 - 1 / 64) - 4 * n / shape.layers)


def test_experts_spread_over_their_ranks_leave_room() -> None:
    shape = model_shape("DeepSeek-V3")
    layout = {"pipeline_parallel": 8.0, "data_parallel": 32.0, "zero_stage": 1, "recompute": "full"}
    alone, spread = (training_memory_bytes(shape, expert_parallel=e, **layout) for e in (1.0, 32.0))
    experts = shape.moe_layers * shape.expert_count * shape.parameters_per_expert
    assert alone - spread == pytest.approx(4 * experts / 8 * (1 - 1 / 32))  # weights and gradients; states are sharded
    assert alone == pytest.approx(training_memory_bytes(shape, **layout), rel=1e-3)


def test_a_7b_model_trains_on_eight_80gb_accelerators_but_not_on_one() -> None:
    shape = model_shape("Llama-2-7b")
    assert training_memory_fraction(shape, 80e9, data_parallel=1.0) > 1
    assert training_memory_fraction(shape, 80e9, data_parallel=8.0) < 1


def test_memory_of_variables_is_the_posynomial_of_the_numbers() -> None:
    n, b, d = variable("n"), variable("b"), variable("d")
    at = {"n": 2e10, "b": 24.0, "d": 128.0}
    cell = serving_cell("B200", "fp8", tensor_parallel=2)
    symbolic = serving_memory_fraction(hypothetical_shape(n, 8.0), cell, b, 2048.0)
    assert symbolic.at(at) == pytest.approx(serving_memory_fraction(hypothetical_shape(2e10, 8.0), cell, 24.0, 2048.0))
    training = training_memory_fraction(hypothetical_shape(n), 80e9, data_parallel=d)
    assert training.at(at) == pytest.approx(
        training_memory_fraction(hypothetical_shape(2e10), 80e9, data_parallel=128.0)
    )

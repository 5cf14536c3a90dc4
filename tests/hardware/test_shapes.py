"""Tensor counts against the totals that the models' authors state."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import UnknownName
from planner.hardware import hypothetical_shape, model_shape, model_shape_names
from planner.posynomial import Posynomial, variable


@pytest.mark.parametrize(
    ("name", "billions", "tolerance"),
    [
        ("Llama-3.1-8B", 8.03, 0.002),
        ("Llama-3.1-70B", 70.55, 0.002),
        ("Llama-3.1-405B", 405.8, 0.002),
        ("Llama-2-7b", 6.74, 0.002),
        ("Llama-3.2-1B", 1.236, 0.005),
        ("Mistral-7B-v0.1", 7.24, 0.002),
        ("Mixtral-8x7B-v0.1", 46.7, 0.002),
        ("Mixtral-8x22B-v0.1", 140.6, 0.002),
        ("Qwen3-235B-A22B", 235.1, 0.005),
        ("Qwen3-30B-A3B", 30.5, 0.005),
        ("Qwen3-0.6B", 0.6, 0.02),
        ("DeepSeek-V3", 671.0, 0.002),
        ("Kimi-K2-Instruct", 1026.0, 0.02),
        ("GLM-5", 744.0, 0.01),
        ("bloom", 176.2, 0.005),
        ("GPT-3 175B", 175.0, 0.01),
        ("TinyLlama-1.1B", 1.1, 0.01),
    ],
)
def test_counted_parameters_are_those_the_authors_state(name: str, billions: float, tolerance: float) -> None:
    assert model_shape(name).total_parameters == pytest.approx(billions * 1e9, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "billions"),
    [("DeepSeek-V3", 37.0), ("Qwen3-235B-A22B", 22.0), ("Mixtral-8x7B-v0.1", 12.9), ("Kimi-K2-Instruct", 32.0)],
)
def test_active_parameters_are_those_the_authors_state(name: str, billions: float) -> None:
    assert model_shape(name).active_parameters == pytest.approx(billions * 1e9, rel=0.03)


def test_kv_cache_of_grouped_and_latent_attention() -> None:
    assert model_shape("Llama-3.1-70B").kv_bytes_per_token_16bit == 2 * 80 * 8 * 128 * 2  # keys and values
    assert model_shape("DeepSeek-V3").kv_bytes_per_token_16bit == 61 * (512 + 64) * 2  # one latent, 2405.04434


@pytest.mark.parametrize("name", model_shape_names())
def test_every_shape_adds_up(name: str) -> None:
    s = model_shape(name)
    parts = s.embedding_parameters + s.untied_head_parameters + s.dense_parameters
    parts += s.moe_layers * s.expert_count * s.parameters_per_expert
    assert parts == pytest.approx(s.total_parameters, rel=0.15)
    assert 0 < s.active_parameters <= s.total_parameters * 1.001
    assert s.source


def test_names_are_matched_without_publisher_case_or_variant() -> None:
    for spelling in ("llama-3.1-70b", "meta-llama/Llama-3.1-70B-Instruct", "LLAMA3.1_70B", "Llama-3.3-70B"):
        assert model_shape(spelling) is not None
        assert model_shape(spelling).layers == 80
    assert model_shape("zhipuai/GLM-5").name == "zai-org/GLM-5"


def test_an_unknown_model_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as caught:
        model_shape("Llama-3.1-71B")
    assert any("70B" in s for s in caught.value.suggestions)


def test_a_hypothetical_dense_model_resembles_the_catalogue() -> None:
    for name in ("Llama-3.1-8B", "Qwen3-32B", "Llama-3.1-70B", "Llama-3.1-405B"):
        real = model_shape(name)
        made = hypothetical_shape(real.total_parameters)
        assert made.layers == pytest.approx(real.layers, rel=0.35)
        assert made.hidden == pytest.approx(real.hidden, rel=0.35)
        assert made.kv_bytes_per_token_16bit == pytest.approx(real.kv_bytes_per_token_16bit, rel=0.5)


def test_a_hypothetical_shape_is_a_monomial_of_a_variable_and_equals_its_numbers() -> None:
    n = variable("parameter_count")
    for experts in (1.0, 8.0, np.array([1.0, 4.0, 32.0])):
        symbolic, numeric = hypothetical_shape(n, experts), hypothetical_shape(3e10, experts)
        for field in ("layers", "hidden", "total_parameters", "kv_bytes_per_token_16bit", "dense_parameters"):
            value = getattr(symbolic, field)
            assert isinstance(value, Posynomial)
            assert value.is_monomial
            np.testing.assert_allclose(value.at({"parameter_count": 3e10}), getattr(numeric, field))


def test_non_granular_experts_repeat_the_feed_forward_block_only() -> None:
    dense, moe = hypothetical_shape(1e9), hypothetical_shape(1e9, 8.0)
    added = moe.total_parameters - dense.total_parameters
    assert moe.active_parameters == dense.active_parameters
    assert added == pytest.approx(7 * moe.parameters_per_expert * moe.moe_layers)
    assert 0.6 < moe.parameters_per_expert * moe.moe_layers / 1e9 < 0.85  # two thirds in the plainest block, 2502.05172

"""Models from configuration files and accelerators from specifications, against published sizes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.hardware import accelerator, accelerator_from_spec, model_shape, model_shape_from_config, serving_cell
from planner.hardware.serving import tpot_seconds

LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
DEEPSEEK_V3 = {
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "num_hidden_layers": 61,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
MIXTRAL = {**LLAMA_8B, "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
QWEN3_30B = {
    "hidden_size": 2048,
    "head_dim": 128,
    "moe_intermediate_size": 768,
    "intermediate_size": 6144,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "num_hidden_layers": 48,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "vocab_size": 151936,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
}
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257}
GPT2 |= {"tie_word_embeddings": True}


@pytest.mark.parametrize(
    ("config", "total", "active"),
    [
        (LLAMA_8B, 8.03e9, 8.03e9),
        (DEEPSEEK_V3, 671e9, 37e9),
        (MIXTRAL, 46.7e9, 12.9e9),
        (QWEN3_30B, 30.5e9, 3.3e9),
        (GPT2, 124e6, 124e6),
    ],
)
def test_published_sizes_follow_from_the_configuration(config: dict[str, Any], total: float, active: float) -> None:
    shape = model_shape_from_config(config)
    assert shape.total_parameters == pytest.approx(total, rel=0.015)
    assert shape.active_parameters == pytest.approx(active, rel=0.04)


def test_a_configuration_and_the_catalogue_agree() -> None:
    own, listed = model_shape_from_config(LLAMA_8B), model_shape("Llama-3.1-8B")
    assert own.kv_bytes_per_token_16bit == listed.kv_bytes_per_token_16bit == 131072
    assert own.total_parameters == pytest.approx(listed.total_parameters)


def test_latent_caches_and_sliding_windows_are_read() -> None:
    assert model_shape_from_config(DEEPSEEK_V3).kv_bytes_per_token_16bit == 61 * 2 * (512 + 64)
    layers = ["sliding_attention", "full_attention"] * 16
    windowed = model_shape_from_config({**LLAMA_8B, "sliding_window": 128, "layer_types": layers})
    assert windowed.kv_bytes_per_token_16bit == 131072 / 2
    assert windowed.kv_window_bytes_16bit == 128 * 131072 / 2


def test_the_language_part_of_a_multimodal_configuration_is_taken() -> None:
    nested = model_shape_from_config({"model_type": "some_vl", "text_config": LLAMA_8B, "vision_config": {}})
    assert nested.layers == 32


def test_what_a_configuration_lacks_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        model_shape_from_config({"hidden_size": -1})
    fields = {v.field for v in refused.value.violations}
    assert {"num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"} <= fields
    with pytest.raises(InvalidInput, match="num_key_value_heads"):
        model_shape_from_config({**LLAMA_8B, "num_key_value_heads": 7})


SPEC = {
    "name": "my-chip",
    "bf16_flops_per_second": 989.4e12,
    "fp8_flops_per_second": 1979e12,
    "memory_bytes": 80e9,
    "memory_bytes_per_second": 3.35e12,
    "scaleup_bytes_per_second": 450e9,
    "scaleup_domain": 8,
    "scaleup_link": "switch",
    "scaleout_bytes_per_second": 50e9,
    "tdp_watts": 700,
}


def test_an_own_accelerator_with_the_facts_of_a_known_one_predicts_the_same() -> None:
    own, shape = accelerator_from_spec(SPEC), model_shape("Llama-3.1-70B")
    times = [
        tpot_seconds(shape, serving_cell(chip, "fp8", tensor_parallel=4), 32.0, 1000.0, 500.0)
        for chip in (own, accelerator("H100"))
    ]
    assert times[0] == pytest.approx(times[1], rel=1e-6)


def test_what_a_specification_lacks_or_has_too_much_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        accelerator_from_spec({"name": "x", "memory_bytes": -1, "flops": 3, "scaleup_link": "string"})
    fields = {v.field for v in refused.value.violations}
    assert fields == {"memory_bytes", "memory_bytes_per_second", "bf16_flops_per_second", "flops", "scaleup_link"}


CONFIG_KEYS = sorted(
    {*LLAMA_8B, *DEEPSEEK_V3, *MIXTRAL, *QWEN3_30B, *GPT2, "sliding_window", "layer_types", "head_dim"}
)
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=3),
    st.just({}), st.integers(1, 64),
)  # fmt: skip


@given(base=st.sampled_from([LLAMA_8B, DEEPSEEK_V3, MIXTRAL]), odd=st.dictionaries(st.sampled_from(CONFIG_KEYS), ODD))
def test_whatever_a_configuration_holds_it_is_read_or_refused(base: dict[str, Any], odd: dict[str, Any]) -> None:
    try:
        shape = model_shape_from_config({**base, **odd})
    except InvalidInput:
        return
    assert 0 < shape.active_parameters <= shape.total_parameters * (1 + 1e-9) < 1e18


@given(odd=st.dictionaries(st.sampled_from([*SPEC, "int8_ops_per_second", "dies"]), ODD))
def test_whatever_a_specification_holds_it_is_read_or_refused(odd: dict[str, Any]) -> None:
    try:
        chip = accelerator_from_spec({**SPEC, **odd})
    except InvalidInput:
        return
    assert chip.memory_bytes > 0
    assert chip.scaleup_domain >= 1

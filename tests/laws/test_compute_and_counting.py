"""FLOP counts and parameter counts, which papers count differently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput, UnknownName
from planner.laws import SIMPLE, Chinchilla, compute_model, convert, law
from planner.laws.counting import (
    active_from_total,
    non_embedding_from_total,
    nonzero_from_total,
    total_from_active,
    total_from_non_embedding,
)
from planner.posynomial import Posynomial, variable


def test_six_flop_per_parameter_and_token() -> None:
    assert SIMPLE.training_flops(70e9, 1.4e12) == pytest.approx(5.88e23)
    assert SIMPLE.inference_flops_per_token(70e9) == 140e9


def test_full_attention_counts_twice_the_causal_term() -> None:
    shape = {"layer_count": 24.0, "attention_width": 2048.0, "context_length": 2048.0}
    causal = compute_model("shaped-attention", **shape)
    full = compute_model("shaped-attention", **shape, causal=False)
    dense = SIMPLE.training_flops(1e9, 1.0)
    assert causal.training_flops(1e9, 1.0) - dense == pytest.approx(6 * 24 * 2048 * 2048)
    assert full.training_flops(1e9, 1.0) - dense == pytest.approx(12 * 24 * 2048 * 2048)


def test_attention_by_aspect_ratio_equals_attention_by_shape() -> None:
    layers, width = 32.0, 4096.0
    parameters = 12 * layers * width**2
    by_shape = compute_model("shaped-attention", layer_count=layers, attention_width=width, context_length=4096.0)
    by_aspect = compute_model("aspect-attention", aspect_ratio=width / layers, context_length=4096.0)
    assert by_aspect.training_flops(parameters, 1e9) == pytest.approx(by_shape.training_flops(parameters, 1e9))


@pytest.mark.parametrize(("layers", "width", "share"), [(8.0, 512.0, 0.43), (80.0, 8192.0, 0.92)])
def test_six_n_understates_the_flops_of_small_models(layers: float, width: float, share: float) -> None:
    model = compute_model("non-embedding-flops", layer_count=layers, model_width=width, context_length=4096.0)
    parameters = 12 * layers * width**2
    assert 6 * parameters / model.training_flops(parameters, 1.0) == pytest.approx(share, abs=6e-3)


def test_the_output_head_adds_six_flop_per_vocabulary_entry_and_width() -> None:
    model = compute_model("with-unembedding", base=SIMPLE, vocabulary_size=32000.0, model_width=1024.0)
    extra = model.training_flops(1e8, 1.0) - SIMPLE.training_flops(1e8, 1.0)
    assert extra == pytest.approx(6 * 32000 * 1024)


def test_flops_of_decision_variables_are_posynomials() -> None:
    model = compute_model("aspect-attention", aspect_ratio=128.0, context_length=4096.0)
    symbolic = model.training_flops(variable("n"), variable("d"))
    assert isinstance(symbolic, Posynomial)
    assert symbolic.at({"n": 1e9, "d": 1e10}) == pytest.approx(model.training_flops(1e9, 1e10), rel=1e-13)


def test_an_unknown_compute_model_is_named_with_suggestions() -> None:
    with pytest.raises(UnknownName, match="simple"):
        compute_model("simpel")


@given(st.floats(2.0, 13.0))
def test_total_and_non_embedding_counts_invert_each_other(log_count: float) -> None:
    count = 10.0**log_count
    assert non_embedding_from_total(total_from_non_embedding(count)) == pytest.approx(count, rel=1e-9)


def test_total_count_of_a_small_model_is_mostly_embedding() -> None:
    assert total_from_non_embedding(1e6) == pytest.approx(1e6 + 47491 * 100, rel=1e-12)
    assert convert(1e6, "non_embedding", "total") == total_from_non_embedding(1e6)
    assert convert(5.7491e6, "total", "non_embedding") == pytest.approx(1e6, rel=1e-9)
    assert convert(5.0, "total", "total") == 5.0


def test_counting_without_embeddings_explains_kaplans_exponent() -> None:
    """Pearce & Song: Chinchilla's law, budget counted without embeddings, looks like N ∝ C^0.78 in Kaplan's range."""
    form = Chinchilla(1.8172, 482.01, 2085.43, 0.3478, 0.3658)

    def local_exponent(low: float, high: float) -> float:
        bare = np.geomspace(low, high, 400)
        total = total_from_non_embedding(bare)
        elasticity = np.gradient(np.log(total), np.log(bare))  # marginal gain of bare parameters
        gain = form.alpha * form.A * total**-form.alpha * elasticity
        tokens = (form.beta * form.B / gain) ** (1 / form.beta)
        return float(np.polyfit(np.log(6 * bare * tokens), np.log(bare), 1)[0])

    assert local_exponent(768.0, 1.5e9) == pytest.approx(0.78, abs=0.02)
    assert local_exponent(1e13, 1e15) == pytest.approx(form.parameter_exponent(), abs=2e-3)


def test_active_counts_of_experts_and_nonzero_counts_of_sparse_models() -> None:
    assert active_from_total(10e9, 8.0, 0.8) == pytest.approx(3e9)
    assert total_from_active(3e9, 8.0, 0.8) == pytest.approx(10e9)
    assert nonzero_from_total(1e9, 0.25) == 2.5e8


def test_conversions_that_need_more_facts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="active"):
        convert(1e9, "total", "active")
    with pytest.raises(UnknownName, match="non_embedding"):
        convert(1e9, "nonembedding", "total")


def test_kaplan_counts_without_embeddings() -> None:
    assert law("kaplan-2020").counting == "non_embedding"

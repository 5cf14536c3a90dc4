"""FLOP counts and parameter counts, which papers count differently."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput, UnknownName
from planner.laws import SIMPLE, Chinchilla, ComputeModel, compute_model, convert, law
from planner.laws.compute import COMPUTE_MODELS, question_flops
from planner.laws.counting import (
    COUNTINGS,
    DENSE,
    CountingFacts,
    active_from_total,
    non_embedding_from_shape,
    non_embedding_from_total,
    nonzero_from_total,
    total_from_active,
    total_from_non_embedding,
)
from planner.laws.document import from_document, to_document
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
    model = compute_model("with-unembedding", vocabulary_size=32000.0, model_width=1024.0)
    extra = model.training_flops(1e8, 1.0) - SIMPLE.training_flops(1e8, 1.0)
    assert extra == pytest.approx(6 * 32000 * 1024)
    shape = {"layer_count": 24.0, "context_length": 2048.0}
    whole = compute_model("with-unembedding", vocabulary_size=32000.0, model_width=1024.0, **shape)
    attention = compute_model("shaped-attention", attention_width=1024.0, **shape)
    assert whole.training_flops(1e8, 1.0) == pytest.approx(attention.training_flops(1e8, 1.0) + extra)


def test_routing_of_finer_experts_costs_more() -> None:
    shape = {"layer_count": 12.0, "model_width": 768.0, "expert_count": 64.0, "routing_flops": 14.0}
    plain = 6.0 * 12 * 12 * 768**2  # 6 per active parameter, 12 layers of 12 width²
    costs = [compute_model("granular-experts", granularity=g, **shape).training_flops(1.0, 1.0) for g in (1.0, 8.0)]
    assert costs == [pytest.approx(plain + 12 * 768 * 64 * g * 14) for g in (1.0, 8.0)]


def test_zero_weights_cost_training_and_save_answers_only_where_hardware_gains() -> None:
    assert compute_model("sparse-weights", density=0.25).training_flops(1e8, 1e10) == pytest.approx(6 * 4e8 * 1e10)
    assert compute_model("sparse-weights", density=0.25).inference_flops_per_token(1e8) == pytest.approx(8e8)
    gaining = compute_model("sparse-weights", density=0.25, sparse_inference=True)
    assert gaining.inference_flops_per_token(1e8) == pytest.approx(2e8)
    assert gaining.training_flops(1e8, 1e10) == pytest.approx(6 * 4e8 * 1e10)


def test_fewer_bits_cost_less() -> None:
    assert compute_model("low-precision", bits=16.0).training_flops(1e9, 1e10) == SIMPLE.training_flops(1e9, 1e10)
    assert compute_model("low-precision", bits=4.0).training_flops(1e9, 1e10) == SIMPLE.training_flops(1e9, 1e10) / 4


ANSWERS, SCHOOLING = 2 * 7e9 * 2e10, 6 * 7e9 * 1.4e11


@pytest.mark.parametrize(
    ("answers", "training", "teacher"),
    [(False, False, 0.0), (True, False, ANSWERS), (True, True, ANSWERS + SCHOOLING)],
)
def test_a_teacher_costs_what_is_counted_of_it(answers: bool, training: bool, teacher: float) -> None:
    facts = {"teacher_parameter_count": 7e9, "teacher_token_count": 1.4e11}
    model = compute_model("distillation", **facts, teacher_answers=answers, teacher_training=training)
    assert model.training_flops(1e9, 2e10) == pytest.approx(6 * 1e9 * 2e10 + teacher)


def test_samples_of_a_question_cost_their_tokens_and_their_verifier() -> None:
    assert question_flops(1e9, 500.0, 64.0) == pytest.approx(64 * 2 * 1e9 * 500)
    assert question_flops(1e9, 500.0, 64.0, 1e12) == pytest.approx(64 * (1e12 + 1e12))


@pytest.mark.parametrize("kind", COMPUTE_MODELS, ids=lambda kind: kind.name)
def test_compute_models_survive_as_documents_and_cost_as_posynomials(kind: type[ComputeModel]) -> None:
    model = kind(**{f.name: True if f.type == "bool" else 2.0 for f in fields(kind)})
    entry = replace(law("besiroglu-2024"), compute_model=model)
    assert from_document(to_document(entry)).compute_model == model
    symbolic = model.training_flops(variable("n"), variable("d"))
    assert symbolic.at({"n": 1e9, "d": 1e10}) == pytest.approx(model.training_flops(1e9, 1e10), rel=1e-12)


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
    with pytest.raises(InvalidInput, match=r"expert_count.*expert_share"):
        convert(1e9, "total", "active")
    with pytest.raises(InvalidInput, match="density"):
        convert(1e9, "nonzero", "non_embedding")
    with pytest.raises(UnknownName, match="non_embedding"):
        convert(1e9, "nonembedding", "total")


@given(
    log_count=st.floats(7.0, 13.0),
    source=st.sampled_from(COUNTINGS),
    target=st.sampled_from(COUNTINGS),
    share=st.floats(0.0, 0.95),
    density=st.floats(0.01, 1.0),
    width=st.one_of(st.none(), st.floats(64.0, 512.0)),
)
def test_any_count_converts_to_any_other_and_back(
    log_count: float, source: str, target: str, share: float, density: float, width: float | None
) -> None:
    facts = CountingFacts(
        vocabulary_size=1000.0, model_width=width, expert_count=8.0, expert_share=share, density=density
    )
    there = convert(10.0**log_count, source, target, facts)
    assert convert(there, target, source, facts) == pytest.approx(10.0**log_count, rel=1e-8)


def test_a_dense_model_counts_alike_but_for_its_embeddings() -> None:
    assert convert(1e9, "total", "active", DENSE) == convert(1e9, "total", "nonzero", DENSE) == 1e9
    tied = CountingFacts(vocabulary_size=50257.0, model_width=768.0)
    bare = non_embedding_from_shape(12.0, 768.0)
    assert bare == 12 * 12 * 768**2
    assert convert(bare, "non_embedding", "total", tied) == pytest.approx(123.5e6, rel=1e-3)  # GPT-2 small
    untied = replace(tied, tied_embeddings=False)
    assert convert(bare, "non_embedding", "total", untied) - bare == 2 * 50257 * 768


def test_kaplan_counts_without_embeddings() -> None:
    assert law("kaplan-2020").counting == "non_embedding"

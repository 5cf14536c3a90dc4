"""Prefix caching and speculative decoding: closed forms, limits, and statements that cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.hardware import estimate_serving, model_shape, serving_cell
from planner.hardware.serving import decode_seconds, prefill_seconds
from planner.hardware.serving_techniques import tokens_per_step


def estimated(**changes: Any) -> dict[str, Any]:
    row = {
        "system": "H100", "model": "Llama-3.1-70B", "precision": "fp8", "n_gpus": 8, "tp": 8, "isl": 4000, "osl": 500,
        "concurrency": 16,
    }  # fmt: skip
    return {n: v[0] for n, v in estimate_serving({n: [v] for n, v in {**row, **changes}.items()}).items()}


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0.0, 1.0), drafts=st.integers(0, 12))
def test_a_step_yields_the_geometric_series_of_the_acceptance_rate(rate: float, drafts: int) -> None:
    assert tokens_per_step(drafts, rate) == pytest.approx(sum(rate**j for j in range(drafts + 1)), rel=1e-5)


def test_the_worked_example_of_the_paper() -> None:
    assert tokens_per_step(5, 0.8) == pytest.approx(3.69, abs=0.01)  # Leviathan et al. 2023, figure 2


def test_drafts_that_are_accepted_speed_decoding_up_and_those_that_are_not_slow_it_down() -> None:
    plain, good, bad = (
        estimated(**c)["predicted_tpot_seconds"]
        for c in ({}, {"draft_tokens": 3, "acceptance_rate": 0.8}, {"draft_tokens": 3, "acceptance_rate": 0.0})
    )
    assert good < plain < bad
    assert good > plain / tokens_per_step(3, 0.8)


def test_checking_several_tokens_costs_less_than_as_many_steps() -> None:
    shape, cell = model_shape("Llama-3.1-70B"), serving_cell("H100", "fp8", tensor_parallel=8)
    one, four = (decode_seconds(shape, cell, 8.0, 2000.0, tokens_each=n) for n in (1.0, 4.0))
    assert one < four < 2 * one


@settings(max_examples=30, deadline=None)
@given(low=st.floats(0.0, 0.98), more=st.floats(0.001, 0.5))
def test_the_more_of_a_prompt_is_cached_the_sooner_it_is_done(low: float, more: float) -> None:
    shape, cell = model_shape("Llama-3.1-8B"), serving_cell("H100", "bf16")
    high = min(low + more, 0.99)
    seconds = [prefill_seconds(shape, cell, 8192.0, cached_share=h) for h in (low, high)]
    assert seconds[1] < seconds[0]


def test_nothing_cached_and_nothing_drafted_is_the_plain_deployment() -> None:
    assert estimated(prefix_hit_share=0, draft_tokens=0) == estimated()


def test_a_cached_prefix_shortens_the_first_token_and_the_stalls_of_others() -> None:
    plain, cached = estimated(), estimated(prefix_hit_share=0.9)
    for name in ("predicted_ttft_seconds", "predicted_tpot_seconds"):
        assert cached[name] < plain[name]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prefix_hit_share": 1.0}, "prefix_hit_share is at least 0 and below 1"),
        ({"prefix_hit_share": -0.1}, "prefix_hit_share is at least 0 and below 1"),
        ({"draft_tokens": 3}, "acceptance_rate is needed"),
        ({"draft_tokens": 2.5, "acceptance_rate": 0.5}, "draft_tokens is a whole number"),
        ({"draft_tokens": 3, "acceptance_rate": 1.2}, "acceptance_rate is between 0 and 1"),
        ({"draft_tokens": 3, "acceptance_rate": 0.7, "draft_step_share": -1}, "draft_step_share is not negative"),
    ],
)
def test_statements_that_cannot_be_are_refused_in_words(changes: dict[str, float], words: str) -> None:
    found = estimated(**changes)
    assert not found["supported"]
    assert words in found["unsupported_reason"]
    assert math.isnan(found["predicted_tpot_seconds"])

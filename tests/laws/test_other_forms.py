"""Kaplan, data-constrained and joint mixture-of-experts laws against the numbers of their papers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidInput
from planner.laws import DataConstrained, JointMoE, Kaplan, compute_model, law


def kaplan() -> Kaplan:
    form = law("kaplan-2020").form
    assert isinstance(form, Kaplan)
    return form


def constrained() -> DataConstrained:
    form = law("muennighoff-2023").form
    assert isinstance(form, DataConstrained)
    return form


def experts() -> JointMoE:
    form = law("ludziejewski-2025").form
    assert isinstance(form, JointMoE)
    return form


def test_kaplan_optimum_is_the_published_one_and_the_best_of_a_scan() -> None:
    form, flops = kaplan(), 5.76e23
    n, d = form.compute_optimal(flops)
    assert (n, d) == (pytest.approx(2.4e11, rel=0.02), pytest.approx(4.0e11, rel=0.02))
    grid = n * np.exp(np.linspace(-3.0, 3.0, 601))
    scanned = form.loss(parameter_count=grid, token_count=flops / (6 * grid))
    assert form.loss(parameter_count=n, token_count=d) <= scanned.min() * (1 + 1e-14)
    assert form.parameter_exponent() == pytest.approx(0.575, abs=6e-4)
    assert form.compute_for_loss(form.loss(parameter_count=n, token_count=d)) == pytest.approx(flops, rel=1e-10)


def test_kaplan_has_no_closed_form_with_attention_flops() -> None:
    model = compute_model("aspect-attention", context_length=2048.0, aspect_ratio=64.0)
    with pytest.raises(InvalidInput, match="compute_model"):
        kaplan().compute_optimal(1e21, model)


# D'/U at 2, 4, 8, 16, 40 epochs and for ever, from the paper's constants.
@pytest.mark.parametrize(
    ("epochs", "worth"), [(1, 1.0), (2, 1.968), (4, 3.726), (8, 6.624), (16, 10.58), (40, 15.17), (1e6, 16.39)]
)
def test_repeated_tokens_are_worth_what_the_paper_says(epochs: float, worth: float) -> None:
    assert constrained().effective_tokens(epochs * 1e9, 1e9) / 1e9 == pytest.approx(worth, abs=6e-3)


def test_optimal_size_of_unique_data_is_a_twentieth_of_the_tokens() -> None:
    form = constrained()
    assert form.optimal_parameters(1e11) / 1e11 == pytest.approx(0.0510, abs=6e-5)
    assert form.effective_parameters(1e30, 1e11) / form.optimal_parameters(1e11) == pytest.approx(6.31, abs=6e-3)


@given(log_d=st.floats(8.0, 14.0), log_u=st.floats(8.0, 12.0), log_n=st.floats(6.0, 13.0))
def test_tangent_monomials_touch_the_effective_counts_and_never_lie_below(
    log_d: float, log_u: float, log_n: float
) -> None:
    form = constrained()
    d, u, n = 10.0**log_d, 10.0**log_u, 10.0**log_n
    steps = np.array([0.2, 0.5, 0.9, 1.1, 2.0, 5.0])
    by_tokens, by_unique = form.effective_tokens_slopes(d, u)
    tangent = form.effective_tokens(d, u) * steps**by_tokens * steps[:, None] ** by_unique
    truth = form.effective_tokens(d * steps, u * steps[:, None])
    assert np.all(truth <= tangent * (1 + 1e-9))
    by_size, by_unique = form.effective_parameters_slopes(n, u)
    tangent = form.effective_parameters(n, u) * steps**by_size * steps[:, None] ** by_unique
    truth = form.effective_parameters(n * steps, u * steps[:, None])
    assert np.all(truth <= tangent * (1 + 1e-9))


def test_without_repeats_and_surplus_it_is_the_base_law() -> None:
    form = constrained()
    at = {"parameter_count": 1e9, "token_count": 1e11}
    assert form.loss(**at, unique_token_count=1e12) == pytest.approx(form.base.loss(**at), rel=1e-14)
    terms = form.loss_terms(**at, unique_token_count=1e12)
    assert terms.model + terms.data + terms.floor == pytest.approx(form.base.loss(**at), rel=1e-14)


# experts: A, α, B, β of the equivalent dense-like law, as in the paper's table (rounded differently there).
@pytest.mark.parametrize(
    ("count", "a", "alpha", "b", "beta"),
    [
        (1, 30.40, 0.1818, 53.84, 0.1964),
        (8, 21.84, 0.1676, 119.84, 0.2339),
        (32, 16.55, 0.1557, 234.63, 0.2653),
    ],
)
def test_each_expert_count_is_a_chinchilla_law(count: int, a: float, alpha: float, b: float, beta: float) -> None:
    one = experts().at_expert_count(count)
    assert pytest.approx(a, rel=1e-3) == one.A
    assert pytest.approx(b, rel=1e-3) == one.B
    assert one.alpha == pytest.approx(alpha, abs=6e-5)
    assert one.beta == pytest.approx(beta, abs=6e-5)
    at = {"parameter_count": 2e9, "token_count": 3e10}
    assert one.loss(**at) == pytest.approx(experts().loss(**at, expert_count=count), rel=1e-14)
    terms = experts().loss_terms(**at, expert_count=count)
    assert terms.model + terms.data + terms.floor == pytest.approx(one.loss(**at), rel=1e-14)


def test_effective_experts_run_from_start_to_maximum() -> None:
    form = experts()
    assert form.effective_expert_count(1.0) == pytest.approx(form.E_start, rel=1e-14)
    assert form.effective_expert_count(1e12) == pytest.approx(form.E_max, rel=1e-6)

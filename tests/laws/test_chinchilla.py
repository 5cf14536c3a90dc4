"""The closed forms of L = E + A N^-α + B D^-β against a scan of the budget line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.laws import SIMPLE, Chinchilla, compute_model, law


@given(
    log_flops=st.floats(15.0, 30.0),
    alpha=st.floats(0.1, 0.9),
    beta=st.floats(0.1, 0.9),
    log_a=st.floats(1.0, 12.0),
    log_b=st.floats(1.0, 12.0),
)
def test_no_other_run_on_the_budget_line_has_a_lower_loss(
    log_flops: float, alpha: float, beta: float, log_a: float, log_b: float
) -> None:
    form = Chinchilla(1.7, float(np.exp(log_a)), float(np.exp(log_b)), alpha, beta)
    flops = 10.0**log_flops
    n, d = form.compute_optimal(flops)
    assert SIMPLE.training_flops(n, d) == pytest.approx(flops, rel=1e-12)
    others = n * np.exp(np.linspace(-8.0, 8.0, 161))
    scanned = form.loss(parameter_count=others, token_count=flops / (6.0 * others))
    assert form.loss(parameter_count=n, token_count=d) <= scanned.min() * (1 + 1e-12)


@pytest.mark.parametrize("name", ["hoffmann-2022", "besiroglu-2024", "muennighoff-2023-base"])
def test_more_compute_never_raises_the_optimal_loss_and_the_inverse_returns_the_compute(name: str) -> None:
    form = law(name).form
    assert isinstance(form, Chinchilla)
    flops = 10.0 ** np.arange(15.0, 31.0)
    n, d = form.compute_optimal(flops)
    losses = form.loss(parameter_count=n, token_count=d)
    assert np.all(np.diff(losses) < 0)
    assert form.compute_for_loss(losses) == pytest.approx(flops, rel=1e-9)


def test_no_compute_reaches_the_floor() -> None:
    form = law("besiroglu-2024").form
    assert isinstance(form, Chinchilla)
    assert np.isinf(form.compute_for_loss(form.E))
    assert np.isinf(form.compute_for_loss(1.0))


def test_a_model_size_and_its_tokens_determine_each_other() -> None:
    form = law("besiroglu-2024").form
    assert isinstance(form, Chinchilla)
    n, d = form.compute_optimal(1e23)
    assert form.optimum_for_parameters(n)[1] == pytest.approx(d, rel=1e-12)
    assert form.parameters_for_tokens(d) == pytest.approx(n, rel=1e-12)


def test_attention_flops_shift_the_optimum_as_a_scan_says() -> None:
    form = law("besiroglu-2024").form
    assert isinstance(form, Chinchilla)
    model = compute_model("aspect-attention", context_length=8192.0, aspect_ratio=80.0)
    for flops in (1e18, 1e21, 1e25):
        n, d = form.compute_optimal(flops, model)
        assert model.training_flops(n, d) == pytest.approx(flops, rel=1e-9)
        grid = n * np.exp(np.linspace(-1.0, 1.0, 20001))
        scanned = form.loss(parameter_count=grid, token_count=flops / model.training_flops_per_token(grid))
        assert n == pytest.approx(grid[np.argmin(scanned)], rel=2e-3)
        loss = form.loss(parameter_count=n, token_count=d)
        assert form.compute_for_loss(loss, model) == pytest.approx(flops, rel=1e-6)


def test_terms_add_up_and_share_the_reducible_loss_by_the_exponents() -> None:
    form = law("besiroglu-2024").form
    assert isinstance(form, Chinchilla)
    n, d = form.compute_optimal(1e24)
    terms = form.loss_terms(parameter_count=n, token_count=d)
    loss = form.loss(parameter_count=n, token_count=d)
    assert terms.model + terms.data + terms.floor == pytest.approx(loss, rel=1e-14)
    assert terms.model / (terms.model + terms.data) == pytest.approx(form.beta / (form.alpha + form.beta), rel=1e-9)


def test_a_cloud_of_draws_gives_what_each_draw_gives_alone() -> None:
    entry = law("besiroglu-2024")
    cloud = entry.cloud()
    assert cloud is not None
    assert entry.draws is not None
    sizes, tokens = np.array([1e9, 1e10]), np.array([2e10, 1e12])
    together = cloud.loss(parameter_count=sizes, token_count=tokens)
    alone = [Chinchilla.from_vector(v).loss(parameter_count=sizes, token_count=tokens) for v in entry.draws[:5]]
    assert together.shape == (len(entry.draws), 2)
    assert together[:5] == pytest.approx(np.array(alone), rel=1e-14)

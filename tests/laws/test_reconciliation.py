"""Kaplan's exponent out of Chinchilla's law, by counting alone (Pearce & Song 2024, 2406.12907)."""

from __future__ import annotations

import numpy as np
import pytest

from planner.laws import Chinchilla, law
from planner.laws.counting import total_from_non_embedding
from planner.laws.reconciliation import frontier_flops, reconciled_exponents


@pytest.fixture(scope="module")
def besiroglu() -> Chinchilla:
    form = law("besiroglu-2024").form
    assert isinstance(form, Chinchilla)
    return form


def test_the_published_exponents_come_out_to_their_digits(besiroglu: Chinchilla) -> None:
    found = reconciled_exponents(besiroglu)
    assert found.non_embedding == pytest.approx(0.7805, abs=5e-5)
    assert found.large == pytest.approx(0.5147, abs=5e-5)
    assert found.total == pytest.approx(0.5154, abs=5e-5)
    assert found.limit == pytest.approx(0.5126, abs=5e-5)


def test_the_loss_falls_as_kaplan_saw_it_once_it_is_counted_so(besiroglu: Chinchilla) -> None:
    """-0.069 without a floor, on Kaplan's sizes and counting; -0.178 above the floor, in total parameters."""
    found = reconciled_exponents(besiroglu)
    assert found.loss == pytest.approx(-0.069, abs=5e-4)
    assert found.reducible_loss == pytest.approx(-0.178, abs=5e-4)
    own = besiroglu.alpha * besiroglu.beta / (besiroglu.alpha + besiroglu.beta)
    assert found.reducible_loss == pytest.approx(-own, abs=5e-4)


def test_the_analytic_frontier_read_evenly_in_size_is_steeper(besiroglu: Chinchilla) -> None:
    """Which explains two numbers in circulation: the published one is read off a grid, evenly in compute."""
    assert reconciled_exponents(besiroglu).analytic == pytest.approx(0.793, abs=1e-3)


def test_the_frontier_is_where_no_other_size_is_better_at_equal_compute(besiroglu: Chinchilla) -> None:
    n = np.array([1e5, 1e7, 1e9])
    flops = frontier_flops(besiroglu, n)

    def loss(size: np.ndarray) -> np.ndarray:
        return np.asarray(
            besiroglu.loss(parameter_count=total_from_non_embedding(size), token_count=flops / (6.0 * size))
        )

    assert np.all(loss(n) < loss(1.02 * n))
    assert np.all(loss(n) < loss(n / 1.02))

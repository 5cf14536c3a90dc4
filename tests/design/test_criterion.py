"""The convex design against known optimal designs and against trying every set of runs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.design import Criterion, relax, whole_runs


def random_criterion(seed: int, candidates: int = 9, free: int = 3, draws: int = 4) -> tuple[Criterion, np.ndarray]:
    generator = np.random.default_rng(seed)
    runs = generator.normal(size=(draws, candidates, free)) * generator.uniform(0.3, 3.0, candidates)[None, :, None]
    aims = generator.normal(size=(draws, 2, free))
    precision = np.tile(np.eye(free) * 0.1, (draws, 1, 1))
    return Criterion(runs, aims, precision), generator.uniform(0.5, 2.0, candidates)


def test_the_slope_of_a_line_is_best_measured_at_its_ends() -> None:
    x = np.linspace(-1.0, 1.0, 11)
    line = np.stack([np.ones_like(x), x], axis=1)[None]
    criterion = Criterion(line, np.array([[[0.0, 1.0]]]), np.array([np.diag([1e-6, 1e-6])]))
    found = relax(criterion, np.ones(11), 2.0)
    assert found is not None
    assert found.weights[[0, -1]] == pytest.approx([1.0, 1.0], abs=1e-3)
    assert found.regret == pytest.approx(0.5 / 2.0, rel=1e-3)  # variance 1 / Σ x², halved
    assert whole_runs(criterion, np.ones(11), 2.0).nonzero()[0].tolist() == [0, 10]


def test_extrapolating_a_line_puts_more_runs_at_the_near_end() -> None:
    # Hoel & Levine 1964: for a prediction at x > 1 the weights at ±1 are as x + 1 to x - 1.
    ends = np.array([-1.0, 1.0])
    criterion = Criterion(
        np.stack([np.ones(2), ends], axis=1)[None] * 1e3, np.array([[[1.0, 2.0]]]), np.array([np.eye(2) * 1e-9])
    )
    found = relax(criterion, np.ones(2), 1.0)
    assert found is not None
    assert found.weights == pytest.approx([0.25, 0.75], abs=5e-3)


@pytest.mark.parametrize("seed", range(4))
def test_no_set_of_runs_beats_the_bound_and_ours_is_near_the_best_of_all(seed: int) -> None:
    criterion, costs = random_criterion(seed)
    budget = 0.4 * costs.sum()
    best = min(
        criterion.regret(np.isin(np.arange(9), chosen).astype(float))
        for size in range(10)
        for chosen in combinations(range(9), size)
        if costs[list(chosen)].sum() <= budget
    )
    found = relax(criterion, costs, budget)
    assert found is not None
    assert found.lower_bound <= best * (1.0 + 1e-9)
    assert found.lower_bound >= 0.5 * best
    ours = criterion.regret(whole_runs(criterion, costs, budget, found.weights).astype(float))
    assert ours <= 1.05 * best


@given(st.integers(0, 10_000), st.floats(0.3, 3.0))
@settings(max_examples=25, deadline=None)
def test_a_design_never_costs_more_than_its_budget(seed: int, share: float) -> None:
    criterion, costs = random_criterion(seed)
    budget = share * costs.mean()
    assert costs[whole_runs(criterion, costs, budget)].sum() <= budget * (1.0 + 1e-6)


def test_gains_and_losses_are_exact() -> None:
    criterion, _ = random_criterion(7)
    weights = np.zeros(9)
    weights[[1, 4]] = 1.0
    more = weights.copy()
    more[6] = 1.0
    before, after = criterion.regret(weights), criterion.regret(more)
    standing = criterion.standing(weights)
    assert standing.gains()[6] == pytest.approx(before - after)
    assert criterion.losses(criterion.covariance(more), np.array([6]))[0] == pytest.approx(before - after)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 8), max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_design_that_grows_run_by_run_stands_where_one_made_at_once_does(seed: int, bought: list[int]) -> None:
    criterion, _ = random_criterion(seed)
    weights = np.zeros(9)
    growing = criterion.standing(weights)
    for k in bought:
        growing.add(k)
        weights[k] += 1.0
    at_once = criterion.standing(weights)
    assert growing.gains() == pytest.approx(at_once.gains(), rel=1e-6, abs=1e-12)
    assert growing.covariance == pytest.approx(at_once.covariance, rel=1e-6, abs=1e-9)

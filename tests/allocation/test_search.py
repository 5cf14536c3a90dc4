"""The search over cells: certified, equal to enumeration, honest about infeasibility."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.allocation.certify import lower_bounds, violation_bounds
from planner.allocation.program import build
from planner.allocation.search import search, solve
from planner.posynomial import variable

N, D, G, T = (variable(name) for name in ("n", "d", "g", "t"))


def market(seed: int, cells: int, budget: float = 1e6, *, target: float | None = None, rate: float = 1.0):
    """Random accelerators and laws: minimise the loss under a budget and a deadline, or the money for a loss."""
    generator = np.random.default_rng(seed)
    price, speed = generator.uniform(1, 10, cells), generator.uniform(1e14, 1e15, cells)
    alpha, beta = generator.choice([0.30, 0.34, 0.37], cells), generator.choice([0.28, 0.36], cells)
    floor = generator.choice([1.69, 1.82], cells)
    loss = floor + 482.0 * N**-alpha + 2085.0 * D**-beta
    money = G * T * (price * rate / 3600.0)
    limits = {"loss": loss / target} if target else {"money": money / budget}
    structure = {
        "time": 6.0 * N * D / (G * T * speed) + 1e3 * G**0.5 / T,
        "deadline": T / (90 * 86400.0),
        "memory": N * 18.0 / (G * 8e10),
    }
    bounds = {"n": (1e6, 1e15), "d": (1e6, 1e18), "g": (1.0, 1e5), "t": (1.0, 1e9)}
    return build(bounds, money if target else loss, {**limits, **structure}, cells)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("target", [None, 2.2])
def test_the_search_equals_solving_every_cell(seed, target):
    program = market(seed, 60, target=target)
    every = [solution for cell in range(60) if (solution := solve(program, cell)) and solution.violation < 1e-8]
    values = sorted(s.value for s in every)
    found = search(program, keep=5)
    assert [s.value for s in found.best] == pytest.approx(values[:5], abs=1e-6)
    assert found.lower_bound == pytest.approx(values[0], abs=1e-6)
    assert found.solve_count < 60


def test_thousands_of_cells_take_a_handful_of_solves():
    found = search(market(7, 5000))
    assert found.solve_count <= 12
    assert found.best[0].value - found.lower_bound < 1e-6


def test_no_multipliers_whatever_give_a_bound_above_the_optimum():
    program = market(3, 12)
    optima = np.array([solve(program, cell).value for cell in range(12)])
    generator = np.random.default_rng(0)
    for _ in range(200):
        noise = generator.exponential(size=program.log_coefficients.shape[1]) ** 3
        source = int(generator.integers(12))
        guided = solve(program, source).multipliers * generator.uniform(0.5, 1.5, len(noise))
        for multipliers in (noise, guided):
            assert np.all(lower_bounds(program, multipliers, source) <= optima + 1e-9)


def test_an_infeasible_market_is_proven_so_with_the_limits_that_conflict():
    program = market(1, 40, budget=1.0).fix({"n": 1e12, "d": 1e13})
    found = search(program)
    assert not found.best
    assert found.unproven == 0
    assert found.obstacle.violation > 0
    assert "money" in found.obstacle.shares


def test_violation_bounds_never_condemn_a_feasible_cell():
    program = market(2, 20)
    generator = np.random.default_rng(1)
    for _ in range(100):
        multipliers = generator.exponential(size=program.log_coefficients.shape[1]) ** 2
        assert np.all(violation_bounds(program, multipliers, 0) <= 1e-9)


def test_settling_a_variable_at_its_optimum_changes_nothing():
    program = market(4, 1)
    whole = solve(program, 0)
    column = program.variables.index("n")
    rest = solve(program.fix({"n": float(np.exp(whole.x[column]))}), 0)
    assert rest.value == pytest.approx(whole.value, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(budget=st.floats(1e3, 1e9), factor=st.floats(1.01, 100.0))
def test_more_money_never_raises_the_loss(budget, factor):
    poor, rich = (search(market(5, 8, budget=b)).best[0].value for b in (budget, budget * factor))
    assert rich <= poor + 1e-9


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-6, 1e6))
def test_the_currency_does_not_matter(scale):
    dollars, other = market(6, 3), market(6, 3, budget=1e6 * scale, rate=scale)
    assert search(other).best[0].value == pytest.approx(search(dollars).best[0].value, abs=1e-9)

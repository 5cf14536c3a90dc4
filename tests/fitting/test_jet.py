"""Derivatives of formulas by evaluating the formulas: against hand-written and against difference quotients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.fitting.jet import Jet
from planner.fitting.objective import Huber
from planner.fitting.problem import Problem
from planner.laws import Law, laws

DENSE = {"chinchilla", "kaplan", "data-constrained", "joint-moe"}
NUMBERS = st.floats(0.2, 3.0)


def seeds(x: float, y: float) -> tuple[Jet, Jet]:
    one = np.ones(1)
    return Jet(np.array([x]), {0: one}), Jet(np.array([y]), {1: one})


@given(x=NUMBERS, y=NUMBERS)
def test_a_product_of_powers_has_the_derivatives_of_the_textbook(x: float, y: float) -> None:
    a, b = seeds(x, y)
    z = a**2.0 * b**3.0 - 1.0 / a + (2.0 - b) / 4.0
    assert z.gradient[0] == pytest.approx(2 * x * y**3 + x**-2)
    assert z.gradient[1] == pytest.approx(3 * x**2 * y**2 - 0.25)
    assert z.hessian[0, 0] == pytest.approx(2 * y**3 - 2 * x**-3)
    assert z.hessian[0, 1] == pytest.approx(6 * x * y**2)
    assert z.hessian[1, 1] == pytest.approx(6 * x**2 * y)


@given(x=NUMBERS, y=NUMBERS)
def test_powers_with_varying_exponents_and_functions(x: float, y: float) -> None:
    a, b = seeds(x, y)
    z = a**b + 2.0**-b + np.exp(a) * np.log(b) + np.sqrt(a) / b
    first = y * x ** (y - 1) + np.exp(x) * np.log(y) + 0.5 * x**-0.5 / y
    second = x**y * np.log(x) - np.log(2) * 2**-y + np.exp(x) / y - np.sqrt(x) / y**2
    mixed = x ** (y - 1) * (1 + y * np.log(x)) + np.exp(x) / y - 0.5 * x**-0.5 / y**2
    assert z.gradient[0] == pytest.approx(first)
    assert z.gradient[1] == pytest.approx(second, abs=1e-12)
    assert z.hessian[0, 1] == pytest.approx(mixed)


def test_the_smaller_of_two_brings_its_own_derivatives() -> None:
    a, b = seeds(2.0, 3.0)
    z = np.minimum(a * b, np.array([5.0, 7.0]))
    assert z.value.tolist() == [5.0, 6.0]
    assert z.gradient[0].tolist() == [0.0, 3.0]
    assert np.maximum(a, b).gradient[1].tolist() == [1.0]


@given(x=st.floats(-40.0, 40.0), y=st.floats(-40.0, 40.0))
def test_the_logarithm_of_a_sum_of_exponentials_has_shares_as_derivatives(x: float, y: float) -> None:
    a, b = seeds(x, y)
    z = np.logaddexp(a, b) + np.log1p(np.exp(-np.logaddexp(a, 0.0)))
    share = 1 / (1 + np.exp(y - x))
    soft = np.logaddexp(x, 0.0)
    inner = -1 / (1 + np.exp(soft)) / (1 + np.exp(-x))
    assert z.gradient[0] == pytest.approx(share + inner, abs=1e-12)
    assert z.gradient[1] == pytest.approx(1 - share, abs=1e-12)
    assert z.hessian[0, 1] == pytest.approx(-share * (1 - share), abs=1e-12)


def test_numpy_arrays_on_the_left_work_like_numbers() -> None:
    a, _ = seeds(2.0, 3.0)
    left = np.array([1.0, 4.0])
    assert (left + a).value.tolist() == [3.0, 6.0]
    assert (left - a).gradient[0].tolist() == [-1.0]
    assert (left * a).gradient[0].tolist() == [1.0, 4.0]
    assert (left / a).gradient[0].tolist() == [-0.25, -1.0]
    assert (left**a).value == pytest.approx([1.0, 16.0])
    with pytest.raises(TypeError):
        np.sin(a)


@pytest.mark.parametrize("entry", [law for law in laws() if law.form.form_name in DENSE], ids=lambda e: e.name)
def test_gradient_and_hessian_of_the_objective_equal_difference_quotients(entry: Law) -> None:
    generator = np.random.default_rng(5)
    rows = 30
    variables = {
        "parameter_count": 10 ** generator.uniform(8, 10, rows),
        "token_count": 10 ** generator.uniform(9, 11, rows),
        "unique_token_count": 10 ** generator.uniform(8.5, 9, rows),
        "expert_count": 2.0 ** generator.integers(0, 6, rows),
    }
    variables = {k: variables[k] for k in entry.form.variables}
    losses = entry.loss(**variables) * np.exp(0.02 * generator.standard_normal(rows))
    problem = Problem(type(entry.form), variables, losses)
    theta = problem.to_theta(entry.form.vector())[None]
    huber = Huber(10.0)  # smooth here, so that difference quotients exist
    found = problem.derivatives(theta, huber)
    step = 1e-5
    for k in range(theta.shape[1]):
        up, down = theta.copy(), theta.copy()
        up[0, k] += step
        down[0, k] -= step
        slope = (problem.objective(up, huber) - problem.objective(down, huber)) / (2 * step)
        assert found.gradient[:, k] == pytest.approx(slope, rel=1e-4, abs=1e-7)
        ahead, behind = (problem.derivatives(t, huber).gradient for t in (up, down))
        scale = np.sqrt(found.gauss_newton_diagonal[0, k] * found.gauss_newton_diagonal[0]) + 1e-6
        assert found.hessian[0, k] / scale == pytest.approx((ahead - behind)[0] / (2 * step) / scale, abs=2e-4)

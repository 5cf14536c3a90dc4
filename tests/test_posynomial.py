"""Posynomials: the same formula on numbers and on variables."""

import numpy as np
import pytest

from planner.posynomial import NotLogLogConvex, constant, variable

X, Y = variable("x"), variable("y")
POINT = {"x": 1.7, "y": 0.3}


def formula(x, y):
    return 2.0 + 3.0 * x**-0.5 * y**2 + (x / y) ** 1.5 + 4.0 / x + x * (y + 1.0)


def test_a_formula_gives_the_same_number_on_variables_and_on_floats():
    assert formula(X, Y).at(POINT) == pytest.approx(formula(**POINT), rel=1e-14)


def test_a_sum_keeps_its_outer_power():
    nested = ((2.0 / X) ** 0.7 + 3.0 / Y) ** 0.1
    expected = ((2.0 / 1.7) ** 0.7 + 3.0 / 0.3) ** 0.1
    assert nested.at(POINT) == pytest.approx(expected, rel=1e-14)
    assert (nested / 5.0).at(POINT) == pytest.approx(expected / 5.0, rel=1e-14)


def test_like_terms_merge():
    assert len((X + X + 2.0 * X).terms) == 1


def test_arrays_over_cells_survive_from_either_side():
    prices = np.array([1.0, 2.0, 3.0])
    for product in (prices * X, X * prices):
        assert product.at(POINT) == pytest.approx(prices * 1.7)
        assert product.cell(2).at(POINT) == pytest.approx(3.0 * 1.7)


@pytest.mark.parametrize(
    "expression",
    [
        lambda: X + -1.0,
        lambda: 1.0 / (X + Y),
        lambda: X / (X + Y),
        lambda: ((X + Y) ** 0.5) + X,
        lambda: (X + Y) ** -1.0,
    ],
)
def test_what_is_not_log_log_convex_is_refused(expression):
    with pytest.raises(NotLogLogConvex):
        expression()


def test_a_zero_constant_leaves_no_term():
    assert len((X + 0.0).terms) == 1
    assert constant(2.0).at({}) == 2.0

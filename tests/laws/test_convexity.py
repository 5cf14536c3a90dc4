"""One formula for predicting and for optimising: laws evaluated on cvxpy and posynomial variables."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest

from planner.laws import JointMoE, Law, law, laws
from planner.posynomial import Posynomial, variable

GEOMETRIC = [entry for entry in laws() if entry.form.form_name in ("chinchilla", "kaplan")]


@pytest.mark.parametrize("entry", GEOMETRIC, ids=lambda e: e.name)
def test_cvxpy_finds_the_loss_log_log_convex(entry: Law) -> None:
    n, d = cp.Variable(pos=True), cp.Variable(pos=True)
    assert entry.form.loss(parameter_count=n, token_count=d).is_log_log_convex()


def test_cvxpy_solves_for_the_closed_form() -> None:
    form = law("besiroglu-2024").form
    n, d = cp.Variable(pos=True), cp.Variable(pos=True)
    loss = form.loss(parameter_count=1e9 * n, token_count=1e9 * d)
    problem = cp.Problem(cp.Minimize(loss), [6.0 * n * d <= 1e3])
    problem.solve(gp=True)
    size, tokens = form.compute_optimal(1e21)  # type: ignore[attr-defined]
    assert n.value * 1e9 == pytest.approx(size, rel=1e-3)
    assert d.value * 1e9 == pytest.approx(tokens, rel=1e-3)


@pytest.mark.parametrize("entry", GEOMETRIC, ids=lambda e: e.name)
def test_posynomial_terms_have_the_value_of_the_formula(entry: Law) -> None:
    symbolic = entry.form.loss(parameter_count=variable("n"), token_count=variable("d"))
    assert isinstance(symbolic, Posynomial)
    n, d = np.array([1e7, 1e9, 1e12]), np.array([1e9, 1e11, 1e10])
    assert symbolic.at({"n": n, "d": d}) == pytest.approx(entry.loss(parameter_count=n, token_count=d), rel=1e-13)


def test_a_mixture_of_experts_is_a_posynomial_for_each_expert_count() -> None:
    form = law("ludziejewski-2025").form
    assert isinstance(form, JointMoE)
    symbolic = form.loss(parameter_count=variable("n"), token_count=variable("d"), expert_count=8.0)
    numeric = form.loss(parameter_count=1e9, token_count=1e11, expert_count=8.0)
    assert symbolic.at({"n": 1e9, "d": 1e11}) == pytest.approx(numeric, rel=1e-13)

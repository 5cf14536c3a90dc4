"""One formula for predicting and for optimising: published laws evaluated on cvxpy and posynomial variables.

What can be handed to a geometric program is said in the literature form by form; the table below is that, and the form
has to agree whatever class it names.
"""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from planner.laws import Form, Law, OptimisationClass, form_class, law, laws
from planner.laws.variables import variable as entry
from planner.posynomial import Posynomial, variable

AS_IT_STANDS = {
    "chinchilla", "chinchilla-tied", "skill-quanta", "kaplan", "kaplan-steps", "fine-grained-moe", "expert-sparsity",
    "sparse", "trained-after-pruning", "fine-tuning", "fine-tuning-by-pretraining", "fine-tuning-by-tunable",
    "transfer-low-data", "repeated-sampling", "shape-dimension", "datastore", "graph", "look-back", "power-of-tokens",
    "power-of-parameters", "power-of-compute", "power-of-context", "m1", "m2", "monomial-of-compute",
    "monomial-of-tokens", "monomial-of-parameters", "monomial-of-loss", "monomial-of-parameters-and-tokens",
    "batch-trade-off", "ensemble",
}  # fmt: skip
AFTER_A_TRANSFORM = {
    "coupled", "error-surface", "dense-retriever", "intrinsic-performance", "bimodal", "vocabulary", "vocabulary-size",
}  # fmt: skip
BY_ENUMERATION = {
    "joint-moe", "routed", "routed-with-data", "five-factor-moe", "overfitting", "weight-precision",
    "training-precision", "post-training-precision", "parallel-streams", "domain-share", "sparse-autoencoder",
    "data-pruning", "quantized-training",
}  # fmt: skip
ONE_VARIABLE = {
    "shifted-power", "rectified", "m3", "m4", "downstream-error", "power-of-loss", "line-in-loss", "compute-sigmoid",
    "coverage", "board-game-elo", "search-for-training", "magnitude-pruning", "pruned-network", "transferred-data",
    "logarithm-of-compute", "logarithm-of-parameters", "capability-density", "sparse-at-fixed-data",
    "expert-sparsity-at-fixed-data",
}  # fmt: skip
SEARCHED = {
    "farseer", "distillation", "transfer", "votes", "broken-1", "broken-2", "data-utility", "data-pools-2",
    "reward-of-best-of-n", "reward-of-rl", "vocabulary-curve", "loss-threshold", "observational-3",
    "hyper-parameter-surface",
}  # fmt: skip
PLANNED = AS_IT_STANDS | AFTER_A_TRANSFORM | BY_ENUMERATION
PUBLISHED = [entry for entry in laws() if entry.form.form_name in PLANNED]


def symbols(form: Form, make: Any) -> dict[str, Any]:
    """A decision variable for each variable that a plan decides, the middle of the usual values for the others."""
    middles = {name: float(np.sqrt(np.prod(entry(name).usual))) for name in form.variables}
    return {name: middles[name] if name in form.enumerated else make(name) for name in form.variables}


def test_every_form_has_a_place_in_the_literature_on_optimisation() -> None:
    from planner.laws import FORMS

    others = {"data-constrained", "mixture-5", "mixture-power-5"}
    assert {form.form_name for form in FORMS} == PLANNED | ONE_VARIABLE | SEARCHED | others


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (AS_IT_STANDS, {"POSYNOMIAL", "POSYNOMIAL_POWER", "INVERTED"}),
        (AFTER_A_TRANSFORM, {"MONOTONE_TRANSFORM"}),
        (BY_ENUMERATION, {"ENUMERATED"}),
        (ONE_VARIABLE, {"INVERTED"}),
        (SEARCHED, {"SEARCH"}),
        ({"data-constrained"}, {"TANGENT_CUTS"}),
        ({"mixture-5", "mixture-power-5"}, {"CONVEX"}),
    ],
)
def test_forms_name_the_class_that_the_literature_gives_them(names: set[str], classes: set[str]) -> None:
    assert {
        name: form_class(name).optimisation_class.name
        for name in names
        if form_class(name).optimisation_class.name not in classes
    } == {}


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda e: e.name)
def test_cvxpy_finds_published_laws_log_log_convex(entry: Law) -> None:
    assert entry.form.inner(**symbols(entry.form, lambda name: cp.Variable(pos=True))).is_log_log_convex()


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda e: e.name)
def test_posynomials_of_published_laws_have_the_value_of_the_formula(entry: Law) -> None:
    at = symbols(entry.form, variable)
    symbolic = entry.form.inner(**at)
    assert isinstance(symbolic, Posynomial)
    here = {
        name: float(value.at({name: 7.0})) if isinstance(value, Posynomial) else value for name, value in at.items()
    }
    assert symbolic.at({name: 7.0 for name in entry.form.variables if name not in entry.form.enumerated}) == (
        pytest.approx(entry.form.inner(**here), rel=1e-12)
    )


def test_cvxpy_solves_for_the_closed_form() -> None:
    form = law("besiroglu-2024").form
    n, d = cp.Variable(pos=True), cp.Variable(pos=True)
    loss = form.loss(parameter_count=1e9 * n, token_count=1e9 * d)
    problem = cp.Problem(cp.Minimize(loss), [6.0 * n * d <= 1e3])
    problem.solve(gp=True)
    size, tokens = form.compute_optimal(1e21)  # type: ignore[attr-defined]
    assert n.value * 1e9 == pytest.approx(size, rel=1e-3)
    assert d.value * 1e9 == pytest.approx(tokens, rel=1e-3)


def test_an_experts_law_runs_away_unless_its_size_is_bounded() -> None:
    """Abnar et al. 2025: at a given compute the law wants endlessly many parameters of which few are active."""
    form = law("abnar-2025").form
    n, d, share = (cp.Variable(pos=True) for _ in range(3))
    loss = form.loss(parameter_count=n, token_count=d, active_expert_share=share)
    found = []
    for most in (1e11, 1e13):
        limits = [6.0 * share * n * d <= 1e21, n <= most, share >= 1e-9, share <= 1.0]
        found.append(cp.Problem(cp.Minimize(loss), limits).solve(gp=True))
        assert n.value == pytest.approx(most, rel=1e-3)
    assert found[1] < found[0]


def test_a_data_constrained_law_is_log_log_convex_along_every_line() -> None:
    form = law("muennighoff-2023").form
    assert form.optimisation_class is OptimisationClass.TANGENT_CUTS
    generator = np.random.default_rng(0)
    low, high = np.log([1e7, 1e9, 1e8]), np.log([1e12, 1e14, 1e12])
    ends = generator.uniform(low, high, (2, 500, 3))
    weights = np.linspace(0.0, 1.0, 21)[:, None, None]
    points = np.exp((1 - weights) * ends[0] + weights * ends[1])
    losses = np.log(
        form.loss(parameter_count=points[..., 0], token_count=points[..., 1], unique_token_count=points[..., 2])
    )
    assert np.diff(losses, n=2, axis=0).min() > -1e-9

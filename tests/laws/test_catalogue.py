"""One suite over the whole catalogue: a new form is covered by being added to the table of forms.

Every form is evaluated at usual values of its variables, with the coefficients of a published law or, where none is
published, with plausible ones from the list below or from the middle of where a fit would look for them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from numpy.typing import NDArray

from planner.errors import InvalidInput
from planner.fitting import Runs, fit_law
from planner.fitting.objective import Huber
from planner.fitting.problem import Problem
from planner.laws import FORMS, Coefficient, Form, OptimisationClass, form_class, laws
from planner.laws.variables import variable as entry
from planner.posynomial import Posynomial, variable

Values = dict[str, NDArray[np.float64]]

PLAUSIBLE: Mapping[str, Mapping[str, float]] = {
    "overfitting": {
        "E": 1.9,
        "A": 500.0,
        "B": 1500.0,
        "P": 0.02,
        "alpha": 0.35,
        "beta": 0.36,
        "delta": 0.8,
        "kappa": 0.5,
    },
    "skill-quanta": {"E": 1.8, "A": 480.0, "B": 300.0, "alpha": 0.35},
    "graph": {"E": 0.4, "A": 20.0, "B": 30.0, "alpha": 0.3, "beta": 0.35},
    "look-back": {
        "E": 0.3,
        "A": 10.0,
        "B": 3.0,
        "G": 1.5,
        "alpha": 0.3,
        "beta": 0.3,
        "gamma": 0.6,
        "delta": 0.4,
    },
    "farseer": {
        "a1": 0.2,
        "b1": -1.2,
        "alpha": 0.12,
        "a2": -0.8,
        "b2": 0.9,
        "beta": 0.15,
        "a3": -0.3,
        "b3": 1.0,
        "gamma": 0.1,
    },
    "data-pools-2": {"a": 1.4, "d": 0.2, "b1": -0.2, "b2": -0.1, "tau1": 2.0, "tau2": 7.0},
    "data-pruning": {"E": 0.02, "A": 100.0, "beta": 0.4, "kappa": 1.2, "delta": 0.15},
    "observational-3": {"h": 0.25, "b": -1.0, "w1": 0.6, "w2": -0.3, "w3": 0.2},
    "line-in-loss": {"w0": 1.5, "w1": 0.45},
    "loss-threshold": {"chance": 0.25, "slope": 0.8, "threshold": 2.2},
    "data-utility": {"a": 1.4, "d": 0.2, "b": -0.15, "tau": 3.0},
    "routed-with-data": {
        "a": 60.0,
        "b": 0.3,
        "c": 400.0,
        "f": 1.5,
        "alpha": 0.25,
        "beta": 0.4,
        "gamma": 0.3,
        "d": 0.002,
    },
    "expert-sparsity-at-fixed-data": {
        "a": 400.0,
        "c": 0.5,
        "d": 9.0,
        "e": 0.9,
        "alpha": 0.4,
        "lambda_": -0.17,
        "delta": 0.16,
        "gamma": 0.12,
    },
    "sparse-at-fixed-data": {"a_S": 17.0, "b_S": 0.72, "c_S": 45.0, "b_N": 0.25, "c": 1.3},
    "pruned-network": {"e_np": 0.24, "e_up": 0.9, "g": 1.3, "p": 0.05},
    "magnitude-pruning": {"e_up": 0.9, "g": 1.3, "p": 2.0, "phi": 0.8, "psi": 1.3},
    "trained-after-pruning": {
        "N_C": 60.0,
        "D_C": 900.0,
        "E": 0.05,
        "alpha": 0.2,
        "beta": 0.3,
        "gamma": -0.6,
        "delta": 0.05,
    },
    "quantized-training": {
        "E": 1.9,
        "A": 480.0,
        "B": 2000.0,
        "alpha": 0.34,
        "beta": 0.36,
        "gamma_w": 2.7,
        "C_T": 0.06,
        "gamma_D": 0.5,
        "gamma_N": 0.34,
        "gamma_post": 0.6,
        "C_w": 0.3,
    },
    "weight-precision": {"E": 1.9, "A": 480.0, "B": 2000.0, "alpha": 0.34, "beta": 0.36, "gamma": 2.7, "k": 1.4},
    "transfer-low-data": {"N_c": 6e13, "D_c": 1e7, "alpha_N": 0.08, "alpha_D": 0.2, "a": 0.3, "b": 0.4},
    "transfer": {"N_c": 6e13, "D_c": 1e13, "alpha_N": 0.08, "alpha_D": 0.2, "k": 2e4, "a": 0.18, "b": 0.38},
    "rectified": {"E": 1.0, "B": 300.0, "D_l": 400.0, "beta": 0.45},
    "datastore": {"E": 1.7, "A": 480.0, "B": 2000.0, "G": 20.0, "alpha": 0.34, "beta": 0.36, "gamma": 0.2},
    "mixture-5": {"c": 1.5, "t1": -1.0, "t2": 0.7, "t3": 0.2, "t4": -0.4, "t5": 0.5},
    "mixture-power-5": {"k": 2.5, "gamma": 0.2, "w1": 0.3, "w2": 2.0, "w3": 0.7, "w4": 5.0},
    "domain-share": {
        "E": 1.5,
        "A": 480.0,
        "B": 2000.0,
        "C": 0.08,
        "alpha": 0.34,
        "beta": 0.36,
        "eta": 0.3,
        "gamma": 0.6,
        "eps": 0.1,
    },
    "vocabulary-size": {"E": 5.5, "A": 1.9, "B": 0.4, "G": 2.2, "alpha": 0.4, "beta": 0.3, "gamma": 0.45},
    "repeated-sampling": {"E": 0.3, "A": 50.0, "B": 300.0, "G": 0.5, "alpha": 0.3, "beta": 0.3, "gamma": 0.4},
    "coverage": {"a": -1.8, "b": -0.25},
    "votes": {"s": 0.7, "p1": 0.62, "p2": 0.4},
    "shape-dimension": {"a": 0.5, "b": 20.0, "xi": 3e4, "e": 0.1, "p": 0.5, "q": 0.9, "r": 0.3},
    "bimodal": {
        "E_i": 2.4,
        "A_i": 490.0,
        "B_i": 1990.0,
        "alpha_i": 0.3,
        "beta_i": 0.32,
        "E_j": 3.0,
        "A_j": 154.0,
        "B_j": 205.0,
        "alpha_j": 0.31,
        "beta_j": 0.24,
        "C": 0.4,
        "A": 40.0,
        "B": 60.0,
        "alpha": 0.25,
        "beta": 0.2,
    },
    "intrinsic-performance": {"N_c": 2.0, "E_c": 5.0, "alpha_N": 0.5, "alpha_E": 0.6},
    "reward-of-best-of-n": {"alpha": 0.4, "beta": 0.02},
    "reward-of-rl": {"alpha": 0.6, "beta": 0.2},
    "compute-sigmoid": {"R0": 0.1, "A": 0.61, "C_mid": 1e20, "B": 0.8},
    "sparse-autoencoder": {"a": -0.5, "b_k": 0.3, "b_n": -0.1, "g": -0.02, "z": -1.5, "e": -0.1},
    "m2": {"floor": 0.1, "b": 4.0, "c": -0.4},
    "m3": {"b": 4.0, "c": -0.4, "g": 1e-5},
    "m4": {"floor": 0.1, "e0": 0.8, "a": 0.7, "b": 30.0, "c": -0.5},
    "broken-1": {"a": 0.2, "b": 3.0, "c0": 0.1, "c1": 0.5, "d1": 1e4, "f1": 0.6},
    "broken-2": {"a": 0.2, "b": 3.0, "c0": 0.1, "c1": 0.6, "d1": 3e3, "f1": 0.3, "c2": -0.4, "d2": 3e5, "f2": 0.3},
    "power-of-tokens": {"E": 1.7, "A": 300.0, "alpha": 0.28},
    "power-of-loss": {"c": 0.1, "k": 0.2, "a": 1.5},
    "ensemble": {"floor": 2.2, "a": 0.3},
    "batch-trade-off": {"S_min": 5e3, "B_crit": 1e6},
}
# What is known from elsewhere when these are fitted: the laws of the parts alone.
KNOWN_PARTS: Mapping[str, tuple[str, ...]] = {
    "distillation": ("E", "A", "B", "alpha", "beta", "gamma"),
    "bimodal": tuple(f"{k}_{part}" for part in "ij" for k in ("E", "A", "B", "alpha", "beta")),
}
SAME_IN_ANOTHER_ORDER = {"broken-2"}  # two breaks may change places
# Where the runs of a form lie if not at the usual values of its variables (Hex is learned for little compute).
USUAL: Mapping[str, Mapping[str, tuple[float, float]]] = {"board-game-elo": {"training_flops": (1e8, 1e16)}}
# What is solved for where the loss is not strictly monotone in the first variable.
SOLVED_FOR: Mapping[str, str] = {"magnitude-pruning": "density", "board-game-elo": "board_size"}
GEOMETRIC = {
    OptimisationClass.POSYNOMIAL,
    OptimisationClass.POSYNOMIAL_POWER,
    OptimisationClass.ENUMERATED,
    OptimisationClass.MONOTONE_TRANSFORM,
}


def over(kinds: Iterable[type[Form]]) -> pytest.MarkDecorator:
    """Runs a test for each of these forms."""
    return pytest.mark.parametrize("kind", list(kinds), ids=lambda kind: kind.form_name)


ALL = over(FORMS)
PLANNABLE = over(kind for kind in FORMS if kind.optimisation_class in GEOMETRIC)
ENUMERATED = over(kind for kind in FORMS if kind.optimisation_class in GEOMETRIC and kind.enumerated)
INVERTED = over(kind for kind in FORMS if kind.optimisation_class is OptimisationClass.INVERTED)


def example(kind: type[Form]) -> Form:
    """The form with coefficients that make sense."""
    published = [law.form for law in laws() if type(law.form) is kind and not law.known_bad]
    if published:
        return published[0]
    return kind(**PLAUSIBLE.get(kind.form_name, {c.name: middle(c) for c in kind.coefficients}))


def middle(spec: Coefficient) -> float:
    """The middle of where starting points are spread."""
    low, high = spec.search
    return math.sqrt(low * high) if spec.logarithmic else 0.5 * (low + high)


def points(kind: type[Form], rows: int, seed: int = 0) -> Values:
    """Usual values of the form's variables (rows,)."""
    generator = np.random.default_rng(seed)
    found: Values = {}
    shared = [name for name in kind.variables if re.match(r"(domain|pool)_share_\d", name)]
    shares = dict(zip(shared, generator.dirichlet(np.ones(max(1, len(shared))), rows).T, strict=False))
    for name in kind.variables:
        known = entry(name)
        low, high = USUAL.get(kind.form_name, {}).get(name, known.usual)
        if name in shares:
            found[name] = shares[name]
        elif low < 0:
            found[name] = generator.uniform(low, high, rows)
        else:
            found[name] = np.exp(generator.uniform(np.log(low), np.log(high), rows))
        if known.steps == "powers of two":
            found[name] = 2.0 ** np.round(np.log2(found[name]))
        elif known.steps == "whole":
            found[name] = np.round(found[name])
    if {"token_count", "unique_token_count"} <= found.keys():
        found["unique_token_count"] = found["token_count"] / np.exp(generator.uniform(0.0, 4.0, rows))
    return found


@ALL
def test_a_form_says_what_it_is_and_predicts(kind: type[Form]) -> None:
    form = example(kind)
    assert form_class(kind.form_name) is kind
    assert (kind.loss.__doc__ or "").strip()
    assert "arXiv" in kind.citation or "assumed" in kind.citation
    assert [c.name for c in kind.coefficients] == list(form.values())
    assert all(c.lower <= v <= c.upper for c, v in zip(kind.coefficients, form.vector(), strict=True))
    assert all(c.lower <= s <= c.upper for c in kind.coefficients for s in c.search)
    assert set(kind.enumerated) <= set(kind.variables)
    predicted = form.loss(**points(kind, 40))
    assert predicted.shape == (40,)
    assert np.all(np.isfinite(predicted))
    assert kind.signed() or np.all(predicted > 0)


@ALL
def test_all_missing_variables_are_named(kind: type[Form]) -> None:
    with pytest.raises(InvalidInput) as caught:
        example(kind).loss()
    assert [v.field for v in caught.value.violations] == list(kind.variables)


@ALL
def test_a_cloud_gives_what_each_draw_gives_alone(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 7)
    draws = form.vector() * np.array([1.0, 0.99, 1.01])[:, None]
    together = kind.from_vector(draws).loss(**at)
    alone = np.array([kind.from_vector(v).loss(**at) for v in draws])
    assert together == pytest.approx(alone, rel=1e-12)


@ALL
def test_terms_add_up_to_the_loss(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 20)
    terms = form.loss_terms(**at)
    if terms is not None:
        assert terms.model + terms.data + terms.floor == pytest.approx(form.loss(**at), rel=1e-12)


@ALL
def test_the_outer_function_of_the_inner_quantity_is_the_loss(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 20)
    inner, loss = form.inner(**at), form.loss(**at)
    assert form.outer(inner) == pytest.approx(loss, rel=1e-12)
    assert form.inner_for_loss(loss) == pytest.approx(inner, rel=1e-6)


@ALL
def test_derivatives_equal_difference_quotients(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 30, seed=5)
    noise = 0.02 * np.random.default_rng(5).standard_normal(30)
    losses = form.loss(**at) + noise if kind.signed() else form.loss(**at) * np.exp(noise)
    problem = Problem(kind, at, losses)
    theta = problem.to_theta(form.vector())[None]
    huber = Huber(1e4)  # smooth here, so that difference quotients exist
    found = problem.derivatives(theta, huber)
    scale = np.sqrt(found.gauss_newton_diagonal[0]) + 1e-9
    for k in range(theta.shape[1]):
        step = min(1e-5 / scale[k], 1e-4)
        up, down = theta.copy(), theta.copy()
        up[0, k] += step
        down[0, k] -= step
        slope = (problem.objective(up, huber) - problem.objective(down, huber)) / (2 * step)
        assert found.gradient[0, k] / scale[k] == pytest.approx(slope[0] / scale[k], rel=1e-3, abs=1e-5)
        ahead, behind = (problem.derivatives(t, huber).gradient[0] for t in (up, down))
        bend = (ahead - behind) / (2 * step) / (scale * scale[k])
        assert found.hessian[0, k] / (scale * scale[k]) == pytest.approx(bend, rel=1e-3, abs=1e-3)


@ALL
def test_coefficients_that_made_the_runs_are_found_again(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 150)
    fixed = {k: float(form.values()[k]) for k in KNOWN_PARTS.get(kind.form_name, ())}
    runs = Runs.from_columns({**at, "loss": form.loss(**at)})
    found = fit_law(runs, kind.form_name, bootstrap=0, fixed=fixed)
    assert found.objective_value < 1e-18
    fresh = points(kind, 50, seed=1)
    assert found.form.loss(**fresh) == pytest.approx(form.loss(**fresh), rel=1e-7)
    if kind.form_name not in SAME_IN_ANOTHER_ORDER:
        assert found.form.vector() == pytest.approx(form.vector(), rel=1e-5)


def decided(kind: type[Form]) -> tuple[str, ...]:
    """The variables that a geometric program may choose."""
    return tuple(name for name in kind.variables if name not in kind.enumerated)


@PLANNABLE
def test_a_plannable_form_is_a_posynomial_with_the_value_of_the_formula(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 6)
    for row in range(6):
        here = {name: float(values[row]) for name, values in at.items()}
        symbols: dict[str, Any] = {**here, **{name: variable(name) for name in decided(kind)}}
        symbolic = form.inner(**symbols)
        assert isinstance(symbolic, Posynomial)
        assert symbolic.at(here) == pytest.approx(form.inner(**here), rel=1e-12)


@PLANNABLE
def test_cvxpy_finds_a_plannable_form_log_log_convex(kind: type[Form]) -> None:
    here = {name: float(values[0]) for name, values in points(kind, 1).items()}
    symbols: dict[str, Any] = {**here, **{name: cp.Variable(pos=True) for name in decided(kind)}}
    assert example(kind).inner(**symbols).is_log_log_convex()


@PLANNABLE
def test_a_geometric_program_finds_no_worse_than_a_thousand_guesses(kind: type[Form]) -> None:
    """Within the usual ranges, the product of what may be chosen at most that of the middle of each."""
    form, guesses = example(kind), points(kind, 1000, seed=2)
    here = {name: float(np.median(guesses[name])) for name in kind.enumerated}
    chosen = {name: cp.Variable(pos=True) for name in decided(kind)}
    usual = {name: entry(name).usual for name in chosen}
    budget = math.prod(math.sqrt(low * high) for low, high in usual.values())
    limits = [limit for name, x in chosen.items() for limit in (x >= usual[name][0], x <= usual[name][1])]
    problem = cp.Problem(cp.Minimize(form.inner(**here, **chosen)), [*limits, math.prod(chosen.values()) <= budget])
    problem.solve(gp=True)
    assert problem.status == cp.OPTIMAL
    found = {name: float(x.value) for name, x in chosen.items()}
    assert form.inner(**here, **found) == pytest.approx(float(problem.value), rel=1e-6)
    inside = math.prod(guesses[name] for name in chosen) <= budget
    rivals = form.inner(**here, **{name: guesses[name][inside] for name in chosen})
    assert problem.value <= np.min(rivals) * (1 + 1e-6)


@ENUMERATED
def test_values_of_enumerated_variables_may_be_an_array_over_cells(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 6)
    cells = {name: at[name] for name in kind.enumerated}
    together = form.inner(**cells, **{name: variable(name) for name in decided(kind)})
    for row in range(6):
        here = {name: float(at[name][row]) for name in kind.variables}
        assert together.cell(row).at(here) == pytest.approx(form.inner(**here), rel=1e-12)


@INVERTED
def test_one_variable_follows_from_the_value_that_is_wanted(kind: type[Form]) -> None:
    form, at = example(kind), points(kind, 5)
    name = SOLVED_FOR.get(kind.form_name, kind.variables[0])
    others = [other for other in kind.variables if other != name]
    found = form.value_for(name, form.loss(**at), **{k: at[k] for k in others})
    assert form.loss(**{**at, name: found}) == pytest.approx(form.loss(**at), rel=1e-9)
    with np.errstate(all="ignore"):
        assert found == pytest.approx(at[name], rel=1e-5)


def test_no_value_reaches_what_a_floor_excludes() -> None:
    form = form_class("m2")(floor=0.1, b=4.0, c=-0.4)
    assert np.isnan(form.value_for("scale", 0.05))


def test_mixtures_have_any_number_of_domains() -> None:
    assert form_class("mixture-7").variables[-1] == "domain_share_7"
    assert form_class("Mixture-7") is form_class("mixture-7")

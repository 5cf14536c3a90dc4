"""Approaches 1 and 2 of Hoffmann et al. 2022: on a law of known optimum, and on published runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.errors import InvalidInput, NotIdentified
from planner.fitting import Estimate, Runs, compare_approaches, fit_law, observe
from planner.fitting.beside import exponents_beside
from planner.fitting.isoflop import HALF_WIDTH
from planner.laws import form_class, law

TRUTH = law("besiroglu-2024").form
EXPONENT = 0.3658 / (0.3478 + 0.3658)


def profiles(width: float, noise: float = 0.0, sizes: int = 9, seed: int = 0) -> Runs:
    """Six budgets, each with sizes within a factor `width` of the best one."""
    budgets = np.repeat(np.geomspace(1e19, 3e21, 6), sizes)
    best = TRUTH.compute_optimal(budgets)[0]  # type: ignore[attr-defined]
    n = best * np.tile(np.geomspace(1.0 / width, width, sizes), 6)
    d = budgets / (6.0 * n)
    luck = np.exp(noise * np.random.default_rng(seed).standard_normal(len(n)))
    loss = TRUTH.loss(parameter_count=n, token_count=d) * luck
    return Runs.from_columns({"N": n, "D": d, "C": budgets, "loss": loss})


def curves(sizes: int = 14) -> Runs:
    """Training curves of a constant learning rate, each point as good as a run that ends there."""
    n = np.repeat(np.geomspace(3e7, 3e10, sizes), 40)
    d = n * np.tile(np.geomspace(1.0, 400.0, 40), sizes)
    loss = TRUTH.loss(parameter_count=n, token_count=d)
    return Runs.from_columns({"N": n, "D": d, "C": 6.0 * n * d, "loss": loss, "run": [f"size {x:.0f}" for x in n]})


def test_parabolas_on_a_narrow_grid_find_the_exponent() -> None:
    fitted = fit_law(profiles(3.0), "isoflop", bootstrap=50)
    exponent = fitted.compute_optimal_exponent
    assert exponent is not None
    assert exponent.parameters.value == pytest.approx(EXPONENT, abs=2e-3)
    assert exponent.parameters.value + exponent.tokens.value == pytest.approx(1.0, abs=1e-6)


def test_the_best_model_of_a_budget_follows_from_the_law() -> None:
    fitted = fit_law(profiles(2.0), "isoflop", bootstrap=0)
    n, d = fitted.form.compute_optimal(1e21)  # type: ignore[attr-defined]
    assert n == pytest.approx(TRUTH.compute_optimal(1e21)[0], rel=0.05)  # type: ignore[attr-defined]
    assert 6.0 * n * d == pytest.approx(1e21, rel=1e-3)


def test_a_window_keeps_a_wide_grid_from_shifting_the_minimum() -> None:
    """A parabola through all of a grid of a factor of 16 is off by far more than one through the window."""
    runs = profiles(16.0)
    budget = runs.column("C").numbers == runs.column("C").numbers[0]
    x, y = np.log(runs.column("N").numbers[budget]), np.log(runs.column("loss").numbers[budget])
    best = float(np.log(TRUTH.compute_optimal(runs.column("C").numbers[0])[0]))  # type: ignore[attr-defined]
    near = np.abs(x - best) <= HALF_WIDTH

    def vertex(chosen: np.ndarray) -> float:
        c2, c1, _ = np.polyfit(x[chosen] - best, y[chosen], 2)
        return float(-c1 / (2 * c2))

    assert abs(vertex(near)) < 0.35 * abs(vertex(np.ones(len(x), dtype=bool)))


def test_the_bias_of_the_method_at_these_runs_is_said() -> None:
    for form in ("isoflop", "envelope"):
        codes = {w.code for w in fit_law(profiles(4.0, noise=0.003), form, bootstrap=20).warnings}
        assert "METHOD_BIAS" in codes


def test_the_interval_holds_the_truth_under_noise() -> None:
    inside = 0
    for seed in range(10):
        fitted = fit_law(profiles(4.0, noise=0.003, seed=seed), "isoflop", bootstrap=200, seed=seed)
        exponent = fitted.compute_optimal_exponent
        assert exponent is not None
        inside += exponent.parameters.lower <= EXPONENT <= exponent.parameters.upper
    assert inside >= 6  # 8 are expected of an 80 % interval


def test_the_envelope_of_training_curves_finds_the_exponent() -> None:
    fitted = fit_law(curves(), "envelope", group="run", bootstrap=20)
    exponent = fitted.compute_optimal_exponent
    assert exponent is not None
    assert exponent.parameters.value == pytest.approx(EXPONENT, abs=0.02)


def test_a_column_that_names_the_run_makes_curves_of_its_rows() -> None:
    named = Runs({("run_id" if k == "run" else k): c for k, c in curves().columns.items()})
    grouped, known = fit_law(curves(), "envelope", group="run", bootstrap=5), fit_law(named, "envelope", bootstrap=5)
    assert known.form == grouped.form


def test_a_law_without_a_loss_formula_refuses_to_predict() -> None:
    fitted = fit_law(profiles(4.0), "isoflop", bootstrap=0)
    with pytest.raises(InvalidInput, match="loss formula"):
        fitted.predict({"parameter_count": 1e9, "token_count": 2e10})


def test_two_budgets_give_no_exponent() -> None:
    runs = profiles(4.0)
    with pytest.raises(NotIdentified, match="budgets"):
        fit_law(runs.take(runs.column("C").numbers < 5e19), "isoflop")


def test_the_pooled_interval_holds_all_three_approaches() -> None:
    found = compare_approaches(profiles(4.0, noise=0.002), bootstrap=50)
    values = [a.exponent.value for a in found.approaches if a.exponent is not None]
    assert len(values) == 3
    assert found.disagreement == pytest.approx(max(values) - min(values))
    assert found.pooled.lower <= min(values) + 0.02
    assert found.pooled.upper >= max(values) - 0.02


def test_llama_3_budgets_give_the_published_exponent(shared_data: Path) -> None:
    """Published D* ∝ C^0.53 (2407.21783 §3.2.1); the figure's losses are normalised, which moves no minimum."""
    runs = Runs.read(shared_data / "runs" / "llama3_isoflop.csv")
    exponent = fit_law(runs, "isoflop", mapping={"loss_plotted": "loss"}, bootstrap=200).compute_optimal_exponent
    assert exponent is not None
    assert exponent.tokens.value == pytest.approx(0.53, abs=0.015)
    assert exponent.tokens.lower < 0.53 < exponent.tokens.upper


@pytest.mark.parametrize(("corpus", "expected"), [("comma", 0.33), ("dclm", 0.37), ("nemotron", 0.38)])
def test_marin_ladders_give_small_exponents(shared_data: Path, corpus: str, expected: float) -> None:
    runs = Runs.read(shared_data / "runs" / "marin_isoflop.csv")
    fitted = fit_law(
        runs,
        "isoflop",
        where=f"corpus == '{corpus}' and is_validation_optimal == 0",
        mapping={"budget_in_name": "training_flops"},
        bootstrap=200,
    )
    assert fitted.compute_optimal_exponent is not None
    assert fitted.compute_optimal_exponent.parameters.value == pytest.approx(expected, abs=0.03)


def test_three_approaches_agree_on_chinchilla_s_points(shared_data: Path) -> None:
    """Published: 0.50 by envelope, 0.49 (0.462, 0.534) by parabolas; 0.514 for the repaired parametric fit."""
    runs = Runs.read(shared_data / "runs" / "chinchilla_epoch.csv")
    found = compare_approaches(runs, where="in_fit_240 == 1", bootstrap=100)
    value = {a.name: a.exponent.value for a in found.approaches if a.exponent is not None}
    assert value["envelope"] == pytest.approx(0.50, abs=0.02)
    assert 0.462 < value["isoflop"] < 0.534
    assert value["parametric"] == pytest.approx(0.514, abs=1e-3)


@pytest.mark.parametrize(
    ("table", "where", "mapping", "expected"),
    [
        ("chinchilla_epoch", "in_fit_240 == 1", {}, (0.514, 0.516, 0.507)),
        ("llama3_isoflop", None, {"loss_plotted": "loss"}, (0.527, 0.474, 0.468)),
        (
            "marin_isoflop",
            "corpus == 'comma' and is_validation_optimal == 0",
            {"budget_in_name": "training_flops"},
            (0.345, 0.352, 0.355),
        ),
        ("xlstm_llama", "family == 'llama' and context == 8192", {}, (0.553, 0.551, 0.533)),
        ("misfitting_dense", "is_final == 1", {}, (0.810, 0.507, 0.420)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fit_on_profiles_says_what_the_other_approaches_read_off_them(
    shared_data: Path, table: str, where: str | None, mapping: dict[str, str], expected: tuple[float, ...]
) -> None:
    runs = Runs.read(shared_data / "runs" / f"{table}.csv")
    fitted = fit_law(runs, where=where, mapping=mapping, bootstrap=200)
    assert fitted.approaches is not None
    found = {name: estimate.value for name, estimate in fitted.approaches.exponents.items()}
    assert [found[name] for name in ("parametric", "isoflop", "envelope")] == pytest.approx(expected, abs=0.01)
    assert fitted.approaches.disagreement == pytest.approx(max(expected) - min(expected), abs=0.02)
    pooled = fitted.approaches.pooled
    assert pooled.lower < np.mean(expected) < pooled.upper


def test_an_exponent_far_from_what_the_profiles_say_is_called_so() -> None:
    seen = observe(profiles(4.0, noise=0.002), form_class("chinchilla"))
    draws = np.linspace(0.68, 0.72, 100)
    beside, cautions = exponents_beside(seen, Estimate(0.7, 0.684, 0.716, 0.01), draws, 0)
    assert beside is not None
    assert {c.code for c in cautions} == {"APPROACHES_DISAGREE"}
    assert beside.disagreement > 0.15
    assert beside.pooled.lower < 0.53 < 0.68 < beside.pooled.upper


def test_runs_that_lie_on_no_profiles_have_one_approach_only() -> None:
    generator = np.random.default_rng(0)
    n = np.exp(generator.uniform(np.log(1e8), np.log(1e10), 40))
    d = n * np.exp(generator.uniform(np.log(4.0), np.log(100.0), 40))
    loss = TRUTH.loss(parameter_count=n, token_count=d)
    assert fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=0).approaches is None


@pytest.mark.parametrize("seed", [1, 3, 6])
def test_runs_of_like_compute_by_chance_are_said_to_be_no_budgets(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 10 ** random.uniform(7.5, 9.7, 63)
    d = n * 10 ** random.uniform(0.5, 2.5, 63)
    strewn = Runs.from_columns({"N": n, "D": d, "loss": TRUTH.loss(parameter_count=n, token_count=d)})
    try:
        notes = {w.code for w in fit_law(strewn, "isoflop", bootstrap=20).warnings}
    except NotIdentified:  # none of the parabolas has its minimum inside
        return
    assert "FEW_IN_BUDGETS" in notes


def test_runs_made_to_budgets_are_not() -> None:
    assert "FEW_IN_BUDGETS" not in {w.code for w in fit_law(profiles(3.0), "isoflop", bootstrap=20).warnings}

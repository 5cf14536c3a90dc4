"""Forms are chosen by how they extrapolate, from the fitted runs alone, and nothing is recommended that cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from planner.errors import InvalidInput, NotIdentified, UnknownName
from planner.fitting import Runs, fit_law
from planner.fitting.automatic import fit_best, told
from planner.fitting.refit import refit
from planner.fitting.selection import check, compare_forms, compare_targets
from planner.fitting.trial import JUDGED
from planner.laws.caution import Caution
from planner.laws.chinchilla import Chinchilla
from planner.laws.mixture_power import mixture_power

TRUTH = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
FORMS = ("chinchilla", "kaplan")


def columns(noise: float = 2e-3, rows: int = 60, seed: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([5e9, 1e11]), (rows, 2))).T
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(noise * random.standard_normal(rows))
    return {"N": n, "D": d, "loss": loss}


def test_the_form_that_made_the_runs_is_chosen_and_trusted() -> None:
    found = compare_forms(Runs.from_columns(columns()), FORMS, bootstrap=200)
    assert found.chosen.form == "chinchilla"
    assert found.trustworthy
    best = found.chosen.extrapolation_error
    assert best.lower <= best.value <= best.upper < 0.01
    assert {"nearest-run", "log-plane", "constant"} <= {score.form for score in found.ranking}


def test_losses_without_a_trend_make_no_form_trustworthy() -> None:
    table = columns()
    table["loss"] = np.random.default_rng(0).uniform(2.0, 4.0, len(table["N"]))
    found = compare_forms(Runs.from_columns(table), FORMS, bootstrap=200)
    assert not found.trustworthy
    assert found.statement.startswith("no form is trustworthy")


def test_the_choice_does_not_see_held_out_losses() -> None:
    table = columns()
    honest = compare_forms(Runs.from_columns(table), FORMS, holdout="D > 3e10", bootstrap=50)
    spoiled = dict(table, loss=np.where(table["D"] > 3e10, 9.0, table["loss"]))
    other = compare_forms(Runs.from_columns(spoiled), FORMS, holdout="D > 3e10", bootstrap=50)
    assert other.chosen.extrapolation_error == honest.chosen.extrapolation_error
    assert np.array_equal(other.holdout_predictions, honest.holdout_predictions)
    assert honest.chosen.holdout_r_squared is not None
    assert honest.chosen.holdout_r_squared > 0.99
    assert len(honest.holdout_rows) == int((table["D"] > 3e10).sum())


def test_a_holdout_ranks_forms_by_their_error_there() -> None:
    found = compare_forms(Runs.from_columns(columns()), FORMS, holdout="N > 1e9", bootstrap=0)
    errors = [score.holdout_error.value for score in found.ranking if score.holdout_error]
    assert len(errors) == 5
    assert errors == sorted(errors)


def test_only_directions_in_which_the_holdout_lies_outside_are_judged() -> None:
    found = compare_forms(Runs.from_columns(columns(rows=80)), ("chinchilla",), holdout="D > 3e10", bootstrap=0)
    assert any("token_count" in split.name for split in found.splits)
    assert not any("parameter_count" in split.name for split in found.splits)


def test_groups_may_share_slopes_and_differ_in_scale_and_floor() -> None:
    parts = [columns(rows=10, seed=seed) for seed in (1, 2, 3)]
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scale = np.repeat([1.0, 1.3, 0.8], 10)
    table["loss"] = table["loss"] * scale
    runs = Runs.from_columns({**table, "corpus": np.repeat(["a", "b", "c"], 10)})
    together = compare_forms(runs, ("chinchilla",), bootstrap=0)
    apart = compare_forms(runs, ("chinchilla",), group="corpus", bootstrap=0)
    assert apart.chosen.sharing == "scales"
    assert apart.chosen.extrapolation_error.value < 0.3 * together.chosen.extrapolation_error.value


def test_several_losses_of_the_same_runs_get_the_same_form() -> None:
    table = columns()
    runs = Runs.from_columns({"N": table["N"], "D": table["D"], "one": table["loss"], "two": 1.5 * table["loss"]})
    found = compare_targets(runs, ("one", "two"), FORMS, holdout="D > 3e10", bootstrap=0)
    assert {c.chosen.form for c in found.values()} == {"chinchilla"}
    assert len({(c.chosen.sharing, c.chosen.huber_delta) for c in found.values()}) == 1


def test_auto_finds_the_candidates_and_fits_the_best() -> None:
    law = fit_best(Runs.from_columns(columns(noise=1e-4, rows=40)), bootstrap=20)
    assert law.form.compute_optimal_exponents() is not None
    assert float(law.loss(parameter_count=1e9, token_count=2e10)) == pytest.approx(
        TRUTH.loss(parameter_count=1e9, token_count=2e10), rel=1e-3
    )
    assert "by extrapolation" in law.provenance.options["form chosen"]


def test_a_fit_that_does_not_converge_is_not_trusted_and_one_in_its_place_says_so() -> None:
    runs = Runs.from_columns(columns(noise=1e-4, rows=40))
    found = compare_forms(runs, ["chinchilla", "kaplan"], bootstrap=0)
    winner, other = fit_law(runs, "chinchilla", bootstrap=0), fit_law(runs, "kaplan", bootstrap=0)
    stuck = told(replace(winner, warnings=(Caution("NOT_CONVERGED", ""),)), found)
    assert stuck.warnings[0].code == "FORM_NOT_TRUSTWORTHY"
    assert "does not converge" in told(other, found).excluded_forms["chinchilla"]
    assert "chinchilla" not in told(winner, found).excluded_forms


def test_auto_fits_groups_the_way_that_won() -> None:
    parts = [columns(rows=25, seed=seed) for seed in (1, 2)]
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    corpus = np.repeat(["a", "b"], 25)
    table["loss"] = table["loss"] * np.where(corpus == "a", 1.0, 1.4)
    law = fit_best(Runs.from_columns({**table, "corpus": corpus}), group="corpus", bootstrap=20)
    assert law.groups == ("a", "b")
    points = {"parameter_count": [1e9, 1e9], "token_count": [2e10, 2e10], "group": ["a", "b"]}
    one, two = law.predict(points).loss
    assert two / one == pytest.approx(1.4, rel=0.01)


def test_auto_draws_less_often_for_large_tables_and_says_so() -> None:
    law = fit_best(Runs.from_columns(columns(rows=2000)), bootstrap=500)
    assert law.draws is not None
    assert len(law.draws) < 400
    assert "FEWER_DRAWS" in {w.code for w in law.warnings}


def test_a_few_forms_at_most_are_judged_on_every_split() -> None:
    found = compare_forms(Runs.from_columns(columns()), bootstrap=0)
    assert sum(not score.baseline for score in found.ranking) <= JUDGED
    assert any("on a first look" in why for why in found.excluded.values())


def test_many_groups_get_no_coefficients_of_their_own() -> None:
    table = columns(rows=120)
    curves = [f"run {k % 40}" for k in range(120)]
    found = compare_forms(Runs.from_columns({**table, "curve": curves}), ("chinchilla",), group="curve", bootstrap=0)
    assert found.chosen.sharing == "pooled"


def test_a_learning_curve_with_a_floor_is_not_taken_for_a_plain_power() -> None:
    examples = np.geomspace(1e3, 1e7, 24)
    error = (0.1 + 3.0 * examples**-0.3) * np.exp(1e-3 * np.random.default_rng(0).standard_normal(24))
    runs = Runs.from_columns({"examples_seen": examples, "loss": error})
    found = compare_forms(runs, ("m1", "m2", "m3", "m4"), bootstrap=50)
    errors = {score.form: score.extrapolation_error.value for score in found.ranking}
    assert found.trustworthy
    assert errors["m2"] < 0.01 < errors["m1"]


def test_a_power_of_the_mixture_is_recovered() -> None:
    kind = mixture_power(3)
    truth = kind(2.4, 0.12, 0.3, 5.0)
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 30)
    table = {f"domain_share_{k + 1}": shares[:, k] for k in range(3)}
    found = refit(kind, table, np.asarray(truth.loss(**table)))
    assert np.allclose(list(found.forms[0].values().values()), list(truth.values().values()), rtol=1e-3)


def test_input_that_cannot_be_compared_is_refused() -> None:
    runs = Runs.from_columns(columns())
    with pytest.raises(UnknownName):
        compare_forms(runs, ("chinchila",))
    with pytest.raises(InvalidInput, match="every usable row"):
        check(runs, FORMS, holdout="N > 1")
    with pytest.raises(InvalidInput, match="at least one form"):
        compare_forms(runs, ())
    with pytest.raises(InvalidInput, match="loss"):
        compare_forms(Runs.from_columns({"N": [1e8, 1e9], "D": [1e9, 1e10]}))
    few = Runs.from_columns({name: values[:7] for name, values in columns().items()})
    with pytest.raises(NotIdentified):
        compare_forms(few, ("chinchilla",))

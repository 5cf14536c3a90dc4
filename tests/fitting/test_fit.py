"""Fits of synthetic runs, whose truth is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import huber

from planner.errors import InvalidInput, UnknownName
from planner.fitting import FittedLaw, Runs, fit_law, from_document, to_document
from planner.laws import Law, laws

KINDS = (
    "chinchilla",
    "kaplan",
    "data-constrained",
    "joint-moe",
)  # every form is fitted in tests/laws/test_catalogue.py
FORMS = {kind: next(x for x in laws() if x.form.form_name == kind and not x.known_bad) for kind in KINDS}


def runs_of(entry: Law, rows: int = 250, noise: float = 0.0, seed: int = 0) -> Runs:
    """Runs that obey a law, spread over the ranges such tables have."""
    generator = np.random.default_rng(seed)
    values = {
        "parameter_count": np.exp(generator.uniform(np.log(5e7), np.log(5e9), rows)),
        "token_count": np.exp(generator.uniform(np.log(1e9), np.log(3e11), rows)),
        "expert_count": 2.0 ** generator.integers(0, 6, rows),
    }
    values["unique_token_count"] = values["token_count"] / np.exp(generator.uniform(0.0, 4.0, rows))
    chosen = {k: values[k] for k in entry.form.variables}
    return Runs.from_columns({**chosen, "loss": entry.loss(**chosen) * np.exp(noise * generator.standard_normal(rows))})


@pytest.mark.parametrize("entry", FORMS.values(), ids=FORMS)
def test_coefficients_that_made_the_runs_are_found_again(entry: Law) -> None:
    found = fit_law(runs_of(entry), entry.form.form_name, bootstrap=0)
    assert found.objective_value < 1e-20
    assert found.form.vector() == pytest.approx(entry.form.vector(), rel=1e-5)


@pytest.mark.parametrize("name", ["chinchilla", "kaplan"])
def test_the_truth_lies_within_three_standard_errors_of_a_noisy_fit(name: str) -> None:
    entry = FORMS[name]
    found = fit_law(runs_of(entry, noise=0.005, seed=3), name, bootstrap=200)
    for coefficient, truth in entry.form.values().items():
        interval = found.intervals[coefficient]
        assert interval.lower <= interval.value <= interval.upper
        assert abs(interval.value - truth) < 3 * interval.standard_error


def test_a_fit_is_the_same_every_time_and_other_seeds_give_other_draws() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=60, noise=0.01)
    one, two, other = (fit_law(runs, bootstrap=50, seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.draws, two.draws)  # type: ignore[arg-type]
    assert one.objective_value == two.objective_value == pytest.approx(other.objective_value, rel=1e-12)
    assert not np.array_equal(one.draws, other.draws)  # type: ignore[arg-type]


def test_a_law_records_how_it_was_made() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=60, noise=0.01)
    found = fit_law(runs, name="mine", bootstrap=20, seed=7, where="loss < 5")
    record = found.provenance
    assert found.name == "mine"
    assert (record.kind, record.data_sha256, record.rows_used, record.seed) == ("fitted", runs.sha256, 60, 7)
    assert record.options["where"] == "loss < 5"
    assert {"numpy", "scipy", "apportion"} <= record.versions.keys()
    assert found.training_range["parameter_count"].lower >= 5e7
    assert "summed" in found.objective
    assert found.search.gradient < 1e-9


@pytest.mark.parametrize(
    ("column", "counting"), [("N", "total"), ("N_active", "active"), ("N_nonemb", "non_embedding")]
)
def test_a_law_records_what_its_parameters_count(column: str, counting: str) -> None:
    runs = runs_of(FORMS["chinchilla"], rows=30, noise=0.01)
    renamed = Runs({(column if k == "parameter_count" else k): c for k, c in runs.columns.items()})
    found = fit_law(renamed, bootstrap=5)
    assert found.counting == counting
    assert found.provenance.options["column of parameter_count"] == column
    assert found.provenance.options["resampled"] == "30 runs"
    assert found.provenance.data_sha256 == renamed.sha256 != runs.sha256


def test_four_fifths_of_new_runs_fall_into_the_interval() -> None:
    entry = FORMS["chinchilla"]
    found = fit_law(runs_of(entry, noise=0.01, seed=1), bootstrap=200)
    fresh = runs_of(entry, rows=2000, noise=0.01, seed=2)
    points = {k: fresh.columns[k].numbers for k in entry.form.variables}
    losses = fresh.columns["loss"].numbers
    prediction = found.predict(points)
    assert np.mean((prediction.lower < losses) & (losses < prediction.upper)) == pytest.approx(0.8, abs=0.05)


def test_the_exponents_of_compute_add_up_to_one() -> None:
    found = fit_law(runs_of(FORMS["chinchilla"], rows=80, noise=0.01), bootstrap=50)
    exponent = found.compute_optimal_exponent
    assert exponent is not None
    assert exponent.parameters.value + exponent.tokens.value == pytest.approx(1.0)
    assert exponent.parameters.lower < exponent.parameters.value < exponent.parameters.upper
    assert fit_law(runs_of(FORMS["joint-moe"]), "joint-moe", bootstrap=0).compute_optimal_exponent is None


def test_coefficients_can_be_held_fixed() -> None:
    entry = FORMS["data-constrained"]
    base = {k: float(v) for k, v in entry.form.values().items() if k not in ("R_D", "R_N")}
    found = fit_law(runs_of(entry), "data-constrained", fixed=base, bootstrap=5)
    assert found.form.vector() == pytest.approx(entry.form.vector(), rel=1e-6)
    assert found.draws is not None
    assert np.ptp(found.draws[:, 0]) == 0.0
    with pytest.raises(UnknownName):
        fit_law(runs_of(entry), "data-constrained", fixed={"R": 1.0})
    with pytest.raises(InvalidInput, match="at least one coefficient"):
        fit_law(runs_of(entry), "data-constrained", fixed={k: float(v) for k, v in entry.form.values().items()})


def test_without_draws_there_is_no_interval_and_a_prediction_says_so() -> None:
    found = fit_law(runs_of(FORMS["chinchilla"], rows=40, noise=0.01), bootstrap=0)
    assert math.isnan(found.intervals["alpha"].standard_error)
    assert found.draws is None
    prediction = found.predict({"parameter_count": 1e9, "token_count": 1e11})
    assert "NO_DRAWS" in {w.code for w in prediction.warnings}


@pytest.mark.parametrize("bootstrap", [0, 30])
def test_a_fitted_law_survives_being_written_and_read(bootstrap: int) -> None:
    found = fit_law(runs_of(FORMS["chinchilla"], rows=40, noise=0.01), bootstrap=bootstrap)
    copy = from_document(json.loads(json.dumps(to_document(found), allow_nan=False)))
    assert isinstance(copy, FittedLaw)
    assert copy.form == found.form
    assert copy.diagnostics == found.diagnostics
    assert copy.search == found.search
    assert copy.warnings == found.warnings
    assert repr(copy.intervals) == repr(dict(found.intervals))
    point = {"parameter_count": 1e10, "token_count": 1e12}
    assert copy.predict(point) == found.predict(point)


def test_bad_options_are_refused() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=20)
    with pytest.raises(InvalidInput, match="bootstrap"):
        fit_law(runs, bootstrap=-1)
    with pytest.raises(InvalidInput, match="seed"):
        fit_law(runs, seed=-1)
    with pytest.raises(UnknownName, match="chinchilla"):
        fit_law(runs, "chinchila")


def test_runs_on_the_compute_optimal_line_are_called_out() -> None:
    entry = FORMS["chinchilla"]
    n, d = entry.form.compute_optimal(np.geomspace(1e18, 1e22, 40))  # type: ignore[attr-defined]
    noise = np.exp(0.003 * np.random.default_rng(0).standard_normal(40))
    runs = Runs.from_columns({"N": n, "D": d, "loss": entry.loss(parameter_count=n, token_count=d) * noise})
    codes = {w.code for w in fit_law(runs, bootstrap=20).warnings}
    assert "FRONTIER_ONLY" in codes


def test_the_most_influential_run_is_the_one_whose_removal_moves_the_fit_most() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=14, noise=0.01, seed=4)
    found = fit_law(runs, bootstrap=100)
    influence = found.diagnostics.influence
    assert influence is not None
    assert found.draws is not None

    def coordinates(vector: np.ndarray) -> np.ndarray:
        return np.concatenate([np.log(vector[..., :3]), vector[..., 3:]], axis=-1)

    spread = coordinates(found.draws).std(axis=0)
    without = [fit_law(runs.take(np.arange(14) != k), bootstrap=0).form.vector() for k in range(14)]
    shifts = np.abs(coordinates(np.array(without)) - coordinates(found.form.vector())) / spread
    row, which = np.unravel_index(np.argmax(shifts), shifts.shape)
    assert (influence.row, influence.coefficient) == (row + 1, found.form.names()[which])
    assert influence.shift_in_standard_errors == pytest.approx(shifts.max(), rel=0.01)


def test_a_fit_on_very_few_runs_says_so() -> None:
    codes = {w.code for w in fit_law(runs_of(FORMS["chinchilla"], rows=9, noise=0.01), bootstrap=0).warnings}
    assert "FEW_RUNS" in codes


def test_cautions_name_dropped_rows_and_derived_columns() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=40, noise=0.01)
    n, d = runs.columns["parameter_count"].numbers, runs.columns["token_count"].numbers
    loss = [None, *runs.columns["loss"].numbers[1:]]
    found = fit_law(Runs.from_columns({"N": n, "C": 6 * n * d, "loss": loss}), bootstrap=0)
    assert {"ROWS_DROPPED", "DERIVED_COLUMN"} <= {w.code for w in found.warnings}
    assert found.provenance.rows_dropped == 1
    assert "training_flops / (6 × parameter_count)" in found.provenance.options.values()


def test_runs_of_an_unlimited_law_end_at_the_bound_of_the_floor() -> None:
    """Without a floor in the runs, E goes to the edge of its range and the fit says so."""
    generator = np.random.default_rng(0)
    n, d = 10 ** generator.uniform(7, 10, 60), 10 ** generator.uniform(9, 11, 60)
    loss = (30 * n**-0.1 + 20 * d**-0.1 - 1.0) * np.exp(0.001 * generator.standard_normal(60))
    codes = {w.code for w in fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=0).warnings}
    assert "AT_BOUND" in codes


def test_an_independent_optimiser_from_many_starts_finds_nothing_lower() -> None:
    runs = runs_of(FORMS["chinchilla"], rows=60, noise=0.01, seed=9)
    found = fit_law(runs, bootstrap=0)
    n, d, observed = (np.log(runs.columns[k].numbers) for k in ("parameter_count", "token_count", "loss"))

    def objective(theta: np.ndarray) -> float:
        a, b, e, alpha, beta = theta
        predicted = np.logaddexp.reduce([a - alpha * n, b - beta * d, np.full_like(n, e)])
        return float(huber(1e-3, predicted - observed).sum())

    generator = np.random.default_rng(0)
    best = np.inf
    for _ in range(30):
        start = generator.uniform([0, 0, -1, 0, 0], [12, 12, 1, 1, 1])
        options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000}
        best = min(best, minimize(lambda t: 1e3 * objective(t), start, method="L-BFGS-B", options=options).fun / 1e3)
    e, a, b, alpha, beta = found.form.vector()
    mine = objective(np.array([np.log(a), np.log(b), np.log(e), alpha, beta]))
    assert mine == pytest.approx(found.objective_value, rel=1e-9)
    assert mine <= best * (1 + 1e-9)
    assert mine == pytest.approx(best, rel=1e-3)

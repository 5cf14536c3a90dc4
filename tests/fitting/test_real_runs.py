"""Fits of published tables of runs, which may not be shipped: skipped where they are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.fitting import FittedLaw, Runs, fit_law
from planner.laws import law


@pytest.fixture(scope="module")
def chinchilla_runs(shared_data: Path) -> Runs:
    return Runs.read(shared_data / "runs" / "chinchilla_epoch.csv")


@pytest.fixture(scope="module")
def refit(chinchilla_runs: Runs) -> FittedLaw:
    return fit_law(chinchilla_runs, where="in_fit_240 == 1", bootstrap=1000)


def test_the_replication_of_chinchilla_reaches_the_global_minimum(refit: FittedLaw) -> None:
    assert refit.objective_value <= 0.0010182745
    assert refit.intervals["alpha"].value == pytest.approx(0.3473, abs=3e-4)
    assert refit.intervals["beta"].value == pytest.approx(0.3672, abs=3e-4)
    assert refit.intervals["E"].value == pytest.approx(1.8172, abs=5e-4)
    assert refit.search.share_at_best == 1.0
    assert refit.search.profile_minima == 1


def test_its_bootstrap_errors_are_those_of_the_paper(refit: FittedLaw) -> None:
    for name, published in (("alpha", 0.0154), ("beta", 0.0206), ("E", 0.0257)):
        assert refit.intervals[name].standard_error == pytest.approx(published, rel=0.15)
    exponent = refit.compute_optimal_exponent
    assert exponent is not None
    assert exponent.parameters.value == pytest.approx(0.5139, abs=5e-4)
    assert exponent.parameters.standard_error == pytest.approx(0.020, rel=0.15)
    assert (exponent.parameters.lower, exponent.parameters.upper) == pytest.approx((0.492, 0.541), abs=0.005)


def test_the_coefficients_are_collinear_as_known(refit: FittedLaw) -> None:
    assert refit.draws is not None
    assert refit.diagnostics.correlations["A~alpha"] == pytest.approx(0.9993, abs=2e-4)
    assert refit.diagnostics.correlations["B~beta"] == pytest.approx(0.9998, abs=2e-4)


def test_five_outliers_move_the_optimum(chinchilla_runs: Runs) -> None:
    found = fit_law(chinchilla_runs, bootstrap=0)
    values = found.form.values()
    assert (values["E"], values["alpha"], values["beta"]) == pytest.approx((1.8913, 0.3493, 0.4530), abs=2e-4)
    assert values["B"] == pytest.approx(12846, rel=2e-3)


@pytest.mark.parametrize(
    ("where", "alpha", "beta"), [("C < 1e20", 0.311, 0.470), ("C > 1e20", 0.493, 0.296)], ids=["cheap", "dear"]
)
def test_the_fitted_region_decides_on_the_exponents(
    chinchilla_runs: Runs, where: str, alpha: float, beta: float
) -> None:
    found = fit_law(chinchilla_runs, where=f"in_fit_240 == 1 and {where}", bootstrap=0)
    assert (found.form.values()["alpha"], found.form.values()["beta"]) == pytest.approx((alpha, beta), abs=2e-3)


def test_the_full_fit_warns_that_its_region_matters(refit: FittedLaw) -> None:
    assert "REGION_SENSITIVE" in {w.code for w in refit.warnings}


@pytest.mark.parametrize(("decimals", "exponent"), [(3, 0.5134), (2, 0.5117), (1, 0.4642)])
def test_rounding_the_logged_losses_moves_the_optimum(chinchilla_runs: Runs, decimals: int, exponent: float) -> None:
    kept = {k: c.numbers for k, c in chinchilla_runs.columns.items() if k in ("N", "D", "loss", "in_fit_240")}
    rounded = Runs.from_columns({**kept, "loss": np.round(kept["loss"], decimals)})
    found = fit_law(rounded, where="in_fit_240 == 1", bootstrap=0).compute_optimal_exponent
    assert found is not None
    assert found.parameters.value == pytest.approx(exponent, abs=2e-3)


def test_the_life_of_repeated_data_has_a_better_optimum_than_the_published_one(shared_data: Path) -> None:
    runs = Runs.read(shared_data / "runs" / "datablations.csv")
    base = {k: float(v) for k, v in law("muennighoff-2023").form.values().items() if k not in ("R_D", "R_N")}
    found = fit_law(runs, "data-constrained", where="in_paper_fit_182 == 1", fixed=base, bootstrap=0)
    assert found.objective_value == pytest.approx(0.0158047, abs=1e-7)
    assert found.form.values()["R_D"] == pytest.approx(95.4, abs=0.1)
    assert found.form.values()["R_N"] == pytest.approx(1.71, abs=0.01)


def test_the_width_of_intervals_beyond_the_runs_is_honest(chinchilla_runs: Runs) -> None:
    """Fitted to the cheaper half by compute, most of the dearer half must lie inside the interval."""
    flops = chinchilla_runs.columns["C"].numbers
    middle = float(np.median(flops))
    found = fit_law(chinchilla_runs, where=f"in_fit_240 == 1 and C <= {middle!r}", bootstrap=200)
    dear = chinchilla_runs.take((flops > middle) & (chinchilla_runs.columns["in_fit_240"].numbers == 1))
    points = {"parameter_count": dear.columns["N"].numbers, "token_count": dear.columns["D"].numbers}
    prediction = found.predict(points)
    losses = dear.columns["loss"].numbers
    assert np.mean((prediction.lower < losses) & (losses < prediction.upper)) > 0.7

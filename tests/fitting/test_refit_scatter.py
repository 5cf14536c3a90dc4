"""What refits to a part of the runs usually differ by: against simulated refits of a straight line."""

from __future__ import annotations

import numpy as np
import pytest

from planner.fitting import Runs, fit_law
from planner.fitting.refit_scatter import MEDIAN_REGRESSION, usual_misses, usual_shift
from planner.laws import law

X = np.linspace(0.0, 1.0, 30)
LINE = np.stack([np.ones_like(X), X])
CHEAP = X < 0.6
TRUTH = law("besiroglu-2024").form


def coefficients(rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(LINE[:, rows].T, noise[:, rows].T, rcond=None)[0]


def test_a_slope_refitted_to_a_part_shifts_as_simulated() -> None:
    noise = np.random.default_rng(0).standard_normal((4000, len(X)))
    whole, part = coefficients(np.ones_like(CHEAP), noise)[1], coefficients(CHEAP, noise)[1]
    simulated = np.std(part - whole) / np.std(whole)
    assert usual_shift(LINE, CHEAP, np.array([0.0, 1.0])) == pytest.approx(simulated, rel=0.05)


def test_a_refit_misses_the_other_runs_as_simulated() -> None:
    noise = np.random.default_rng(1).standard_normal((4000, len(X)))
    missed = noise[:, ~CHEAP] - coefficients(CHEAP, noise).T @ LINE[:, ~CHEAP]
    least_squares = 1.0 + (usual_misses(LINE, CHEAP) ** 2 - 1.0) / MEDIAN_REGRESSION
    assert np.sqrt(least_squares) == pytest.approx(missed.std(axis=0), rel=0.05)


def test_the_whole_is_no_part() -> None:
    assert usual_shift(LINE, np.ones_like(CHEAP), np.array([0.0, 1.0])) == pytest.approx(0.0, abs=1e-6)


def test_healthy_runs_are_seldom_called_sensitive_to_the_region() -> None:
    said = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        n, d = 10 ** random.uniform(7.7, 9.7, 60), 10 ** random.uniform(9.3, 11.5, 60)
        loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(0.003 * random.standard_normal(60))
        said.append({w.code for w in fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=60).warnings})
    assert sum("REGION_SENSITIVE" in codes for codes in said) <= 1
    assert sum("POOR_EXTRAPOLATION" in codes for codes in said) <= 2


def test_runs_whose_large_models_follow_another_law_are_called_so() -> None:
    random = np.random.default_rng(0)
    n, d = 10 ** random.uniform(7.7, 9.7, 60), 10 ** random.uniform(9.3, 11.5, 60)
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(0.002 * random.standard_normal(60))
    bent = loss * np.where(n * d > np.median(n * d), (n / 1e9) ** -0.05, 1.0)
    codes = {w.code for w in fit_law(Runs.from_columns({"N": n, "D": d, "loss": bent}), bootstrap=60).warnings}
    assert codes & {"REGION_SENSITIVE", "POOR_EXTRAPOLATION"}

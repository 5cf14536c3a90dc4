"""Beyond its runs a law is less sure: by what splits of them show, what is usual, and the root of the distance."""

from __future__ import annotations

import numpy as np
import pytest

from planner.fitting import Runs, fit_law
from planner.fitting.drift import LEAST_SHARE, constant, drift_of_split, expected_drift, measured_drift
from planner.laws.chinchilla import Chinchilla
from planner.laws.law import Law, Provenance, frozen_spans

NO_SCATTER = Law(
    name="made-up",
    form=Chinchilla(1.8, 480.0, 2100.0, 0.35, 0.37),
    grade="C",
    residual_log_sd=0.0,
    provenance=Provenance("published"),
    training_range=frozen_spans({"token_count": (1e9, 1e10)}),
    drift_per_decade=0.1,
)


@pytest.mark.parametrize(("decades", "width"), [(0, 0.0), (1, 0.1), (4, 0.2), (9, 0.3)])
def test_drift_adds_up_like_independent_steps(decades: int, width: float) -> None:
    found = NO_SCATTER.predict({"parameter_count": 1e9, "token_count": 10.0 ** (10 + decades)})
    assert np.log(found.upper / found.loss) == pytest.approx(width, abs=1e-12)
    assert np.log(found.loss / found.lower) == pytest.approx(width, abs=1e-12)


def test_a_split_measures_what_scatter_does_not_explain() -> None:
    errors, decades = np.full(10, 0.05), np.full(10, 4.0)
    assert drift_of_split(errors, decades, 0.03) == pytest.approx(0.04 / 2.0)
    assert drift_of_split(errors, decades, 0.06) == 0.0
    assert measured_drift([0.01, 0.04]) == pytest.approx(0.02)


def test_what_is_measured_is_drawn_towards_what_is_usual() -> None:
    usual = constant("usual_share") * 0.1
    assert expected_drift(None, 0.1) == pytest.approx(usual)
    assert expected_drift(usual, 0.1) == pytest.approx(usual)
    assert usual < expected_drift(4.0 * usual, 0.1) < 4.0 * usual
    assert expected_drift(0.0, 0.1) == expected_drift(LEAST_SHARE * usual, 0.1) < usual


def test_doubling_the_metric_leaves_relative_drift_alone() -> None:
    random = np.random.default_rng(1)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([5e9, 1e11]), (60, 2))).T
    loss = np.asarray(NO_SCATTER.form.loss(parameter_count=n, token_count=d)) * np.exp(
        5e-3 * random.standard_normal(60)
    )
    one, two = (fit_law(Runs.from_columns({"N": n, "D": d, "loss": k * loss}), bootstrap=0) for k in (1.0, 2.0))
    assert two.drift_per_decade == pytest.approx(one.drift_per_decade, rel=1e-3)


def test_a_bend_beyond_the_runs_lies_inside_the_interval() -> None:
    """The truth has a second, slower power that the fitted runs hardly show."""
    random = np.random.default_rng(2)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([2e9, 4e10]), (80, 2))).T

    def truth(n: np.ndarray, d: np.ndarray) -> np.ndarray:
        return np.asarray(0.8 + 120.0 * n**-0.30 + 9.0 * n**-0.10 + 900.0 * d**-0.35)

    loss = truth(n, d) * np.exp(3e-3 * random.standard_normal(80))
    law = fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=100)
    far = np.geomspace(2e9, 1e11, 12)
    found = law.predict({"parameter_count": far, "token_count": 20 * far})
    assert np.mean((found.lower < truth(far, 20 * far)) & (truth(far, 20 * far) < found.upper)) >= 0.8

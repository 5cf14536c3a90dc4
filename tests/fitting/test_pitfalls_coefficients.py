"""Pitfalls of coefficients and data on 240 published points: rounding, outliers, losses, noise (docs/pitfalls.md).

What the sensitivity study shows by itself is in test_sensitivity.py; here are the numbers beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares

from planner.fitting import FittedLaw, Observations, Runs, fit_law, observe
from planner.fitting.sensitivity import LEAST_SQUARES, fitted
from planner.laws import Chinchilla, law

GOPHER = 5.76e23


@pytest.fixture(scope="module")
def runs(shared_data: Path) -> Runs:
    return Runs.read(shared_data / "runs" / "chinchilla_epoch.csv")


@pytest.fixture(scope="module")
def seen(runs: Runs) -> Observations:
    return observe(runs, Chinchilla, where="in_fit_240 == 1")


@pytest.fixture(scope="module")
def refit(runs: Runs) -> FittedLaw:
    return fit_law(runs, where="in_fit_240 == 1", bootstrap=1000)


def published(name: str) -> Chinchilla:
    form = law(name).form
    assert isinstance(form, Chinchilla)
    return form


def of(seen: Observations, losses: np.ndarray | None = None, near: Chinchilla | None = None) -> Chinchilla:
    form = fitted(Chinchilla, seen.variables, seen.losses if losses is None else losses, near=near)
    assert isinstance(form, Chinchilla)
    return form


def tokens_per_parameter(form: Chinchilla) -> float:
    n, d = form.compute_optimal(GOPHER)
    return float(d / n)


# Rounded coefficients


def test_the_third_digit_of_an_exponent_is_worth_an_eighth_of_the_data_term() -> None:
    rounded_off = 0.2849083 - 0.28
    assert 1e11**rounded_off - 1.0 == pytest.approx(0.132, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "residual", "ratio"), [("hoffmann-2022", -0.0031, 58.9), ("hoffmann-2022-rounded", 0.0167, 92.7)]
)
def test_rounded_coefficients_lie_above_the_runs_and_want_more_tokens(
    seen: Observations, name: str, residual: float, ratio: float
) -> None:
    form = published(name)
    assert np.mean(np.log(form.loss(**seen.variables) / seen.losses)) == pytest.approx(residual, abs=2e-4)
    assert tokens_per_parameter(form) == pytest.approx(ratio, abs=0.2)


def test_a_rounded_coefficient_moves_the_end_of_routing_by_a_factor_of_2_6() -> None:
    """Where hash routing stops helping: 83e9 parameters as published, 10^(-b/c) of the printed digits."""
    values = law("clark-2022-hash").form.values()
    assert 10 ** (-values["b"] / values["c"]) / 83e9 == pytest.approx(2.6, abs=0.1)


# Outliers, and the loss of the fit


def test_five_outliers_want_seven_tokens_a_parameter(runs: Runs, seen: Observations) -> None:
    assert tokens_per_parameter(of(observe(runs, Chinchilla))) == pytest.approx(6.8, abs=0.1)
    assert tokens_per_parameter(of(seen)) == pytest.approx(17.9, abs=0.1)


def test_huber_s_delta_is_nearly_least_absolute_deviations(seen: Observations) -> None:
    residual = np.abs(np.log(of(seen).loss(**seen.variables) / seen.losses))
    assert np.mean(residual > 1e-3) == pytest.approx(0.84, abs=0.01)
    assert np.median(residual) == pytest.approx(3.2e-3, abs=1e-4)


@pytest.mark.parametrize("delta", [0.1, LEAST_SQUARES])
def test_a_wide_huber_is_least_squares_of_log_losses(seen: Observations, delta: float) -> None:
    form = fitted(Chinchilla, seen.variables, seen.losses, delta)
    values = form.values()
    assert (values["E"], values["alpha"], values["beta"]) == pytest.approx((1.8646, 0.3603, 0.4059), abs=1e-4)
    assert (values["A"], values["B"]) == pytest.approx((593, 4876), rel=1e-3)


def test_least_squares_of_losses_wants_a_larger_model(seen: Observations) -> None:
    n, d = seen.variables["parameter_count"], seen.variables["token_count"]
    start = of(seen)

    def misses(theta: np.ndarray) -> np.ndarray:
        e, a, b = np.exp(theta[:3])
        return np.asarray(e + a * n ** -theta[3] + b * d ** -theta[4] - seen.losses)

    first = [*np.log([start.E, start.A, start.B]), start.alpha, start.beta]
    x = least_squares(misses, first, xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac").x
    form = Chinchilla(*(float(v) for v in (*np.exp(x[:3]), *x[3:])))
    assert form.parameter_exponent() == pytest.approx(0.5446, abs=5e-4)
    assert float(form.compute_optimal(GOPHER)[0]) == pytest.approx(96e9, rel=0.01)


def test_the_largest_models_alone_have_an_exponent_that_no_one_believes(seen: Observations) -> None:
    large = seen.take(seen.variables["parameter_count"] >= 2e9)
    form = of(large)
    assert form.alpha == pytest.approx(0.874, abs=2e-3)
    assert form.parameter_exponent() == pytest.approx(0.245, abs=1e-3)


# Rounding, noise and digitising, on a truth that is known


@pytest.mark.parametrize(
    ("decimals", "below", "exponent"), [(2, np.inf, 0.5132), (1, np.inf, 0.4805), (2, 5e8, 0.5004)]
)
def test_decimals_of_the_logged_loss_move_a_known_optimum(
    seen: Observations, decimals: int, below: float, exponent: float
) -> None:
    """The losses of besiroglu-2024 (a = 0.5126) at the same runs, rounded."""
    part = seen.take(seen.variables["parameter_count"] < below)
    rounded = np.round(np.asarray(published("besiroglu-2024").loss(**part.variables)), decimals)
    assert of(part, rounded).parameter_exponent() == pytest.approx(exponent, abs=1e-3)


@pytest.mark.parametrize(
    ("noise", "lower", "upper"), [(0.001, 0.5105, 0.5153), (0.005, 0.5007, 0.5206), (0.02, 0.473, 0.569)]
)
def test_noise_spreads_the_exponent(seen: Observations, noise: float, lower: float, upper: float) -> None:
    """Width of the 80 % range over fits to new noise; a hundred repeats know it to about a tenth."""
    best = of(seen)
    clean = np.asarray(best.loss(**seen.variables))
    generator = np.random.default_rng(0)
    found = [
        of(seen, clean * np.exp(noise * generator.standard_normal(len(clean))), best).parameter_exponent()
        for _ in range(100)
    ]
    low, high = np.quantile(found, [0.1, 0.9])
    assert high - low == pytest.approx(upper - lower, rel=0.3)
    assert low < 0.5139 < high


def test_digitised_losses_alone_spread_the_exponent_by_a_quarter_of_its_standard_error(seen: Observations) -> None:
    """±0.01 from the colour scale of a figure: 0.005 of the 0.020."""
    best = of(seen)
    clean = np.asarray(best.loss(**seen.variables))
    generator = np.random.default_rng(0)
    found = [of(seen, clean + generator.uniform(-0.01, 0.01, len(clean)), best).parameter_exponent() for _ in range(30)]
    assert np.std(found) == pytest.approx(0.005, abs=0.002)


# How sure the coefficients are


def test_the_floor_is_collinear_with_the_exponents_too(refit: FittedLaw) -> None:
    assert refit.diagnostics.correlations["E~alpha"] == pytest.approx(0.56, abs=0.1)
    assert refit.diagnostics.correlations["E~beta"] == pytest.approx(0.69, abs=0.1)


def test_the_published_interval_would_need_hundreds_of_thousands_of_runs(refit: FittedLaw) -> None:
    """Widths fall with the root of the number of runs: (0.454, 0.455) against 0.05 of 240 runs."""
    exponent = refit.compute_optimal_exponent
    assert exponent is not None
    width = exponent.parameters.upper - exponent.parameters.lower
    assert width == pytest.approx(0.05, abs=0.006)
    assert 240 * (width / 0.001) ** 2 == pytest.approx(630_000, rel=0.2)


def test_95_percent_of_the_draws_lie_between_0_483_and_0_565(refit: FittedLaw) -> None:
    cloud = refit.cloud()
    assert isinstance(cloud, Chinchilla)
    draws = np.ravel(cloud.parameter_exponent())
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx([0.483, 0.565], abs=0.012)


# Forms with fewer coefficients


def test_tied_exponents_want_24_tokens_a_parameter(runs: Runs) -> None:
    form = fit_law(runs, "chinchilla-tied", where="in_fit_240 == 1", bootstrap=0).form
    values = form.values()
    assert (values["A"], values["B"]) == pytest.approx((561.6, 1752.0), rel=1e-3)
    assert (values["E"], values["alpha"]) == pytest.approx((1.818, 0.3571), abs=1e-3)
    ratio = (values["B"] / values["A"]) ** (1.0 / values["alpha"])
    assert ratio == pytest.approx(24.2, abs=0.1)
    assert np.sqrt(GOPHER / 6.0 / ratio) == pytest.approx(63e9, rel=0.01)


def test_without_a_floor_an_exponent_collapses_and_the_fit_warns(runs: Runs, refit: FittedLaw) -> None:
    without = fit_law(runs, where="in_fit_240 == 1", bootstrap=0, fixed={"E": 1e-6})
    assert without.form.values()["beta"] == pytest.approx(0.061, abs=2e-3)
    assert refit.form.values()["beta"] == pytest.approx(0.367, abs=1e-3)
    assert without.objective_value > 2.0 * refit.objective_value
    assert "POOR_EXTRAPOLATION" in {w.code for w in without.warnings}
    assert without.provenance.options["fixed E"] == "1e-06"


# What a wrong size costs


@pytest.mark.parametrize(
    ("parameters", "in_loss", "in_compute"),
    [(25e9, 0.0057, 0.32), (200e9, 0.0053, 0.30), (40e9, 0.0017, None), (120e9, 0.0013, 0.09)],
)
def test_a_wrong_size_is_cheap_in_loss_and_dear_in_compute(
    parameters: float, in_loss: float, in_compute: float | None
) -> None:
    form = published("besiroglu-2024")
    n, d = form.compute_optimal(GOPHER)
    best = float(form.loss(parameter_count=n, token_count=d))
    loss = float(form.loss(parameter_count=parameters, token_count=GOPHER / (6.0 * parameters)))
    assert loss / best - 1.0 == pytest.approx(in_loss, abs=1e-4)
    if in_compute is not None:
        assert 1.0 - float(form.compute_for_loss(loss)) / GOPHER == pytest.approx(in_compute, abs=0.006)

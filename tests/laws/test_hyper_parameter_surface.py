"""The loss about the best learning rate and batch size: nothing is added there, more everywhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.fitting import Runs
from planner.fitting.refit import refit
from planner.laws import Law, law
from planner.laws.hyper_parameter_surface import HyperParameterSurface

SURFACE = HyperParameterSurface(
    1.7, 400.0, 410.0, 0.34, 0.28, 7e-4, -0.5, 0.33, 110.0, 0.6, K=0.035, steepness=0.7, batch_K=0.03, tilt=0.35
)
POINT = {"parameter_count": 3e9, "token_count": 6e10}
AT_BEST = SURFACE.best(**POINT)


def test_at_the_best_the_loss_is_that_of_chinchilla() -> None:
    assert SURFACE.loss(**POINT, **AT_BEST) == pytest.approx(SURFACE.tuned().loss(**POINT), rel=1e-15)


def test_no_other_learning_rate_or_batch_is_better() -> None:
    random = np.random.default_rng(0)
    others = {name: value * np.exp(random.normal(0.0, 1.5, 2000)) for name, value in AT_BEST.items()}
    assert np.all(SURFACE.loss(**POINT, **others) > SURFACE.tuned().loss(**POINT))


def test_a_rate_too_high_costs_more_than_one_too_low_and_near_the_best_both_cost_half_k_w_squared() -> None:
    def lost(w: float) -> float:
        rate = AT_BEST["learning_rate"] * np.exp(w)
        return float(SURFACE.loss(**POINT, learning_rate=rate, batch_size=AT_BEST["batch_size"]))

    floor = float(SURFACE.tuned().loss(**POINT))
    assert lost(2.0) - floor > lost(-2.0) - floor > 0
    assert lost(0.01) - floor == pytest.approx(0.5 * 0.035 * 0.01**2, rel=0.01)


def test_a_larger_batch_bears_a_larger_step() -> None:
    batch = 4.0 * AT_BEST["batch_size"]
    rates = AT_BEST["learning_rate"] * np.geomspace(0.1, 10.0, 2001)
    best = rates[np.argmin(SURFACE.loss(**POINT, learning_rate=rates, batch_size=batch))]
    assert best / AT_BEST["learning_rate"] == pytest.approx(4.0**0.35, rel=0.01)


def test_a_law_at_its_best_hyper_parameters_keeps_the_draws_of_what_is_left() -> None:
    draws = SURFACE.vector() * np.exp(np.random.default_rng(1).normal(0.0, 0.01, (50, 14)))
    whole = Law(
        name="swept", form=SURFACE, grade="fitted", residual_log_sd=0.01, provenance=law("besiroglu-2024").provenance,
        draws=draws,
    )  # fmt: skip
    tuned = whole.tuned()
    assert tuned.draws is not None
    np.testing.assert_array_equal(tuned.draws, draws[:, :5])
    assert tuned.tuned() is tuned
    assert tuned.predict(POINT).loss == pytest.approx(whole.predict({**POINT, **AT_BEST}).loss)
    assert replace(whole, form=SURFACE).tuned().form == tuned.form


def test_fitted_to_a_public_sweep_it_predicts_the_dearest_points_untuned_runs_included(shared_data: Path) -> None:
    """Step Law's runs (2503.04715): exponents of the best learning rate and batch as published, up to the surface."""
    runs = Runs.read(shared_data / "runs" / "steplaw_dense.csv")
    loss = runs.column("loss_smoothed").numbers
    whole = np.isfinite(loss) & (loss < 4.0)  # the others diverged
    columns = {"parameter_count": "N", "token_count": "D", "learning_rate": "lr", "batch_size": "batch_sequences"}
    variables = {name: runs.column(column).numbers[whole] for name, column in columns.items()}
    loss, flops = loss[whole], variables["parameter_count"] * variables["token_count"]
    held = flops > np.quantile(np.unique(flops), 0.7)
    found = refit(HyperParameterSurface, {k: v[~held] for k, v in variables.items()}, loss[~held])
    error = found.predict({k: v[held] for k, v in variables.items()}, None) - loss[held]
    assert 1.0 - np.sum(error**2) / np.sum((loss[held] - loss[held].mean()) ** 2) > 0.9
    values = found.forms[0].values()
    assert values["lr_D"] == pytest.approx(0.307, abs=0.05)
    assert values["lr_N"] == pytest.approx(-0.713, abs=0.25)
    assert values["batch_D"] == pytest.approx(0.571, abs=0.1)

"""A sweep of hyper-parameters counts by its best run at each point; repeats and kinds of runs are no sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.fitting import Runs, compare_forms, fit_best, fit_law
from planner.fitting.sweeps import found_sweep
from planner.laws.chinchilla import Chinchilla
from planner.laws.forms import form_class

TRUTH = Chinchilla(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
RATES = np.geomspace(1e-4, 1e-2, 9)


def swept() -> dict[str, Any]:
    """30 points, each trained at nine learning rates of which 1e-3 is best: up to 8 % of the loss is lost."""
    random = np.random.default_rng(3)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([5e9, 1e11]), (30, 2))).T
    best = np.asarray(TRUTH.loss(parameter_count=n, token_count=d))
    lost = 0.02 * np.log10(RATES / 1e-3) ** 2 * 4.0
    rate = np.tile(RATES, 30)
    return {"N": np.repeat(n, 9), "D": np.repeat(d, 9), "lr": rate, "loss": np.repeat(best, 9) * np.tile(1 + lost, 30)}


def test_only_the_best_run_of_each_point_is_fitted() -> None:
    law = fit_law(Runs.from_columns(swept()), bootstrap=0)
    assert law.provenance.rows_used == 30
    assert "BEST_OF_SWEEP" in {w.code for w in law.warnings}
    assert float(law.form.values()["E"]) == pytest.approx(1.8, rel=1e-4)


def test_forms_are_compared_on_the_best_runs() -> None:
    assert compare_forms(Runs.from_columns(swept()), ("chinchilla", "kaplan"), bootstrap=0).rows_used == 30


def test_a_filter_comes_first() -> None:
    sweep = found_sweep(Runs.from_columns(swept()), where="lr < 0.0005")
    assert sweep is not None
    assert np.all(swept()["lr"][sweep.best] == RATES[RATES < 5e-4].max())


def test_forms_of_hyper_parameters_see_all_runs() -> None:
    assert found_sweep(Runs.from_columns(swept()), form_class("batch-trade-off")) is None


def test_of_a_sweep_of_rates_and_batches_auto_fits_the_surface_and_of_rates_alone_the_best_runs() -> None:
    form = form_class("hyper-parameter-surface")
    truth = form.from_vector(
        np.array([1.8, 480.0, 2100.0, 0.35, 0.37, 7e-4, -0.5, 0.33, 110.0, 0.6, 0.035, 0.7, 0.03, 0.35])
    )
    table = swept()
    wanted = {"parameter_count": table["N"], "token_count": table["D"]}
    best = truth.best(**wanted)
    random = np.random.default_rng(4)
    tried = {name: value * np.exp(random.uniform(-1.5, 1.5, 270)) for name, value in best.items()}
    loss = truth.loss(**wanted, **tried) * np.exp(0.002 * random.standard_normal(270))
    runs = Runs.from_columns({**table, "lr": tried["learning_rate"], "bsz": tried["batch_size"], "loss": loss})
    law = fit_best(runs, bootstrap=0)
    assert law.form.form_name == "hyper-parameter-surface"
    assert law.provenance.rows_used == 270
    assert law.form.values()["lr_N"] == pytest.approx(-0.5, abs=0.05)
    assert law.form.values()["tilt"] == pytest.approx(0.35, abs=0.05)
    best_only = fit_best(Runs.from_columns(table), bootstrap=0)
    assert "learning_rate" not in best_only.form.variables
    assert best_only.provenance.rows_used == 30


def test_other_seeds_small_differences_and_kinds_of_runs_are_no_sweep() -> None:
    table = swept()
    seeds = {**table, "seed": table["lr"]}
    del seeds["lr"]
    assert found_sweep(Runs.from_columns(seeds)) is None
    alike = {**table, "loss": np.repeat(table["loss"][4::9], 9)}
    assert found_sweep(Runs.from_columns(alike)) is None
    kinds = {**table, "corpus": np.array([f"corpus {k}" for k in range(9)])[np.arange(270) % 9]}
    assert found_sweep(Runs.from_columns(kinds)) is None

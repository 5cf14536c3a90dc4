"""Rows that err together are drawn together, whether a column says so or only the residuals do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planner.fitting import FittedLaw, Runs, fit_law, observe
from planner.fitting.clusters import are_curves, clusters, differ
from planner.laws import Chinchilla, law

TRUTH = law("besiroglu-2024").form


def curves(runs: int = 12, points: int = 20, fate: float = 0.01, seed: int = 0, **more: object) -> Runs:
    """Points along the curves of runs of which each has an error of its own."""
    random = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), points)
    n = (10 ** random.uniform(7.7, 9.7, runs))[run]
    d = n * (10 ** random.uniform(0.7, 2.3, runs))[run] * np.tile(np.linspace(0.1, 1.0, points), runs)
    error = fate * random.standard_normal(runs)[run] + 0.0005 * random.standard_normal(len(run))
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(error)
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "run_id": run, **more})


def without(runs: Runs, *names: str) -> Runs:
    return Runs({k: c for k, c in runs.columns.items() if k not in names})


def spread(found: FittedLaw) -> float:
    """Of the law itself, in the middle of the runs."""
    cloud = found.cloud()
    assert cloud is not None
    return float(np.std(np.log(cloud.loss(parameter_count=5e8, token_count=1.5e10))))


def codes(found: FittedLaw) -> set[str]:
    return {w.code for w in found.warnings}


def test_whole_runs_are_drawn_where_a_column_names_them() -> None:
    found = fit_law(curves(), bootstrap=80)
    assert found.provenance.options["resampled"] == "12 training curves by run_id"
    assert found.diagnostics.independent_count == 12
    assert "CURVES" in codes(found)
    assert found.diagnostics.influence is not None
    assert found.diagnostics.influence.rows == 20


def test_curves_without_a_name_are_known_by_their_residuals() -> None:
    named, unnamed = fit_law(curves(), bootstrap=80), fit_law(without(curves(), "run_id"), bootstrap=80)
    assert unnamed.diagnostics.independent_count == 12
    assert unnamed.form == named.form
    assert spread(unnamed) == pytest.approx(spread(named), rel=1e-6)


def test_the_law_is_as_uncertain_as_the_fates_of_its_runs() -> None:
    """The mean of 12 runs that err by 1 % each is known to 0.3 %; of 240 points drawn one by one to 0.06 %."""
    assert spread(fit_law(curves(), bootstrap=80)) > 0.002


def test_a_grid_of_finished_runs_is_drawn_run_by_run() -> None:
    random = np.random.default_rng(1)
    n, d = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 5e9, 8), np.geomspace(1e9, 2e11, 8)))
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(0.004 * random.standard_normal(64))
    found = fit_law(Runs.from_columns({"N": n, "D": d, "loss": loss}), bootstrap=40)
    assert found.provenance.options["resampled"] == "64 runs"
    assert not codes(found) & {"CURVES", "REPEATED_ROWS"}


def test_rows_that_are_there_several_times_count_as_one_run() -> None:
    once = without(curves(runs=40, points=1), "run_id")
    once = once.take(np.arange(40))
    thrice = once.take(np.repeat(np.arange(40), 3))
    one, three = fit_law(once, bootstrap=200), fit_law(thrice, bootstrap=200)
    assert three.diagnostics.independent_count == 40
    assert "REPEATED_ROWS" in codes(three)
    assert spread(three) == pytest.approx(spread(one), rel=0.1)


def test_a_blank_name_is_a_run_of_its_own() -> None:
    runs = curves(runs=8, points=3)
    names = [*(str(x) for x in runs.column("run_id").numbers[:-3]), "", "", ""]
    seen = observe(
        Runs.from_columns({**{k: runs.column(k).numbers for k in ("N", "D", "loss")}, "Run": names}), Chinchilla
    )
    assert seen.run_column == "Run"
    assert clusters(seen, np.zeros(24)).count == 10


def test_groups_of_different_models_are_no_curves() -> None:
    seen = observe(curves(), Chinchilla, group="run_id")
    assert seen.groups is not None
    assert are_curves(seen, seen.groups)
    assert not are_curves(seen, np.arange(240, dtype=np.intp) % 12)


def test_few_curves_named_as_groups_are_drawn_whole_all_the_same() -> None:
    found = fit_law(curves(runs=4), bootstrap=60, group="run_id")
    assert found.provenance.options["resampled"] == "4 training curves, as grouped"
    assert {"CURVES", "FEW_RUNS"} <= codes(found)
    exponent = found.compute_optimal_exponent
    assert exponent is not None
    assert exponent.parameters.upper - exponent.parameters.lower > 0.2


def test_published_checkpoints_say_what_their_runs_can(shared_data: Path) -> None:
    """McLeish et al. 2025 log 3,850 losses of 22 models: drawn one by one the floor is known to ±0.013."""
    frame = pd.read_csv(shared_data / "runs" / "gemstones.csv")
    frame = frame[frame.schedule == "constant_lr"].iloc[::8]
    found = fit_law(Runs.from_pandas(frame[["run_id", "N", "D", "loss"]]), bootstrap=80)
    floor = found.intervals["E"]
    assert found.diagnostics.independent_count == 22
    assert floor.upper - floor.lower > 0.1


def by_size(shared: float, seed: int, rows: int = 66, sizes: int = 7) -> Runs:
    """Runs of a few sizes at tokens of their own, with an error of the size besides that of the run."""
    random = np.random.default_rng(seed)
    which = random.integers(0, sizes, rows)
    n = np.geomspace(6e7, 4e9, sizes)[which]
    d = n * 10 ** random.uniform(0.7, 2.3, rows)
    error = shared * random.standard_normal(sizes)[which] + 0.002 * random.standard_normal(rows)
    return Runs.from_columns({"N": n, "D": d, "loss": TRUTH.loss(parameter_count=n, token_count=d) * np.exp(error)})


def test_an_error_of_whole_sizes_makes_sizes_the_units() -> None:
    found = [fit_law(by_size(0.012, seed), bootstrap=0).provenance.options["resampled"] for seed in range(8)]
    assert sum(what.startswith("7 series") for what in found) >= 6


def test_errors_of_single_runs_leave_runs_the_units() -> None:
    found = {fit_law(by_size(0.0, seed), bootstrap=0).provenance.options["resampled"] for seed in range(12)}
    assert found == {"66 runs"}


def test_levels_that_differ_are_told_from_chance() -> None:
    random = np.random.default_rng(3)
    series = np.repeat(np.arange(20), 5)
    by_chance = [differ(series, random.standard_normal(100)) for _ in range(1000)]
    assert sum(by_chance) <= 6
    real = [differ(series, random.standard_normal(20)[series] + random.standard_normal(100)) for _ in range(100)]
    assert sum(real) > 80

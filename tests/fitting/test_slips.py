"""Swapped columns, other units and rows that bend a law are named; healthy tables are left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from planner.fitting import Runs, fit_law
from planner.laws import law

TRUTH = law("besiroglu-2024").form
OF_SLIPS = {"SUSPECT_UNITS", "MIXED_UNITS", "COMPUTE_DISAGREES", "WRONG_WAY", "FEW_ROWS_BEND"}


def table(seed: int = 0, rows: int = 50) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    n = 10 ** random.uniform(7.5, 9.7, rows)
    d = n * 10 ** random.uniform(0.5, 2.3, rows)
    loss = TRUTH.loss(parameter_count=n, token_count=d) * np.exp(0.004 * random.standard_normal(rows))
    return {"N": n, "D": d, "loss": np.asarray(loss)}


def slips(columns: dict[str, np.ndarray]) -> set[str]:
    return {w.code for w in fit_law(Runs.from_columns(columns), bootstrap=0).warnings} & OF_SLIPS


@pytest.mark.parametrize("seed", range(4))
def test_healthy_runs_raise_no_suspicion(seed: int) -> None:
    t = table(seed)
    assert not slips(t)
    assert not slips({**t, "C": 6.3 * t["N"] * t["D"]})


def test_swapped_columns_show_in_tokens_per_parameter() -> None:
    t = table()
    assert "SUSPECT_UNITS" in slips({"N": t["D"], "D": t["N"], "loss": t["loss"]})


@pytest.mark.parametrize(("column", "factor"), [("D", 1e-9), ("D", 1e-6), ("N", 1e-6), ("N", 1e-3)])
def test_a_column_in_other_units_shows_in_tokens_per_parameter(column: str, factor: float) -> None:
    t = table(rows=120)
    kept = t["D"] > 1.1e9  # less than one billionth of it is refused at the door
    t = {k: v[kept] for k, v in t.items()}
    assert "SUSPECT_UNITS" in slips({**t, column: t[column] * factor})


def test_both_columns_in_billions_show_in_the_size_of_models() -> None:
    t = table()
    kept = t["N"] > 1.1e9
    assert "SUSPECT_UNITS" in slips({"N": t["N"][kept] / 1e9, "D": t["D"][kept] / 1e9, "loss": t["loss"][kept]})


def test_rows_in_two_units_fall_in_two_heaps() -> None:
    t = table()
    assert "MIXED_UNITS" in slips({**t, "D": np.where(np.arange(50) % 2, t["D"], t["D"] / 1e7)})


def test_a_few_rows_in_thousands_are_named() -> None:
    t = table(3)
    n = t["N"].copy()
    n[[7, 19, 31]] /= 1e3
    notes = fit_law(Runs.from_columns({**t, "N": n}), bootstrap=0).warnings
    sentence = next(w.sentence for w in notes if w.code == "FEW_ROWS_BEND")
    assert "3 rows (8, 20, 32)" in sentence


def test_diverged_runs_bend_nothing() -> None:
    t = table()
    t["loss"][::6] *= 1.8
    assert "FEW_ROWS_BEND" not in slips(t)


def test_compute_of_other_runs_is_noticed() -> None:
    t = table()
    flops = 6 * t["N"] * t["D"]
    assert "COMPUTE_DISAGREES" in slips({**t, "C": np.where(np.arange(50) % 5 == 0, flops / 8.64e19, flops)})
    assert "COMPUTE_DISAGREES" in slips({**t, "C": flops[::-1]})


def test_a_metric_that_rises_is_no_loss() -> None:
    t = table()
    assert "WRONG_WAY" in slips({**t, "loss": 1.0 / t["loss"]})
    assert "SUSPECT_UNITS" in slips({**t, "loss": np.exp(1.3 * t["loss"])})

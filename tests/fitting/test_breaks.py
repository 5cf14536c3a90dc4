"""Breaks of curves are found where they were put, and not where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.fitting.breaks import curve_breaks, run_breaks
from planner.fitting.observations import observe
from planner.fitting.runs import Runs
from planner.laws import DataConstrained

TOKENS = np.geomspace(1e8, 1e12, 40)


def noisy(loss: np.ndarray, sd: float = 0.002, seed: int = 0) -> np.ndarray:
    return np.asarray(loss * np.exp(sd * np.random.default_rng(seed).standard_normal(len(loss))))


def codes(loss: np.ndarray, x: np.ndarray = TOKENS, epochs: np.ndarray | None = None) -> set[str]:
    return {note.code for note in curve_breaks(x, loss, "token_count", epochs).cautions}


@pytest.mark.parametrize("seed", range(5))
def test_a_power_law_with_a_floor_has_no_break(seed: int) -> None:
    assert codes(noisy(1.8 + 2000.0 * TOKENS**-0.36, seed=seed)) <= {"SATURATES"}
    assert not codes(noisy(30.0 * TOKENS**-0.1, seed=seed))


def test_an_inflection_is_found_near_its_place() -> None:
    x = TOKENS / 1e10
    loss = noisy(3.0 * x**-0.02 * (1.0 + x**4.0) ** -0.05)
    found = curve_breaks(TOKENS, loss, "token_count")
    assert "CURVE_BREAKS" in {n.code for n in found.cautions}
    assert found.break_at == pytest.approx(1e10, rel=1.0)


def test_a_curve_at_its_floor_is_saturated() -> None:
    assert "SATURATES" in codes(noisy(1.8 + 1e6 * TOKENS**-0.7, 0.0005))


def test_double_descent_is_told_from_overfitting() -> None:
    descent = 4.0 * (TOKENS / 1e8) ** -0.08 + 0.6 * np.exp(-(np.log(TOKENS / 1e10) ** 2))
    assert "DOUBLE_DESCENT" in codes(noisy(descent))
    epochs = TOKENS / 1e9
    overfit = 4.0 * (TOKENS / 1e8) ** -0.08 * (1.0 + 0.002 * np.maximum(epochs - 8.0, 0.0))
    assert "OVERFITS_REPEATS" in codes(noisy(overfit), epochs=epochs)
    assert "LOSS_RISES" in codes(noisy(overfit))


def test_too_short_a_curve_is_refused() -> None:
    with pytest.raises(InvalidInput, match="points"):
        curve_breaks(TOKENS[:5], TOKENS[:5] ** -0.1)


def test_repeated_data_overfits_in_published_runs(shared_data: Path) -> None:
    """Runs of Muennighoff et al. 2023: with many epochs the validation loss of some curves rises again."""
    runs = Runs.read(shared_data / "runs" / "datablations.csv")
    seen = observe(runs, DataConstrained)
    assert any(n.code in {"OVERFITS_REPEATS", "DOUBLE_DESCENT"} for n in run_breaks(seen, "parameter_count"))

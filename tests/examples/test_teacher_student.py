"""The laboratory on a small grid: each cause of error shows up where it was put in, and only there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "teacher_student" / "laboratory.py"


@pytest.fixture(scope="module")
def laboratory() -> ModuleType:
    spec = importlib.util.spec_from_file_location("laboratory", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["laboratory"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(laboratory: ModuleType) -> Any:
    return laboratory.surface(laboratory.QUICK)


def test_a_narrow_student_lacks_capacity(laboratory: ModuleType, runs: Any) -> None:
    found = laboratory.causes(runs, points=2048, width=3, noise=0.0, steps=600)
    assert found.realizability > 5 * (found.uncertainty + found.learning_deficiency)


def test_a_wide_student_with_few_labels_is_uncertain(laboratory: ModuleType, runs: Any) -> None:
    found = laboratory.causes(runs, points=64, width=24, noise=0.0, steps=600)
    assert found.realizability == 0.0
    assert found.uncertainty > 0.05


def test_a_student_stopped_early_is_deficient(laboratory: ModuleType, runs: Any) -> None:
    found = laboratory.causes(runs, points=2048, width=24, noise=0.0, steps=150)
    assert found.learning_deficiency > found.uncertainty > 0.0


def test_noise_is_what_was_put_in_and_costs_more_labels(laboratory: ModuleType, runs: Any) -> None:
    noisy = laboratory.causes(runs, points=1024, width=24, noise=0.3, steps=600)
    clean = laboratory.causes(runs, points=1024, width=24, noise=0.0, steps=600)
    assert noisy.noise == pytest.approx(0.09)
    assert noisy.uncertainty > 3 * clean.uncertainty


def test_causes_add_up_to_the_error(laboratory: ModuleType, runs: Any) -> None:
    found = laboratory.causes(runs, points=512, width=24, noise=0.3, steps=150)
    error = laboratory.error_at(runs, points=512, width=24, noise=0.3, steps=150)
    assert found.realizability + found.uncertainty + found.learning_deficiency == pytest.approx(error)


def test_small_data_sets_foretell_larger_ones(laboratory: ModuleType, runs: Any) -> None:
    law, large = laboratory.fitted_small(runs, most_points=512, width=24)
    assert large
    for run in large:
        assert 1 / 3 < law.loss(token_count=float(run.points)) / run.uncertainty < 3

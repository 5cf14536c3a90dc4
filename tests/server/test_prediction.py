"""Predictions of a law of hyper-parameters: at those of the points, or at the best, which the answer then names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planner.laws import Law, form_class
from planner.laws.law import Provenance
from server.services.prediction import predict

SURFACE = form_class("hyper-parameter-surface").from_vector(
    np.array([1.7, 400.0, 410.0, 0.34, 0.28, 7e-4, -0.5, 0.33, 110.0, 0.6, 0.035, 0.7, 0.03, 0.35])
)
LAW = Law(name="swept", form=SURFACE, grade="fitted", residual_log_sd=0.01, provenance=Provenance("fitted"))


def columns(answer: Any) -> dict[str, float]:
    return {column.name: column.numbers.values[0] for column in answer.columns}


def test_points_without_hyper_parameters_get_the_best_ones(table: Any) -> None:
    found = columns(predict(LAW, table(N=[2e9], D=[4e10]), {}, 0.8))
    best = SURFACE.best(parameter_count=2e9, token_count=4e10)
    assert {name: found[name] for name in best} == pytest.approx(best)
    assert found["predicted_loss"] == pytest.approx(1.7 + 400.0 / 2e9**0.34 + 410.0 / 4e10**0.28)


def test_points_with_them_are_predicted_as_they_are(table: Any) -> None:
    found = columns(predict(LAW, table(N=[2e9], D=[4e10], lr=[1e-4], bsz=[64.0]), {}, 0.8))
    point = {"parameter_count": 2e9, "token_count": 4e10, "learning_rate": 1e-4, "batch_size": 64.0}
    assert found["predicted_loss"] == pytest.approx(float(SURFACE.loss(**point)))
    assert "learning_rate" not in found

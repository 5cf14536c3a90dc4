"""The field that a form misses, against what defines Brownian motion; distances from where a decision looks."""

from __future__ import annotations

import numpy as np
import pytest

from planner.design import Distance, Field

AIMS = {"parameter_count": np.array([1e10]), "token_count": np.array([2e11])}
SIZES = np.geomspace(1e8, 1e9, 3)
CANDIDATES = {"parameter_count": np.tile(SIZES, 3), "token_count": np.repeat(20.0 * SIZES, 3)}
NAMES = ("parameter_count", "token_count")


def test_two_points_of_the_field_differ_by_their_distance() -> None:
    field = Field.over(NAMES, AIMS, CANDIDATES)  # ten points: twelve modes leave nothing out
    points = {k: np.concatenate([AIMS[k], CANDIDATES[k]]) for k in NAMES}
    modes = field.modes(points)
    variance = ((modes[:, None] - modes[None]) ** 2).sum(axis=2)
    at = np.stack([np.log(points[k]) for k in NAMES], axis=1)
    at = at / at.std(axis=0)
    assert variance == pytest.approx(np.linalg.norm(at[:, None] - at[None], axis=2), abs=1e-6)
    assert field.rest(points) == pytest.approx(np.zeros(10), abs=1e-6)


def test_what_the_leading_modes_leave_out_is_not_forgotten() -> None:
    many = {k: np.exp(np.random.default_rng(0).normal(20.0, 1.0, 200)) for k in NAMES}
    field = Field.over(NAMES, AIMS, many)
    whole = (field.modes(many) ** 2).sum(axis=1) + field.rest(many)
    at = np.stack([np.log(many[k]) for k in NAMES], axis=1) / field.scales
    assert whole == pytest.approx(np.linalg.norm(at - field.origin, axis=1), rel=1e-6)
    assert field.rest(many).max() > 0.0


def test_the_nearest_candidate_is_at_no_distance_and_farther_ones_are_farther() -> None:
    distance = Distance.to(NAMES, AIMS, CANDIDATES).of(CANDIDATES)
    assert distance.min() == pytest.approx(0.0, abs=1e-12)
    assert distance[-1] == distance.min()
    assert distance[0] == distance.max()


def test_a_variable_that_does_not_vary_is_at_no_distance() -> None:
    still = {"parameter_count": np.full(3, 1e9), "token_count": np.array([1e9, 1e10, 1e11])}
    aims = {"parameter_count": np.array([1e9]), "token_count": np.array([1e12])}
    assert np.all(np.isfinite(Distance.to(NAMES, aims, still).of(still)))
    assert np.all(np.isfinite(Field.over(NAMES, aims, still).modes(still)))

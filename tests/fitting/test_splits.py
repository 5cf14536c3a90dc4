"""Splits hold out the largest levels whole; grouped forms give each group its own coefficients."""

from __future__ import annotations

import numpy as np

from planner.fitting.baselines import log_plane, nearest_run
from planner.fitting.refit import refit
from planner.fitting.splits import splits
from planner.laws.by_group import GROUP, by_group, scales
from planner.laws.chinchilla import Chinchilla

NO_FLOPS = np.full(12, np.nan)


def test_the_largest_levels_are_held_out_whole() -> None:
    n = np.repeat([1e8, 1e9, 1e10], 4)
    (split,) = splits({"parameter_count": n}, NO_FLOPS, None)
    assert np.array_equal(split.held, n == 1e10)
    assert np.array_equal(split.fitted, ~split.held)


def test_every_group_gives_its_own_largest_runs() -> None:
    n = np.concatenate([np.repeat([1e6, 1e7], 3), np.repeat([1e9, 1e10], 3)])
    groups = np.repeat([0, 1], 6).astype(np.intp)
    (split,) = splits({"parameter_count": n}, NO_FLOPS, groups)
    assert np.array_equal(split.held, np.isin(n, (1e7, 1e10)))


def test_mixtures_are_held_out_whole_each_once() -> None:
    share = np.tile(np.linspace(0.1, 0.6, 6), 2)
    found = splits({"domain_share_1": share, "domain_share_2": 1.0 - share}, NO_FLOPS, None)
    assert np.array_equal(sum(split.held.astype(int) for split in found), np.ones(12))
    assert all(not set(share[split.held]) & set(share[split.fitted]) for split in found)


def test_runs_that_are_all_alike_allow_no_split() -> None:
    assert splits({"parameter_count": np.full(12, 1e9)}, NO_FLOPS, None) == ()


def test_a_point_run_many_times_counts_once() -> None:
    n = np.concatenate([np.geomspace(1e8, 1e9, 9), np.full(100, 3e9)])
    found = splits({"parameter_count": n}, np.full(109, np.nan), None)
    assert [len(set(n[split.held])) for split in found] == [2, 4]


def test_a_split_that_leaves_few_points_is_passed_over_where_there_are_others() -> None:
    n, d = np.geomspace(1e8, 1e9, 12), np.concatenate([np.full(3, 1e9), np.full(9, 2e9)])
    found = splits({"parameter_count": n, "token_count": d}, NO_FLOPS, None)
    assert found
    assert all("parameter_count" in split.name for split in found)


def test_splits_by_compute_count_double() -> None:
    n = np.geomspace(1e8, 1e9, 12)
    found = splits({"parameter_count": n}, n**2, None)
    assert {split.weight for split in found if "training_flops" in split.name} == {2.0}


def test_one_budget_written_with_rounding_is_one_level() -> None:
    n = np.geomspace(1e8, 1e9, 12)
    found = splits({"parameter_count": n}, 6.0 * n * (1e20 / (6.0 * n)), None)
    assert all("training_flops" not in split.name for split in found)


def test_a_grouped_form_is_its_form_with_the_coefficients_of_each_group() -> None:
    kind = by_group(Chinchilla, scales(Chinchilla), 2)
    assert kind.names() == ("E_in_1", "E_in_2", "A_in_1", "A_in_2", "B_in_1", "B_in_2", "alpha", "beta")
    grouped = kind(1.5, 2.0, 300.0, 500.0, 900.0, 700.0, 0.3, 0.4)
    n, d = np.array([1e8, 1e9]), np.array([1e10, 1e11])
    expected = [
        Chinchilla(1.5, 300.0, 900.0, 0.3, 0.4).loss(parameter_count=n[0], token_count=d[0]),
        Chinchilla(2.0, 500.0, 700.0, 0.3, 0.4).loss(parameter_count=n[1], token_count=d[1]),
    ]
    found = grouped.loss(parameter_count=n, token_count=d, **{GROUP: np.array([1, 2])})
    assert np.allclose(found, expected, rtol=1e-14)


def test_a_grouped_fit_recovers_shared_slopes() -> None:
    random = np.random.default_rng(5)
    n, d = np.exp(random.uniform(np.log([5e7, 1e9]), np.log([5e9, 1e11]), (40, 2))).T
    groups = (np.arange(40) % 2).astype(np.intp)
    laws = (Chinchilla(1.7, 400.0, 2000.0, 0.34, 0.37), Chinchilla(2.1, 550.0, 1500.0, 0.34, 0.37))
    losses = np.where(groups == 0, *(law.loss(parameter_count=n, token_count=d) for law in laws))
    found = refit(Chinchilla, {"parameter_count": n, "token_count": d}, losses, groups, "scales")
    values = found.forms[0].values()
    assert abs(float(values["alpha"]) - 0.34) < 1e-4
    assert abs(float(values["beta"]) - 0.37) < 1e-4
    wanted = {"parameter_count": np.array([1e10, 1e10]), "token_count": np.array([1e12, 1e12])}
    expected = [float(law.loss(parameter_count=1e10, token_count=1e12)) for law in laws]
    assert np.allclose(found.predict(wanted, np.array([0, 1])), expected, rtol=1e-6)


def test_baselines_repeat_the_nearest_run_and_follow_a_plane() -> None:
    known = {"x": np.array([1.0, 10.0, 100.0])}
    losses = 5.0 * known["x"] ** -0.2
    asked = {"x": np.array([1000.0])}
    assert nearest_run(known, losses, asked, False)[0] == losses[2]
    assert np.isclose(log_plane(known, losses, asked, False)[0], 5.0 * 1000.0**-0.2)

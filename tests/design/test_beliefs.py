"""What is believed after runs of a known law: its scatter, what a form misses, and the law itself."""

from __future__ import annotations

import numpy as np
import pytest

from planner.design import (
    Beliefs,
    Candidates,
    ComputeOptimal,
    Distance,
    LossAt,
    beliefs_after,
    felt_prior,
    grid,
    search_prior,
    stakes,
)
from planner.design.criterion import Criterion
from planner.laws import Chinchilla, form_class

TRUTH = Chinchilla(1.8172, 477.8, 2143.0, 0.3473, 0.3672)
TARGET = LossAt({"parameter_count": np.array([7e10]), "token_count": np.array([1.4e12])})
CANDIDATES = grid(1e21)
NAMES = Chinchilla.variables


def losses(scatter: float, seed: int = 3) -> np.ndarray:
    noise = scatter * np.random.default_rng(seed).standard_normal(len(CANDIDATES))
    return np.asarray(TRUTH.loss(**CANDIDATES.variables) * np.exp(noise))


def after(seen: np.ndarray) -> Beliefs:
    (beliefs,) = beliefs_after(Chinchilla, CANDIDATES.variables, seen, CANDIDATES, TARGET)
    return beliefs


@pytest.mark.parametrize("scatter", [0.003, 0.03])
def test_scatter_is_learned_from_the_runs(scatter: float) -> None:
    assert 0.5 * scatter < np.median(after(losses(scatter)).noise_sd) < 2.0 * scatter


def test_what_the_form_misses_far_from_the_target_is_learned_from_the_runs() -> None:
    clean = after(losses(0.002))
    away = Distance.to(NAMES, TARGET.points, CANDIDATES.variables).of(CANDIDATES.variables)
    wiggles = 0.03 * away * np.sin(7.0 * np.log(CANDIDATES.variables["parameter_count"]))
    bent = after(losses(0.002) * np.exp(wiggles))
    assert np.median(bent.misfit) > 4.0 * np.median(clean.misfit)


def test_what_the_form_misses_is_predicted_from_the_runs_nearby() -> None:
    dense = grid(1e21, per_decade=4, ratios=13)
    decades = np.log10(dense.variables["parameter_count"])
    bent = TRUTH.loss(**dense.variables) * np.exp(0.06 * np.sin(2.0 * np.pi * decades))
    crest_and_trough = np.array([10.0**9.25, 10.0**8.75])
    aim = {"parameter_count": crest_and_trough, "token_count": np.full(2, 10.0**10.5)}
    (found,) = beliefs_after(Chinchilla, dense.variables, bent, dense, LossAt(aim))
    truth = TRUTH.loss(**aim) * np.exp([0.06, -0.06])
    missed_by_form = np.log(truth) - np.median(found.problem(aim).residuals(found.draws), axis=0)
    missed_by_both = np.log(truth / found.predict(aim))
    assert np.abs(missed_by_both).mean() < 0.5 * np.abs(missed_by_form).mean()


def test_the_cloud_is_about_the_truth_and_no_wider_than_it_need_be() -> None:
    beliefs = after(losses(0.005))
    spread = beliefs.problem(TARGET.points).residuals(beliefs.draws)[:, 0]
    truth = float(np.log(TRUTH.loss(**TARGET.points))[0])
    assert abs(np.median(spread) - truth) < 3.0 * spread.std()
    assert spread.std() < 0.05


def test_several_metrics_of_the_same_runs_each_have_their_own_law() -> None:
    table = np.stack([losses(0.003), 2.0 * losses(0.003, seed=4)], axis=1)
    one, other = beliefs_after(Chinchilla, CANDIDATES.variables, table, CANDIDATES, TARGET)
    truth = TRUTH.loss(**TARGET.points)
    assert one.predict(TARGET.points) == pytest.approx(truth, rel=0.03)
    assert other.predict(TARGET.points) == pytest.approx(2.0 * truth, rel=0.03)


def test_a_rate_is_given_room_where_its_share_is_always_small() -> None:
    form = form_class("mixture-2")
    share = np.linspace(0.0, 0.05, 6)
    narrow, usual = felt_prior(form, {"domain_share_1": share, "domain_share_2": 1.0 - share}, 0), search_prior(form)
    wide = felt_prior(form, {"domain_share_1": 20.0 * share, "domain_share_2": 1.0 - 20.0 * share}, 0)
    assert narrow.sd[1] > 3.0 * usual.sd[1]
    assert narrow.sd[1] > 3.0 * wide.sd[1]
    assert narrow.sd[0] < 1.5 * usual.sd[0]  # the floor moves all losses alike


@pytest.mark.parametrize("decision", [TARGET, ComputeOptimal(1e23)])
def test_the_spread_of_a_small_cloud_is_the_variance_its_derivatives_give(decision: LossAt | ComputeOptimal) -> None:
    generator = np.random.default_rng(0)
    centre = np.array([np.log(TRUTH.E), np.log(TRUTH.A), np.log(TRUTH.B), TRUTH.alpha, TRUTH.beta])
    sd = np.array([1e-3, 1e-3, 1e-3, 2e-4, 2e-4])
    draws = centre + sd * generator.standard_normal((800, 5))
    known, few = np.tile(np.diag(1.0 / sd**2), (800, 1, 1)), Candidates.of(CANDIDATES.variables).take(np.arange(3))
    none = {k: np.zeros(0) for k in Chinchilla.variables}
    scatter, misfit, missed = np.full(800, 0.01), np.full(800, 1e-9), Distance.to(NAMES, TARGET.points, few.variables)
    cloud = Beliefs(Chinchilla, centre, draws, known, scatter, misfit, np.zeros((800, 0)), missed, none)
    both = stakes(cloud, few, decision)
    local = Criterion(both.runs[:-1], both.aims[:-1], both.precision[:-1]).regret(np.zeros(3))
    between = Criterion(both.runs[-1:], both.aims[-1:], both.precision[-1:]).regret(np.zeros(3))
    assert between / (len(both.runs) - 1) == pytest.approx(local, rel=0.15)

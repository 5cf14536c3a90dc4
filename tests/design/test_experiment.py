"""Pilot runs for real decisions: regret as closed forms have it, sequences of runs, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from planner.design import Beliefs, Candidates, ComputeOptimal, LossAt, grid, next_runs
from planner.errors import InvalidInput
from planner.laws import Chinchilla, form_class, law

TRUTH = Chinchilla(1.8172, 477.8, 2143.0, 0.3473, 0.3672)
NONE = {"parameter_count": np.zeros(0), "token_count": np.zeros(0)}
DECISION = ComputeOptimal(1e23)


def observed(candidates: Candidates, seed: int = 0, scatter: float = 0.005) -> np.ndarray:
    noise = scatter * np.random.default_rng(seed).standard_normal(len(candidates))
    return np.asarray(TRUTH.loss(**candidates.variables) * np.exp(noise))


def test_the_best_size_is_the_closed_form_s() -> None:
    n, _ = TRUTH.compute_optimal(1e23)
    assert np.exp(DECISION.best(TRUTH))[0] == pytest.approx(n, rel=2e-3)


def test_regret_in_loss_and_compute_is_what_the_law_says() -> None:
    n, _ = TRUTH.compute_optimal(1e23)
    loss, compute = DECISION.regret(TRUTH, float(np.log(3.0 * n)))
    chosen = TRUTH.loss(parameter_count=3.0 * n, token_count=1e23 / (6.0 * 3.0 * n))
    n_best, d_best = TRUTH.compute_optimal(1e23)
    assert loss == pytest.approx(chosen - TRUTH.loss(parameter_count=n_best, token_count=d_best), rel=1e-3)
    assert compute == pytest.approx(1.0 - TRUTH.compute_for_loss(chosen) / 1e23, abs=1e-3)


def test_the_linearised_regret_is_that_of_a_slightly_wrong_law() -> None:
    problem_free = np.array([np.log(TRUTH.E), np.log(TRUTH.A), np.log(TRUTH.B), TRUTH.alpha, TRUTH.beta])
    beliefs = Beliefs(
        Chinchilla, problem_free, problem_free[None], np.eye(5)[None], np.full(1, 0.01), np.zeros(1), np.zeros((1, 0)),
        DECISION.missed(Chinchilla.variables, DECISION.anchors()), NONE,
    )  # fmt: skip
    aim = DECISION.aims(beliefs)[0, 0]
    for shift in np.diag([0.01, 0.02, 0.02, 1e-3, 1e-3]):
        moved = problem_free + shift
        wrong = Chinchilla(*np.exp(moved[:3]), *moved[3:])
        n, _ = wrong.compute_optimal(1e23)
        n_best, d_best = TRUTH.compute_optimal(1e23)
        chosen = TRUTH.loss(parameter_count=n, token_count=1e23 / (6.0 * n))
        real = np.log(chosen / TRUTH.loss(parameter_count=n_best, token_count=d_best))
        assert 0.5 * float(aim @ shift) ** 2 == pytest.approx(real, rel=0.05, abs=1e-9)


def test_a_design_from_nothing_then_results_then_a_better_one() -> None:
    candidates = grid(1e21)
    first = next_runs(NONE, np.zeros(0), candidates, 5e20, form=Chinchilla, decision=DECISION)
    assert first.cost <= 5e20
    assert first.lower_bound <= first.regret_after < first.regret_before
    done = candidates.take(first.chosen)
    rest = candidates.take(np.setdiff1d(np.arange(len(candidates)), first.chosen))
    second = next_runs(done.variables, observed(done), rest, 5e20, form=Chinchilla, decision=DECISION)
    assert second.regret_before < 0.1 * first.regret_before
    size = float(DECISION.best(second.beliefs[0].law)[0])
    assert DECISION.regret(TRUTH, size)[1] < 0.05


def test_designs_are_the_same_for_the_same_seed() -> None:
    candidates = grid(1e21)
    one, other = (next_runs(NONE, np.zeros(0), candidates, 5e20, form=Chinchilla, decision=DECISION) for _ in range(2))
    assert one.chosen.tolist() == other.chosen.tolist()
    assert one.regret_after == other.regret_after


def test_a_published_law_as_prior_leaves_less_to_learn() -> None:
    candidates = grid(1e21)
    vague = next_runs(NONE, np.zeros(0), candidates, 5e20, form=Chinchilla, decision=DECISION, certify=False)
    about = law("besiroglu-2024")
    known = next_runs(NONE, np.zeros(0), candidates, 5e20, form=Chinchilla, decision=DECISION, law=about, certify=False)
    assert known.regret_before < vague.regret_before


def test_the_loss_at_a_point_is_predicted_from_cheap_runs() -> None:
    candidates = grid(1e21)
    target = LossAt({"parameter_count": np.array([3e10]), "token_count": np.array([6e11])})
    first = next_runs(NONE, np.zeros(0), candidates, 1e21, form=Chinchilla, decision=target, certify=False)
    done = candidates.take(first.chosen)
    later = next_runs(done.variables, observed(done), candidates, 1e21, form=Chinchilla, decision=target, certify=False)
    truth = TRUTH.loss(**target.points)
    assert later.beliefs[0].predict(target.points) == pytest.approx(truth, rel=0.02)


def test_what_cannot_be_designed_is_refused_by_name() -> None:
    candidates = grid(1e21)
    with pytest.raises(InvalidInput) as cheap:
        next_runs(NONE, np.zeros(0), candidates, 1.0, form=Chinchilla, decision=DECISION)
    assert cheap.value.violations[0].field == "budget"
    with pytest.raises(InvalidInput) as formless:
        next_runs(NONE, np.zeros(0), candidates, 1e21, form=form_class("coverage"), decision=DECISION)
    assert {v.field for v in formless.value.violations} >= {"parameter_count", "sample_count"}
    with pytest.raises(InvalidInput) as negative:
        Candidates.of({"parameter_count": np.array([-1.0]), "token_count": np.array([1e9])})
    assert negative.value.violations[0].field == "parameter_count"
    with pytest.raises(InvalidInput):
        grid(float("nan"))

"""Fronts: many points, each proven, none dominated."""

import itertools

import pytest

from planner.allocation import FrontProblem, HardwareChoice, LifecycleProblem, Outcome, Workload, compute_front
from planner.errors import InvalidInput
from planner.laws import law

CHIPS = HardwareChoice(("H100-SXM", "B200-SXM"), ("bf16", "fp8"))
PROBLEM = LifecycleProblem(
    law("besiroglu-2024"),
    1e12,
    {"lifetime_usd": 3e6},
    workload=Workload(50.0, 1024, 512, max_tpot_seconds=0.1),
    training_hardware=CHIPS,
)


@pytest.fixture(scope="module")
def front():
    return compute_front(FrontProblem(PROBLEM, ("loss", "training_usd", "tpot_seconds"), 30))


def test_it_has_the_points_asked_for_each_with_its_proof(front):
    assert front.outcome is Outcome.OPTIMAL
    assert len(front.points) == 30
    assert all(p.outcome is Outcome.OPTIMAL and p.certificate.feasible for p in front.points)
    assert all(p.certificate.relative_gap <= 0.01 for p in front.points)


def test_counts_are_whole_and_agree_with_the_layout(front):
    for decision in (p.decision for p in front.points):
        ways = decision.tensor_parallel * decision.pipeline_parallel * decision.data_parallel
        assert decision.accelerator_count == ways


def test_no_point_dominates_another(front):
    values = [[p.metrics[name].value for name in front.objectives] for p in front.points]
    for a, b in itertools.permutations(values, 2):
        assert not (all(x <= y for x, y in zip(a, b)) and any(x < y * (1 - 1e-6) for x, y in zip(a, b)))


def test_points_keep_the_limits_of_the_problem(front):
    assert all(p.metrics["lifetime_usd"].value <= 3e6 * (1 + 1e-6) for p in front.points)
    assert all(p.metrics["tpot_seconds"].value <= 0.1 * (1 + 1e-6) for p in front.points)


def test_more_points_leave_less_undecided():
    gaps = [compute_front(FrontProblem(PROBLEM, ("loss", "lifetime_usd"), n)).hypervolume_gap for n in (4, 24)]
    assert gaps[1] < gaps[0] < 1.0


def test_a_front_needs_two_to_four_metrics_it_knows():
    with pytest.raises(InvalidInput):
        FrontProblem(PROBLEM, ("loss",))
    with pytest.raises(InvalidInput):
        FrontProblem(PROBLEM, ("loss", "beauty"))


def test_an_impossible_front_says_why():
    impossible = LifecycleProblem(
        PROBLEM.law, 1e12, {"lifetime_usd": 1.0, "loss": 1.9}, workload=PROBLEM.workload, training_hardware=CHIPS
    )
    answer = compute_front(FrontProblem(impossible, ("loss", "lifetime_usd")))
    assert answer.outcome is Outcome.INFEASIBLE
    assert not answer.points
    assert answer.conflicts

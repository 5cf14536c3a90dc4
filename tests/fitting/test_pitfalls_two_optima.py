"""One fit with two optima: the life of repeated data, and what each means for a plan (docs/pitfalls.md).

On the shipped runs of Muennighoff et al. 2023 (2305.16264), the 182 of their fit, base law held as published.
"""

from __future__ import annotations

import numpy as np
import pytest

from apportion.demo import RUNS
from planner.allocation import Plan, TrainingProblem, plan_training
from planner.fitting import FittedLaw, Runs, fit_law, observe
from planner.fitting.objective import Huber
from planner.laws import Law, form_class, law

FLOPS, UNIQUE = 1e22, 25e9
SELECTED = "in_paper_fit_182 == 1"


@pytest.fixture(scope="module")
def published() -> Law:
    return law("muennighoff-2023")


@pytest.fixture(scope="module")
def refit(published: Law) -> FittedLaw:
    base = {k: float(v) for k, v in published.form.values().items() if k not in ("R_D", "R_N")}
    return fit_law(Runs.read(RUNS), "data-constrained", where=SELECTED, fixed=base, bootstrap=0)


def planned(of: Law, flops: float = FLOPS) -> Plan:
    return plan_training(TrainingProblem(law=of, limits={"training_flops": flops}, unique_token_count=UNIQUE))


def judged(plan: Plan, by: Law) -> float:
    decision = plan.decision
    return float(
        by.loss(
            parameter_count=decision.parameter_count,
            token_count=decision.token_count,
            unique_token_count=decision.unique_token_count,
        )
    )


def wasted(loss: float, by: Law) -> float:
    """Share of the budget that the best plan of the same loss would have saved."""
    low, high = FLOPS / 10.0, FLOPS
    for _ in range(10):
        middle = float(np.sqrt(low * high))
        enough = planned(by, middle).metrics["loss"].value <= loss
        low, high = (low, middle) if enough else (middle, high)
    return 1.0 - high / FLOPS


def test_the_published_constants_are_a_local_optimum(published: Law, refit: FittedLaw) -> None:
    seen = observe(Runs.read(RUNS), form_class("data-constrained"), where=SELECTED)
    residual = np.log(np.asarray(published.form.loss(**seen.variables)) / seen.losses)
    assert float(Huber().value(residual).sum()) == pytest.approx(0.0158259, abs=1e-7)
    assert refit.objective_value <= 0.0158047
    assert refit.form.values()["R_D"] == pytest.approx(95.4, abs=0.1)
    assert refit.form.values()["R_N"] == pytest.approx(1.71, abs=0.01)


def test_the_fit_warns_of_other_minima(refit: FittedLaw) -> None:
    assert "SEVERAL_MINIMA" in {w.code for w in refit.warnings}
    assert refit.search.profile_minima is not None
    assert refit.search.profile_minima > 1


def test_the_two_optima_plan_models_of_half_and_twice_the_size(published: Law, refit: FittedLaw) -> None:
    ours, theirs = planned(refit), planned(published)
    assert theirs.decision.parameter_count == pytest.approx(7.03e9, rel=0.01)
    assert theirs.decision.epoch_count == pytest.approx(9.5, abs=0.1)
    assert theirs.metrics["loss"].value == pytest.approx(2.22213, abs=2e-5)
    assert ours.decision.parameter_count == pytest.approx(3.71e9, rel=0.01)
    assert ours.decision.epoch_count == pytest.approx(18.0, abs=0.2)
    assert ours.metrics["loss"].value == pytest.approx(2.2328, abs=2e-4)


def test_each_plan_is_half_a_percent_worse_by_the_other_law_and_wastes_a_quarter_of_the_compute(
    published: Law, refit: FittedLaw
) -> None:
    ours, theirs = planned(refit), planned(published)
    for plan, judge, loss, compute in ((theirs, refit, 0.0056, 0.266), (ours, published, 0.0053, 0.245)):
        found = judged(plan, judge)
        assert found / planned(judge).metrics["loss"].value - 1.0 == pytest.approx(loss, abs=2e-4)
        assert wasted(found, judge) == pytest.approx(compute, abs=0.01)

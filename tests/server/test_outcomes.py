"""What a plan says about itself is counted; a certificate that does not hold most of all."""

from __future__ import annotations

import pytest

from apportion.v1 import plan_pb2, planning_service_pb2
from planner.errors import InvalidInput, NotIdentified, PlanningError, UnknownName, Violation
from server.convert import errors
from server.errors import ServiceError, StoreUnavailable
from server.execution.plan_cache import PlanCache, key_of
from server.telemetry.metrics import Metrics
from server.telemetry.outcomes import record_front, record_plan

Training = planning_service_pb2.PlanTrainingRequest


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def optimal(gap: float = 1e-9, feasible: bool = True, violation: float = 0.0) -> plan_pb2.Plan:
    certificate = plan_pb2.Certificate(relative_gap=gap, feasible=feasible, max_violation=violation)
    return plan_pb2.Plan(kind=plan_pb2.Plan.TRAINING, outcome=plan_pb2.Plan.OPTIMAL, certificate=certificate)


@pytest.mark.parametrize(
    ("plan", "check"),
    [
        (optimal(gap=1e-3), "gap"),
        (optimal(feasible=False), "feasibility"),
        (optimal(violation=1e-3), "feasibility"),
        (plan_pb2.Plan(kind=plan_pb2.Plan.TRAINING, outcome=plan_pb2.Plan.FAILED), "no_answer"),
    ],
)
def test_a_certificate_that_does_not_hold_is_counted(plan: plan_pb2.Plan, check: str) -> None:
    metrics = Metrics()
    record_plan(metrics, plan)
    assert value(metrics, "apportion_certificate_failures_total", check=check) == 1


def test_a_certificate_that_holds_is_not_counted_as_a_failure() -> None:
    metrics = Metrics()
    record_plan(metrics, optimal())
    front = plan_pb2.Front(outcome=plan_pb2.Plan.OPTIMAL, points=[optimal(), optimal()])
    record_front(metrics, front)
    failures = [value(metrics, "apportion_certificate_failures_total", check=c) for c in ("gap", "feasibility")]
    assert failures == [0, 0]
    assert value(metrics, "apportion_duality_gap_ratio_count", kind="front") == 2
    assert value(metrics, "apportion_solves_total", kind="training", outcome="OPTIMAL") == 1


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = PlanCache(2)
    cache.put("a", b"1")
    cache.put("b", b"2")
    assert cache.get("a") == b"1"
    cache.put("c", b"3")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1", None, b"3")
    off = PlanCache(0)
    off.put("a", b"1")
    assert off.get("a") is None


def test_a_key_covers_the_question_and_the_law_but_not_the_ids() -> None:
    key = key_of("PlanTraining", Training(training_flops=1e22), {})
    same = Training(training_flops=1e22, plan_id="x", request_id="y", validate_only=True, explain=True)
    assert key_of("PlanTraining", same, {}) == key
    assert key_of("PlanTraining", Training(training_flops=2e22), {}) != key
    assert key_of("PlanLifecycle", Training(training_flops=1e22), {}) != key
    assert key_of("PlanTraining", Training(training_flops=1e22), {"laws/x": b"1"}) != key


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidInput(Violation("a", "1", "2")), "INVALID_ARGUMENT", "INVALID_INPUT"),
        (UnknownName("law", "x", ["y"]), "NOT_FOUND", "UNKNOWN_NAME"),
        (NotIdentified("all runs are alike"), "FAILED_PRECONDITION", "NOT_IDENTIFIED"),
        (PlanningError("something else"), "FAILED_PRECONDITION", "PLANNING_ERROR"),
        (StoreUnavailable(), "UNAVAILABLE", "STORE_UNAVAILABLE"),
    ],
)
def test_every_error_has_a_code_and_a_reason(error: PlanningError | ServiceError, code: str, reason: str) -> None:
    from google.rpc import code_pb2

    status = errors.to_status(error)
    assert code_pb2.Code.Name(status.code) == code
    assert errors.reason(status) == reason
    kinds = [detail.type_url for detail in status.details]
    assert len(kinds) == len(set(kinds)), "each kind of detail at most once"

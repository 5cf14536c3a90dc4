"""Plans: solved, stored, found again, explained, forgotten."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2

from apportion.v1 import plan_pb2, planning_service_pb2

Training = planning_service_pb2.PlanTrainingRequest


def closed_form(training_flops: float) -> tuple[float, float]:
    """(N, D) of the default law on 6ND = C: N = (αA/βB)^(1/(α+β)) (C/6)^(β/(α+β))."""
    a, b, alpha, beta = 482.01, 2085.43, 0.3478, 0.3658
    n = (alpha * a / (beta * b)) ** (1 / (alpha + beta)) * (training_flops / 6) ** (beta / (alpha + beta))
    return n, training_flops / 6 / n


def test_a_plan_of_the_default_law_is_its_closed_form(server: Any) -> None:
    plan = server.planning.PlanTraining(Training(training_flops=1e23))
    n, d = closed_form(1e23)
    assert plan.outcome == plan_pb2.Plan.OPTIMAL
    assert plan.decision.parameter_count == pytest.approx(n, rel=1e-6)
    assert plan.decision.token_count == pytest.approx(d, rel=1e-6)
    assert plan.metrics["loss"].value == pytest.approx(1.8172 + 482.01 / n**0.3478 + 2085.43 / d**0.3658, rel=1e-8)
    assert plan.certificate.feasible
    assert plan.certificate.relative_gap <= 1e-6


def test_a_stored_plan_is_found_listed_explained_and_forgotten(server: Any, refused: Any) -> None:
    plan = server.planning.PlanTraining(Training(training_flops=2e23, plan_id="kept"))
    assert plan.name == "plans/kept"
    assert not plan.explanation
    assert server.planning.GetPlan(planning_service_pb2.GetPlanRequest(name="plans/kept")) == plan
    newest = server.planning.ListPlans(planning_service_pb2.ListPlansRequest(page_size=1)).plans[0]
    assert newest == plan
    explained = server.planning.ExplainPlan(planning_service_pb2.ExplainPlanRequest(name="plans/kept")).explanation
    again = server.planning.PlanTraining(Training(training_flops=2e23, explain=True))
    assert explained
    assert again.explanation == explained
    taken = refused(server.planning.PlanTraining, Training(training_flops=2e23, plan_id="kept"))
    assert taken.code == grpc.StatusCode.ALREADY_EXISTS
    server.planning.DeletePlan(planning_service_pb2.DeletePlanRequest(name="plans/kept"))
    gone = refused(server.planning.GetPlan, planning_service_pb2.GetPlanRequest(name="plans/kept"))
    assert (gone.code, gone.metadata["resource"]) == (grpc.StatusCode.NOT_FOUND, "plans/kept")


def test_law_variables_are_settled_chosen_or_ranged(server: Any) -> None:
    """Kumar et al. 2024: more bits are never worse at the same FLOPs, so the widest of the choices is taken."""
    request = Training(law="laws/kumar-2024", training_flops=1e21)
    request.law_variables["weight_bits"].values.extend([4, 8])
    for name in ("activation_bits", "cache_bits"):
        request.law_variables[name].values.append(16)
    plan = server.planning.PlanTraining(request)
    assert dict(plan.decision.law_variables) == {"weight_bits": 8, "activation_bits": 16, "cache_bits": 16}
    assert "4 weight bits instead of 8" in plan.alternatives[0].why_not


def test_a_law_variable_that_is_not_said_is_named(server: Any, refused: Any) -> None:
    failure = refused(server.planning.PlanTraining, Training(law="laws/frantar-2023-t5", training_flops=1e21))
    assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
    assert failure.fields == ["law_variables.density"]


def test_the_same_question_is_answered_from_the_cache(server: Any) -> None:
    hits = server.metric("apportion_plan_cache_hits_total")
    solves = server.metric("apportion_solves_total")
    first = server.planning.PlanTraining(Training(training_flops=4.4e22))
    second = server.planning.PlanTraining(Training(training_flops=4.4e22, law="laws/besiroglu-2024x"[:19]))
    third = server.planning.PlanTraining(Training(training_flops=4.4e22, plan_id="from-the-cache"))
    assert server.metric("apportion_plan_cache_hits_total") == hits + 1
    assert server.metric("apportion_solves_total") == solves + 2
    assert first.decision == second.decision == third.decision
    assert len({first.name, second.name, third.name}) == 3


def test_a_plan_that_is_only_checked_is_not_stored(server: Any) -> None:
    before = server.planning.ListPlans(planning_service_pb2.ListPlansRequest(page_size=1000))
    plan = server.planning.PlanTraining(Training(training_flops=5.5e22, validate_only=True))
    assert plan.outcome == plan_pb2.Plan.OPTIMAL
    assert not plan.name
    assert server.planning.ListPlans(planning_service_pb2.ListPlansRequest(page_size=1000)) == before


def test_an_infeasible_question_is_an_answer_with_its_conflicts(server: Any) -> None:
    plan = server.planning.PlanTraining(Training(training_flops=1e20, max_loss=1.9))
    assert plan.outcome == plan_pb2.Plan.INFEASIBLE
    assert {conflict.metric for conflict in plan.conflicts} == {"loss", "training_flops"}
    assert all(relaxation.smallest_feasible_limit > relaxation.limit for relaxation in plan.relaxation)
    assert server.metric("apportion_infeasible_total", constraint="loss") >= 1


def test_a_target_loss_is_reached_at_the_least_compute(server: Any) -> None:
    n, d = closed_form(1e22)
    target = 1.8172 + 482.01 / n**0.3478 + 2085.43 / d**0.3658
    plan = server.planning.PlanTraining(Training(max_loss=target))
    assert plan.metrics["training_flops"].value == pytest.approx(1e22, rel=1e-5)


def test_money_brings_hardware_into_the_plan(server: Any) -> None:
    plan = server.planning.PlanTraining(Training(budget_usd=1e6))
    assert plan.outcome == plan_pb2.Plan.OPTIMAL
    assert plan.decision.accelerator
    assert plan.metrics["training_usd"].value <= 1e6 * (1 + 1e-6)
    without = server.planning.PlanTraining(Training(training_flops=1e22))
    assert not without.decision.accelerator


def test_a_lifecycle_in_flops_satisfies_the_first_order_condition(server: Any) -> None:
    request = planning_service_pb2.PlanLifecycleRequest(inference_token_count=5e12, lifetime_flops=1e24)
    plan = server.planning.PlanLifecycle(request)
    assert plan.outcome == plan_pb2.Plan.OPTIMAL
    n, d = plan.decision.parameter_count, plan.decision.token_count
    assert 6 * n * d + 2 * n * 5e12 == pytest.approx(1e24, rel=1e-5)
    parameters, tokens = 0.3478 * 482.01 * n**-0.3478, 0.3658 * 2085.43 * d**-0.3658
    # Equal gain per FLOP: N's share of the bill is all of it, D's the training part alone.
    assert parameters / 1e24 == pytest.approx(tokens / (6 * n * d), rel=1e-3)


def test_a_front_is_an_operation_that_ends_with_plans_that_nothing_dominates(server: Any, refused: Any) -> None:
    problem = planning_service_pb2.PlanLifecycleRequest(inference_token_count=1e12, lifetime_flops=1e24)
    objectives = ["loss", "lifetime_flops"]
    request = planning_service_pb2.ComputeFrontRequest(
        objectives=objectives, problem=problem, point_count=5, request_id=str(uuid.uuid4())
    )
    operation = server.planning.ComputeFront(request)
    assert server.planning.ComputeFront(request).name == operation.name
    wait = operations_pb2.WaitOperationRequest(name=operation.name)
    done = server.operations.WaitOperation(wait, timeout=60)
    front = plan_pb2.Front()
    assert done.response.Unpack(front), done.error
    assert list(front.objectives) == objectives
    points = sorted((p.metrics["loss"].value, p.metrics["lifetime_flops"].value) for p in front.points)
    assert len(points) >= 2
    flops = [point[1] for point in points]
    assert flops == sorted(flops, reverse=True)
    assert server.metric("apportion_operations_ended_total", kind="ComputeFront", code="OK") >= 1


def test_a_deployment_meets_its_latency_limit(server: Any) -> None:
    workload = planning_service_pb2.Workload(
        requests_per_second=5, input_token_count=1024, output_token_count=1024, max_tpot_seconds=0.05
    )
    request = planning_service_pb2.PlanDeploymentRequest(model="Llama-3.1-70B", workload=workload, alternative_count=2)
    plan = server.planning.PlanDeployment(request, timeout=60)
    assert plan.kind == plan_pb2.Plan.DEPLOYMENT
    assert plan.outcome in (plan_pb2.Plan.OPTIMAL, plan_pb2.Plan.FEASIBLE)
    assert plan.metrics["tpot_seconds"].value <= 0.05 * (1 + 1e-6)
    assert plan.decision.accelerator
    assert len(plan.alternatives) == 2

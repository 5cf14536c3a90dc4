"""Plans and fronts: asked for, kept, explained."""

from __future__ import annotations

from typing import Any, cast

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from apportion import answers, fields, requests
from apportion.flows.calls import FRONT_SECONDS, PLAN_SECONDS, READ_SECONDS, Flow, OnStage, ask, outcome_of, pages_of
from apportion.reading import read
from apportion.v1 import plan_pb2
from apportion.v1 import planning_service_pb2 as planning


def plan_training(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """Which model to train within the limits, or most cheaply for a target loss.

    Wishes, by the names in `apportion.fields.TRAINING` or the contract's own: `law`, `training_flops`,
    `budget_usd`, `accelerator_hours`, `deadline_hours`, `max_loss`, `as_good_as`, `unique_tokens`, `experts`,
    `accelerator`, `precision`, `price_term`, `limit={metric: value}`, `minimize`, `alternatives`, `explain`, …
    That nothing meets the limits is an answer (`plan.outcome == "INFEASIBLE"`), not an error.
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.TRAINING, wishes, timeout_seconds))


def plan_deployment(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """How to serve a model.

    Wishes, by the names in `apportion.fields.DEPLOYMENT`: `model` or `parameter_count`,
    `requests_per_second`, `input_tokens`, `output_tokens`, `max_tpot_seconds`, `max_ttft_seconds`,
    `latency_percentile`, `accelerator`, `precision`, `price_term`, `limit`, `minimize`, `alternatives`, …
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.DEPLOYMENT, wishes, timeout_seconds))


def plan_lifecycle(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """Which model to train when serving it is part of the bill.

    Wishes, by the names in `apportion.fields.LIFECYCLE`: `law`, `inference_tokens`, `max_loss`, `as_good_as`,
    `lifetime_flops`, `training_flops`, `budget_usd`, the workload and the hardware as in the other plans;
    `serving_accelerator`, `serving_precision`, … where serving differs from training.
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.LIFECYCLE, wishes, timeout_seconds))


def front(
    *, timeout_seconds: float = FRONT_SECONDS, on_stage: OnStage | None = None, **wishes: Any
) -> Flow[answers.Front]:
    """The plans that nothing dominates in `objectives`, two to four metrics.

    Wishes: `objectives`, `points`, and those of `plan_lifecycle`.
    Raises InvalidArgument, NotFound, DeadlineExceeded after `timeout_seconds` (the work is then cancelled).
    """
    request = requests.build(fields.FRONT, wishes)
    operation = yield ask("Planning", request, operations_pb2.Operation, PLAN_SECONDS)
    found = yield from outcome_of(operation, plan_pb2.Front, planning.ComputeFrontMetadata, timeout_seconds, on_stage)
    return read(answers.Front, found)


def get_plan(name: str) -> Flow[answers.Plan]:
    """One stored plan. Raises NotFound."""
    request = planning.GetPlanRequest(name=requests.resource("plans", name))
    return read(answers.Plan, (yield ask("Planning", request, plan_pb2.Plan, READ_SECONDS)))


def list_plans() -> Flow[tuple[answers.Plan, ...]]:
    """The stored plans, newest first."""
    pages = yield from pages_of("Planning", planning.ListPlansRequest(), planning.ListPlansResponse)
    return tuple(read(answers.Plan, item) for page in pages for item in page.plans)


def delete_plan(name: str) -> Flow[None]:
    """Forget a stored plan. Raises NotFound."""
    request = planning.DeletePlanRequest(name=requests.resource("plans", name))
    yield ask("Planning", request, empty_pb2.Empty, READ_SECONDS)


def explain_plan(plan: str | answers.Plan) -> Flow[str]:
    """A stored plan in sentences. Raises NotFound."""
    name = plan.name if isinstance(plan, answers.Plan) else requests.resource("plans", plan)
    answer = yield ask("Planning", planning.ExplainPlanRequest(name=name), planning.ExplainPlanResponse, PLAN_SECONDS)
    return cast(str, answer.explanation)


def _plan(kind: fields.Kind, wishes: dict[str, Any], timeout_seconds: float) -> Flow[answers.Plan]:
    request = requests.build(kind, wishes)
    return read(answers.Plan, (yield ask("Planning", request, plan_pb2.Plan, timeout_seconds)))

"""Plans and fronts: planner's answers as messages, field by field of the same name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from apportion.v1 import estimate_pb2, plan_pb2
from planner.allocation import plan as answers

_ESTIMATE_FIELDS = ("value", "lower", "upper", "level")


def to_plan(plan: answers.Plan, explanation: str = "") -> plan_pb2.Plan:
    """A plan, without the name and time that storing it gives it."""
    message = plan_pb2.Plan(
        kind=plan_pb2.Plan.Kind.Value(plan.kind.name),
        outcome=plan_pb2.Plan.Outcome.Value(plan.outcome.name),
        objective=plan.objective,
        elasticities=_finite(plan.elasticities),
        diagnosis=_finite(plan.diagnosis),
        provenance=dict(plan.provenance),
        explanation=explanation,
    )
    _fill(message.decision, plan.decision)
    for name, estimate in plan.decision_intervals.items():
        message.decision_intervals[name].CopyFrom(to_estimate(estimate))
    for name, estimate in plan.metrics.items():
        message.metrics[name].CopyFrom(to_estimate(estimate))
    if plan.certificate:
        _fill(message.certificate, plan.certificate)
    _extend(message.binding, plan.binding)
    for alternative in plan.alternatives:
        added = message.alternatives.add(
            metrics=_finite(alternative.metrics),
            relative_regret=alternative.relative_regret,
            why_not=alternative.why_not,
        )
        _fill(added.decision, alternative.decision)
    _fill_reservations(message, plan)
    return message


def to_front(front: answers.Front) -> plan_pb2.Front:
    """A front with its points."""
    message = plan_pb2.Front(
        objectives=front.objectives,
        points=[to_plan(point) for point in front.points],
        hypervolume_gap=front.hypervolume_gap,
        provenance=dict(front.provenance),
        outcome=plan_pb2.Plan.Outcome.Value(front.outcome.name),
    )
    _fill_reservations(message, front)
    return message


def to_estimate(estimate: answers.Estimate) -> estimate_pb2.Estimate:
    """A number with its interval."""
    message = estimate_pb2.Estimate(**{name: getattr(estimate, name) for name in _ESTIMATE_FIELDS})
    if estimate.standard_error is not None and math.isfinite(estimate.standard_error):
        message.standard_error = estimate.standard_error
    return message


def _fill_reservations(message: plan_pb2.Plan | plan_pb2.Front, answer: answers.Plan | answers.Front) -> None:
    """What plans and fronts say alike: warnings, conflicts, relaxations, the search."""
    for warning in answer.warnings:
        message.warnings.add(code=warning.code, message=warning.sentence)
    _extend(message.conflicts, answer.conflicts)
    for relaxation in answer.relaxation:
        _fill(message.relaxation.add(factor=relaxation.factor), relaxation)
    _fill(message.search, answer.search)


def _extend(repeated: Any, records: Iterable[Any]) -> None:
    for record in records:
        _fill(repeated.add(), record)


def _fill(message: Any, record: Any) -> None:
    """Set the fields of a message from the record's fields of the same name; None stays unset."""
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Mapping):
            getattr(message, field.name).update(_finite(value))
        elif value is not None:
            kind = message.DESCRIPTOR.fields_by_name[field.name].cpp_type
            setattr(message, field.name, int(value) if kind == _INT32 else value)


_INT32 = plan_pb2.Decision.DESCRIPTOR.fields_by_name["expert_count"].cpp_type


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}

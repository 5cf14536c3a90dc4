"""What plans say about themselves, as metrics: outcomes, gaps, conflicts, extrapolation."""

from __future__ import annotations

from apportion.v1 import plan_pb2
from server.telemetry.metrics import Metrics

GAP_TOLERANCE = 1e-6  # the largest gap that may be called optimal
VIOLATION_TOLERANCE = 1e-6
_OUTCOME, _KIND = plan_pb2.Plan.Outcome, plan_pb2.Plan.Kind


def record_plan(metrics: Metrics, plan: plan_pb2.Plan) -> None:
    """Count a plan that was just solved."""
    kind, outcome = _KIND.Name(plan.kind).lower(), _OUTCOME.Name(plan.outcome)
    _record_search(metrics, kind, outcome, plan.search)
    _record_certificate(metrics, kind, plan)
    _record_conflicts(metrics, plan)
    if "extrapolation_ratio" in plan.metrics:
        metrics.extrapolation.labels("plan").observe(plan.metrics["extrapolation_ratio"].value)


def record_front(metrics: Metrics, front: plan_pb2.Front) -> None:
    """Count a front that was just computed, with the certificates of its points."""
    _record_search(metrics, "front", _OUTCOME.Name(front.outcome), front.search)
    for point in front.points:
        _record_certificate(metrics, "front", point)
    _record_conflicts(metrics, front)


def _record_search(metrics: Metrics, kind: str, outcome: str, search: plan_pb2.SearchEffort) -> None:
    metrics.solves.labels(kind, outcome).inc()
    metrics.solve_seconds.labels(kind, outcome).observe(search.planning_seconds)
    metrics.convex_programs.labels(kind).inc(max(search.solve_count, 0))
    metrics.cells.labels(kind).inc(max(search.cell_count, 0))


def _record_certificate(metrics: Metrics, kind: str, plan: plan_pb2.Plan) -> None:
    if plan.outcome == plan_pb2.Plan.FAILED:
        metrics.certificate_failures.labels("no_answer").inc()
    if not plan.HasField("certificate"):
        return
    metrics.duality_gap.labels(kind).observe(max(plan.certificate.relative_gap, 0.0))
    if plan.outcome != plan_pb2.Plan.OPTIMAL:
        return
    if not plan.certificate.feasible or plan.certificate.max_violation > VIOLATION_TOLERANCE:
        metrics.certificate_failures.labels("feasibility").inc()
    if plan.certificate.relative_gap > GAP_TOLERANCE:
        metrics.certificate_failures.labels("gap").inc()


def _record_conflicts(metrics: Metrics, answer: plan_pb2.Plan | plan_pb2.Front) -> None:
    for conflict in answer.conflicts:
        metrics.infeasible.labels(conflict.metric).inc()  # the planner's metrics, not the caller's words

"""How to serve a model: every layout and batch size weighed exactly, whole replicas included.

With the model given, a layout leaves two counts to choose, sequences per replica and replicas; both are small
integers. All of them are evaluated at once on arrays, so the answer is the optimum of the integer problem itself
(and the certificate says so), not of a relaxation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner.allocation.options import Options, served_architecture, served_shape, weighed
from planner.allocation.plan import (
    Alternative,
    BindingLimit,
    Certificate,
    Conflict,
    Decision,
    Kind,
    Outcome,
    Plan,
    Relaxation,
    SearchEffort,
)
from planner.allocation.problem import DeploymentProblem
from planner.allocation.provenance import electricity_provenance, hardware_revision, price_provenance, versions
from planner.allocation.serving_cautions import calibrated_elsewhere, quantised, shape_cautions, unsure_limits
from planner.allocation.uncertainty import cost_estimates
from planner.hardware import ModelShape
from planner.hardware.carbon import grid
from planner.hardware.hypothetical import planned_intervals
from planner.hardware.recalibration import group_of

STEP = 1.1  # a limit is moved by this factor to see what it is worth
DEFAULT_OBJECTIVE = "usd_per_million_tokens"


def plan_deployment(problem: DeploymentProblem) -> Plan:
    """The best way to serve, over accelerators, formats, layouts, batch sizes and whole replicas.

    Raises InvalidInput or UnknownName for what cannot be planned at all; INFEASIBLE is an answer.
    """
    started = time.perf_counter()
    shape = served_shape(problem)
    options = weighed(problem, shape)
    objective = problem.minimize or DEFAULT_OBJECTIVE
    limits = _limits(problem)
    provenance = {**versions(), "hardware_revision": hardware_revision()}
    provenance |= {"model": shape.name, "model.source": shape.source}
    own = problem.hardware.catalogue.calibration
    provenance |= {"calibration": own.name} if own else {}
    provenance |= electricity_provenance("serving", grid(problem.hardware.grid_zone))
    warnings = shape_cautions(problem, shape)
    effort = SearchEffort(options.fits.size, 0, 0.0)
    allowed = options.within(limits)
    if not allowed.any():
        conflicts, relaxation = _refusal(options, limits)
        return Plan(
            Kind.DEPLOYMENT,
            Outcome.INFEASIBLE,
            objective,
            warnings=warnings,
            provenance=provenance,
            conflicts=conflicts,
            relaxation=relaxation,
            search=replace(effort, planning_seconds=time.perf_counter() - started),
        )
    best = options.best_batches(objective, allowed)
    first, others = best[0], options.runners_up(best)[: problem.alternative_count]
    metrics = options.at(first)
    value = metrics[objective]
    group = group_of(str(options.layouts[first[0]].cell.accelerator), served_architecture(problem, shape))
    measured = own if own and group in own.group_levels else None
    if own and not measured:
        warnings = (*warnings, calibrated_elsewhere(own, group))
    binding = _binding(options, objective, limits, value)
    certificate = Certificate(
        relative_gap=0.0,
        feasible=True,
        method=f"complete enumeration of {options.fits.size} options (layouts x batch sizes), whole replicas included",
        lower_bound=value,
        objective_value=value,
        max_violation=max((metrics[n] / v - 1.0 for n, v in limits.items()), default=0.0),
    )
    planned = {} if problem.model else planned_intervals(is_moe=shape.is_moe)
    estimates = cost_estimates(metrics, measured.intervals if measured else planned)
    return Plan(
        Kind.DEPLOYMENT,
        Outcome.OPTIMAL,
        objective,
        decision=_decision(problem, shape, options, first),
        metrics=estimates,
        certificate=replace(certificate, max_violation=max(certificate.max_violation, 0.0)),
        binding=binding,
        elasticities={b.metric: b.elasticity for b in binding},
        alternatives=tuple(_alternative(problem, shape, options, o, objective, first) for o in others),
        warnings=(*warnings, *quantised(options.layouts[first[0]]), *unsure_limits(limits, estimates)),
        provenance={**provenance, **price_provenance(options.layouts[first[0]].price)},
        search=replace(effort, planning_seconds=time.perf_counter() - started),
    )


def _limits(problem: DeploymentProblem) -> dict[str, float]:
    limits = dict(problem.limits)
    for name, limit in (
        ("tpot_seconds", problem.workload.max_tpot_seconds),
        ("ttft_seconds", problem.workload.max_ttft_seconds),
    ):
        if limit is not None:
            limits[name] = min(limit, limits.get(name, limit))
    return limits


def _decision(problem: DeploymentProblem, shape: ModelShape, options: Options, where: tuple[int, int]) -> Decision:
    cell = options.layouts[where[0]].cell
    metrics = options.at(where)
    return Decision(
        parameter_count=float(shape.active_parameters),
        active_parameter_count=float(shape.active_parameters) if shape.is_moe else None,
        total_parameter_count=float(shape.total_parameters),
        expert_count=int(shape.expert_count) if shape.is_moe else None,
        model=shape.name if problem.model else None,
        accelerator=str(cell.accelerator),
        accelerator_count=round(metrics["accelerator_count"]),
        precision=str(cell.precision),
        tensor_parallel=int(cell.tensor_parallel),
        pipeline_parallel=int(cell.pipeline_parallel),
        expert_parallel=int(cell.expert_parallel) if shape.is_moe else None,
        replica_count=round(metrics["replica_count"]),
        batch_size=round(float(options.batches[where[1]])),
    )


def _alternative(
    problem: DeploymentProblem,
    shape: ModelShape,
    options: Options,
    where: tuple[int, int],
    objective: str,
    first: tuple[int, int],
) -> Alternative:
    metrics, best = options.at(where), options.at(first)
    chosen = options.layouts[first[0]]
    regret = metrics[objective] / best[objective] - 1.0
    other = options.layouts[where[0]]
    causes = []
    speed = metrics["output_tokens_per_second"] / metrics["accelerator_count"]
    ours = best["output_tokens_per_second"] / best["accelerator_count"]
    if abs(speed / ours - 1.0) > 0.01:
        causes.append(f"{speed / ours:.2f} times the tokens per second per accelerator")
    ratio = other.price.price_usd_per_hour / chosen.price.price_usd_per_hour
    if abs(ratio - 1.0) > 1e-3:
        causes.append(f"at {ratio:.2f} times the price per hour")
    if metrics["replica_count"] != best["replica_count"]:
        causes.append(f"{metrics['replica_count']:g} replicas instead of {best['replica_count']:g}")
    reason = f"{objective} {regret:+.1%}" if regret > 1e-9 else f"the same {objective}, but slower or larger"
    why = f"{reason}: " + (", ".join(causes) or "fewer sequences fit beside the weights or within the latency limit")
    return Alternative(_decision(problem, shape, options, where), metrics, regret, why)


def _binding(options: Options, objective: str, limits: Mapping[str, float], value: float) -> tuple[BindingLimit, ...]:
    """What each limit costs: the optimum again with the limit a tenth wider (arc elasticity of the integer problem)."""
    found = []
    for name, limit in limits.items():
        wider = options.within({**limits, name: limit * STEP})
        there = float(options.metrics[objective][wider].min())
        if there < value * (1 - 1e-12):
            elasticity = float(np.log(there / value) / np.log(STEP))
            found.append(BindingLimit(name, limit, elasticity, (there - value) / (limit * (STEP - 1.0))))
    return tuple(sorted(found, key=lambda b: b.elasticity))


def _refusal(options: Options, limits: Mapping[str, float]) -> tuple[tuple[Conflict, ...], tuple[Relaxation, ...]]:
    """Which limits stand in the way, and the least that each can be under the others."""
    if not options.fits.any():
        message = "the model fits on no layout within the accelerators allowed: allow more, or a narrower format"
        return (Conflict("memory_bytes", float("nan"), message),), ()
    conflicts, relaxations = [], []
    for name, limit in limits.items():
        others = options.within({n: v for n, v in limits.items() if n != name})
        if not others.any():
            conflicts.append(Conflict(name, limit, f"{name} <= {limit:.6g} conflicts with more than one other limit"))
            continue
        least = float(options.metrics[name][others].min())
        relaxations.append(Relaxation(name, limit, least))
        sentence = f"{name} <= {limit:.6g} cannot be met: the least under the other limits is {least:.6g}"
        conflicts.append(Conflict(name, limit, sentence))
    return tuple(conflicts), tuple(sorted(relaxations, key=lambda r: r.factor))

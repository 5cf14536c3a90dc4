"""Train and serve in one optimisation: which model to train when serving it is part of the bill.

Sardana, Portes, Doubov & Frankle 2023 (2401.00448): minimise 6 N D + 2 N D_inf at a target loss. With prices and a
workload the same is done in money, latency and energy on real hardware.
"""

from __future__ import annotations

import time
from dataclasses import replace

from planner.allocation.asgoodas import loss_of_optimum
from planner.allocation.assumptions import assumed
from planner.allocation.cells import Product, serving_layouts, training_layouts
from planner.allocation.choices import HardwareChoice
from planner.allocation.decide import decide
from planner.allocation.lossmodel import Near, loss_model
from planner.allocation.metrics import LIFECYCLE_METRICS, TRAINING_METRICS
from planner.allocation.model import Model, training_model, with_serving, with_serving_flops
from planner.allocation.plan import Kind, Plan
from planner.allocation.problem import LifecycleProblem, law_choices
from planner.allocation.report import default_deadline, plan_of
from planner.allocation.training import TIMED, check_bounded, usual_objective
from planner.errors import InvalidInput, Violation
from planner.laws import Caution

FLOP_METRICS = ("loss", "training_flops", "lifetime_flops", "parameter_count", "token_count")


def plan_lifecycle(problem: LifecycleProblem) -> Plan:
    """The best training plan when serving is part of the bill; INFEASIBLE is an answer.

    Minimises `problem.minimize`, by default the loss, or where a loss is asked for the lifetime cost (USD with a
    workload, else FLOPs). Raises InvalidInput or UnknownName for what cannot be planned at all.
    """
    started = time.perf_counter()
    limits = lifecycle_limits(problem)
    objective = problem.minimize or usual_objective(limits, "lifetime_usd" if problem.workload else "lifetime_flops")
    asked = dict(limits)
    warnings: tuple[Caution, ...] = ()
    if problem.workload and not any(name in limits for name in TIMED) and objective != "training_hours":
        limits["training_hours"] = float(assumed("training", "deadline_hours"))
        warnings = (default_deadline(),)
    require_workload(problem, (objective, *limits))

    def make(near: Near | None) -> Model:
        model = lifecycle_model(problem, near)
        check_bounded(model, objective, asked)
        return model

    answer = decide(make, objective, limits, problem.alternative_count)
    return plan_of(Kind.LIFECYCLE, answer, objective, limits, started, warnings)


def lifecycle_limits(problem: LifecycleProblem) -> dict[str, float]:
    """All limits of a problem: given ones, the target loss, the workload's latencies."""
    limits = dict(problem.limits)
    if problem.as_good_as_parameter_count is not None:
        limits["loss"] = loss_of_optimum(problem.law, problem.as_good_as_parameter_count)
    if problem.workload:
        if problem.workload.max_tpot_seconds is not None:
            limits["tpot_seconds"] = problem.workload.max_tpot_seconds
        if problem.workload.max_ttft_seconds is not None:
            limits["ttft_seconds"] = problem.workload.max_ttft_seconds
    return limits


def require_workload(problem: LifecycleProblem, metrics: tuple[str, ...]) -> None:
    """Money, time, latency and energy need a workload; FLOPs do not."""
    needed = [m for m in metrics if m not in FLOP_METRICS]
    if needed and not problem.workload:
        kind = "training" if needed[0] in TRAINING_METRICS else "serving"
        raise InvalidInput(Violation("workload", "unset", f"needed for the {kind} metric {needed[0]}"))
    load = problem.workload
    if load and (load.prefix_hit_share or load.draft_token_count):
        field = "prefix_hit_share" if load.prefix_hit_share else "draft_token_count"
        allowed = "unset: caching and drafting are planned where the model is known (deployment)"
        raise InvalidInput(Violation(f"workload.{field}", f"{getattr(load, field):g}", allowed))
    unknown = [m for m in metrics if m not in LIFECYCLE_METRICS]
    if unknown:
        raise InvalidInput(Violation("minimize", unknown[0], "one of " + ", ".join(sorted(LIFECYCLE_METRICS))))


def lifecycle_model(problem: LifecycleProblem, near: Near | None = None) -> Model:
    """The planning model of a lifecycle problem."""
    loss = loss_model(problem.law, law_choices(problem), near)
    if not problem.workload:
        model = training_model(loss, Product(loss.expert_counts), max_accelerator_count=1.0)
        return with_serving_flops(model, problem.inference_token_count)
    train, serve = problem.training_hardware, problem.serving_hardware
    if serve == HardwareChoice(catalogue=serve.catalogue):
        serve = replace(train, max_accelerator_count=None, precisions=())
    product = Product(
        loss.expert_counts,
        training_layouts(train, "training_hardware"),
        serving_layouts(serve, max(loss.expert_counts) > 1, "serving_hardware"),
    )
    largest = train.max_accelerator_count or assumed("training", "max_accelerator_count")
    model = training_model(loss, product, max_accelerator_count=float(largest), grid_zone=train.grid_zone)
    constants = serve.catalogue.serving_constants
    model = with_serving(model, problem.workload, problem.inference_token_count, serve.grid_zone, constants)
    own = serve.catalogue.calibration
    return replace(model, sources={**model.sources, "calibration": own.name}) if own else model

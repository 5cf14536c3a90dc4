"""From a decision to the plan a person reads: values, intervals, proof, what binds, runners-up, warnings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from planner.allocation.assumptions import assumed
from planner.allocation.cells import ServingLayout, TrainingLayout
from planner.allocation.decide import OPTIMAL_GAP, Decided, Refused
from planner.allocation.diagnosis import diagnosis
from planner.allocation.infeasible import explain_refusal
from planner.allocation.model import Model
from planner.allocation.plan import (
    Alternative,
    BindingLimit,
    Decision,
    Estimate,
    Kind,
    Outcome,
    Plan,
    SearchEffort,
)
from planner.allocation.provenance import hardware_revision, law_provenance, price_provenance, versions
from planner.allocation.search import CellSolution
from planner.allocation.serving_cautions import quantised
from planner.allocation.uncertainty import cost_estimates, loss_estimate, over_draws
from planner.hardware.hypothetical import planned_intervals
from planner.hardware.shapes import hypothetical_shape
from planner.laws import Caution
from planner.laws.counting import total_from_non_embedding

BINDING = 1e-6
NO_EMBEDDINGS = "non_embedding"
NAMED = ("parameter_count", "token_count", "unique_token_count", "expert_count", "training_flops")


def plan_of(
    kind: Kind,
    answer: Decided | Refused,
    objective: str,
    limits: Mapping[str, float],
    started: float,
    warnings: tuple[Caution, ...] = (),
    *,
    over_law_draws: bool = True,
) -> Plan:
    """The plan that a decision (or its refusal) amounts to; `started` is `time.perf_counter()` at the question."""
    provenance = {**law_provenance(answer.model.loss.law), **versions()}
    if answer.model.product.training:
        provenance |= {"hardware_revision": hardware_revision(), **answer.model.sources}
    if isinstance(answer, Refused):
        conflicts, relaxation, extra = explain_refusal(answer, limits)
        return Plan(
            kind,
            Outcome.INFEASIBLE,
            objective,
            warnings=warnings,
            provenance=provenance,
            conflicts=conflicts,
            relaxation=relaxation,
            search=_effort(answer.model, answer.solve_count + extra, started),
        )
    loss, ratio, cautions = loss_estimate(answer)
    variant, training, serving = answer.model.product.parts(answer.cell)
    planned = planned_intervals(is_moe=answer.model.product.experts[variant] > 1) if serving else None
    metrics = {**cost_estimates(answer.metrics, planned), "loss": loss}
    metrics["extrapolation_ratio"] = Estimate(ratio, ratio, ratio)
    intervals = over_draws(answer, objective, limits) if over_law_draws else {}
    for name in ("loss_regret", "compute_regret"):
        if name in intervals:
            metrics[name] = intervals.pop(name)
    binding = binding_limits(answer, objective, limits, answer.certificate.objective_value)
    proven = not answer.searched and answer.certificate.feasible and answer.certificate.relative_gap <= OPTIMAL_GAP
    return Plan(
        kind,
        Outcome.OPTIMAL if proven else Outcome.FEASIBLE,
        objective,
        decision=decision_of(answer.model, answer.cell, answer.values, answer.metrics),
        decision_intervals=intervals,
        metrics=metrics,
        certificate=None if answer.searched else answer.certificate,
        binding=binding,
        elasticities={b.metric: b.elasticity for b in binding},
        alternatives=tuple(_alternative(answer, s, objective) for s in answer.runners_up),
        diagnosis=diagnosis(answer),
        warnings=(
            *cautions,
            *warnings,
            *_at_bounds(answer),
            *_uncounted(answer.model),
            *(quantised(serving) if serving else ()),
        ),
        provenance={**provenance, **price_provenance(*{p.price for p in (training, serving) if p})},
        search=_effort(answer.model, answer.solve_count, started),
    )


def decision_of(model: Model, cell: int, values: Mapping[str, float], metrics: Mapping[str, float]) -> Decision:
    """Decision values under their public names."""
    variant, training, serving = model.product.parts(cell)
    form, experts = model.loss.law.form, model.product.experts[variant]
    at = {**values, **model.loss.given, **model.loss.variants[variant]}
    n, active, d = (
        None if count is None else float(count)
        for count in (at.get("parameter_count"), form.active_parameter_count(**at), form.trained_token_count(**at))
    )
    moe = "expert_count" in form.variables
    total = form.total_parameter_count(**at)
    if moe and active is not None:
        total = float(hypothetical_shape(active, experts).total_parameters)
    if total is None and n is not None and model.loss.law.counting == NO_EMBEDDINGS:
        total = float(total_from_non_embedding(n))
    unique = model.loss.unique_token_count
    seen = None if unique is None or d is None else min(unique, d)
    decision = Decision(
        parameter_count=n,
        active_parameter_count=active,
        total_parameter_count=total,
        token_count=d,
        unique_token_count=seen,
        epoch_count=None if seen is None or d is None else d / seen,
        expert_count=round(experts) if moe else None,
        training_flops=metrics.get("training_flops"),
        law_variables={name: float(at[name]) for name in form.variables if name in at and name not in NAMED},
    )
    if training:
        count = round(values["accelerator_count"])
        decision = replace(
            decision,
            accelerator=training.accelerator,
            accelerator_count=count,
            precision=training.precision,
            tensor_parallel=training.tensor_parallel,
            pipeline_parallel=training.pipeline_parallel,
            data_parallel=max(count // training.model_parallel, 1),
        )
    if serving:
        batch = round(values["batch_size"])
        replicas = _replicas(model, metrics, serving)
        decision = replace(
            decision,
            batch_size=batch,
            replica_count=replicas,
            serving_accelerator=str(serving.cell.accelerator),
            serving_accelerator_count=replicas * serving.accelerators,
            serving_precision=str(serving.cell.precision),
            serving_tensor_parallel=int(serving.cell.tensor_parallel),
        )
    return decision


def _replicas(model: Model, metrics: Mapping[str, float], serving: Any) -> int:
    """Whole replicas that the planned money per hour pays for at the request rate."""
    per_replica = serving.price.price_usd_per_hour * serving.accelerators
    return max(1, int(np.ceil(metrics["serving_usd_per_hour"] / per_replica - 1e-9)))


def binding_limits(
    answer: Decided, objective: str, limits: Mapping[str, float], objective_value: float
) -> tuple[BindingLimit, ...]:
    """Limits with a positive multiplier: λ_i = -d log objective / d log limit (Boyd & Vandenberghe 2004, §5.6)."""
    model, program, relaxed = answer.model, answer.program, answer.relaxed
    ours = model.slope(objective, float(np.exp(relaxed.value)))
    bounded = dict(limits)
    if answer.model.loss.unique_token_count is not None:
        bounded["unique_token_count"] = answer.model.loss.unique_token_count
    found = []
    for name, limit in bounded.items():
        block = program.blocks.index("unique_tokens_given" if name == "unique_token_count" else name)
        weight = float(relaxed.multipliers[program.rows(block)].sum())
        if weight <= BINDING:
            continue
        elasticity = -weight * float(program.powers[0] / program.powers[block])
        elasticity *= ours / model.slope(name, model.bound(name, limit))
        if abs(elasticity) > BINDING:
            found.append(BindingLimit(name, limit, elasticity, elasticity * objective_value / limit))
    return tuple(sorted(found, key=lambda b: b.elasticity))


def _alternative(answer: Decided, solution: CellSolution, objective: str) -> Alternative:
    model = answer.model
    values = dict(zip(answer.program.variables, (float(v) for v in np.exp(solution.x)), strict=True))
    metrics = model.evaluate(solution.cell, values)
    regret = metrics[objective] / answer.metrics[objective] - 1.0
    ranked = answer.ranked_by
    dearer = metrics[ranked] / answer.metrics[ranked] - 1.0
    reason = f"{ranked} {dearer:+.2%}" if abs(dearer) > 1e-6 else f"the same {ranked}"
    if ranked != objective:
        reason = (f"the same {objective}, " if abs(regret) < 1e-6 else f"{objective} {regret:+.3%}, ") + reason
    why = f"{reason} against the plan ({_difference(model, answer.cell, solution.cell)})"
    return Alternative(decision_of(model, solution.cell, values, metrics), metrics, regret, why)


def _difference(model: Model, best: int, other: int) -> str:
    """What the other cell does differently, in words."""
    ours, theirs = model.product.parts(best), model.product.parts(other)
    words = []
    if ours[0] != theirs[0]:
        had, has = model.loss.variants[ours[0]], model.loss.variants[theirs[0]]
        words += [f"{has[n]:g} {_spoken(n)} instead of {had[n]:g}" for n in had if had[n] != has[n]]
    for mine, its, place in ((ours[1], theirs[1], "training"), (ours[2], theirs[2], "serving")):
        if mine is not None and its is not None and mine != its:
            price = its.price.price_usd_per_hour
            words.append(f"{place} on {_label(its)} at {price:g} USD/h instead of {_label(mine)}")
    return "; ".join(words) or "the same choices"


def _spoken(name: str) -> str:
    return "experts" if name == "expert_count" else name.replace("_", " ")


def _label(layout: TrainingLayout | ServingLayout) -> str:
    source = layout.cell if isinstance(layout, ServingLayout) else layout
    ways = f"tensor {source.tensor_parallel:g}, pipeline {source.pipeline_parallel:g}"
    return f"{source.accelerator} {source.precision} ({ways})"


def _uncounted(model: Model) -> tuple[Caution, ...]:
    """Hardware carries the embeddings too, which some laws leave out of N."""
    if model.loss.law.counting != NO_EMBEDDINGS or not model.product.training:
        return ()
    sentence = f"{model.loss.law.name} leaves embeddings out of its parameters: time, memory and money are without them"
    return (Caution("EMBEDDINGS_LEFT_OUT", sentence),)


def _at_bounds(answer: Decided) -> tuple[Caution, ...]:
    """A decision on the edge of its allowed range is a sign that a limit is missing."""
    found = []
    public = (*answer.model.loss.law.form.variables, "accelerator_count", "batch_size")
    for name in public:
        if name not in answer.model.variables or name not in answer.values:
            continue
        lower, upper = answer.model.variables[name]
        if answer.values[name] >= upper * (1 - 1e-6) or (answer.values[name] <= lower * (1 + 1e-6) and lower > 1):
            sentence = f"{name} stands at the edge of its allowed range, {answer.values[name]:.4g}"
            found.append(Caution("AT_BOUND", sentence))
    return tuple(found)


def _effort(model: Model, solves: int, started: float) -> SearchEffort:
    return SearchEffort(model.product.cells, solves, time.perf_counter() - started)


def default_deadline() -> Caution:
    hours = assumed("training", "deadline_hours")
    return Caution("DEFAULT_DEADLINE", f"no deadline was given: training may take {hours:g} hours at most")

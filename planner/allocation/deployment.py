"""How to serve a model: every layout and batch size weighed exactly, whole replicas included.

With the model given, a layout leaves two counts to choose, sequences per replica and replicas; both are small
integers. All of them are evaluated at once on arrays, so the answer is the optimum of the integer problem itself
(and the certificate says so), not of a relaxation.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.allocation.assumptions import assumed
from planner.allocation.cells import ServingLayout, serving_layouts
from planner.allocation.plan import (
    Alternative,
    BindingLimit,
    Certificate,
    Conflict,
    Decision,
    Estimate,
    Kind,
    Outcome,
    Plan,
    Relaxation,
    SearchEffort,
)
from planner.allocation.problem import DeploymentProblem, Workload
from planner.allocation.provenance import electricity_provenance, hardware_revision, price_provenance, versions
from planner.allocation.uncertainty import cost_estimates
from planner.errors import InvalidInput, Violation
from planner.hardware import ModelShape, ServingCell, architecture, hypothetical_shape
from planner.hardware.carbon import carbon_grams, grid
from planner.hardware.cells import stack
from planner.hardware.energy import board_watts, site_factor
from planner.hardware.hypothetical import distance_from_known, planned_intervals
from planner.hardware.intervals import probability_within
from planner.hardware.memory import serving_memory_fraction
from planner.hardware.percentiles import percentile_factor
from planner.hardware.queueing import replicas_needed, utilisation_limit
from planner.hardware.recalibration import Recalibration, group_of
from planner.hardware.serving import ServingConstants, first_token, serving_constants, stalled_step
from planner.hardware.serving_techniques import Techniques, prompt_seconds, token_seconds
from planner.laws import Caution

Array = NDArray[np.float64]
HOUR = 3600.0
KILOGRAMS = 1e-3  # per gram
STEP = 1.1  # a limit is moved by this factor to see what it is worth
DEFAULT_OBJECTIVE = "usd_per_million_tokens"


@dataclass(frozen=True)
class Options:
    """Every option: arrays (layouts, batches) of metrics, and which of them fit at all."""

    layouts: tuple[ServingLayout, ...]
    batches: Array
    fits: NDArray[np.bool_]
    metrics: Mapping[str, Array]


def plan_deployment(problem: DeploymentProblem) -> Plan:
    """The best way to serve, over accelerators, formats, layouts, batch sizes and whole replicas.

    Raises InvalidInput or UnknownName for what cannot be planned at all; INFEASIBLE is an answer.
    """
    started = time.perf_counter()
    shape = _shape(problem)
    options = _options(problem, shape)
    objective = problem.minimize or DEFAULT_OBJECTIVE
    limits = _limits(problem)
    provenance = {**versions(), "hardware_revision": hardware_revision()}
    provenance |= {"model": shape.name, "model.source": shape.source}
    own = problem.hardware.catalogue.calibration
    provenance |= {"calibration": own.name} if own else {}
    provenance |= electricity_provenance("serving", grid(problem.hardware.grid_zone))
    warnings = shape_cautions(problem, shape)
    effort = SearchEffort(options.fits.size, 0, 0.0)
    allowed = options.fits & _within(options, limits)
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
    best = _best_batches(options, objective, allowed)
    first, others = best[0], _others(options, best)[: problem.alternative_count]
    metrics = _at(options, first)
    value = metrics[objective]
    group = group_of(str(options.layouts[first[0]].cell.accelerator), _architecture(problem, shape))
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


def _shape(problem: DeploymentProblem) -> ModelShape:
    if problem.model:
        return problem.hardware.catalogue.model_shape(problem.model)
    return hypothetical_shape(problem.parameter_count, float(problem.expert_count))


def _architecture(problem: DeploymentProblem, shape: ModelShape) -> str:
    return architecture(shape) if problem.model else ""


def _limits(problem: DeploymentProblem) -> dict[str, float]:
    limits = dict(problem.limits)
    for name, limit in (
        ("tpot_seconds", problem.workload.max_tpot_seconds),
        ("ttft_seconds", problem.workload.max_ttft_seconds),
    ):
        if limit is not None:
            limits[name] = min(limit, limits.get(name, limit))
    return limits


def batch_sizes() -> Array:
    """Batch sizes that are tried: all up to 16, then in steps of at most 10 %."""
    largest = int(assumed("serving", "largest_batch"))
    sizes = np.unique(np.round(np.geomspace(1, largest, 96)).astype(int))
    return np.union1d(np.arange(1, 17), sizes).astype(float)


def _options(problem: DeploymentProblem, shape: ModelShape) -> Options:
    layouts = serving_layouts(problem.hardware, shape.is_moe, architecture=_architecture(problem, shape))
    if not layouts:
        raise InvalidInput(Violation("hardware", "nothing", "an accelerator with a price and a format it has"))
    batches = batch_sizes()
    cells: ServingCell = stack(ServingCell, [y.cell for y in layouts])
    column = {n: getattr(cells, n).reshape(-1, 1) for n in ServingCell.__dataclass_fields__}
    cell = ServingCell(**column)
    load = problem.workload
    inputs, outputs = load.input_token_count, load.output_token_count
    constants = problem.hardware.catalogue.serving_constants
    constants = constants or serving_constants()
    prompt, step = _prompt_and_token(load, shape, cell, batches, constants)
    tpot = stalled_step(cell, batches, outputs, prompt, step, constants)
    ttft = first_token(cell, batches, prompt, step, constants)
    request_seconds = ttft + outputs * tpot
    replicas = np.ceil(np.maximum(replicas_needed(load.requests_per_second, request_seconds, batches), 1e-9) - 1e-9)
    chips = replicas * cell.accelerators
    price = np.array([[y.price.price_usd_per_hour] for y in layouts])
    per_hour = chips * price
    tokens_per_second = load.requests_per_second * outputs
    in_flight = np.minimum(load.requests_per_second * request_seconds / replicas, batches)
    lengths = (np.maximum(in_flight, 1.0), inputs, outputs)
    watts = board_watts(shape, cell, *lengths, tokens_per_second / replicas) * chips
    intensity, embodied = grid(problem.hardware.grid_zone), np.array([[y.embodied_grams_per_hour] for y in layouts])
    joules = watts / tokens_per_second
    hours = chips / (tokens_per_second * HOUR)
    grams = carbon_grams(joules * site_factor(), hours, intensity.grams_co2e_per_kwh, embodied)
    memory = serving_memory_fraction(shape, cell, batches, inputs + outputs)
    largest = problem.hardware.max_accelerator_count or assumed("serving", "max_accelerator_count")
    metrics: dict[str, Any] = {
        "tpot_seconds": tpot * percentile_factor("tpot", load.latency_percentile, input_per_output=inputs / outputs),
        "ttft_seconds": ttft * percentile_factor("ttft", load.latency_percentile, steps_to_first_token=ttft / tpot),
        "usd_per_million_tokens": per_hour / (tokens_per_second * HOUR) * 1e6,
        "serving_usd_per_hour": per_hour,
        "joules_per_token": joules,
        "kgco2e_per_million_tokens": grams * KILOGRAMS * 1e6,
        "power_watts": watts,
        "memory_bytes": memory * cell.memory_bytes,
        "accelerator_count": chips,
        "replica_count": replicas,
        "utilisation": in_flight / batches,
        "output_tokens_per_second": replicas * batches / (request_seconds / outputs) * utilisation_limit(),
    }
    fits = (memory <= 1.0) & (chips <= largest) & np.isfinite(tpot) & np.isfinite(ttft)
    return Options(layouts, batches, fits, {n: np.broadcast_to(m, fits.shape) for n, m in metrics.items()})


def _prompt_and_token(
    load: Workload, shape: ModelShape, cell: ServingCell, batches: Array, constants: ServingConstants
) -> tuple[Any, Any]:
    """Seconds of a prompt on its own and of an output token, with what the workload caches and drafts."""
    known = (np.nan if value is None else value for value in (load.acceptance_rate, load.draft_step_share))
    how = Techniques(load.prefix_hit_share, float(load.draft_token_count), *known)
    inputs, context = load.input_token_count, load.input_token_count + 0.5 * load.output_token_count
    prompt = prompt_seconds(shape, cell, inputs, 1.0, how, constants)
    return prompt, token_seconds(shape, cell, batches, context, how, constants)


def _within(options: Options, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    allowed = np.ones(options.fits.shape, dtype=bool)
    for name, limit in limits.items():
        allowed &= options.metrics[name] <= limit
    return allowed


def _best_batches(options: Options, objective: str, allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Each layout at its best batch size, best layout first; ties go to the faster, then the smaller."""
    keys = (options.metrics[objective], options.metrics["tpot_seconds"], options.metrics["accelerator_count"])
    order = np.lexsort([np.where(allowed, k, np.inf).reshape(-1) for k in reversed(keys)])
    best: dict[int, tuple[int, int]] = {}
    for index in order[: int(allowed.sum())]:
        row, column = divmod(int(index), options.fits.shape[1])
        best.setdefault(row, (row, column))
    return list(best.values())


def _others(options: Options, best: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runners-up: first each other accelerator and format at its best, then other layouts."""

    def kind(choice: tuple[int, int]) -> tuple[str, str]:
        cell = options.layouts[choice[0]].cell
        return str(cell.accelerator), str(cell.precision)

    leaders: dict[tuple[str, str], tuple[int, int]] = {}
    for choice in best:
        leaders.setdefault(kind(choice), choice)
    others = [choice for choice in leaders.values() if choice != best[0]]
    return others + [choice for choice in best[1:] if choice not in others]


def _at(options: Options, where: tuple[int, int]) -> dict[str, float]:
    return {name: float(values[where]) for name, values in options.metrics.items()}


def _decision(problem: DeploymentProblem, shape: ModelShape, options: Options, where: tuple[int, int]) -> Decision:
    cell = options.layouts[where[0]].cell
    metrics = _at(options, where)
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
    metrics, best = _at(options, where), _at(options, first)
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
        wider = options.fits & _within(options, {**limits, name: limit * STEP})
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
        others = options.fits & _within(options, {n: v for n, v in limits.items() if n != name})
        if not others.any():
            conflicts.append(Conflict(name, limit, f"{name} <= {limit:.6g} conflicts with more than one other limit"))
            continue
        least = float(options.metrics[name][others].min())
        relaxations.append(Relaxation(name, limit, least))
        sentence = f"{name} <= {limit:.6g} cannot be met: the least under the other limits is {least:.6g}"
        conflicts.append(Conflict(name, limit, sentence))
    return tuple(conflicts), tuple(sorted(relaxations, key=lambda r: r.factor))


def calibrated_elsewhere(own: Recalibration, group: str) -> Caution:
    """What a stack's constants say of hardware or a model that was not measured with it."""
    known = ", ".join(own.group_levels)
    sentence = f"{own.name or 'the calibration'} was measured on {known}, not on {group.strip()}"
    return Caution("CALIBRATED_ELSEWHERE", f"{sentence}: only what is common to the stack is carried over")


def unsure_limits(limits: Mapping[str, float], estimates: Mapping[str, Estimate]) -> tuple[Caution, ...]:
    """Limits that the estimate keeps but its interval does not, with the probability that they are kept."""
    found = []
    for name, limit in limits.items():
        value, lower, upper = (getattr(estimates[name], end) for end in ("value", "lower", "upper"))
        if lower < value <= limit < upper:
            probability = float(probability_within(limit, value, lower, upper))
            sentence = f"{name} <= {limit:.6g} is kept with {100 * probability:.0f} % probability"
            found.append(Caution("UNSURE_LIMIT", f"{sentence}; planned for {limit * value / upper:.3g}, with 90 %"))
    return tuple(found)


def quantised(layout: ServingLayout) -> tuple[Caution, ...]:
    """A narrow format is cheap because its effect on quality is in no metric of the plan."""
    if layout.cell.weight_bytes_per_parameter >= 2.0:
        return ()
    sentence = (
        f"what {layout.cell.precision} costs in quality is not in this plan: check it, or name the precisions allowed"
    )
    return (Caution("QUANTISED", sentence),)


def shape_cautions(problem: DeploymentProblem, shape: ModelShape) -> tuple[Caution, ...]:
    found = []
    if not problem.model:
        factor = distance_from_known(float(shape.active_parameters), float(shape.total_parameters))
        nearest = "of a size that is known" if factor < 1.01 else f"a factor of {factor:.2g} from the nearest known one"
        sentence = f"depth, width and cache follow power laws over known dense models, not a real model: {nearest}"
        found.append(Caution("HYPOTHETICAL_SHAPE", sentence))
    if shape.doubt:
        found.append(Caution("DOUBTFUL_SHAPE", shape.doubt))
    return tuple(found)

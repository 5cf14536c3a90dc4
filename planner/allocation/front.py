"""Fronts: plans that nothing dominates, over two to four metrics, every point with its own certificate.

A point of the front answers a Pascoletti–Serafini query (Pascoletti & Serafini 1984): from a reference u in log metric
space go along r until the first plan, min t s.t. F_i <= u_i t^{r_i}. That is one more geometric program over the same
cells, so it is found and proven by the same search; unlike weighted sums it reaches every point, also across cells. The
multipliers of each query bound what any plan can reach for every other u, which proves regions of the box empty.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from planner.allocation.assumptions import assumed
from planner.allocation.certify import lower_bounds
from planner.allocation.decide import OPTIMAL_GAP, Decided, Refused
from planner.allocation.infeasible import explain_refusal
from planner.allocation.lifecycle import lifecycle_limits, lifecycle_model, require_workload
from planner.allocation.model import Model
from planner.allocation.plan import Certificate, Front, Kind, Outcome, SearchEffort
from planner.allocation.problem import FrontProblem
from planner.allocation.program import Program, build
from planner.allocation.provenance import hardware_revision, law_provenance, versions
from planner.allocation.report import default_deadline, plan_of
from planner.allocation.search import CellSolution, DualPool, search
from planner.allocation.training import TIMED
from planner.allocation.wholecounts import whole_counts
from planner.errors import InvalidInput, Violation
from planner.laws import Caution
from planner.posynomial import Posynomial, variable

Array = NDArray[np.float64]
CHEAPEST_SHARE = 1e-3  # the cheap end of a front that bounds no loss: this share of the dear end's compute
PROBES = 4000
SAME = 1e-6
TWINS = 1e-3  # points closer than this in every log metric are shown once
CLOSE = 1e-3  # of log t: how close to the best cell a point of a front must be proven


@dataclass(frozen=True)
class Box:
    """Where the front is looked for: ideal and nadir in log metric space, and the limits that bound it."""

    ideal: Array
    nadir: Array
    limits: Mapping[str, float]


@dataclass(frozen=True)
class Cut:
    """No plan has all metrics below v (log) when `value + slope · (u0 - v)` is positive along r."""

    value: float
    slope: Array
    reference: Array


def compute_front(problem: FrontProblem) -> Front:
    """The front of a lifecycle problem; INFEASIBLE is an answer.

    Raises InvalidInput where the problem leaves an objective without a bound, or a metric cannot be computed.
    """
    started = time.perf_counter()
    question, names = problem.problem, problem.objectives
    limits = lifecycle_limits(question)
    require_workload(question, (*names, *limits))
    warnings: tuple[Caution, ...] = ()
    if question.workload and not any(name in limits for name in TIMED) and "training_hours" not in names:
        limits["training_hours"] = float(assumed("training", "deadline_hours"))
        warnings = (default_deadline(),)
    model = lifecycle_model(question)
    if not model.loss.inward.identical and "loss" in names:
        allowed = f"a law whose loss is a posynomial, which {question.law.form.form_name} is not"
        raise InvalidInput(Violation("law", question.law.name, allowed))
    if model.loss.constraints:
        allowed = "a law without repeated data: a front over tangents is not exact"
        raise InvalidInput(Violation("law", question.law.name, allowed))
    found, solves = _box(model, names, limits)
    provenance = {**law_provenance(question.law), **versions(), "hardware_revision": hardware_revision()}
    if isinstance(found, Refused):
        conflicts, relaxation, extra = explain_refusal(found, limits)
        effort = SearchEffort(model.product.cells, solves + extra, time.perf_counter() - started)
        return Front(
            names,
            Outcome.INFEASIBLE,
            warnings=warnings,
            provenance=provenance,
            conflicts=conflicts,
            relaxation=relaxation,
            search=effort,
        )
    if "loss" in names and "loss" in found.limits and "loss" not in limits:
        end = f"a loss of {found.limits['loss']:.4g}, what {CHEAPEST_SHARE:g} of the largest compute reaches"
        warnings = (*warnings, Caution("FRONT_RANGE", f"no loss limit was given: the front stops at {end}"))
    points, cuts, extra = _query(model, names, found, problem.point_count)
    solves += extra
    kept = _undominated(points, names)[: problem.point_count]
    plans = tuple(
        plan_of(Kind.LIFECYCLE, p, ", ".join(names), {}, started, over_law_draws=False) for p in _spread(kept, names)
    )
    effort = SearchEffort(model.product.cells, solves, time.perf_counter() - started)
    gap = _hypervolume_gap(_logs(kept, names), cuts, found)
    return Front(names, Outcome.OPTIMAL, plans, gap, warnings, provenance, search=effort)


def _box(model: Model, names: tuple[str, ...], limits: dict[str, float]) -> tuple[Box | Refused, int]:
    """Ideal and nadir: every metric minimised in turn within the limits, the others read off there (pay-off table)."""
    bounded, solves = dict(limits), 0
    if "loss" in names and "loss" not in limits:
        if not set(limits) - {"tpot_seconds", "ttft_seconds", "parameter_count", "token_count"}:
            raise InvalidInput(
                Violation("limits", ", ".join(limits) or "none", "a budget or deadline that bounds the loss")
            )
        program = model.program("loss", limits)
        best = search(program)
        solves += best.solve_count
        if not best.best:
            return Refused(model, best.obstacle, best.solve_count), solves
        compute = _metrics(model, best.best[0], program)["training_flops"] * CHEAPEST_SHARE
        cheap = search(model.program("loss", {**limits, "training_flops": compute}))
        solves += cheap.solve_count
        if cheap.best:
            bounded["loss"] = math.exp(cheap.best[0].value)
    elif "loss" not in limits:
        raise InvalidInput(
            Violation("objectives", ", ".join(names), "loss among them, or a max_loss that all points keep")
        )
    table = []
    for name in names:
        program = model.program(name, bounded)
        result = search(program)
        solves += result.solve_count
        if not result.best:
            return Refused(model, result.obstacle, result.solve_count), solves
        metrics = _metrics(model, result.best[0], program)
        metrics[name] = math.exp(result.best[0].value)
        table.append([math.log(metrics[n]) for n in names])
    payoff = np.array(table)
    return Box(payoff.min(axis=0), np.maximum(payoff.max(axis=0), payoff.min(axis=0) + 1e-6), bounded), solves


def _metrics(model: Model, solution: CellSolution, program: Program) -> dict[str, float]:
    return model.evaluate(solution.cell, dict(zip(program.variables, np.exp(solution.x), strict=True)))


def _query(model: Model, names: tuple[str, ...], box: Box, count: int) -> tuple[list[Decided], list[Cut], int]:
    """Answer one query from each reference point, all along the diagonal of the box.

    Points where whole counts cost more than a plan may lose and be called optimal are left out.
    """
    reach = box.nadir - box.ideal
    lines, pool = _line_program(model, names, box, reach), DualPool()
    points: list[Decided] = []
    cuts: list[Cut] = []
    solves = 0
    for weights in _references(len(names), count):
        reference = box.ideal + weights * reach
        program = lines.shifted({f"aim_{n}": -u for n, u in zip(names, reference, strict=True)})
        result = search(program, pool=pool, tolerance=CLOSE)
        solves += result.solve_count
        if not result.best:
            continue
        best = result.best[0]
        bound = float(lower_bounds(program, best.multipliers, best.cell).min())
        aims = range(1, 1 + len(names))
        masses = np.array([best.multipliers[program.rows(i)].sum() / program.powers[i] for i in aims])
        cuts.append(Cut(bound, masses, reference))
        whole, extra = whole_counts(model, program, best)
        solves += extra
        if whole is not None:
            point = _decided(model, names, whole, best, program, result.lower_bound, reach)
            if point.certificate.relative_gap <= OPTIMAL_GAP:
                points.append(point)
        if len(points) >= count and len(_undominated(points, names)) >= count:
            break
    return points, cuts, solves


def _references(dimensions: int, count: int) -> list[Array]:
    """Points of ever finer lattices on the simplex Σ w = 1, shifted into the plane through the ideal point."""
    found: list[Array] = []
    seen: set[tuple[float, ...]] = set()
    divisions = 1
    while len(found) < 3 * count and divisions < 400:
        for bars in combinations(range(divisions + dimensions - 1), dimensions - 1):
            edges = (-1, *bars, divisions + dimensions - 1)
            weights = np.diff(edges) - 1.0
            point = weights / divisions
            key = tuple(np.round(point, 9))
            if key not in seen:
                seen.add(key)
                found.append(point - 1.0 / dimensions)
        divisions *= 2
    return found


def _line_program(model: Model, names: tuple[str, ...], box: Box, reach: Array) -> Program:
    """min t s.t. F_i <= t^{r_i}, from the reference u = 0; other references shift the aims."""
    t = variable("t")
    aims: dict[str, Posynomial] = {
        f"aim_{name}": model.metrics[name] / t ** np.array([r]) for name, r in zip(names, reach, strict=True)
    }
    limits = {name: model.metrics[name] / limit for name, limit in box.limits.items()}
    variables = {**model.variables, "t": (1e-6, 1e6)}
    return build(variables, t, {**aims, **limits, **model.structure}, model.product.cells)


def _decided(
    model: Model,
    names: tuple[str, ...],
    whole: CellSolution,
    relaxed: CellSolution,
    program: Program,
    bound: float,
    reach: Array,
) -> Decided:
    """The point with whole counts, proven against the bound on its query."""
    values = dict(zip(program.variables, (float(v) for v in np.exp(whole.x)), strict=True))
    values.pop("t")
    gap = max(whole.value - bound, 0.0) * float(reach.max())
    certificate = Certificate(
        relative_gap=math.expm1(gap),
        feasible=whole.violation <= SAME,
        method="no plan is better in every objective by more than the gap: geometric-programming weak duality over all "
        f"{model.product.cells} configurations",
        lower_bound=math.exp(bound),
        objective_value=math.exp(whole.value),
        max_violation=max(whole.violation, 0.0),
    )
    metrics = model.evaluate(whole.cell, values)
    return Decided(model, whole.cell, values, metrics, certificate, relaxed, program, (), names[0], 0)


def _logs(points: list[Decided], names: tuple[str, ...]) -> Array:
    """Log metrics of the points, (points, objectives)."""
    metrics = np.array([[p.metrics[n] for n in names] for p in points], dtype=float)
    return np.asarray(np.log(metrics).reshape(-1, len(names)))


def _undominated(points: list[Decided], names: tuple[str, ...]) -> list[Decided]:
    """Points that no other point equals or beats everywhere."""
    logs = _logs(points, names)
    kept: list[int] = []
    for i, v in enumerate(logs):
        others = np.delete(logs, i, axis=0)
        beaten = np.all(others <= v + SAME, axis=1) & np.any(others < v - SAME, axis=1)
        twin = any(np.all(np.abs(logs[k] - v) <= TWINS) for k in kept)
        if not beaten.any() and not twin:
            kept.append(i)
    return [points[i] for i in kept]


def _spread(points: list[Decided], names: tuple[str, ...]) -> list[Decided]:
    """The points in the order of their first metric."""
    return sorted(points, key=lambda p: p.metrics[names[0]])


def _hypervolume_gap(logs: Array, cuts: list[Cut], box: Box) -> float:
    """Share of the box (log units) that is neither dominated by a point nor proven out of reach; sampled."""
    if not len(logs):
        return 1.0
    generator = np.random.default_rng(0)
    probes = generator.uniform(box.ideal, box.nadir, size=(PROBES, len(box.ideal)))
    settled = np.zeros(PROBES, dtype=bool)
    for v in logs:
        settled |= np.all(probes >= v, axis=1)
    for cut in cuts:
        settled |= cut.value - (probes - cut.reference) @ cut.slope > 0
    return float(1.0 - settled.mean())

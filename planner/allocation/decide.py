"""From a planning model to a decision: search, settle ties by money, make counts whole, prove.

1. The search over all cells gives the optimum of the relaxation and its proven lower bound.
2. Where the objective leaves hardware open (every accelerator reaches the same loss with the same FLOPs), the cheapest
   way to carry out the same parameters and tokens is searched among the cells.
3. Counts are made whole in that cell and the rest is optimised again round them. What that costs shows in the gap,
   which is always taken against the bound of step 1.
Tangents of a relaxed law are tightened at the optimum until the relaxation is exact there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from planner.allocation.assumptions import assumed
from planner.allocation.lossmodel import Near
from planner.allocation.model import Model
from planner.allocation.plan import Certificate
from planner.allocation.program import Program
from planner.allocation.search import CellSolution, Obstacle, SearchResult, search
from planner.allocation.wholecounts import in_whole_program, whole_counts
from planner.laws import DataConstrained

COSTS = ("lifetime_usd", "training_usd", "training_hours", "training_flops")
TIGHTENING_ROUNDS = 8
FIRST_WIDTH, NARROWING = 0.6, 4.0  # of the cluster of tangents, and how it closes in
TIGHT = 1e-9
OPTIMAL_GAP = 1e-2  # the price of whole counts may reach this; beyond it a plan is called feasible, not optimal
FEASIBLE = 1e-6


@dataclass(frozen=True)
class Decided:
    """A decision in one cell, with the relaxed optimum that its multipliers and bound come from.

    `searched`: proven for one value of a variable that was searched only.
    """

    model: Model
    cell: int
    values: Mapping[str, float]
    metrics: Mapping[str, float]
    certificate: Certificate
    relaxed: CellSolution
    program: Program
    runners_up: tuple[CellSolution, ...]
    ranked_by: str
    solve_count: int
    searched: bool = False


@dataclass(frozen=True)
class Refused:
    """No cell has a feasible point."""

    model: Model
    obstacle: Obstacle | None
    solve_count: int


def decide(
    make: Callable[[Near | None], Model], objective: str, limits: Mapping[str, float], alternative_count: int
) -> Decided | Refused:
    """The best decision for a model (made anew for each tightening of its tangents)."""
    keep = 1 + alternative_count
    first = make(None)
    if not first.variables:
        return _nothing_open(first, objective, limits)
    open_ended = bool(first.product.training) and objective not in COSTS
    model, result, solves = _tightened(first, make, objective, limits, 1 if open_ended else keep)
    if not result.best:
        return Refused(model, result.obstacle, solves)
    relaxed, ranked, ranked_by = result.best[0], result.best, objective
    program = model.program(objective, limits)
    if open_ended:
        ranked_by = next(c for c in COSTS if c in model.metrics)
        settled = _cheapest(model, program, relaxed, ranked_by, limits, keep)
        solves += settled.solve_count
        ranked = settled.best or ranked
        choices = model.product.choices
        if len(ranked) < min(keep, len(np.unique(choices))):
            # A limit in money leaves no room for dearer ways to the same: rank the other choices by the objective.
            others = search(program, keep=keep, labels=choices)
            solves += others.solve_count
            seen = {int(choices[s.cell]) for s in ranked}
            ranked = (*ranked, *(s for s in others.best if int(choices[s.cell]) not in seen))[:keep]
    ranked, extra = _whole(model, program, ranked, ranked_by)
    values = dict(zip(program.variables, (float(v) for v in np.exp(ranked[0].x)), strict=True))
    cell = ranked[0].cell
    metrics = model.evaluate(cell, values)
    certificate = _certificate(model, cell, metrics, objective, limits, result.lower_bound, result.cell_count)
    return Decided(model, cell, values, metrics, certificate, relaxed, program, ranked[1:], ranked_by, solves + extra)


def _nothing_open(model: Model, objective: str, limits: Mapping[str, float]) -> Decided | Refused:
    """The best of the cells where these are all there is to decide: every metric of every cell is a number."""
    program = model.program(objective, limits)
    blocks = np.array([np.exp(program.log_coefficients[:, program.rows(i)]).sum(1) for i in range(len(program.blocks))])
    met = np.all(blocks[1:] <= 1.0 + FEASIBLE, axis=0)
    if not met.any():
        broken = int(np.argmin(blocks[1:].max(axis=0)))
        shares = {name: 1.0 for name, b in zip(program.blocks[1:], blocks[1:, broken], strict=True) if b > 1.0}
        return Refused(model, Obstacle(math.log(blocks[1:, broken].max()), shares), 0)
    values = np.array([model.evaluate(cell, {})[objective] for cell in range(program.cells)])
    order = values if not (objective == "loss" and model.loss.law.form.larger_is_better) else -values
    cell = int(np.argmin(np.where(met, order, np.inf)))
    metrics = model.evaluate(cell, {})
    proof = Certificate(0.0, True, f"nothing is left to decide but {program.cells} combinations", *[values[cell]] * 2)
    none = np.zeros(0)
    relaxed = CellSolution(cell, none, np.zeros(len(program.block_of)), 0.0, 0.0, 0.0)
    return Decided(model, cell, {}, metrics, proof, relaxed, program, (), objective, 0)


def _whole(
    model: Model, program: Program, ranked: tuple[CellSolution, ...], cost: str
) -> tuple[tuple[CellSolution, ...], int]:
    """The ranked cells with whole counts, in the order that these give: objective first, then cost."""
    found, solves = [], 0
    for solution in ranked:
        whole, extra = whole_counts(model, program, solution, prefer=cost)
        solves += extra
        if whole is not None:
            values = dict(zip(program.variables, np.exp(whole.x), strict=True))
            found.append((round(whole.value, 9), model.evaluate(whole.cell, values)[cost], whole))
    return tuple(f[2] for f in sorted(found, key=lambda f: f[:2])) or ranked, solves


def _tightened(
    model: Model, make: Callable[[Near | None], Model], objective: str, limits: Mapping[str, float], keep: int
) -> tuple[Model, SearchResult, int]:
    """Search; where tangents stand for the law, move them to the optimum until they are exact there."""
    solves = 0
    for tightenings in range(TIGHTENING_ROUNDS):
        program = model.program(objective, limits)
        result = search(program, keep=keep, labels=model.product.choices)
        solves += result.solve_count
        if not result.best or not model.loss.constraints:
            break
        values = dict(zip(program.variables, np.exp(result.best[0].x), strict=True))
        form = model.loss.law.form
        assert isinstance(form, DataConstrained)
        unique = values["used_unique_token_count"]
        known = {**values, **model.loss.given}
        near = Near(
            float(known["token_count"] / unique),
            float(known["parameter_count"] / form.optimal_parameters(unique)),
            FIRST_WIDTH * NARROWING**-tightenings,
        )
        exact = model.loss.exact(values, 0)
        if math.log(exact / float(model.loss.inner.cell(0).at(values))) < TIGHT:
            break
        model = make(near)
    return model, result, solves


def _cheapest(
    model: Model, program: Program, relaxed: CellSolution, cost: str, limits: Mapping[str, float], keep: int
) -> SearchResult:
    """The cheapest cells for what is decided already, within the usual time unless that is too short."""
    decided = {
        name: float(np.exp(v))
        for name, v in zip(program.variables, relaxed.x, strict=True)
        if name not in ("accelerator_count", "training_seconds", "batch_size")
    }
    variant, _, _ = model.product.parts(relaxed.cell)
    same_law = np.flatnonzero(model.product.variants == variant)
    kept = {name: limit for name, limit in limits.items() if name in model.metrics}
    solves = 0
    usual = {**kept, "training_hours": assumed("training", "deadline_hours")}
    timed = "training_hours" in limits
    for wanted, bounded in [(cost, kept)] if timed else [(cost, usual), ("training_hours", kept)]:
        narrowed = model.program(wanted, bounded, FEASIBLE).fix(decided).select(same_law)
        result = search(narrowed, keep=keep, labels=model.product.choices[same_law])
        solves += result.solve_count
        if result.best:
            break
    best = tuple(in_whole_program(s, int(same_law[s.cell]), narrowed, program, decided) for s in result.best)
    return SearchResult(best, result.lower_bound, solves, result.cell_count, result.obstacle, result.unproven)


def _certificate(
    model: Model,
    cell: int,
    metrics: Mapping[str, float],
    objective: str,
    limits: Mapping[str, float],
    log_bound: float,
    cells: int,
) -> Certificate:
    violation = max((model.excess(name, metrics[name], limit) for name, limit in limits.items()), default=0.0)
    bound = model.value(objective, math.exp(log_bound))
    over = "over one configuration" if cells == 1 else f"over all {cells} configurations by dual transfer"
    return Certificate(
        relative_gap=_gap(model, objective, metrics[objective], bound),
        feasible=violation <= FEASIBLE,
        method=f"geometric-programming weak duality {over}",
        lower_bound=bound,
        objective_value=metrics[objective],
        max_violation=max(violation, 0.0),
    )


def _gap(model: Model, objective: str, value: float, bound: float) -> float:
    """(objective − bound) / bound; the distance from the bound where larger is better, or the sign may be either."""
    if objective == "loss" and not model.loss.inward.identical:
        return abs(value - bound) / max(abs(bound), 1e-300)
    return max(value / bound - 1.0, 0.0)

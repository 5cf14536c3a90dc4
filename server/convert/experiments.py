"""Experiment designs: requests as planner questions, answers as messages.

The planner keeps regrets in log loss; people are told them in loss and in compute, at what is believed of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apportion.v1 import experiment_pb2, laws_service_pb2, table_pb2
from planner.design import Beliefs, Candidates, ComputeOptimal, Decision, Design, LossAt, grid, next_runs
from planner.errors import InvalidInput, Range, Violation, require
from planner.fitting import Runs, columns_of_variables
from planner.laws import SIMPLE, ComputeModel, Form, Law, form_class
from planner.laws.variables import allowed, is_allowed
from server.convert import tables
from server.convert.runs import to_runs

Array = NDArray[np.float64]
Request = laws_service_pb2.DesignExperimentRequest
LEVEL = 0.8
COST = "cost_flops"
MOST_CELLS = 200_000
_FLOPS = Range(1.0, 1e40, "FLOP")
_SEEDS = Range(0, 2**31 - 1, "")


@dataclass(frozen=True, eq=False)
class Question:
    """What `next_runs` is asked."""

    form: type[Form]
    law: Law | None
    decision: Decision
    candidates: Candidates
    variables: Mapping[str, Array]
    losses: Array
    budget_flops: float
    seed: int

    def answer(self) -> Design:
        """The runs to buy."""
        return next_runs(
            self.variables, self.losses, self.candidates, self.budget_flops,
            form=self.form, decision=self.decision, law=self.law, seed=self.seed,
        )  # fmt: skip


def to_question(request: Request, find: Callable[[str], Law]) -> Question:
    """The question a request asks; `find` knows laws by name.

    Raises InvalidInput naming every field at fault, UnknownName.
    """
    points, target = request.HasField("target_points"), request.HasField("target_flops")
    problems = [*_FLOPS.check("budget_flops", request.budget_flops), *_SEEDS.check("seed", request.seed)]
    if points == target:
        found = "both" if points else "neither"
        problems.append(Violation("target_flops", found, "either target_flops or target_points"))
    if target:
        problems += _FLOPS.check("target_flops", request.target_flops)
    require(*problems)
    law = find(request.law) if request.law else None
    form = type(law.form) if law is not None else form_class(request.form or "chinchilla")
    if law is not None and request.form and form is not form_class(request.form):
        raise InvalidInput(Violation("form", request.form, f"{form.form_name}, the form of {law.name}, or unset"))
    model = SIMPLE if law is None else law.compute_model
    decision: Decision = ComputeOptimal(request.target_flops, model)
    if points:
        decision = LossAt(_variables(request.target_points, "target_points", form)[0])
    elif isinstance(decision, ComputeOptimal):
        decision.check(form)
    candidates = _candidates(request, form, model)
    if request.budget_flops < candidates.costs.min():
        least = f"at least {candidates.costs.min():g}, the cost of the cheapest candidate"
        raise InvalidInput(Violation("budget_flops", f"{request.budget_flops:g}", least))
    seen, losses = _seen(request, form)
    return Question(form, law, decision, candidates, seen, losses, request.budget_flops, request.seed)


def to_design(design: Design, question: Question) -> experiment_pb2.ExperimentDesign:
    """The answer as a message."""
    beliefs, decision = design.beliefs[0], question.decision
    bought = question.candidates.take(design.chosen)
    message = experiment_pb2.ExperimentDesign(
        runs=tables.to_table({**bought.variables, COST: bought.costs}),
        run_count=len(bought),
        cost_flops=design.cost,
        form=question.form.form_name,
    )
    if isinstance(decision, ComputeOptimal):
        clouds = question.form.from_vector(beliefs.problem(decision.points(np.zeros(1))).vectors(beliefs.draws))
        sizes = np.exp(decision.best(clouds))
        tokens = decision.points(np.log(sizes))["token_count"]
        losses = decision.least(clouds)
        _estimate(message, "parameter_count", sizes)
        _estimate(message, "token_count", tokens)
        slope = max(decision.elasticity(beliefs), 1e-6)
        # A loss that is worse by a share r is what r / slope less compute would have given.
        message.before_flops, message.after_flops = (
            decision.training_flops * float(-np.expm1(-r / slope)) for r in (design.regret_before, design.regret_after)
        )
    else:
        losses = _mean_losses(beliefs, decision.points)
    _estimate(message, "loss", losses)
    level = 1.0 if question.form.signed() else float(np.median(losses))
    message.before_loss, message.after_loss = design.regret_before * level, design.regret_after * level
    if np.isfinite(design.lower_bound):
        message.bound_loss = design.lower_bound * level
    return message


def _estimate(message: experiment_pb2.ExperimentDesign, name: str, draws: Array) -> None:
    low, middle, high = np.quantile(draws, [0.5 * (1.0 - LEVEL), 0.5, 0.5 * (1.0 + LEVEL)])
    entry = message.decision[name]
    entry.value, entry.lower, entry.upper, entry.level = float(middle), float(low), float(high), LEVEL


def _mean_losses(beliefs: Beliefs, points: Mapping[str, Array]) -> Array:
    """The mean loss over the points, for each draw."""
    problem = beliefs.problem(points)
    clouds = beliefs.form.from_vector(problem.vectors(beliefs.draws))
    return np.asarray(
        np.broadcast_to(clouds.loss(**problem.variables), (len(beliefs.draws), len(problem.losses)))
    ).mean(axis=1)


def _candidates(request: Request, form: type[Form], model: ComputeModel) -> Candidates:
    if request.HasField("candidates"):
        variables, table = _variables(request.candidates, "candidates", form)
        given = table.columns.get(COST)
        costs = None if given is None else given.numbers
        if costs is None and {"parameter_count", "token_count"} <= variables.keys():
            costs = np.asarray(model.training_flops(variables["parameter_count"], variables["token_count"]))
        if costs is None or not bool(np.all(np.isfinite(costs) & (costs > 0))):
            raise InvalidInput(Violation(f"candidates.columns[{COST}]", "missing", "a positive cost for every run"))
        return Candidates.of(variables, costs)
    more = [v for v in form.variables if v not in ("parameter_count", "token_count")]
    if more:
        allowed = f"a table of runs: {form.form_name} also depends on {', '.join(more)}"
        raise InvalidInput(Violation("candidates", "missing", allowed))
    return grid(request.budget_flops, model)


def _seen(request: Request, form: type[Form]) -> tuple[Mapping[str, Array], Array]:
    if not request.HasField("runs"):
        return {v: np.zeros(0) for v in form.variables}, np.zeros(0)
    variables, runs = _variables(request.runs, "runs", form)
    columns = columns_of_variables(runs)
    if "loss" not in columns:
        raise InvalidInput(Violation("runs.columns[loss]", "missing", "the loss of every run"))
    losses = columns["loss"].numbers(runs)
    wrong = ~np.isfinite(losses) | ((losses <= 0.0) & (not form.signed()))
    if wrong.any():
        found = f"{losses[wrong][0]:g} (row {int(np.argmax(wrong)) + 1})"
        raise InvalidInput(Violation("runs.columns[loss]", found, "a finite positive number in every row"))
    return variables, losses


def _variables(table: table_pb2.Table, field: str, form: type[Form]) -> tuple[dict[str, Array], Runs]:
    """The form's variables in a table, every cell a number in its range. Raises InvalidInput."""
    tables.from_table(table, field, max_cells=MOST_CELLS)
    runs = to_runs(table)
    columns = columns_of_variables(runs)
    missing = [v for v in form.variables if v not in columns]
    require(
        *(Violation(f"{field}.columns[{v}]", "missing", f"a column for it: {form.form_name} needs it") for v in missing)
    )
    values: dict[str, Array] = {v: columns[v].numbers(runs) for v in form.variables}
    wrong = {v: ~is_allowed(v, x) for v, x in values.items()}
    first = {v: int(np.argmax(bad)) for v, bad in wrong.items() if bad.any()}
    require(
        *(
            Violation(f"{field}.columns[{columns[v].column}]", f"{values[v][row]:g} (row {row + 1})", _range(v))
            for v, row in first.items()
        )
    )
    return values, runs


def _range(variable: str) -> str:
    limits = allowed(variable)
    return f"a number between {limits.lower:g} and {limits.upper:g} {limits.unit}".rstrip()

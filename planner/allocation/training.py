"""Which model to train within the limits, or most cheaply for a target loss."""

from __future__ import annotations

import time
from collections.abc import Mapping

from planner.allocation.asgoodas import loss_of_optimum
from planner.allocation.assumptions import assumed
from planner.allocation.cells import Product, TrainingLayout, training_layouts
from planner.allocation.decide import Decided, Refused, decide
from planner.allocation.lawvariables import LawVariable
from planner.allocation.lossmodel import COUNTS, Near, loss_model
from planner.allocation.model import Model, training_model
from planner.allocation.plan import Kind, Plan
from planner.allocation.problem import TrainingProblem, law_choices
from planner.allocation.report import default_deadline, plan_of
from planner.allocation.searched import best_of_search, needs_search
from planner.allocation.shares import plan_shares
from planner.errors import InvalidInput, Violation
from planner.laws import Caution, OptimisationClass

TIMED = ("training_flops", "accelerator_hours", "training_hours")
LATENCIES = ("tpot_seconds", "ttft_seconds")
HARDWARE_METRICS = ("training_usd", "training_hours", "accelerator_hours", "training_energy_joules", "training_kgco2e")


def plan_training(problem: TrainingProblem) -> Plan:
    """The best training plan, with its proof; INFEASIBLE is an answer.

    Minimises `problem.minimize`, by default the loss, or where a loss is asked for the cost of reaching it
    (USD with hardware, else FLOPs). Raises InvalidInput or UnknownName for what cannot be planned at all.
    """
    started = time.perf_counter()
    if problem.law.form.optimisation_class is OptimisationClass.CONVEX:
        return plan_shares(problem.law, problem.law_variables, problem.limits, problem.minimize)
    limits = dict(problem.limits)
    if problem.as_good_as_parameter_count is not None:
        limits["loss"] = loss_of_optimum(problem.law, problem.as_good_as_parameter_count)
    cost = "training_flops" if problem.hardware is None else "training_usd"
    objective = problem.minimize or usual_objective(limits, cost)
    asked = dict(limits)
    warnings: tuple[Caution, ...] = ()
    layouts: tuple[TrainingLayout, ...] = ()
    largest = float(assumed("training", "max_accelerator_count"))
    if problem.hardware is None:
        needed = [m for m in (objective, *limits) if m in HARDWARE_METRICS]
        if needed:
            raise InvalidInput(Violation(needed[0], "limited or minimised", "only with hardware to train on"))
    else:
        layouts = training_layouts(problem.hardware)
        if problem.hardware.max_accelerator_count:
            largest = float(problem.hardware.max_accelerator_count)
        if not any(name in limits for name in TIMED) and objective != "training_hours":
            limits["training_hours"] = float(assumed("training", "deadline_hours"))
            warnings = (default_deadline(),)

    def answer_for(choices: Mapping[str, LawVariable]) -> Decided | Refused:
        def make(near: Near | None) -> Model:
            loss = loss_model(problem.law, choices, near)
            zone = problem.hardware.grid_zone if problem.hardware else ""
            product = Product(loss.expert_counts, layouts)
            model = training_model(loss, product, max_accelerator_count=largest, grid_zone=zone)
            check_bounded(model, objective, asked)
            return model

        return decide(make, objective, limits, problem.alternative_count)

    choices = law_choices(problem)
    if needs_search(problem.law.form, choices):
        answer = best_of_search(problem.law.form, choices, objective, answer_for)
    else:
        answer = answer_for(choices)
    return plan_of(Kind.TRAINING, answer, objective, limits, started, warnings)


def usual_objective(limits: Mapping[str, float], cost: str) -> str:
    """The loss, or where a loss is asked for the `cost` of reaching it."""
    return cost if "loss" in limits else "loss"


def check_bounded(model: Model, objective: str, limits: Mapping[str, float]) -> None:
    """Refuse a question whose answer would run to the edge of what is allowed.

    Whatever variable of the law is open must have a range, or be part of a metric that is limited; a budget of any kind
    limits all that the run's FLOPs depend on.
    """
    open_ones = set(model.loss.variables) & set(model.loss.law.form.variables) - model.loss.ranged
    if objective != "loss" and "loss" not in limits and open_ones:
        raise InvalidInput(Violation("minimize", objective, "loss, or together with a max_loss to reach"))
    if objective != "loss":
        return
    for name in set(limits) - {"loss", *LATENCIES}:
        metric = name if name in ("parameter_count", "token_count") else "training_flops"
        if metric in model.metrics:
            open_ones -= {v for term in model.metrics[metric].terms for v in term.exponents}
    for name in sorted(open_ones):
        if not limits:
            raise InvalidInput(Violation("limits", "none", "at least one budget, deadline or target loss"))
        if name in COUNTS:
            raise InvalidInput(Violation("limits", ", ".join(limits), "a budget or deadline to minimise the loss in"))
        raise InvalidInput(Violation(f"law_variables.{name}", "unset", "a value, or a range, since no limit bounds it"))

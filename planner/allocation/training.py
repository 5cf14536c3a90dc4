"""Which model to train within the limits, or most cheaply for a target loss."""

from __future__ import annotations

import time
from collections.abc import Mapping

from planner.allocation.assumptions import assumed
from planner.allocation.cells import Product, TrainingLayout, training_layouts
from planner.allocation.decide import decide
from planner.allocation.lossmodel import Near, loss_model
from planner.allocation.model import Model, training_model
from planner.allocation.plan import Kind, Plan
from planner.allocation.problem import TrainingProblem
from planner.allocation.report import default_deadline, plan_of
from planner.errors import InvalidInput, Violation
from planner.laws import Caution, Chinchilla, DataConstrained, JointMoE, Kaplan, Law

TIMED = ("training_flops", "accelerator_hours", "training_hours")
HARDWARE_METRICS = ("training_usd", "training_hours", "accelerator_hours", "training_energy_joules")


def plan_training(problem: TrainingProblem) -> Plan:
    """The best training plan, with its proof; INFEASIBLE is an answer.

    Minimises `problem.minimize`, by default the loss, or where a loss is asked for the cost of reaching it
    (USD with hardware, else FLOPs). Raises InvalidInput or UnknownName for what cannot be planned at all.
    """
    started = time.perf_counter()
    limits = dict(problem.limits)
    if problem.as_good_as_parameter_count is not None:
        limits["loss"] = loss_of_optimum(problem.law, problem.as_good_as_parameter_count)
    objective = problem.minimize or _usual_objective(limits, priced=problem.hardware is not None)
    check_bounded(objective, limits)
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

    def make(near: Near | None) -> Model:
        loss = loss_model(problem.law, problem.unique_token_count, problem.expert_counts, near)
        return training_model(loss, Product(loss.expert_counts, layouts), max_accelerator_count=largest)

    answer = decide(make, objective, limits, problem.alternative_count)
    return plan_of(Kind.TRAINING, answer, objective, limits, started, warnings)


def loss_of_optimum(law: Law, parameter_count: float) -> float:
    """Loss of the compute-optimal model of that size under the law (of its dense variant, with unique data)."""
    form = law.form
    if isinstance(form, JointMoE):
        form = form.at_expert_count(1.0)
    if isinstance(form, DataConstrained):
        form = form.base
    if isinstance(form, Chinchilla):
        tokens = form.tokens_for_parameters(parameter_count)
        return float(form.loss(parameter_count=parameter_count, token_count=tokens))
    if isinstance(form, Kaplan):
        low, high = 1e3, 1e40
        for _ in range(200):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if form.compute_optimal(middle)[0] < parameter_count else (low, middle)
        n, d = form.compute_optimal(high)
        return float(form.loss(parameter_count=n, token_count=d))
    raise InvalidInput(Violation("as_good_as_parameter_count", f"{parameter_count:g}", f"unset for {law.name}"))


def _usual_objective(limits: Mapping[str, float], *, priced: bool) -> str:
    if "loss" not in limits:
        return "loss"
    return "training_usd" if priced else "training_flops"


def check_bounded(objective: str, limits: Mapping[str, float]) -> None:
    """Refuse a question whose answer would run to the edge of the allowed range."""
    if objective == "loss":
        if not set(limits) - {"loss", "parameter_count", "token_count", "tpot_seconds", "ttft_seconds"}:
            given = ", ".join(limits) or "none"
            raise InvalidInput(Violation("limits", given, "a budget or deadline to minimise the loss in"))
    elif "loss" not in limits:
        raise InvalidInput(Violation("minimize", objective, "loss, or together with a max_loss to reach"))

"""How sure a plan is: intervals of its metrics, where it would move, and what it would lose.

Loss: the law's own prediction interval. Costs: cross-validated factors of the cost models. Decisions: the same
optimality conditions solved for every bootstrap draw of the law at once (Newton from the plan, batched). Regret: what
the plan loses when the truth is another draw, in loss and in compute (Besiroglu et al. 2024 show that the surface
is flat in loss and steep in money).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.allocation.decide import Decided
from planner.allocation.inward import ByForm
from planner.allocation.plan import Estimate
from planner.allocation.polish import Stack, newton
from planner.allocation.program import Program, build
from planner.hardware import interval_factors
from planner.hardware.intervals import Interval
from planner.laws import Caution, Chinchilla, DataConstrained, Kaplan
from planner.posynomial import NotLogLogConvex, stacked, variable

Array = NDArray[np.float64]
LEVEL = 0.8
DRAWS = 200
CONVERGED = 1e-9
FEWEST = 20

# metric -> (quantity of the cost models whose residuals bound it, +1 or -1 if it is its inverse)
_COSTS: Mapping[str, tuple[str, int]] = {
    "training_hours": ("training_seconds", 1),
    "accelerator_hours": ("accelerator_hours", 1),
    "training_usd": ("accelerator_hours", 1),
    "training_energy_joules": ("accelerator_hours", 1),
    "training_kgco2e": ("accelerator_hours", 1),
    "tpot_seconds": ("tpot_seconds", 1),
    "ttft_seconds": ("ttft_seconds", 1),
    "usd_per_million_tokens": ("output_tokens_per_second", -1),
    "serving_usd": ("output_tokens_per_second", -1),
    "serving_usd_per_hour": ("output_tokens_per_second", -1),
    "output_tokens_per_second": ("output_tokens_per_second", 1),
    "joules_per_token": ("joules_per_token", 1),
    "serving_energy_joules": ("joules_per_token", 1),
    "kgco2e_per_million_tokens": ("joules_per_token", 1),
    "serving_kgco2e": ("joules_per_token", 1),
    "power_watts": ("power_watts", 1),
}
_SUMS: Mapping[str, tuple[str, str]] = {
    "lifetime_usd": ("training_usd", "serving_usd"),
    "lifetime_energy_joules": ("training_energy_joules", "serving_energy_joules"),
    "lifetime_kgco2e": ("training_kgco2e", "serving_kgco2e"),
}


def cost_estimates(metrics: Mapping[str, float], own: Mapping[str, Interval] | None = None) -> dict[str, Estimate]:
    """Every metric with its 80 % interval; quantities that are decided rather than predicted are exact.

    `own`: intervals of quantities that are other than usual: measured by the caller on this very hardware and model, or
    of a model that does not exist yet.
    """
    found = {}
    for name, value in metrics.items():
        if name in _COSTS:
            quantity, sign = _COSTS[name]
            factors = (own or {}).get(quantity) or interval_factors(quantity)
            ends = sorted((factors.lower**sign, factors.upper**sign))
            found[name] = Estimate(value, value * ends[0], value * ends[1], level=LEVEL)
        elif name not in _SUMS:
            found[name] = Estimate(value, value, value, level=LEVEL)
    for name, parts in _SUMS.items():
        if name in metrics and all(p in found for p in parts):
            lower = sum(found[p].lower for p in parts)
            upper = sum(found[p].upper for p in parts)
            found[name] = Estimate(metrics[name], lower, upper, level=LEVEL)
    return found


def loss_estimate(decided: Decided) -> tuple[Estimate, float, tuple[Caution, ...]]:
    """Predicted loss with its interval, the extrapolation ratio, and the law's own warnings."""
    loss = decided.model.loss
    variant, _, _ = decided.model.product.parts(decided.cell)
    at = loss.at(decided.values, variant)
    prediction = loss.law.predict(at, level=LEVEL)
    spread = decided.model.loss.law.draws is not None
    error = None
    if spread:
        cloud = loss.law.cloud()
        assert cloud is not None
        error = float(np.std(cloud.loss(**at), ddof=1))
    estimate = Estimate(float(prediction.loss), float(prediction.lower), float(prediction.upper), error, LEVEL)
    return estimate, float(prediction.extrapolation_ratio), prediction.warnings


def over_draws(decided: Decided, objective: str, limits: Mapping[str, float]) -> dict[str, Estimate]:
    """Intervals of the decision over the law's draws, and of the regret; empty where the law has no draws.

    Keys: decision variables by name; `loss_regret` (nats per token), `compute_regret` (share of the training FLOPs
    that the best plan for the true law would not have needed; only where the law has a closed form).
    """
    model, law = decided.model, decided.model.loss.law
    free = [name for name in law.form.variables if name in decided.values]
    if law.draws is None or model.loss.constraints or not isinstance(model.loss.inward, ByForm) or not free:
        return {}
    draws = law.draws[np.linspace(0, len(law.draws) - 1, min(DRAWS, len(law.draws))).astype(int)]
    program = _program_of_draws(decided, draws, objective, limits)
    x, converged = _optima(program, decided)
    if converged.sum() < FEWEST:
        return {}
    found = {}
    for name in free:
        samples = np.exp(x[converged, program.variables.index(name)])
        found[name] = _estimate(decided.values[name], samples)
    if objective == "loss":
        variant, _, _ = model.product.parts(decided.cell)
        cloud = type(law.form)(*draws.T)
        there = {**decided.values, **{name: np.exp(x[:, program.variables.index(name)]) for name in free}}
        here = np.asarray(cloud.loss(**model.loss.at(decided.values, variant)))
        lost = here - np.asarray(cloud.loss(**model.loss.at(there, variant)))
        regret = np.maximum(-lost if law.form.larger_is_better else lost, 0.0)[converged]
        found["loss_regret"] = _estimate(float(np.mean(regret)), regret)
        if set(limits) == {"training_flops"} and isinstance(cloud, Chinchilla | Kaplan):
            needed = cloud.compute_for_loss(here, law.compute_model)
            wasted = np.maximum(1.0 - np.asarray(needed)[converged] / limits["training_flops"], 0.0)
            found["compute_regret"] = _estimate(float(np.mean(wasted)), wasted)
    return found


def _program_of_draws(decided: Decided, draws: Array, objective: str, limits: Mapping[str, float]) -> Program:
    """The chosen cell's program with each draw of the law's coefficients in turn as a cell."""
    model, cell = decided.model, decided.cell
    variant, _, _ = model.product.parts(cell)
    settled = {**model.loss.given, **model.loss.variants[variant]}
    symbols = {n: settled[n] if n in settled else variable(n) for n in model.loss.law.form.variables}
    metrics = {name: metric.cell(cell) for name, metric in model.metrics.items()}
    cloud = type(model.loss.law.form)(*draws.T)
    if isinstance(cloud, DataConstrained):  # without a limit on its tokens, so that the plan is that of the base law
        cloud = cloud.base
    bounds: dict[str, Any] = dict(limits)
    if "loss" in limits:
        bounds["loss"] = np.asarray(cloud.inner_for_loss(limits["loss"]), float) + np.zeros(len(draws))
    try:
        metrics["loss"] = ByForm(cloud).inner(symbols)
    except NotLogLogConvex:  # an outer power that differs from draw to draw: take it out of each
        each = [ByForm(type(cloud).from_vector(row)).inner(symbols) for row in draws]
        metrics["loss"] = stacked(each)
        if "loss" in bounds:
            bounds["loss"] = bounds["loss"] ** (1.0 / np.array([inner.power for inner in each]))
    structure = {name: block.cell(cell) for name, block in model.structure.items()}
    bounded = {name: metrics[name] / bounds[name] for name in limits}
    return build(model.variables, metrics[objective], {**bounded, **structure}, len(draws))


def _optima(program: Program, decided: Decided) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Optimum of every draw, from the plan's relaxed optimum; which of them converged."""
    present = program.pattern(0)
    stack = Stack(
        program.matrices()[:, present],
        program.log_coefficients[:, present],
        program.block_of[present],
        len(program.blocks),
        program.lower,
        program.upper,
    )
    source = decided.relaxed.multipliers[decided.program.pattern(decided.relaxed.cell)]
    if source.size != int(present.sum()):
        return np.zeros((program.cells, len(program.variables))), np.zeros(program.cells, dtype=bool)
    x, _, residual = newton(stack, decided.relaxed.x, source)
    return x, np.all(np.isfinite(x), axis=1) & (residual < CONVERGED)


def _estimate(value: float, samples: NDArray[np.float64]) -> Estimate:
    lower, upper = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # Draws may all lie to one side of the plan, which is as possible as they are.
    ends = float(min(lower, value)), float(max(upper, value))
    return Estimate(value, *ends, float(np.std(samples, ddof=1)), LEVEL)

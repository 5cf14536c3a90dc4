"""The planning model: every metric as a posynomial of the decision variables, over all cells.

Variables: those that the law leaves open (usually parameter_count N and token_count D), accelerator_count G,
training_seconds T, batch_size b (sequences in one serving replica). T stands for the training time that the time model
bounds from below, so that money and energy are monomials. Built once per question; a plan, a target, a relaxation and
a point of a front are then geometric programs that differ in which metric is the objective and which are limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from planner.allocation.assumptions import assumed
from planner.allocation.cells import Product, spread_serving, spread_training
from planner.allocation.choices import Workload
from planner.allocation.lossmodel import LossModel
from planner.allocation.program import Program, build
from planner.allocation.provenance import electricity_provenance
from planner.errors import InvalidInput, Violation
from planner.hardware.carbon import carbon_grams, grid
from planner.hardware.energy import joules_per_output_token, site_factor, training_power_watts
from planner.hardware.memory import serving_memory_fraction, training_memory_fraction
from planner.hardware.percentiles import percentile_factor
from planner.hardware.queueing import utilisation_limit
from planner.hardware.serving import ServingConstants, tpot_seconds, ttft_seconds, usd_per_million_output_tokens
from planner.hardware.shapes import hypothetical_shape
from planner.hardware.training import pipeline_bubble, training_seconds
from planner.posynomial import Posynomial, constant, variable

HOUR = 3600.0
KILOGRAMS = 1e-3  # per gram


@dataclass(frozen=True)
class Model:
    """Metrics, structural constraints (each must stay ≤ 1) and variable bounds over the cells of `product`.

    The metric "loss" is the posynomial that stands for the loss (`loss.inner`); limits on the loss, and what `evaluate`
    gives, are in the law's own unit.
    """

    product: Product
    loss: LossModel
    variables: Mapping[str, tuple[float, float]]
    metrics: Mapping[str, Posynomial]
    structure: Mapping[str, Posynomial] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def program(self, objective: str, limits: Mapping[str, float], slack: float = 0.0) -> Program:
        """Minimise a metric under upper limits on others, which may be exceeded by the share `slack`."""
        bounds = {name: self.bound(name, limit) * (1.0 + slack) for name, limit in limits.items()}
        bounded = {name: self.metrics[name] / bound for name, bound in bounds.items()}
        return build(self.variables, self.metrics[objective], {**bounded, **self.structure}, self.product.cells)

    def bound(self, name: str, limit: float) -> float:
        """A limit on a metric as a bound on its posynomial."""
        return self.loss.inward.limit(limit) if name == "loss" else limit

    def value(self, name: str, bound: float) -> float:
        """A value of a metric's posynomial as a value of the metric."""
        return self.loss.inward.outer(bound) if name == "loss" else bound

    def slope(self, name: str, bound: float) -> float:
        """d log metric / d log of its posynomial, where that is `bound`."""
        return self.loss.inward.slope(bound) if name == "loss" else 1.0

    def excess(self, name: str, value: float, limit: float) -> float:
        """By what share a metric exceeds its limit."""
        return self.bound(name, value) / self.bound(name, limit) - 1.0

    def evaluate(self, cell: int, values: Mapping[str, float]) -> dict[str, float]:
        """Every metric at a decision, from the formulas themselves: slack variables take their tight value."""
        point = dict(values)
        if "training_seconds" in point:
            tight = self.structure["training_time"].cell(cell).at({**point, "training_seconds": 1.0})
            point["training_seconds"] = float(tight)
        found = {name: float(metric.cell(cell).at(point)) for name, metric in self.metrics.items() if name != "loss"}
        variant, _, _ = self.product.parts(cell)
        found["loss"] = float(self.loss.exact(point, variant))
        return found


def training_model(loss: LossModel, product: Product, *, max_accelerator_count: float, grid_zone: str = "") -> Model:
    """Training alone; without training layouts in `product`, in FLOPs alone.

    Raises InvalidInput where hardware is asked for and the law does not say how large the model is or what it sees.
    """
    loss = replace(loss, inner=_over_law(loss.inner, product))
    form, compute = loss.law.form, loss.law.compute_model
    symbols = law_symbols(loss, product)
    n, d = form.active_parameter_count(**symbols), form.trained_token_count(**symbols)
    flops = form.training_flops(compute, **symbols)
    costs = {
        "training_flops": flops,
        "parameter_count": symbols.get("parameter_count"),
        "token_count": d,
    }
    metrics = {"loss": loss.inner, **{name: lifted(cost) for name, cost in costs.items() if cost is not None}}
    model = Model(product, loss, dict(loss.variables), metrics, dict(loss.constraints))
    if not product.training:
        return model
    if n is None or d is None:
        missing = "parameter_count" if n is None else "token_count"
        needed = f"given to plan hardware: {loss.law.name} does not say what it costs"
        raise InvalidInput(Violation(f"law_variables.{missing}", "unset", needed))
    g, t = variable("accelerator_count"), variable("training_seconds")
    experts = product.spread(product.experts, 0)
    tensor = product.over_training(lambda y: y.tensor_parallel)
    pipeline = product.over_training(lambda y: y.pipeline_parallel)
    replicas = g / (tensor * pipeline)
    batch = assumed("training", "global_batch_tokens") / assumed("training", "sequence_tokens")
    cell = replace(
        spread_training(product),
        is_moe=(experts > 1).astype(float),
        bubble_share=pipeline_bubble(pipeline, batch / replicas),
    )
    shape = hypothetical_shape(n, experts, total_parameters=form.total_parameter_count(**symbols))
    attention = 1.5 * shape.attention_flops_per_pair * assumed("training", "sequence_tokens") * d
    memory = training_memory_fraction(
        shape,
        product.over_training(lambda y: y.memory_bytes),
        sequence_tokens=assumed("training", "sequence_tokens"),
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        data_parallel=replicas,
    )
    watts = training_power_watts(product.over_training(lambda y: y.tdp_watts))
    price = product.over_training(lambda y: y.price.price_usd_per_hour)
    embodied = product.over_training(lambda y: y.embodied_grams_per_hour)
    hours, joules, electricity = g * t * (1.0 / HOUR), g * t * watts, grid(grid_zone)
    metrics |= {
        "training_hours": t * (1.0 / HOUR),
        "accelerator_hours": hours,
        "training_usd": hours * price,
        "training_energy_joules": joules,
        "training_kgco2e": carbon_grams(joules, hours, electricity.grams_co2e_per_kwh, embodied) * KILOGRAMS,
    }
    structure = {
        **model.structure,
        "training_time": training_seconds(cell, n, flops, g, attention_flops=attention) / t,
        "training_memory": memory,
        "whole_replica": 1.0 / replicas,
        "batch_split": replicas / batch,
    }
    variables = {**model.variables, "accelerator_count": (1.0, max_accelerator_count), "training_seconds": (1.0, 1e12)}
    sources = electricity_provenance("training", electricity)
    return replace(model, variables=variables, metrics=metrics, structure=structure, sources=sources)


def law_symbols(loss: LossModel, product: Product) -> dict[str, Any]:
    """What stands for each of the law's variables in a formula: a variable, a number, or an array over the cells."""
    several = {name: product.spread([variant[name] for variant in loss.variants], 0) for name in loss.variants[0]}
    free = (name for name in loss.variables if name in loss.law.form.variables)
    return {**loss.given, **several, **{name: variable(name) for name in free}}


def lifted(value: Any) -> Posynomial:
    """A number, or one per cell, as a posynomial."""
    return value if isinstance(value, Posynomial) else constant(value)


def with_serving_flops(model: Model, inference_token_count: float) -> Model:
    """Add serving in FLOPs alone: 2 N per token (Sardana et al. 2023, eq. 3)."""
    law = model.loss.law
    each = law.form.inference_flops_per_token(law.compute_model, **law_symbols(model.loss, model.product))
    if each is None or "training_flops" not in model.metrics:
        raise InvalidInput(Violation("law", law.name, "a law that says how large the model is and what it sees"))
    lifetime = model.metrics["training_flops"] + each * inference_token_count
    return replace(model, metrics={**model.metrics, "lifetime_flops": lifetime})


def with_serving(
    model: Model,
    workload: Workload,
    inference_token_count: float,
    grid_zone: str = "",
    constants: ServingConstants | None = None,
) -> Model:
    """Add serving on the cells' serving layouts, for a model shape that follows from N.

    Latencies are at the workload's percentile with the replica full; money and energy at the planned utilisation.
    Experts read in a decode step are taken as all of them, an upper bound that full batches reach.
    """
    product = model.product
    form, symbols = model.loss.law.form, law_symbols(model.loss, product)
    n, b = form.active_parameter_count(**symbols), variable("batch_size")
    experts = product.spread(product.experts, 0)
    shape = hypothetical_shape(n, experts, total_parameters=form.total_parameter_count(**symbols))
    cell = spread_serving(product)
    inputs, outputs = workload.input_token_count, workload.output_token_count
    percentile = workload.latency_percentile
    price = product.over_serving(lambda y: y.price.price_usd_per_hour)
    served_outputs = inference_token_count * outputs / (inputs + outputs)
    args = (shape, cell, b, inputs, outputs)
    per_million = usd_per_million_output_tokens(*args, price, experts, constants) * (1.0 / utilisation_limit())
    joules = joules_per_output_token(*args, experts, constants)
    serving_usd = per_million * (served_outputs / 1e6)
    serving_joules = joules * served_outputs
    # Hours of accelerators follow from the money; what the site draws from what the boards draw.
    hours = per_million * (1e-6 / price)
    site_joules, electricity = joules * site_factor(), grid(grid_zone)
    embodied = product.over_serving(lambda y: y.embodied_grams_per_hour)
    each_kg = carbon_grams(site_joules, hours, electricity.grams_co2e_per_kwh, embodied) * KILOGRAMS
    serving_kg = each_kg * served_outputs
    per_hour = per_million * (workload.requests_per_second * outputs * HOUR / 1e6)
    metrics = {
        **with_serving_flops(model, inference_token_count).metrics,
        "tpot_seconds": tpot_seconds(*args, experts, constants)
        * percentile_factor("tpot", percentile, input_per_output=inputs / outputs),
        "ttft_seconds": ttft_seconds(*args, experts, constants) * percentile_factor("ttft", percentile),
        "usd_per_million_tokens": per_million,
        "joules_per_token": joules,
        "serving_usd_per_hour": per_hour,
        "serving_usd": serving_usd,
        "serving_energy_joules": serving_joules,
        "kgco2e_per_million_tokens": each_kg * 1e6,
        "serving_kgco2e": serving_kg,
        "lifetime_kgco2e": model.metrics["training_kgco2e"] + serving_kg,
        "lifetime_usd": model.metrics["training_usd"] + serving_usd,
        "lifetime_energy_joules": model.metrics["training_energy_joules"] + serving_joules,
    }
    memory = serving_memory_fraction(shape, cell, b, inputs + outputs)
    return replace(
        model,
        metrics=metrics,
        structure={**model.structure, "serving_memory": memory},
        sources={**model.sources, **electricity_provenance("serving", electricity)},
        variables={**model.variables, "batch_size": (1.0, float(assumed("serving", "largest_batch")))},
    )


def _over_law(loss: Posynomial, product: Product) -> Posynomial:
    """Spread a law's per-variant coefficients over all cells."""

    def spread(value: Any) -> Any:
        return product.spread(value, 0) if np.ndim(value) and np.size(value) > 1 else value

    terms = tuple(
        replace(t, coefficient=spread(t.coefficient), exponents={k: spread(p) for k, p in t.exponents.items()})
        for t in loss.terms
    )
    return Posynomial(terms, loss.power)

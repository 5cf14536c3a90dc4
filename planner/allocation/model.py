"""The planning model: every metric as a posynomial of the decision variables, over all cells.

Variables: parameter_count N, token_count D, accelerator_count G, training_seconds T, batch_size b (sequences in one
serving replica). T stands for the training time that the time model bounds from below, so that money and energy are
monomials. Built once per question; a plan, a target, a relaxation and a point of a front are then geometric programs
that differ in which metric is the objective and which are limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from planner.allocation.assumptions import assumed
from planner.allocation.cells import Product, spread_serving, spread_training
from planner.allocation.lossmodel import LossModel
from planner.allocation.problem import PARAMETERS, TOKENS, Workload
from planner.allocation.program import Program, build
from planner.hardware.energy import joules_per_output_token, training_power_watts
from planner.hardware.memory import serving_memory_fraction, training_memory_fraction
from planner.hardware.queueing import percentile_factor, utilisation_limit
from planner.hardware.serving import tpot_seconds, ttft_seconds, usd_per_million_output_tokens
from planner.hardware.shapes import hypothetical_shape
from planner.hardware.training import pipeline_bubble, training_seconds
from planner.posynomial import Posynomial, variable

HOUR = 3600.0


@dataclass(frozen=True)
class Model:
    """Metrics, structural constraints (each must stay ≤ 1) and variable bounds over the cells of `product`."""

    product: Product
    loss: LossModel
    variables: Mapping[str, tuple[float, float]]
    metrics: Mapping[str, Posynomial]
    structure: Mapping[str, Posynomial] = field(default_factory=dict)

    def program(self, objective: str, limits: Mapping[str, float]) -> Program:
        """Minimise a metric under upper limits on others."""
        bounded = {name: self.metrics[name] / limit for name, limit in limits.items()}
        return build(self.variables, self.metrics[objective], {**bounded, **self.structure}, self.product.cells)

    def evaluate(self, cell: int, values: Mapping[str, float]) -> dict[str, float]:
        """Every metric at a decision, from the formulas themselves: slack variables take their tight value."""
        point = dict(values)
        if "training_seconds" in point:
            tight = self.structure["training_time"].cell(cell).at({**point, "training_seconds": 1.0})
            point["training_seconds"] = float(tight)
        found = {name: float(metric.cell(cell).at(point)) for name, metric in self.metrics.items() if name != "loss"}
        experts, _, _ = self.product.parts(cell)
        found["loss"] = float(self.loss.exact(point["parameter_count"], point["token_count"], experts))
        return found


def training_model(loss: LossModel, product: Product, *, max_accelerator_count: float) -> Model:
    """Training alone; without training layouts in `product`, in FLOPs alone."""
    n, d = variable("parameter_count"), variable("token_count")
    model = Model(
        product,
        replace(loss, loss=_over_law(loss.loss, product)),
        {
            "parameter_count": (PARAMETERS.lower, PARAMETERS.upper),
            "token_count": (TOKENS.lower, TOKENS.upper),
            **loss.variables,
        },
        {},
        dict(loss.constraints),
    )
    flops = loss.law.compute_model.training_flops(n, d)
    metrics: dict[str, Posynomial] = {
        "loss": model.loss.loss,
        "training_flops": flops,
        "parameter_count": n,
        "token_count": d,
    }
    if not product.training:
        return replace(model, metrics=metrics)
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
    shape = hypothetical_shape(n, experts)
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
    metrics |= {
        "training_hours": t * (1.0 / HOUR),
        "accelerator_hours": g * t * (1.0 / HOUR),
        "training_usd": g * t * price * (1.0 / HOUR),
        "training_energy_joules": g * t * watts,
    }
    structure = {
        **model.structure,
        "training_time": training_seconds(cell, n, flops, g, attention_flops=attention) / t,
        "training_memory": memory,
        "whole_replica": 1.0 / replicas,
        "batch_split": replicas / batch,
    }
    variables = {**model.variables, "accelerator_count": (1.0, max_accelerator_count), "training_seconds": (1.0, 1e12)}
    return replace(model, variables=variables, metrics=metrics, structure=structure)


def with_serving_flops(model: Model, inference_token_count: float) -> Model:
    """Add serving in FLOPs alone: 2 N per token (Sardana et al. 2023, eq. 3)."""
    n = variable("parameter_count")
    serving = model.loss.law.compute_model.inference_flops_per_token(n) * inference_token_count
    lifetime = model.metrics["training_flops"] + serving
    return replace(model, metrics={**model.metrics, "lifetime_flops": lifetime})


def with_serving(model: Model, workload: Workload, inference_token_count: float) -> Model:
    """Add serving on the cells' serving layouts, for a model shape that follows from N.

    Latencies are at the workload's percentile with the replica full; money and energy at the planned utilisation.
    Experts read in a decode step are taken as all of them, an upper bound that full batches reach.
    """
    product = model.product
    n, b = variable("parameter_count"), variable("batch_size")
    experts = product.spread(product.experts, 0)
    shape, cell = hypothetical_shape(n, experts), spread_serving(product)
    inputs, outputs = workload.input_token_count, workload.output_token_count
    percentile = workload.latency_percentile
    price = product.over_serving(lambda y: y.price.price_usd_per_hour)
    served_outputs = inference_token_count * outputs / (inputs + outputs)
    args = (shape, cell, b, inputs, outputs)
    per_million = usd_per_million_output_tokens(*args, price, experts) * (1.0 / utilisation_limit())
    joules = joules_per_output_token(*args, experts)
    serving_usd = per_million * (served_outputs / 1e6)
    serving_joules = joules * served_outputs
    per_hour = per_million * (workload.requests_per_second * outputs * HOUR / 1e6)
    metrics = {
        **with_serving_flops(model, inference_token_count).metrics,
        "tpot_seconds": tpot_seconds(*args, experts) * percentile_factor("tpot", percentile),
        "ttft_seconds": ttft_seconds(*args, experts) * percentile_factor("ttft", percentile),
        "usd_per_million_tokens": per_million,
        "joules_per_token": joules,
        "serving_usd_per_hour": per_hour,
        "serving_usd": serving_usd,
        "serving_energy_joules": serving_joules,
        "lifetime_usd": model.metrics["training_usd"] + serving_usd,
        "lifetime_energy_joules": model.metrics["training_energy_joules"] + serving_joules,
    }
    memory = serving_memory_fraction(shape, cell, b, inputs + outputs)
    return replace(
        model,
        metrics=metrics,
        structure={**model.structure, "serving_memory": memory},
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

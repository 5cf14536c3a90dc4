"""Constants of planner/hardware/training.py from published step speeds and whole runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from hardware_residuals import (
    Array,
    Columns,
    architecture,
    interval,
    leave_one_out,
    read,
    say,
    settings,
    weights,
    where,
)
from scipy.optimize import least_squares

from planner.hardware import tables
from planner.hardware.columns import numbers
from planner.hardware.training import TrainingConstants, accelerator_hours, tokens_per_second_per_accelerator
from planner.hardware.training_points import TrainingPoints, training_points

# name: (prior, width of the prior in log units, lower bound, upper bound)
TRAINING = {
    "efficiency": (0.5, 0.3, 0.2, 0.9),
    "intensity_exponent": (0.3, 0.5, 0.01, 1.0),
    "size_exponent": (0.05, 0.7, 0.001, 0.15),
    "width_exponent": (0.4, 0.5, 0.05, 1.0),
    "moe_time_factor": (1.9, 0.4, 1.0, 4.0),
    "full_recompute_factor": (1.15, 0.1, 1.0, 1.34),
    "scaling_share": (0.1, 0.7, 0.005, 0.6),
    "scaling_exponent": (0.4, 0.3, 0.15, 1.0),
    "gather_exposed": (0.3, 0.7, 0.01, 1.0),
    "tensor_exposed": (0.5, 0.5, 0.05, 1.5),
    "attention_excess": (1.0, 0.7, 0.01, 6.0),
}


def training_fit(data: Path) -> dict[str, Any]:
    table = read(data / "training_throughput.csv")
    table = where(table, [task not in ("sft", "lora") for task in table["task"]])
    points = training_points(table)
    tokens = numbers(table, "tok_s_per_gpu")[points.rows]
    stated = numbers(table, "model_tflops_per_gpu")[points.rows] * 1e12 / points.flops_per_token
    speed = np.where(np.isnan(tokens), stated, tokens)
    target = np.log(speed)
    counted = points.counted(1.0)
    gpu, model, source = ([architecture(table[c][i]) for i in points.rows] for c in ("accelerator", "model", "source"))
    w_all = weights([a + b for a, b in zip(source, gpu)], 0.35)
    prior, width, low, high = settings(TRAINING)
    shipped = tables.calibration("training")

    def constants(theta: Array) -> TrainingConstants:
        fitted = {k: float(np.exp(t)) for k, t in zip(TRAINING, theta)}
        return TrainingConstants(
            **{f.name: fitted.get(f.name, shipped[f.name]) for f in dataclasses.fields(TrainingConstants)}
        )

    def residual(theta: Array, i: Any) -> Array:
        cell = dataclasses.replace(points.cell, **{k: v[i] for k, v in vars(points.cell).items()})
        predicted = tokens_per_second_per_accelerator(
            cell,
            points.flops_per_token[i],
            points.active_parameters[i],
            points.accelerators[i],
            constants(theta),
            **{k: v[i] for k, v in counted.items()},
        )
        return np.asarray(np.log(predicted) - target[i])

    def fit(i: Any) -> Array:
        w = w_all[i] / w_all[i].mean()
        cost = lambda theta: np.concatenate([w * residual(theta, i) / 0.2, (theta - prior) / width])  # noqa: E731
        return np.asarray(least_squares(cost, prior, loss="soft_l1", bounds=(low, high)).x)

    theta = fit(np.arange(len(target)))
    say("tokens_per_second_per_accelerator", "in sample", residual(theta, np.arange(len(target))))
    left = []
    for how, groups in (("without its accelerator", gpu), ("without its model", model), ("without its source", source)):
        left.append(leave_one_out(groups, fit, residual)[0])
        say("tokens_per_second_per_accelerator", how, left[-1], groups)
    fitted = dataclasses.asdict(constants(theta))
    fitted |= {
        "whole_run_factor": 1.0,
        "whole_run_count_exponent": 0.0,
        "whole_run_year_factor": 1.0,
    }
    runs, found = runs_fit(data, TrainingConstants(**fitted))
    found["tokens_per_second_per_accelerator"] = interval(*zip(left, (gpu, model)))
    return {"training": {**fitted, **runs}, "intervals": found}


def countable_runs(table: Columns) -> list[bool]:
    """Full runs whose hours were published, and whose FLOPs were counted from tokens rather than from those hours.

    Runs whose tokens are something else (images, words of another count) contradict their stated FLOPs.
    """
    kept = []
    active, tokens, flops = (numbers(table, n) for n in ("n_active", "tokens", "flops"))
    counted = 6.0 * np.where(np.isnan(active), numbers(table, "n_params"), active) * tokens
    for i, (note, hours, method) in enumerate(zip(table["note"], table["gpu_hours"], table["flops_method"])):
        examples = counted[i] < flops[i] / 3.0
        estimated = method == "Hardware" or "Third-party" in method
        kept.append(hours != "" and "pruned" not in note and tokens[i] > 0 and not (examples or estimated))
    return kept


def runs_fit(data: Path, constants: TrainingConstants) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """End-to-end over steady-state time of published runs: a level, and effects of accelerator count and maturity
    shrunk towards 0 (robust: few runs, some of them far off)."""
    table = read(data / "training_runs.csv")
    table = where(table, countable_runs(table))
    points: TrainingPoints = training_points(table)
    hours = accelerator_hours(
        points.cell,
        points.active_parameters,
        points.total_flops,
        points.accelerators,
        constants,
        **points.counted(points.total_flops / points.flops_per_token),
    )
    ratio = np.log(numbers(table, "gpu_hours")[points.rows] / hours)
    cell = points.cell
    features = np.stack(
        [
            np.ones(len(ratio)),
            np.log(points.accelerators * 1e-3),
            cell.maturity_years - 2.0,
        ],
        axis=1,
    )

    def fit(i: Any) -> Array:
        x, y, w = features[i], ratio[i], np.ones(len(i))
        for _ in range(20):
            beta = np.linalg.solve((x * w[:, None]).T @ x + np.diag([0.0, 0.5, 0.5]), (x * w[:, None]).T @ y)
            w = 0.08 / np.maximum(np.abs(y - x @ beta), 0.08)
        return np.asarray(beta)

    everything = np.arange(len(ratio))
    beta = fit(everything)
    say("accelerator_hours", "in sample", features @ beta - ratio)
    left = np.array([features[i] @ fit(everything[everything != i]) - ratio[i] for i in everything])
    runs = [f"{i}" for i in everything]
    say("accelerator_hours", "without the run itself", left, runs)
    found = {
        "whole_run_factor": float(np.exp(beta[0])),
        "whole_run_count_exponent": float(beta[1]),
        "whole_run_year_factor": float(np.exp(beta[2])),
    }
    factors = interval((left, runs))
    return found, {"accelerator_hours": factors, "training_seconds": factors}

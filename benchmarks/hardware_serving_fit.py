"""Constants of planner/hardware/serving.py from closed loops, then factors of split pools and batches.

Robust least squares (soft-L1) on log residuals of TPOT and TTFT together, with weak physical priors and bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
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

from planner.hardware import serving_estimate
from planner.hardware.accelerators import accelerator
from planner.hardware.columns import numbers, text
from planner.hardware.serving import ServingConstants
from planner.hardware.serving_points import ServingPoints, model_of, serving_points

# name: (prior, width of the prior in log units, lower bound, upper bound)
SERVING = {
    "memory_efficiency": (0.8, 0.2, 0.5, 0.93),
    "memory_width_exponent": (0.15, 0.5, 0.01, 0.6),
    "cache_efficiency": (0.7, 0.4, 0.3, 0.93),
    "flop_efficiency": (0.55, 0.4, 0.3, 0.8),
    "flop_width_exponent": (0.4, 0.4, 0.05, 0.8),
    "prefill_efficiency": (0.5, 0.3, 0.4, 0.8),
    "link_efficiency": (0.5, 0.5, 0.15, 0.9),
    "layer_seconds": (5e-5, 0.5, 1e-5, 2e-4),
    "moe_layer_seconds": (4e-5, 0.7, 1e-6, 3e-4),
    "collective_seconds": (8e-6, 0.5, 1e-6, 5e-5),
    "routing_exponent": (0.95, 0.05, 0.7, 1.0),
    "sequence_seconds": (1e-5, 1.0, 1e-7, 1e-3),
    "step_seconds": (1e-3, 1.0, 1e-5, 5e-3),
    "stall_share": (0.4, 0.4, 0.05, 1.0),
    "prefill_layer_seconds": (2e-4, 1.0, 1e-6, 3e-3),
    "prefill_moe_excess": (1.0, 1.0, 0.01, 20.0),
    "first_token_seconds": (0.03, 0.7, 1e-3, 0.2),
    "first_token_prefills": (1.2, 0.5, 0.7, 5.0),
    "first_token_queue": (0.1, 1.0, 1e-4, 5.0),
    "first_token_queue_exponent": (0.9, 0.3, 0.1, 1.3),
    "first_token_steps": (2.0, 0.7, 0.2, 20.0),
    "first_token_sequence_seconds": (1e-3, 1.0, 1e-5, 1e-2),
}
ENGINES = ("sglang", "trtllm", "vllm")


@dataclasses.dataclass(frozen=True)
class Loop:
    """Closed loops with their measured log TPOT and TTFT, and the errors (TPOT, TTFT, speed) of constants that did not
    see them."""

    points: ServingPoints
    log_tpot: Array
    log_ttft: Array
    groups: list[str]
    errors: Array


LOOP: dict[str, Loop] = {}
# Constants fitted without one accelerator or one model, for the tables of other benchmarks.
UNSEEN: dict[tuple[str, str], ServingConstants] = {}


def serving_constants_of(theta: Array) -> ServingConstants:
    return ServingConstants(**{k: float(np.exp(t)) for k, t in zip(SERVING, theta)})


def group_key(how: str, name: str) -> str:
    """One name for an accelerator or an architecture, however a table spells it."""
    if "accelerator" in how:
        return accelerator(name).name
    shape = model_of(name, 1e9)
    return f"{shape.layers:g} x {shape.hidden:g}, {shape.expert_count:g} experts"


def unseen_errors(points: ServingPoints, how: str, groups: list[str], error: Callable[[Any, Any], Array]) -> Array:
    """`error(points, times)` with, group by group, the constants that did not see the group."""
    out = np.zeros(len(points.rows))
    for group in sorted(set(groups)):
        here = np.flatnonzero(np.array(groups) == group)
        some = serving_estimate.take(points, here)
        out[here] = error(here, serving_estimate.serving_times(some, UNSEEN.get((how, group_key(how, group)))))
    return out


def sound_loop(c: Columns) -> list[bool]:
    """Aggregated rows without doubt; single points of doubtful unit and one accelerator of mislabelled
    layouts are left out."""
    return [
        mode == "agg"
        and doubt in ("", "parallel fields un-squared")
        and not model.startswith("nvidia/")
        and gpu != "gb200"
        for mode, doubt, model, gpu in zip(c["mode"], c["doubt"], c["model"], c["system"])
    ]


def with_engine(points: ServingPoints, logs: Array) -> ServingPoints:
    """Engine factors of step times (first three) and of the first token (last three) put into the cells."""
    index = np.array([ENGINES.index(f) for f in points.framework])
    change = {"framework_factor": np.exp(logs[:3])[index], "first_token_factor": np.exp(logs[3:])[index]}
    return dataclasses.replace(points, cell=dataclasses.replace(points.cell, **change))


def serving_fit(data: Path) -> dict[str, Any]:
    table = read(data / "serving_inferencex.csv")
    table = where(table, sound_loop(table))
    points = serving_estimate.without_engine_factors(serving_points(table))
    rows = points.rows
    tpot, ttft = np.log(numbers(table, "tpot_ms")[rows] / 1e3), np.log(numbers(table, "ttft_ms")[rows] / 1e3)
    gpu, model = [text(table, "system")[i] for i in rows], [architecture(text(table, "model")[i]) for i in rows]
    w_all = weights([f"{g}{m}{f}{p}" for g, m, f, p in zip(gpu, model, points.framework, points.cell.precision)], 0.25)
    prior, width, low, high = settings(SERVING)
    n = len(prior)

    def predict(theta: Array, i: Any) -> tuple[Array, Any]:
        some = with_engine(serving_estimate.take(points, i), theta[n:])
        constants = serving_constants_of(theta)
        times = serving_estimate.serving_times(some, constants)
        speed = np.log(times.output_tokens_per_second) - measured_speed(points, ttft, tpot)[i]
        errors = np.stack([np.log(times.tpot_seconds) - tpot[i], np.log(times.ttft_seconds) - ttft[i], speed])
        return errors, some.concurrency <= times.running

    def fit(i: Any) -> Array:
        w = w_all[i] / w_all[i].mean()

        def cost(theta: Array) -> Array:
            (a, b, _), unqueued = predict(theta, i)
            engines = theta[n:]
            balance = np.array([engines[:3].mean(), engines[3:].mean()]) / 0.01  # the mean engine has factor 1
            shrink = engines / np.repeat([0.1, 0.5], 3)
            return np.concatenate([w * a / 0.15, w * b * unqueued / 0.5, (theta[:n] - prior) / width, shrink, balance])

        start, bounds = np.concatenate([prior, np.zeros(6)]), (np.r_[low, -2 * np.ones(6)], np.r_[high, 2 * np.ones(6)])
        return np.asarray(
            least_squares(cost, start, loss="soft_l1", bounds=bounds, x_scale=np.r_[width, 0.3 * np.ones(6)]).x
        )

    everything = np.arange(len(rows))
    theta = fit(everything)
    names = ("tpot_seconds", "ttft_seconds", "output_tokens_per_second")
    for quantity, error in zip(names, predict(theta, everything)[0]):
        say(quantity, "in sample", error)
    left = {}
    for how, groups in (("without its accelerator", gpu), ("without its model", model)):
        fitted: dict[str, Array] = {}
        left[how] = leave_one_out(groups, fit, lambda t, i: predict(t, i)[0], fitted)
        UNSEEN.update({(how, group_key(how, g)): serving_constants_of(t) for g, t in fitted.items()})
        for j, quantity in enumerate(names):
            say(quantity, how, left[how][j], groups)
        LOOP[how] = Loop(points, tpot, ttft, [f"{a} {b}" for a, b in zip(gpu, model)], left[how])
    constants = {k: float(np.exp(t)) for k, t in zip(SERVING, theta)}
    engines: dict[str, Any] = {
        e: {"time_factor": float(np.exp(theta[n + j])), "first_token_factor": float(np.exp(theta[n + 3 + j]))}
        for j, e in enumerate(ENGINES)
    }
    engines["trtllm"]["narrow_cache"] = True
    found = {q: interval(*(v[j] for v in left.values())) for j, q in enumerate(names)}
    return {"serving": constants, "frameworks": engines, "intervals": found}


def measured_speed(points: ServingPoints, log_ttft: Array, log_tpot: Array) -> Array:
    """Log output tokens per second of a closed loop, from its measured times."""
    cycle = np.exp(log_ttft) + points.output_tokens * np.exp(log_tpot)
    speed: Array = np.log(points.concurrency * points.output_tokens / cycle)
    return speed


def split_fit(data: Path) -> dict[str, Any]:
    """Factors of disaggregated sets on top of the same constants (published with factors 1 before)."""
    table = read(data / "serving_inferencex.csv")
    table = where(table, [mode == "disagg" for mode in table["mode"]])
    points = serving_points(table)
    ttft, tpot = (np.log(numbers(table, n)[points.rows] / 1e3) for n in ("ttft_ms", "tpot_ms"))
    gpu, known = np.array([table["system"][i] for i in points.rows]), points.workers_known

    def errors(workers: float) -> tuple[Array, Any]:
        some = dataclasses.replace(points, decode_workers=np.where(known, points.decode_workers, workers))
        times = serving_estimate.serving_times(some)
        speed = np.log(times.output_tokens_per_second) - measured_speed(points, ttft, tpot)
        return np.stack([np.log(times.tpot_seconds) - tpot, np.log(times.ttft_seconds) - ttft, speed]), times.fits

    def spread(workers: float) -> float:
        error, fits = errors(workers)
        rest = error[0, ~known & fits]
        return float(np.median(np.abs(rest - np.median(rest))))

    usual = min((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0), key=spread)
    error, fits = errors(usual)
    result: dict[str, Any] = {"usual_decode_workers": usual}
    left = np.zeros_like(error)
    for mask, suffix in ((known & fits, ""), (~known & fits, "_unknown")):
        centre = np.median(error[:, mask], axis=1)
        result[f"time_factor{suffix}"], result[f"first_token_factor{suffix}"] = np.exp(-centre[:2]).tolist()
        for g in sorted(set(gpu)):
            here, elsewhere = mask & (gpu == g), mask & (gpu != g)
            left[:, here] = error[:, here] - np.median(error[:, elsewhere], axis=1)[:, None]
    for j, quantity in enumerate(("tpot_seconds", "ttft_seconds", "output_tokens_per_second")):
        some = gpu[known & fits].tolist()
        say(f"{quantity}, split, known workers", "without its accelerator", left[j, known & fits], some)
        say(f"{quantity}, split, all", "without its accelerator", left[j, fits], gpu[fits].tolist())
    names = ("tpot_seconds_split", "ttft_seconds_split", "output_tokens_per_second_split")
    return {"split_pools": result, "intervals": {q: interval(left[j, fits]) for j, q in enumerate(names)}}


def batch_fit(data: Path) -> dict[str, Any]:
    """Factors of the engines in whole-batch benchmarks (of 2024; published with factor 1 before): factor x
    batch^exponent."""
    table = read(data / "serving_argonne.csv")
    points = serving_points(table)
    times = serving_estimate.serving_times(points)
    share = points.output_tokens / (points.input_tokens + points.output_tokens)
    error = np.log(times.output_tokens_per_second) - np.log(numbers(table, "total_tok_s")[points.rows] * share)
    engines: dict[str, Any] = {}
    model = np.array([table["model"][i] for i in points.rows])
    gpu = np.array([table["hardware"][i] for i in points.rows])
    left = [error.copy(), error.copy()]
    for name in sorted(set(points.framework)):
        mine = points.framework == name
        sequential = name == "llama.cpp"
        log_batch = np.log(points.concurrency) * (1.0 if sequential else 0.0)

        def slope_and_level(
            rows: Any, log_batch: Array = log_batch, sequential: bool = sequential
        ) -> tuple[float, float]:
            slope = float(np.polyfit(log_batch[rows], error[rows], 1)[0]) if sequential else 0.0
            return slope, float(np.median(error[rows] - slope * log_batch[rows]))

        slope, level = slope_and_level(mine)
        engines[name] = {"time_factor": float(np.exp(level)), "first_token_factor": 1.0}
        if sequential:
            engines[name] |= {"batch_exponent": slope, "layer_split": True}
        for out, groups in zip(left, (gpu, model)):
            for g in sorted(set(groups[mine])):
                rest = mine & (groups != g)
                s, level_g = slope_and_level(rest if rest.sum() > 10 else mine)
                here = mine & (groups == g)
                out[here] = error[here] - s * log_batch[here] - level_g
    for out, how, groups in zip(left, ("without its accelerator", "without its model"), (gpu, model)):
        say("output_tokens_per_second, batch", how, out, groups.tolist())
    main_engines = np.isin(points.framework, ("vllm", "tensorrt-llm"))
    say("  of these vLLM and TensorRT-LLM", "without its accelerator", left[0][main_engines])
    names = ("tpot_seconds_batch", "ttft_seconds_batch", "output_tokens_per_second_batch")
    found = interval(*left)
    inverse = {"lower": 1.0 / found["upper"], "upper": 1.0 / found["lower"]}
    return {"batch_frameworks": engines, "intervals": dict(zip(names, (inverse, inverse, found)))}

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
from planner.hardware.serving import ServingConstants, prefill_seconds
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
    "expansion_excess": (
        0.3,
        0.5,
        0.01,
        1.0,
    ),  # prior: largest int4 GEMMs of an A100 reach 0.60 of memory speed, 16-bit 0.79
}
FAR = 0.3  # log units beyond which a first token of separate pools is an outlier
ENGINES = ("sglang", "trtllm", "vllm")
# Engine factors of step time, first token and stalls: standard deviations, in log units, of their priors.
ENGINE_SPREAD = {"time_factor": 0.1, "first_token_factor": 0.5, "stall_factor": 0.3}


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
    """Engine factors (one row of `logs` for each name of `ENGINE_SPREAD`) put into the cells."""
    index = np.array([ENGINES.index(f) for f in points.framework])
    names = ("framework_factor", "first_token_factor", "stall_factor")
    change = dict(zip(names, np.exp(logs.reshape(3, -1))[:, index]))
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
    n, spread = len(prior), np.array(list(ENGINE_SPREAD.values()))

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
            engines = theta[n:].reshape(3, -1)
            balance = engines.mean(axis=1) / 0.01  # the mean engine has factor 1
            shrink = (engines / spread[:, None]).ravel()
            return np.concatenate([w * a / 0.15, w * b * unqueued / 0.5, (theta[:n] - prior) / width, shrink, balance])

        own = np.ones(spread.size * len(ENGINES))
        bounds = np.r_[low, -2 * own], np.r_[high, 2 * own]
        start, scale = np.r_[prior, 0 * own], np.r_[width, 0.3 * own]
        return np.asarray(least_squares(cost, start, loss="soft_l1", bounds=bounds, x_scale=scale, max_nfev=60).x)

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
        e: dict(zip(ENGINE_SPREAD, np.exp(theta[n:].reshape(3, -1))[:, j].tolist())) for j, e in enumerate(ENGINES)
    }
    engines["trtllm"]["narrow_cache"] = True
    found = {q: interval(*zip((v[j] for v in left.values()), (gpu, model))) for j, q in enumerate(names)}
    return {"serving": constants, "frameworks": engines, "intervals": found}


def measured_speed(points: ServingPoints, log_ttft: Array, log_tpot: Array) -> Array:
    """Log output tokens per second of a closed loop, from its measured times."""
    cycle = np.exp(log_ttft) + points.output_tokens * np.exp(log_tpot)
    speed: Array = np.log(points.concurrency * points.output_tokens / cycle)
    return speed


def split_fit(data: Path) -> dict[str, Any]:
    """Disaggregated sets on top of the same constants: a factor of step times, and the monomial of first tokens."""
    table = read(data / "serving_inferencex.csv")
    table = where(table, [mode == "disagg" for mode in table["mode"]])
    points = serving_points(table)
    ttft, tpot = (np.log(numbers(table, n)[points.rows] / 1e3) for n in ("ttft_ms", "tpot_ms"))
    known = points.workers_known
    gpu, model = ([architecture(table[n][i]) for i in points.rows] for n in ("system", "model"))

    def estimate(workers: float) -> tuple[Array, Any]:
        some = dataclasses.replace(points, decode_workers=np.where(known, points.decode_workers, workers))
        times = serving_estimate.serving_times(some)
        return np.log(times.tpot_seconds) - tpot, times.fits

    def spread(workers: float) -> float:
        error, fits = estimate(workers)
        rest = error[~known & fits]
        return float(np.median(np.abs(rest - np.median(rest))))

    usual = min((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0), key=spread)
    error, fits = estimate(usual)
    alone = prefill_seconds(points.shape, points.prefill_cell, points.input_tokens)
    users = points.concurrency / points.prefill_workers
    features = np.stack([np.ones(len(users)), np.log(alone), np.log(users)], axis=1)

    def fit(i: Any) -> Array:
        """Levels of step times with known and with unknown workers, then the logs of the monomial."""
        levels = [-np.median(error[i][mask[i] & fits[i]]) for mask in (known, ~known)]
        return np.r_[levels, robust_ridge(features[i][fits[i]], ttft[i][fits[i]])]

    def predict(theta: Array, i: Any) -> Array:
        step = error[i] + np.where(known[i], theta[0], theta[1])
        first = np.maximum(features[i] @ theta[2:], np.log(alone[i]))
        cycle = np.exp(first) + points.output_tokens[i] * np.exp(step + tpot[i])
        speed = np.log(points.concurrency[i] * points.output_tokens[i] / cycle)
        return np.stack([step, first - ttft[i], speed - measured_speed(points, ttft, tpot)[i]])

    theta = fit(np.arange(len(ttft)))
    names = ("tpot_seconds", "ttft_seconds", "output_tokens_per_second")
    left: dict[str, list[Array]] = {q: [] for q in names}
    all_groups = [[name for name, ok in zip(groups, fits) if ok] for groups in (gpu, model)]
    for how, groups, own in zip(("without its accelerator", "without its model"), (gpu, model), all_groups):
        found = leave_one_out(groups, fit, predict)
        for j, quantity in enumerate(names):
            left[quantity].append(found[j, fits])
            say(f"{quantity}, split, known workers", how, found[j, known & fits])
            say(f"{quantity}, split, all", how, found[j, fits], own)
    pools = {
        "usual_decode_workers": usual,
        "time_factor": float(np.exp(theta[0])),
        "time_factor_unknown": float(np.exp(theta[1])),
        "first_token_seconds": float(np.exp(theta[2])),
        "prefill_exponent": float(theta[3]),
        "users_exponent": float(theta[4]),
    }
    return {"split_pools": pools, "intervals": {f"{q}_split": interval(*zip(v, all_groups)) for q, v in left.items()}}


def robust_ridge(features: Array, target: Array) -> Array:
    """Least squares with all but the level shrunk towards 0; rows far off count by their distance, not its square."""
    penalty = np.diag([0.0] + [0.5] * (features.shape[1] - 1))
    w = np.ones(len(target))
    for _ in range(20):
        weighted = features * w[:, None]
        beta = np.linalg.solve(weighted.T @ features + penalty, weighted.T @ target)
        w = FAR / np.maximum(np.abs(target - features @ beta), FAR)
    return np.asarray(beta)


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
    found = interval(*zip(left, (gpu.tolist(), model.tolist())))
    inverse = {"lower": 1.0 / found["upper"], "upper": 1.0 / found["lower"]}
    return {"batch_frameworks": engines, "intervals": dict(zip(names, (inverse, inverse, found)))}

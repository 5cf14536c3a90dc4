"""Fit the constants of planner/hardware on published measurements and write planner/hardware/calibration.toml.

    python benchmarks/calibrate_hardware.py --data ../shared/data/hardware

Robust least squares (soft-L1) on log residuals with weak physical priors and bounds; no constant belongs to one
accelerator or model, only engines and benchmark procedures have factors. Errors are reported in sample, leaving out one
accelerator at a time and one model at a time; the 80 % intervals are quantiles of the left-out residuals.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.hardware import serving, serving_estimate, tables
from planner.hardware.columns import numbers, text
from planner.hardware.serving import ServingConstants
from planner.hardware.serving_points import ServingPoints, serving_points
from planner.hardware.shapes import model_shape, model_shape_names
from planner.hardware.training import TrainingConstants, accelerator_hours, step_share
from planner.hardware.training_points import TrainingPoints, training_points

Array = NDArray[np.float64]
OUTPUT = Path(__file__).resolve().parents[1] / "planner" / "hardware" / "calibration.toml"
Columns = dict[str, list[str]]

# name: (prior, width of the prior in log units, lower bound, upper bound)
SERVING = {
    "memory_efficiency": (0.8, 0.2, 0.5, 0.93),
    "memory_width_exponent": (0.15, 0.5, 0.01, 0.6),
    "cache_efficiency": (0.7, 0.4, 0.3, 0.93),
    "flop_efficiency": (0.55, 0.4, 0.3, 0.8),
    "flop_width_exponent": (0.4, 0.4, 0.05, 0.8),
    "prefill_efficiency": (0.5, 0.3, 0.3, 0.8),
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
    "first_token_prefills": (1.2, 0.5, 0.5, 5.0),
    "first_token_queue": (0.1, 1.0, 1e-4, 5.0),
    "first_token_queue_exponent": (0.9, 0.3, 0.1, 1.3),
    "first_token_steps": (2.0, 0.7, 0.2, 20.0),
    "first_token_sequence_seconds": (1e-3, 1.0, 1e-5, 1e-2),
}
TRAINING = {
    "efficiency": (0.5, 0.3, 0.2, 0.9),
    "intensity_exponent": (0.3, 0.5, 0.01, 1.0),
    "size_exponent": (0.02, 0.7, 0.001, 0.2),
    "width_exponent": (0.4, 0.5, 0.05, 1.0),
    "moe_time_factor": (1.9, 0.4, 1.0, 4.0),
    "full_recompute_factor": (1.15, 0.1, 1.0, 1.34),
    "scaling_share": (0.1, 0.7, 0.005, 0.6),
    "scaling_exponent": (0.4, 0.3, 0.15, 1.0),
}
ENGINES = ("sglang", "trtllm", "vllm")
REPORT: list[str] = []


def read(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [row[name] for row in rows] for name in rows[0]}


def where(columns: Columns, keep: list[bool]) -> Columns:
    return {name: [v for v, k in zip(values, keep) if k] for name, values in columns.items()}


def median_error(residual: Array) -> float:
    return float(np.median(np.abs(np.expm1(residual))))


def say(quantity: str, how: str, residual: Array) -> None:
    low, high = np.quantile(residual, [0.1, 0.9])
    line = f"{quantity:<38} {how:<26} n {len(residual):5d}  median error {100 * median_error(residual):5.1f} %"
    REPORT.append(f"{line}  predicted/measured p10 {np.exp(low):5.2f} p50 {np.exp(np.median(residual)):5.2f} p90 {np.exp(high):5.2f}")
    print(REPORT[-1], flush=True)


def interval(*residuals: Array) -> dict[str, float]:
    """Factors on the prediction: quantiles of measured/predicted over all kinds of leaving out."""
    low, high = np.quantile(-np.concatenate(residuals), [0.1, 0.9])
    return {"lower": float(np.exp(low)), "upper": float(np.exp(high))}


def weights(groups: list[str], power: float) -> Array:
    counts = {g: groups.count(g) for g in set(groups)}
    w = np.array([counts[g] ** -power for g in groups])
    return w / w.mean()


def settings(table: dict[str, tuple[float, float, float, float]]) -> tuple[Array, Array, Array, Array]:
    prior, width, low, high = (np.array([v[i] for v in table.values()]) for i in range(4))
    return np.log(prior), width, np.log(low), np.log(high)


def leave_one_out(groups: list[str], fit: Callable[[Any], Array], residual: Callable[[Array, Any], Any]) -> Any:
    """Residuals of every row under the fit that did not see its group."""
    names = np.array(groups)
    parts = [(names == g, residual(fit(np.flatnonzero(names != g)), np.flatnonzero(names == g))) for g in sorted(set(groups))]
    first = parts[0][1]
    out = np.zeros((*np.atleast_2d(first).shape[:-1], len(names)))
    for mask, values in parts:
        out[..., mask] = np.atleast_2d(values)
    return out


def architecture(name: str) -> str:
    """Releases of one architecture count as one model when models are left out."""
    return re.sub(r"-(R1|V3)(\.\d)?.*$", "-V3", name.rsplit("/", 1)[-1])


# ---------------------------------------------------------------- serving


def sound_loop(c: Columns) -> list[bool]:
    """Aggregated rows without doubt; single points of doubtful unit and one accelerator of mislabelled layouts are left out."""
    return [
        mode == "agg" and doubt in ("", "parallel fields un-squared") and not model.startswith("nvidia/") and gpu != "gb200"
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
        constants = ServingConstants(**{k: float(np.exp(t)) for k, t in zip(SERVING, theta)})
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
        return np.asarray(least_squares(cost, start, loss="soft_l1", bounds=bounds, x_scale=np.r_[width, 0.3 * np.ones(6)]).x)

    everything = np.arange(len(rows))
    theta = fit(everything)
    names = ("tpot_seconds", "ttft_seconds", "output_tokens_per_second")
    for quantity, error in zip(names, predict(theta, everything)[0]):
        say(quantity, "in sample", error)
    left = {}
    for how, groups in (("without its accelerator", gpu), ("without its model", model)):
        left[how] = leave_one_out(groups, fit, lambda t, i: predict(t, i)[0])
        for j, quantity in enumerate(names):
            say(quantity, how, left[how][j])
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
        say(f"{quantity}, split, known workers", "without its accelerator", left[j, known & fits])
        say(f"{quantity}, split, all", "without its accelerator", left[j, fits])
    names = ("tpot_seconds_split", "ttft_seconds_split", "output_tokens_per_second_split")
    return {"split_pools": result, "intervals": {q: interval(left[j, fits]) for j, q in enumerate(names)}}


def batch_fit(data: Path) -> dict[str, Any]:
    """Factors of engines that only batch benchmarks have (published with factor 1 before): time ~ factor x batch^exponent."""
    table = read(data / "serving_argonne.csv")
    points = serving_points(table)
    times = serving_estimate.serving_times(points)
    share = points.output_tokens / (points.input_tokens + points.output_tokens)
    error = np.log(times.output_tokens_per_second) - np.log(numbers(table, "total_tok_s")[points.rows] * share)
    engines: dict[str, Any] = {}
    model = np.array([table["model"][i] for i in points.rows])
    gpu = np.array([table["hardware"][i] for i in points.rows])
    left = [error.copy(), error.copy()]
    for name in sorted(set(points.framework) - set(ENGINES)):
        mine = points.framework == name
        sequential = name == "llama.cpp"
        log_batch = np.log(points.concurrency) * (1.0 if sequential else 0.0)

        def slope_and_level(rows: Any, log_batch: Array = log_batch, sequential: bool = sequential) -> tuple[float, float]:
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
    for out, how in zip(left, ("without its accelerator", "without its model")):
        say("output_tokens_per_second, batch", how, out)
    main_engines = np.isin(points.framework, ("vllm", "tensorrt-llm"))
    say("  of these vLLM and TensorRT-LLM", "without its accelerator", left[0][main_engines])
    names = ("tpot_seconds_batch", "ttft_seconds_batch", "output_tokens_per_second_batch")
    found = interval(*left)
    inverse = {"lower": 1.0 / found["upper"], "upper": 1.0 / found["lower"]}
    return {"frameworks": engines, "intervals": dict(zip(names, (inverse, inverse, found)))}


# ---------------------------------------------------------------- energy


def prompt_lengths(table: Columns) -> dict[str, float]:
    """Prompt lengths that the energy benchmark does not state, task by task: those that fit its throughput best."""
    lengths = {"other": 512.0}
    for task in sorted(set(table["task"])):
        some = where(table, [t == task for t in table["task"]])
        speed = np.log(numbers(some, "output_tok_s"))

        def miss(tokens: float, some: Columns = some, speed: Array = speed) -> float:
            points = serving_points({**some, "isl": [str(tokens)] * len(some["task"])})
            return median_error(np.log(serving_estimate.serving_times(points).output_tokens_per_second) - speed[points.rows])

        lengths[task] = min((128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0), key=miss)
    return lengths


def power_fit(table: Columns) -> dict[str, Any]:
    """Log-linear power law (ridge towards 0) of sequences and active parameters per accelerator, sparsity and width."""
    points = serving_points(table)
    times = serving_estimate.serving_times(points)
    watts = numbers(table, "avg_power_w")[points.rows]
    joules = numbers(table, "energy_j_per_token")[points.rows]
    model, gpu = ([architecture(table[c][i]) for i in points.rows] for c in ("model", "gpu"))
    features = np.stack(
        [
            np.ones(len(watts)),
            np.log(times.running / points.accelerators),
            np.log(points.shape.active_parameters * 1e-9 / points.accelerators),
            np.log(points.shape.total_parameters / points.shape.active_parameters),
            np.log(points.cell.weight_bytes_per_parameter / 2.0),
        ],
        axis=1,
    )
    target = np.log(watts / points.accelerators / points.cell.tdp_watts)
    w_all = weights([a + b for a, b in zip(model, gpu)], 0.5)

    def fit(i: Any) -> Array:
        weighted = features[i] * w_all[i][:, None]
        ridge = np.diag([0.0, 1.0, 1.0, 1.0, 1.0])
        return np.asarray(np.linalg.solve(weighted.T @ features[i] + ridge, weighted.T @ target[i]))

    def predicted(beta: Array, i: Any) -> Array:
        return np.minimum(features[i] @ beta, 0.0)

    everything = np.arange(len(watts))
    beta = fit(everything)
    names = ("serving_tdp_share", "batch_exponent", "active_exponent", "sparsity_exponent", "width_exponent")
    say("power_watts", "in sample", predicted(beta, everything) - target)
    speed_error = np.log(times.output_tokens_per_second) - np.log(numbers(table, "output_tok_s")[points.rows])
    say("output_tokens_per_second, energy table", "constants of the other table", speed_error)
    left: dict[str, list[Array]] = {"power_watts": [], "joules_per_token": []}
    for how, groups in (("without its accelerator", gpu), ("without its model", model)):
        power_error = leave_one_out(groups, fit, predicted)[0] - target
        board = power_error + np.log(watts) - np.log(times.output_tokens_per_second) - np.log(joules)
        left["power_watts"].append(power_error)
        left["joules_per_token"].append(board)
        say("power_watts", how, power_error)
        say("joules_per_token", how, board)
    shares = dict(zip(names, [float(np.exp(beta[0])), *beta[1:].tolist()]))
    kept = {k: v for k, v in tables.calibration("energy").items() if k not in names}
    return {"energy": shares | kept, "intervals": {q: interval(*v) for q, v in left.items()}}


# ---------------------------------------------------------------- training


def training_fit(data: Path) -> dict[str, Any]:
    table = read(data / "training_throughput.csv")
    table = where(table, [task not in ("sft", "lora") for task in table["task"]])
    points = training_points(table)
    tokens = numbers(table, "tok_s_per_gpu")[points.rows]
    counted = numbers(table, "model_tflops_per_gpu")[points.rows] * 1e12 / points.flops_per_token
    speed = np.where(np.isnan(tokens), counted, tokens)
    target = np.log(points.cell.bf16_flops_per_second / (speed * points.flops_per_token))
    gpu, model, source = ([architecture(table[c][i]) for i in points.rows] for c in ("accelerator", "model", "source"))
    w_all = weights([a + b for a, b in zip(source, gpu)], 0.35)
    prior, width, low, high = settings(TRAINING)
    shipped = tables.calibration("training")

    def constants(theta: Array) -> TrainingConstants:
        fitted = {k: float(np.exp(t)) for k, t in zip(TRAINING, theta)}
        return TrainingConstants(**{f.name: fitted.get(f.name, shipped[f.name]) for f in dataclasses.fields(TrainingConstants)})

    def residual(theta: Array, i: Any) -> Array:
        cell = dataclasses.replace(points.cell, **{k: v[i] for k, v in vars(points.cell).items()})
        share = step_share(cell, points.active_parameters[i], points.accelerators[i], constants(theta))
        return np.asarray(target[i] - np.log(share))  # predicted over measured speed

    def fit(i: Any) -> Array:
        w = w_all[i] / w_all[i].mean()
        cost = lambda theta: np.concatenate([w * residual(theta, i) / 0.2, (theta - prior) / width])  # noqa: E731
        return np.asarray(least_squares(cost, prior, loss="soft_l1", bounds=(low, high)).x)

    theta = fit(np.arange(len(target)))
    say("tokens_per_second_per_accelerator", "in sample", residual(theta, np.arange(len(target))))
    left = []
    for how, groups in (("without its accelerator", gpu), ("without its model", model), ("without its source", source)):
        left.append(leave_one_out(groups, fit, residual)[0])
        say("tokens_per_second_per_accelerator", how, left[-1])
    fitted = dataclasses.asdict(constants(theta))
    runs, found = runs_fit(data, TrainingConstants(**{**fitted, "whole_run_factor": 1.0}))
    found["tokens_per_second_per_accelerator"] = interval(*left[:2])
    return {"training": {**fitted, "whole_run_factor": runs}, "intervals": found}


def runs_fit(data: Path, constants: TrainingConstants) -> tuple[float, dict[str, dict[str, float]]]:
    """End-to-end over steady-state time: the median over published runs whose FLOPs were not computed from their hours."""
    table = read(data / "training_runs.csv")
    plain = [
        "pruned" not in note and hours != "" and method != "Hardware" and tokens != "" and "Third-party" not in method
        for note, hours, method, tokens in zip(table["note"], table["gpu_hours"], table["flops_method"], table["tokens"])
    ]
    table = where(table, plain)
    points: TrainingPoints = training_points(table)
    hours = accelerator_hours(points.cell, points.active_parameters, points.total_flops, points.accelerators, constants)
    ratio = np.log(numbers(table, "gpu_hours")[points.rows] / hours)
    say("accelerator_hours", "one median factor", np.median(ratio) - ratio)
    left = np.array([np.median(np.delete(ratio, i)) - r for i, r in enumerate(ratio)])
    say("accelerator_hours", "without the run itself", left)
    return float(np.exp(np.median(ratio))), {"accelerator_hours": interval(left), "training_seconds": interval(left)}


# ---------------------------------------------------------------- queueing, family, writing


def percentiles(data: Path) -> dict[str, Any]:
    """Median over valid Poisson-load server runs of percentile over mean."""
    table = read(data / "serving_mlperf_percentiles.csv")
    result: dict[str, Any] = {}
    for quantity in ("ttft", "tpot"):
        mean = numbers(table, f"{quantity}_ms_mean")
        names = ("p50", "p90", "p95", "p99", "p99.9")
        ratios = {n: numbers(table, f"{quantity}_ms_{n}") / mean for n in names}
        result[f"{quantity}_percentile_over_mean"] = {n: float(np.nanmedian(r)) for n, r in ratios.items()}
        p99 = ratios["p99"][np.isfinite(ratios["p99"])]
        result[f"{quantity}_p99_over_mean_p10_p90"] = np.quantile(p99, [0.1, 0.9]).tolist()
    return result


def family() -> dict[str, Any]:
    """Power laws of the parameter count over the dense grouped-query models of the catalogue, one vote per shape."""
    shapes = {}
    for name in model_shape_names():
        s = model_shape(name)
        if s.attention_kind == "GQA" and not s.is_moe and not s.doubt and s.kv_window_bytes_16bit == 0:
            shapes[(s.layers, s.hidden, s.total_parameters)] = s
    chosen = list(shapes.values())
    size = np.log([s.total_parameters for s in chosen])
    result: dict[str, Any] = {}
    for quantity in ("layers", "hidden", "kv_bytes_per_token_16bit", "attention_flops_per_pair"):
        slope, level = np.polyfit(size, np.log([getattr(s, quantity) for s in chosen]), 1)
        result[quantity] = {"coefficient": float(np.exp(level)), "exponent": float(slope)}
    rows = {r["name"]: r for r in tables.table("models")["model"]}
    shares = [3 * s.layers * s.hidden * rows[s.name]["intermediate"] / s.total_parameters for s in chosen]
    return {"feed_forward_share": float(np.median(shares)), "kv_shards_max": 8.0, **result}


def literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(literal(v) for v in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = {literal(v)}' for k, v in value.items()) + " }"
    text_form = f"{value:.5g}".replace("e+", "e")
    return text_form if re.search(r"[.e]", text_form) else f"{text_form}.0"


def publish(state: dict[str, Any]) -> None:
    """Write the file and let the planner read it anew."""
    head = [
        "# Constants fitted on published measurements by benchmarks/calibrate_hardware.py; do not edit by hand.",
        "# Seconds, bytes and watts; shares and factors without unit. Data: InferenceX (Apache-2.0), ML.ENERGY (Chung et al. 2025,",
        "# 2505.06371), LLM-Inference-Bench (BSD-3), llm-foundry, Megatron-Bridge, MaxText, torchtitan tables, MLPerf logs;",
        "# failure rate: Llama 3 report (2407.21783); node power: MLPerf training v4.1, v5.0. Read 2026-11-22. Errors:",
        *(f"#   {line}" for line in REPORT),
    ]
    body = []
    for section, values in state.items():
        body += ["", f"[{section}]", *(f'"{k}" = {literal(v)}' for k, v in values.items())]
    OUTPUT.write_text("\n".join([*head, *body, ""]), encoding="utf-8")
    tomllib.loads(OUTPUT.read_text(encoding="utf-8"))
    tables.table.cache_clear()
    serving.serving_constants.cache_clear()


def merge(state: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return state | {k: {**state.get(k, {}), **v} for k, v in part.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hardware"))
    data = parser.parse_args().data
    if not data.is_dir():
        print(f"skipped: no measurements in {data}")
        return
    state: dict[str, Any] = {k: dict(v) for k, v in tables.table("calibration").items()}
    state["family"] = family()
    state["queueing"] |= percentiles(data)
    neutral = {"time_factor": 1.0, "first_token_factor": 1.0}
    state["frameworks"] = {"llama.cpp": {**neutral, "layer_split": True}}
    state["split_pools"] = {"usual_decode_workers": 3.0, **neutral, "time_factor_unknown": 1.0, "first_token_factor_unknown": 1.0}
    publish(state)
    state = merge(state, serving_fit(data))
    publish(state)
    state = merge(merge(state, split_fit(data)), batch_fit(data))
    publish(state)
    energy_table = read(data / "energy_mlenergy.csv")
    state["task_prompt_tokens"] = prompt_lengths(energy_table)
    publish(state)
    state = merge(state, power_fit(energy_table))
    state = merge(state, training_fit(data))
    publish(state)


if __name__ == "__main__":
    main()

"""Constants of planner/hardware/energy.py from measured board power, and what the benchmark of energy leaves unsaid."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
from hardware_residuals import (
    Array,
    Columns,
    architecture,
    interval,
    median_error,
    read,
    say,
    settings,
    weights,
    where,
)
from hardware_serving_fit import unseen_errors
from scipy.optimize import least_squares

from planner.hardware import accelerator, serving_estimate, tables
from planner.hardware.columns import numbers
from planner.hardware.energy import EnergyConstants, board_watts
from planner.hardware.serving import prefill_seconds
from planner.hardware.serving_points import ServingPoints, serving_points

OTHER_SOURCES_WEIGHT = 0.6  # of a measurement from a benchmark that is not the one of energy

PROMPTS = (128.0, 256.0, 512.0, 768.0, 1024.0, 1536.0, 2048.0, 4096.0, 8192.0)
HOST_SECONDS = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16)
# name: (prior, width of the prior in log units, lower bound, upper bound). Floor and joules per byte: the line on which
# one model over 2, 4 and 8 boards lies in the Splitwise measurements, 0.30 TDP + 141 pJ/byte.
POWER = {
    "idle_tdp_share": (0.3, 0.1, 0.05, 0.6),
    "joules_per_byte": (1.4e-10, 0.1, 1e-11, 1e-9),
    "product_tdp_share": (2.0, 0.5, 0.3, 10.0),
    "moe_product_excess": (1.0, 0.7, 0.05, 6.0),
    "cap_exponent": (4.0, 0.15, 1.5, 12.0),
}


def task_facts(table: Columns) -> dict[str, dict[str, float]]:
    """Prompt length and host time per request of each task, which the energy benchmark does not state.

    Prompts are what steps of the median length leave of the time: the length whose prefills take as long. Host time
    is then the one that fits throughput best. Neither looks at energy.
    """
    lengths, hosts = {"other": 512.0}, {}
    for task in sorted(set(table["task"])):
        some = where(table, [t == task for t in table["task"]])
        speed, step, batch = (numbers(some, n) for n in ("output_tok_s", "itl_ms_p50", "avg_batch_size"))
        rest = (1.0 - speed * step * 1e-3 / batch) * numbers(some, "avg_output_len") / speed  # seconds per request
        errors = {}
        for tokens in PROMPTS:
            points = serving_points({**some, "isl": [str(tokens)] * len(some["task"])})
            takes = prefill_seconds(points.shape, points.cell, points.input_tokens)
            errors[tokens] = abs(float(np.median(rest[points.rows] / takes)) - 1.0)
        lengths[task] = min(errors, key=errors.__getitem__)
        points = serving_points({**some, "isl": [str(lengths[task])] * len(some["task"])})
        errors = {}
        for host in HOST_SECONDS:
            slowed = dataclasses.replace(points, host_seconds=np.full(len(points.rows), host))
            times = serving_estimate.serving_times(slowed)
            errors[host] = median_error(np.log(times.output_tokens_per_second / speed[points.rows]))
        hosts[task] = min(errors, key=errors.__getitem__)
    return {"task_prompt_tokens": lengths, "task_host_seconds": hosts}


def power_measurements(data: Path) -> list[Columns]:
    """Tables with board power, each with `accelerator`, `watts` of all boards, output tokens per second and where from.

    ML.ENERGY; whole batches of LLM-Inference-Bench (A100 of 40 GB) and of Splitwise (A100 of 80 GB, power as a share
    of TDP; rows without it, and those of the longest prompts, whose power is not of the whole run, left out).
    """
    energy = read(data / "energy_mlenergy.csv")
    argonne = read(data / "serving_argonne.csv")
    argonne = where(argonne, [watts != "" for watts in argonne["avg_power_w"]])
    splitwise = read(data / "serving_splitwise.csv")
    share, prompts = numbers(splitwise, "avg_power_norm"), numbers(splitwise, "prompt_size")
    splitwise = where(splitwise, ((share > 0.2) & (prompts <= 4096)).tolist())
    tokens = numbers(splitwise, "batch_size") * numbers(splitwise, "output_tokens")
    tdp = accelerator("A100-SXM-80GB").tdp_watts
    sheet = {
        "energy": (energy, energy["gpu"], numbers(energy, "avg_power_w"), numbers(energy, "output_tok_s")),
        "argonne": (
            argonne,
            ["A100-SXM-40GB"] * len(argonne["model"]),
            numbers(argonne, "avg_power_w"),
            numbers(argonne, "total_tok_s") / 2.0,  # prompts are as long as answers
        ),
        "splitwise": (
            splitwise,
            ["A100-SXM-80GB"] * len(splitwise["model"]),
            numbers(splitwise, "avg_power_norm") * numbers(splitwise, "tp") * tdp,
            tokens / numbers(splitwise, "e2e_time_ms") * 1e3,
        ),
    }
    names = ("gpu", "hardware")
    return [
        {n: v for n, v in table.items() if n not in names}
        | {
            "accelerator": chips,
            "watts": watts.tolist(),
            "output_tok_s": speed.tolist(),
            "from": [source] * len(chips),
        }
        for source, (table, chips, watts, speed) in sheet.items()
    ]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Board power of one table: configurations, their times, measured watts per board and tokens per second, groups."""

    points: ServingPoints
    times: serving_estimate.ServingTimes
    watts: Array
    tokens_per_second: Array
    accelerator: list[str]
    model: list[str]
    source: list[str]

    def share(self, constants: EnergyConstants, tokens_per_second: Array | None = None) -> Array:
        """Predicted share of TDP at the measured, or the given, output tokens per second of all boards."""
        p = self.points
        speed = self.tokens_per_second if tokens_per_second is None else tokens_per_second
        replica = speed * p.cell.accelerators / p.accelerators
        lengths = (self.times.running, p.input_tokens, p.output_tokens)
        return np.asarray(board_watts(p.shape, p.cell, *lengths, replica, constants) / p.cell.tdp_watts)


def drawn(table: Columns) -> Drawn:
    points = serving_points(table)
    rows = points.rows
    return Drawn(
        points,
        serving_estimate.serving_times(points),
        numbers(table, "watts")[rows] / points.accelerators,
        numbers(table, "output_tok_s")[rows],
        [re.sub(r"-SXM.*", "", accelerator(table["accelerator"][i]).name) for i in rows],
        [architecture(table["model"][i]) for i in rows],
        [table["from"][i] for i in rows],
    )


def power_fit(data: Path) -> dict[str, Any]:
    """Constants of board power from what boards read and multiplied; energy per token of the benchmark of energy.

    Boards of an older generation, from two other benchmarks, are in every fit: they say what does not depend on it.
    """
    parts = [drawn(table) for table in power_measurements(data)]
    energy = parts[0]
    ends = np.cumsum([0] + [len(p.watts) for p in parts])
    target = np.log(np.concatenate([p.watts / p.points.cell.tdp_watts for p in parts]))
    gpu, model = ([name for p in parts for name in getattr(p, n)] for n in ("accelerator", "model"))
    w_all = weights([a + b for a, b in zip(model, gpu)], 0.5)
    w_all[ends[1] :] *= OTHER_SOURCES_WEIGHT
    prior, width, low, high = settings(POWER)
    measured = np.arange(ends[1])

    def constants(theta: Array) -> EnergyConstants:
        return EnergyConstants(**{k: float(np.exp(t)) for k, t in zip(POWER, theta)})

    def residual(theta: Array) -> Array:
        return np.asarray(np.log(np.concatenate([p.share(constants(theta)) for p in parts])) - target)

    def fit(i: Any) -> Array:
        w = w_all[i] / w_all[i].mean()
        cost = lambda theta: np.concatenate([w * residual(theta)[i] / 0.1, (theta - prior) / width])  # noqa: E731
        return np.asarray(least_squares(cost, prior, loss="soft_l1", bounds=(low, high)).x)

    theta = fit(np.arange(len(target)))
    for part, start, end in zip(parts, ends, ends[1:]):
        say("power_watts", f"in sample, {part.source[0]}", residual(theta)[start:end])
    joules = energy.watts * energy.points.accelerators / energy.tokens_per_second
    speed_error = np.log(energy.times.output_tokens_per_second / energy.tokens_per_second)
    say("output_tokens_per_second, energy table", "constants of the other table", speed_error)
    left: dict[str, list[Array]] = {"power_watts": [], "joules_per_token": []}
    for how, every in (("without its accelerator", gpu), ("without its model", model)):
        groups = every[: ends[1]]
        fits = {g: fit(np.flatnonzero(np.array(every) != g)) for g in sorted(set(groups))}
        unseen = np.zeros(ends[1])
        for group, own in fits.items():
            mine = measured[np.array(groups) == group]
            unseen[mine] = residual(own)[mine]
        left["power_watts"].append(unseen)
        say("power_watts", how, unseen, groups)

        def joule_error(here: Any, times: Any, fits: Any = fits, groups: Any = groups) -> Array:
            some = dataclasses.replace(energy, points=serving_estimate.take(energy.points, here), times=times)
            speed = times.output_tokens_per_second
            watts = some.share(constants(fits[groups[here[0]]]), speed) * some.points.cell.tdp_watts
            return np.asarray(np.log(watts * some.points.accelerators / speed / joules[here]))

        board = unseen_errors(energy.points, how, groups, joule_error)
        left["joules_per_token"].append(board)
        say("joules_per_token", how, board, groups)
    found = dataclasses.asdict(constants(theta))
    by_hand = {k: tables.calibration("energy")[k] for k in ("training_tdp_share", "node_overhead", "pue")}
    groups = [names[: ends[1]] for names in (gpu, model)]
    return {"energy": found | by_hand, "intervals": {q: interval(*zip(v, groups)) for q, v in left.items()}}

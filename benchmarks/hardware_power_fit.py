"""Constants of planner/hardware/energy.py from measured board power."""

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
    read,
    say,
    settings,
    weights,
    where,
)
from hardware_serving_fit import UNSEEN, group_key
from hardware_task_fit import prompt_lengths
from scipy.optimize import least_squares

from planner.hardware import accelerator, serving_estimate, tables
from planner.hardware.columns import numbers
from planner.hardware.energy import EnergyConstants, board_watts
from planner.hardware.serving_points import ServingPoints, serving_points

OTHER_SOURCES_WEIGHT = 0.6  # of a measurement from a benchmark that is not the one of energy

# name: (prior, width of the prior in log units, lower bound, upper bound). Floor and joules per byte: the line on which
# one model over 2, 4 and 8 boards lies in the Splitwise measurements, 0.30 TDP + 141 pJ/byte.
POWER = {
    "idle_tdp_share": (0.3, 0.1, 0.05, 0.6),
    "joules_per_byte": (1.4e-10, 0.1, 1e-11, 1e-9),
    "product_tdp_share": (2.0, 0.5, 0.3, 10.0),
    "moe_product_excess": (1.0, 0.7, 0.05, 6.0),
    "cap_exponent": (4.0, 0.15, 1.5, 12.0),
}
LENGTH = (1.0, 0.2, 0.5, 2.0)  # the same of each task's prompts over what the times between tokens say of them


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

    def share(self, constants: EnergyConstants) -> Array:
        """Predicted share of TDP at those output tokens per second of all boards."""
        p = self.points
        replica = self.tokens_per_second * p.cell.accelerators / p.accelerators
        lengths = (self.times.running, p.input_tokens, p.output_tokens)
        return np.asarray(board_watts(p.shape, p.cell, *lengths, replica, constants) / p.cell.tdp_watts)

    def at_lengths(self, factors: Array) -> Drawn:
        """With the prompts of every configuration so many times as long."""
        points = dataclasses.replace(self.points, input_tokens=self.points.input_tokens * factors)
        return dataclasses.replace(self, points=points)

    def served(self, here: Any, constants: Any) -> Drawn:
        """Some configurations at the throughput that serving constants predict."""
        points = serving_estimate.take(self.points, here)
        times = serving_estimate.serving_times(points, constants)
        return dataclasses.replace(self, points=points, times=times, tokens_per_second=times.output_tokens_per_second)


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
    The prompts that the benchmark of energy does not state are part of every fit, within a factor of two of what the
    times between its tokens say, so that a group that is left out has no say in them either.
    """
    sheets = power_measurements(data)
    prompts = prompt_lengths(read(data / "energy_mlenergy.csv"))
    sheets[0] |= {"isl": [str(prompts[task]) for task in sheets[0]["task"]]}
    energy, *others = (drawn(table) for table in sheets)
    parts = (energy, *others)
    ends = np.cumsum([0] + [len(p.watts) for p in parts])
    target = np.log(np.concatenate([p.watts / p.points.cell.tdp_watts for p in parts]))
    gpu, model = ([name for p in parts for name in getattr(p, n)] for n in ("accelerator", "model"))
    w_all = weights([a + b for a, b in zip(model, gpu)], 0.5)
    w_all[ends[1] :] *= OTHER_SOURCES_WEIGHT
    tasks = sorted(set(sheets[0]["task"]))
    task = np.array([tasks.index(sheets[0]["task"][i]) for i in energy.points.rows])
    prior, width, low, high = settings(POWER | dict.fromkeys(tasks, LENGTH))
    measured = np.arange(ends[1])

    def constants(theta: Array) -> EnergyConstants:
        return EnergyConstants(**{k: float(np.exp(t)) for k, t in zip(POWER, theta)})

    def asked(theta: Array) -> Drawn:
        return energy.at_lengths(np.exp(theta[len(POWER) :])[task])

    def residual(theta: Array) -> Array:
        shares = [p.share(constants(theta)) for p in (asked(theta), *others)]
        return np.asarray(np.log(np.concatenate(shares)) - target)

    def fit(i: Any) -> Array:
        w = w_all[i] / w_all[i].mean()
        cost = lambda theta: np.concatenate([w * residual(theta)[i] / 0.1, (theta - prior) / width])  # noqa: E731
        return np.asarray(least_squares(cost, prior, loss="soft_l1", bounds=(low, high)).x)

    theta = fit(np.arange(len(target)))
    for part, start, end in zip(parts, ends, ends[1:]):
        say("power_watts", f"in sample, {part.source[0]}", residual(theta)[start:end])
    joules = energy.watts * energy.points.accelerators / energy.tokens_per_second
    speed = asked(theta).served(measured, None).tokens_per_second
    say("output_tokens_per_second, energy table", "other table's constants", np.log(speed / energy.tokens_per_second))
    left: dict[str, list[Array]] = {"power_watts": [], "joules_per_token": []}
    for how, every in (("without its accelerator", gpu), ("without its model", model)):
        groups = every[: ends[1]]
        known, free = np.zeros(ends[1]), np.zeros(ends[1])
        for group in sorted(set(groups)):
            own, here = fit(np.flatnonzero(np.array(every) != group)), measured[np.array(groups) == group]
            known[here] = residual(own)[here]
            some = asked(own).served(here, UNSEEN.get((how, group_key(how, group))))
            watts = some.share(constants(own)) * some.points.cell.tdp_watts * some.points.accelerators
            free[here] = np.log(watts / some.tokens_per_second / joules[here])
        for quantity, error in (("power_watts", known), ("joules_per_token", free)):
            left[quantity].append(error)
            say(quantity, how, error, groups)
    found = dataclasses.asdict(constants(theta))
    by_hand = {k: tables.calibration("energy")[k] for k in ("training_tdp_share", "node_overhead", "pue")}
    groups = [names[: ends[1]] for names in (gpu, model)]
    fitted = np.exp(theta[len(POWER) :])
    return {
        "energy": found | by_hand,
        "task_prompt_tokens": {t: float(prompts[t] * f) for t, f in zip(tasks, fitted)} | {"other": 512.0},
        "intervals": {q: interval(*zip(v, groups)) for q, v in left.items()},
    }

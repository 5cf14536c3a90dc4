"""Constants of planner/hardware/percentiles.py from server logs with Poisson arrivals.

Robust least squares on log ratios of percentile to mean, each accelerator and benchmark with the same total weight:
half of all logs are of one model. `left_out` gives the errors of constants that saw neither accelerator (or model).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hardware_residuals import Array, interval, leave_one_out, read, say, weights
from scipy.optimize import least_squares

from planner.errors import UnknownName
from planner.hardware.accelerators import accelerator
from planner.hardware.columns import numbers
from planner.hardware.percentiles import PERCENTILES, first_token_factor, output_token_factor
from planner.hardware.serving_columns import read_load

NAMES = tuple(f"p{p:g}" for p in PERCENTILES)
NOISE = 0.1  # log units
EXPONENT = 0.4  # of input per output, where the fit starts


@dataclass(frozen=True)
class Logs:
    """Percentiles over means (rows, percentiles) of both times, and what explains them."""

    steps: Array
    input_per_output: Array
    ttft: Array
    tpot: Array
    accelerators: list[str]
    models: list[str]

    @property
    def weights(self) -> Array:
        return weights([a + m for a, m in zip(self.accelerators, self.models)], 0.5)


def read_logs(data: Path) -> Logs:
    table = read(data / "serving_mlperf_percentiles.csv")
    means = {q: numbers(table, f"{q}_ms_mean") for q in ("ttft", "tpot")}
    load = read_load(table)
    ratios = {q: np.stack([numbers(table, f"{q}_ms_{n}") / mean for n in NAMES], axis=1) for q, mean in means.items()}
    return Logs(
        steps=means["ttft"] / means["tpot"],
        input_per_output=load.input_tokens / load.output_tokens,
        ttft=ratios["ttft"],
        tpot=ratios["tpot"],
        accelerators=[_chip(name) for name in table["accelerator"]],
        models=[name.removesuffix(".9").removesuffix("-99") for name in table["benchmark"]],
    )


def _chip(name: str) -> str:
    try:
        return accelerator(name).name
    except UnknownName:
        return name


def first_token_spreads(logs: Logs, rows: Any) -> Array:
    """The spread of each percentile."""
    start = np.array([-0.1, 0.6, 1.0, 2.0, 3.0])
    return np.array(
        [_robust(lambda d, p=p: first_token_factor(p, logs.steps[rows], d[0]), logs.ttft[rows, j], logs, rows, [s])[0]
         for j, (p, s) in enumerate(zip(PERCENTILES, start))]
    )  # fmt: skip


def output_token_spreads(logs: Logs, rows: Any) -> tuple[Array, float]:
    """The spread of each percentile, and the exponent, which the 99th decides."""
    ratio, last = logs.input_per_output[rows], NAMES.index("p99")
    found = _robust(
        lambda t: output_token_factor(ratio, np.exp(t[0]), t[1]), logs.tpot[rows, last], logs, rows, [-2.3, EXPONENT]
    )
    exponent = float(found[1])
    each = [
        _robust(lambda a: output_token_factor(ratio, a[0], exponent), logs.tpot[rows, j], logs, rows, [0.05])[0]
        for j in range(len(NAMES))
    ]
    return np.array(each), exponent


def _robust(factor: Any, measured: Array, logs: Logs, rows: Any, start: list[float]) -> Array:
    root = np.sqrt(logs.weights[rows])
    known = np.isfinite(measured)

    def cost(theta: Array) -> Array:
        error = np.log(np.maximum(factor(theta), 0.05)) - np.log(measured)
        return np.asarray((root * error / NOISE)[known])

    return np.asarray(least_squares(cost, start, loss="soft_l1").x)


def left_out(logs: Logs) -> Iterator[tuple[str, str, str, Array, list[str]]]:
    """Quantity, base (mean or p50), how, log of predicted over measured p99 of rows left out, their groups."""
    last, middle = NAMES.index("p99"), NAMES.index("p50")
    everything = np.arange(len(logs.steps))

    def ttft(spreads: Array, rows: Any) -> Array:
        return np.stack([first_token_factor(PERCENTILES[j], logs.steps[rows], spreads[j]) for j in (last, middle)])

    def tpot(found: tuple[Array, float], rows: Any) -> Array:
        ratio = logs.input_per_output[rows]
        return np.stack([output_token_factor(ratio, found[0][j], found[1]) for j in (last, middle)])

    for quantity, fit, predict, measured in (
        ("ttft", first_token_spreads, ttft, logs.ttft),
        ("tpot", output_token_spreads, tpot, logs.tpot),
    ):
        for how, groups in (("without its accelerator", logs.accelerators), ("without its model", logs.models)):
            found = np.log(leave_one_out(groups, lambda rows, fit=fit: fit(logs, rows), predict))
            true = np.log(measured[everything][:, [last, middle]].T)
            yield quantity, "mean", how, found[0] - true[0], groups
            yield quantity, "p50", how, (found[0] - found[1]) - (true[0] - true[1]), groups


def percentile_fit(data: Path) -> dict[str, Any]:
    logs = read_logs(data)
    everything = np.arange(len(logs.steps))
    spreads, exponent = output_token_spreads(logs, everything)
    left: dict[str, list[Array]] = {"ttft": [], "tpot": []}
    for quantity, base, how, residual, groups in left_out(logs):
        say(f"p99 from {base} of {quantity.upper()}, MLPerf", how, residual, groups)
        if base == "mean":
            left[quantity].append(residual)
    return {
        "percentiles": {
            "usual_steps_to_first_token": float(np.median(logs.steps)),
            "usual_input_per_output": float(np.median(logs.input_per_output)),
            "ttft_spread": dict(zip(NAMES, first_token_spreads(logs, everything).tolist())),
            "tpot_spread": dict(zip(NAMES, spreads.tolist())),
            "tpot_exponent": exponent,
        },
        "intervals": {f"{q}_percentile": interval(*zip(v, (logs.accelerators, logs.models))) for q, v in left.items()},
    }

"""What the benchmark of energy leaves unsaid of its tasks: how long prompts are, what the host spends on a request."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
from hardware_residuals import Columns, median_error, where

from planner.hardware import serving_estimate
from planner.hardware.columns import numbers
from planner.hardware.serving import prefill_seconds
from planner.hardware.serving_points import serving_points

PROMPTS = (128.0, 256.0, 384.0, 512.0, 768.0, 1024.0, 1536.0, 2048.0, 3072.0, 4096.0)
HOST_SECONDS = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16)


def prompt_lengths(table: Columns) -> dict[str, float]:
    """Tokens per prompt of each task: those whose prefills take what steps of the median length leave of the time.

    What a host spends on requests is in that time, too, so the accelerator on which least is left decides.
    """
    found = {}
    for task in sorted(set(table["task"])):
        estimates = []
        for chip in sorted(set(table["gpu"])):
            some = where(table, [t == task and c == chip for t, c in zip(table["task"], table["gpu"])])
            if some["task"]:
                estimates.append(min(PROMPTS, key=partial(beside, some)))
        found[task] = min(estimates)
    return found


def beside(table: Columns, prompt_tokens: float) -> float:
    """How far the time that steps of the median length leave is from that of prefills of so many tokens: their ratio in
    the median over the rows, from 1."""
    speed, step, batch = (numbers(table, n) for n in ("output_tok_s", "itl_ms_p50", "avg_batch_size"))
    rest = (1.0 - speed * step * 1e-3 / batch) * numbers(table, "avg_output_len") / speed  # seconds per request
    points = serving_points({**table, "isl": [str(prompt_tokens)] * len(table["task"])})
    takes = prefill_seconds(points.shape, points.cell, points.input_tokens)
    return abs(float(np.median(rest[points.rows] / takes)) - 1.0)


def host_times(table: Columns, prompts: dict[str, float]) -> dict[str, float]:
    """Seconds that the host spends on a request of each task: those that fit throughput best."""
    found = {}
    for task in sorted(set(table["task"])):
        some = where(table, [t == task for t in table["task"]])
        points = serving_points({**some, "isl": [str(prompts[task])] * len(some["task"])})
        speed, errors = numbers(some, "output_tok_s")[points.rows], {}
        for host in HOST_SECONDS:
            slowed = dataclasses.replace(points, host_seconds=np.full(len(points.rows), host))
            times = serving_estimate.serving_times(slowed)
            errors[host] = median_error(np.log(times.output_tokens_per_second / speed))
        found[task] = min(errors, key=errors.__getitem__)
    return found

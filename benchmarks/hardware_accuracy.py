"""How far the hardware models are off on measurements they did not see: one row per promise.

    python benchmarks/hardware_accuracy.py [--data ../shared/data/hardware]

Every row leaves out one accelerator, then one model, at a time: constants that saw neither predict it. Coverage is
that of the 80 % interval whose factors come from the other groups alone. Takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from hardware_cost_fit import training_fit
from hardware_percentile_fit import percentile_fit
from hardware_power_fit import power_fit
from hardware_residuals import LEFT, Columns, coverage, median_error, read
from hardware_serving_fit import LOOP, Loop, batch_fit, serving_fit, split_fit

from planner.hardware import accelerator, estimate_serving, estimate_training
from planner.hardware.columns import numbers, take_rows
from planner.hardware.intervals import interval_factors, probability_within

ACCELERATOR, MODEL, ITSELF = "without its accelerator", "without its model", "without the run itself"
EVEN = 0.5  # a pick must meet the limit with at least this probability
LIMITS_SECONDS = (0.015, 0.03, 0.05, 0.1)
LEAST_ROWS = 6


@dataclasses.dataclass(frozen=True)
class Row:
    quantity: str
    accelerator: str
    model: str
    coverage: str
    goal: str


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def residual_row(quantity: str, name: str, goal: str, *, tail: bool = False) -> Row:
    """A row from kept residuals: median error (and its 90th percentile) both ways."""
    left = {how: LEFT[name, how] for how in (ACCELERATOR, MODEL, ITSELF) if (name, how) in LEFT}

    def shown(how: str) -> str:
        if how not in left:
            return "-"
        error = np.abs(np.expm1(left[how][0]))
        return percent(np.median(error)) + (f", p90 {percent(float(np.quantile(error, 0.9)))}" if tail else "")

    first = shown(ITSELF) if ITSELF in left else shown(ACCELERATOR)
    return Row(quantity, first, shown(MODEL), percent(coverage(*left.values())), goal)


def each_accelerator() -> Row:
    """The worst accelerator's median TPOT error, when it was left out."""
    residual, groups = LEFT["tpot_seconds", ACCELERATOR]
    names = np.array(groups)
    errors = {g: median_error(residual[names == g]) for g in sorted(set(groups))}
    shown = ", ".join(f"{g} {percent(e)}" for g, e in errors.items())
    return Row("  of these each accelerator", shown, "-", "-", "<= 20 %")


def within_threefold() -> Row:
    shares = [percent(float((np.abs(LEFT["ttft_seconds", h][0]) < np.log(3.0)).mean())) for h in (ACCELERATOR, MODEL)]
    return Row("  of these within a factor of 3", shares[0], shares[1], "-", ">= 90 %")


def choice(loop: Loop) -> tuple[float, float]:
    """Mean regret in measured tokens/s per accelerator, and the share of picks that break the TPOT limit.

    A group is one model, accelerator and pair of lengths; candidates are its measured layouts, formats, engines and
    concurrencies. Picked is, of those that meet the limit at even odds or better, the one with the most predicted
    tokens per second times that probability; if there is none, the most probable one.
    """
    points = loop.points
    tpot = np.exp(loop.log_tpot)
    cycle = np.exp(loop.log_ttft) + points.output_tokens * tpot
    speed = points.concurrency * points.output_tokens / cycle / points.accelerators
    predicted_tpot, predicted_speed = tpot * np.exp(loop.errors[0]), speed * np.exp(loop.errors[2])
    around, members = interval_factors("tpot_seconds"), defaultdict(list)
    for i, group in enumerate(loop.groups):
        members[group, points.input_tokens[i], points.output_tokens[i]].append(i)
    regrets, broken = [], []
    for rows in members.values():
        own = np.array(rows)
        if len(own) < LEAST_ROWS:
            continue
        for limit in LIMITS_SECONDS:
            if not (tpot[own] <= limit).any():
                continue
            meets = probability_within(limit, predicted_tpot[own], *around.around(predicted_tpot[own]))
            likely = meets >= EVEN
            pick = own[np.argmax(np.where(likely, meets * predicted_speed[own], 0.0) if likely.any() else meets)]
            best = speed[own[tpot[own] <= limit]].max()
            broken.append(tpot[pick] > limit)
            regrets.append(max(0.0, 1.0 - speed[pick] / best) if tpot[pick] <= limit else 0.0)
    return float(np.mean(regrets)), float(np.mean(broken))


def speedup_row(table: Columns) -> Row:
    """Training speed at the largest over that at the smallest count of one benchmark and accelerator."""
    found = numbers({"s": estimate_training(table)["predicted_tokens_per_second_per_accelerator"]}, "s")
    count, batch = numbers(table, "n_accel"), numbers(table, "global_batch")
    steps = numbers(table, "step_time_s")
    samples = np.where(np.isnan(steps), numbers(table, "train_samples_per_s"), batch / steps)
    minutes = numbers(table, "median_time_to_train_min")
    groups = defaultdict(list)
    for i, (benchmark, name) in enumerate(zip(table["benchmark"], table["accelerator"])):
        groups[benchmark, accelerator(name).name].append(i)
    errors, linear = [], []
    for rows in groups.values():
        own = np.array(rows)
        low, high = own[np.argmin(count[own])], own[np.argmax(count[own])]
        if count[low] == count[high]:
            continue
        known = np.isfinite(samples[[low, high]]).all()
        measured = samples[high] / samples[low] if known else minutes[low] / minutes[high]
        growth = count[high] / count[low]
        errors.append(abs(growth * found[high] / found[low] / measured - 1.0))
        linear.append(abs(growth / measured - 1.0))
    shown = f"median {percent(float(np.median(errors)))}, worst {percent(max(errors))} (n {len(errors)})"
    plain = f"linear: {percent(float(np.median(linear)))}"
    return Row("MLPerf training speed-up, smallest to largest", shown, plain, "-", "<= 12 %")


def rate(table: Columns, rows: int = 200_000) -> float:
    """Points per second of `estimate_serving` on a long table: every column as read from the file, as text, and varied
    loads (one process, CPU time)."""
    generator = np.random.default_rng(0)
    sample = take_rows(table, generator.integers(0, len(table["tp"]), rows))
    sample["concurrency"] = [str(users) for users in generator.integers(1, 512, rows)]
    started = time.process_time()
    estimate_serving(sample)
    return rows / (time.process_time() - started)


def report(data: Path) -> list[Row]:
    with contextlib.redirect_stdout(io.StringIO()):
        serving_fit(data)
        split_fit(data)
        batch_fit(data)
        percentile_fit(data)
        power_fit(data)
        training_fit(data)
    chosen: dict[str, Any] = {how: choice(LOOP[how]) for how in (ACCELERATOR, MODEL)}
    shown = [f"regret {percent(chosen[h][0])}, broken {percent(chosen[h][1])}" for h in (ACCELERATOR, MODEL)]
    speed = rate(read(data / "serving_inferencex.csv"))
    return [
        residual_row("TPOT, closed loops", "tpot_seconds", "<= 15 %, p90 <= 45 %", tail=True),
        each_accelerator(),
        residual_row("TTFT, closed loops", "ttft_seconds", "<= 40 %"),
        within_threefold(),
        residual_row("output tokens/s, closed loops", "output_tokens_per_second", "<= 15 %"),
        residual_row("TPOT, separate pools", "tpot_seconds, split, all", "-"),
        residual_row("TTFT, separate pools", "ttft_seconds, split, all", "-"),
        Row("choice under a TPOT limit", shown[0], shown[1], "-", "regret <= 10 %, broken <= 5 %"),
        residual_row("whole-batch latency, Argonne", "output_tokens_per_second, batch", "<= 25 %"),
        residual_row("J/token, nothing measured", "joules_per_token", "<= 22 %"),
        residual_row("J/token, throughput given", "power_watts", "<= 10 %"),
        residual_row("training tokens/s", "tokens_per_second_per_accelerator", "<= 15 %"),
        residual_row("accelerator-hours, whole runs", "accelerator_hours", "<= 15 %, p90 <= 40 %", tail=True),
        *(
            residual_row(f"p99 from {base} of {quantity}, MLPerf", f"p99 from {base} of {quantity}, MLPerf", "<= 25 %")
            for quantity in ("TTFT", "TPOT")
            for base in ("mean", "p50")
        ),
        speedup_row(read(data / "training_mlperf.csv")),
        Row("speed of estimate, points/s", f"{speed:,.0f}", "-", "-", ">= 200,000"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("APPORTION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "hardware")
    data = parser.parse_args().data
    if not data.is_dir():
        print(f"skipped: no measurements in {data}")
        return
    head = Row("quantity, data", ACCELERATOR, MODEL, "coverage of 80 %", "goal")
    table = [dataclasses.astuple(row) for row in (head, *report(data))]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()

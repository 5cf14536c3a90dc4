"""What is done to a table of runs: broken cells, confused columns and units, designs that cannot answer, odd noise.

Each changes the table in place; its truth becomes None where nothing true is left to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hostile.laboratory import Table


def _cell(value: Any) -> Callable[[Table], None]:
    def change(t: Table) -> None:
        name = str(t.random.choice(list(t.columns)))
        rows = t.random.choice(t.rows, int(t.random.integers(1, 4)), replace=False)
        column = t.columns[name].astype(object) if isinstance(value, str | None) else t.columns[name].copy()
        column[rows] = value
        t.columns[name] = column

    return change


def _scaled(column: str, factors: Sequence[float], share: float) -> Callable[[Table], None]:
    """A share of the rows (drawn one by one if below one) in another unit."""

    def change(t: Table) -> None:
        name = column if column in t.columns else "token_count"
        which = t.random.random(t.rows) < share
        t.columns[name] = np.where(which, t.columns[name] * float(t.random.choice(factors)), t.columns[name])

    return change


def _constant(column: str) -> Callable[[Table], None]:
    def change(t: Table) -> None:
        name = column if column in t.columns else "loss"
        t.columns[name] = np.full(t.rows, t.columns[name][0])
        if name == "loss":
            t.truth = None
        else:
            t.measured()

    return change


def _first(low: int, high: int) -> Callable[[Table], None]:
    return lambda t: t.take(t.random.permutation(t.rows)[: int(t.random.integers(low, high + 1))])


def _levels(column: str, count: int) -> Callable[[Table], None]:
    """Only so many values of one variable."""

    def change(t: Table) -> None:
        name = column if column in t.columns else "token_count"
        values = np.quantile(t.columns[name], np.linspace(0.2, 0.8, count))
        t.columns[name] = t.random.choice(values, t.rows)
        t.measured()

    return change


def _frontier(t: Table) -> None:
    if "parameter_count" in t.columns:
        t.columns["token_count"] = 20.0 * t.columns["parameter_count"] ** t.random.uniform(0.95, 1.05)
        if "unique_token_count" in t.columns:
            t.columns["unique_token_count"] = t.columns["token_count"] / np.exp(t.random.uniform(0, 3, t.rows))
    t.measured()


def _budget(t: Table) -> None:
    if "parameter_count" in t.columns:
        t.columns["token_count"] = 1e20 / (6 * t.columns["parameter_count"])
    t.measured()


def _narrow(t: Table) -> None:
    for k in ("parameter_count", "token_count"):
        if k in t.columns:
            t.columns[k] = np.median(t.columns[k]) * np.exp(t.random.uniform(-0.3, 0.3, t.rows))
    t.measured()


def _near_floor(t: Table) -> None:
    for k in ("parameter_count", "token_count", "unique_token_count"):
        if k in t.columns:
            t.columns[k] = t.columns[k] * 1e4
    t.measured()


def _duplicates(t: Table) -> None:
    t.take(np.repeat(np.arange(t.rows), int(t.random.integers(2, 9))))


def _one_repeated(t: Table) -> None:
    t.take(np.concatenate([np.arange(t.rows), np.full(100, t.random.integers(t.rows))]))


def _outliers(t: Table) -> None:
    bad = t.random.random(t.rows) < t.random.uniform(0.02, 0.25)
    t.columns["loss"] = np.where(
        bad, t.columns["loss"] * np.exp(t.random.uniform(0.05, 1.2, t.rows)), t.columns["loss"]
    )


def _heavy(t: Table) -> None:
    t.measured(t.sd * t.random.standard_t(1.5, t.rows))


def _noisy(t: Table) -> None:
    t.sd = float(t.random.uniform(0.03, 0.15))
    t.measured()


def _by_size(t: Table) -> None:
    """Noise shared by all runs of a size, as of a recipe tuned for some sizes only."""
    name = "parameter_count" if "parameter_count" in t.columns else "token_count"
    sizes = np.quantile(t.columns[name], np.linspace(0.05, 0.95, 7))
    which = t.random.integers(0, 7, t.rows)
    t.columns[name] = sizes[which]
    t.measured(t.sd * t.random.standard_normal(7)[which] * 2 + 0.2 * t.sd * t.random.standard_normal(t.rows))


def _rounded(t: Table) -> None:
    t.columns["loss"] = np.round(t.columns["loss"], int(t.random.integers(1, 3)))


def _checkpoints(named: bool, runs: int) -> Callable[[Table], None]:
    """Points along the curves of a few runs, each run with a fate of its own."""

    def change(t: Table) -> None:
        ends = t.random.permutation(t.rows)[:runs]
        points = 30
        run = np.repeat(np.arange(len(ends)), points)
        t.take(ends[run])
        t.columns["token_count"] = t.columns["token_count"] * np.tile(np.linspace(0.05, 1.0, points), len(ends))
        fate = 2.0 * t.sd * t.random.standard_normal(len(ends))
        t.measured(fate[run] + 0.1 * t.sd * t.random.standard_normal(t.rows))
        if named:
            t.columns["run_id"] = np.array([f"run-{k}" for k in run])

    return change


def _sweep(t: Table) -> None:
    """Many untuned learning rates a point: losses above the law's by up to a tenth, the best one near it."""
    rows = np.repeat(np.arange(t.rows)[:: max(1, t.rows // 20)], 12)
    t.take(rows)
    t.measured(np.abs(t.random.standard_normal(t.rows)) * 0.03 * t.random.random(t.rows))


def _swapped(t: Table) -> None:
    other = "token_count" if "parameter_count" in t.columns else "loss"
    one = "parameter_count" if "parameter_count" in t.columns else "token_count"
    t.columns[one], t.columns[other] = t.columns[other], t.columns[one]


def _compute_off(t: Table) -> None:
    """A compute column that is not 6 N D in some rows: petaFLOP-days, or another run's."""
    if "parameter_count" not in t.columns:
        return
    flops = 6 * t.columns["parameter_count"] * t.columns["token_count"]
    wrong = t.random.random(t.rows) < 0.3
    t.columns["C"] = np.where(wrong, flops / 8.64e19 if t.random.random() < 0.5 else flops[::-1], flops)


def _shuffled(t: Table) -> None:
    t.random.shuffle(t.columns["loss"])
    t.truth = None


def _garbage(t: Table) -> None:
    for k in t.columns:
        t.columns[k] = np.exp(t.random.uniform(-50, 80, t.rows))
    t.truth = None


def _rising(t: Table) -> None:
    t.columns["loss"] = t.columns["loss"].max() + 1.0 - t.columns["loss"]
    t.truth = None


def _other_metric(t: Table) -> None:
    t.columns["loss"] = np.exp(t.columns["loss"]) if t.random.random() < 0.5 else 100.0 / t.columns["loss"]
    t.truth = None


HOSTILITIES: dict[str, Callable[[Table], None]] = {
    "clean (control)": lambda t: None,
    "a NaN": _cell(float("nan")), "an infinity": _cell(float("inf")), "a negative": _cell(-1.0), "a zero": _cell(0.0),
    "text": _cell("n/a"), "blanks": _cell(None), "huge": _cell(1e305), "tiny": _cell(1e-305),
    "one row": _first(1, 1), "two rows": _first(2, 2), "five points": _first(5, 6), "few points": _first(7, 12),
    "constant loss": _constant("loss"), "constant parameters": _constant("parameter_count"),
    "constant tokens": _constant("token_count"),
    "two sizes": _levels("parameter_count", 2), "two token counts": _levels("token_count", 2),
    "narrow range": _narrow, "frontier only": _frontier, "one budget": _budget, "near the floor": _near_floor,
    "duplicates": _duplicates, "one row repeated": _one_repeated, "outliers": _outliers, "heavy tails": _heavy,
    "much noise": _noisy, "noise by size": _by_size, "rounded": _rounded,
    "named checkpoints": _checkpoints(True, 6), "unnamed checkpoints": _checkpoints(False, 6),
    "checkpoints of three": _checkpoints(True, 3), "untuned sweep": _sweep,
    "swapped columns": _swapped, "half in billions": _scaled("token_count", [1e-9, 1e-6], 0.5),
    "all in billions": _scaled("token_count", [1e-9, 1e-6, 1e3], 2.0),
    "parameters in millions": _scaled("parameter_count", [1e-6, 1e-9], 2.0),
    "a few in millions": _scaled("parameter_count", [1e-6, 1e-3], 0.1),
    "half in bits": _scaled("loss", [1 / np.log(2), 0.25], 0.5), "compute disagrees": _compute_off,
    "shuffled losses": _shuffled, "garbage": _garbage, "rising loss": _rising, "another metric": _other_metric,
}  # fmt: skip

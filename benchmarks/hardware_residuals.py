"""What the hardware fits share: reading tables, weights, leaving groups out, reporting errors, intervals."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Columns = dict[str, list[str]]
TAILS = (0.06, 0.94)
REPORT: list[str] = []
LEFT: dict[tuple[str, str], tuple[Array, list[str]]] = {}


def read(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [row[name] for row in rows] for name in rows[0]}


def where(columns: Columns, keep: list[bool]) -> Columns:
    return {name: [v for v, k in zip(values, keep) if k] for name, values in columns.items()}


def median_error(residual: Array) -> float:
    return float(np.median(np.abs(np.expm1(residual))))


def say(quantity: str, how: str, residual: Array, groups: list[str] | None = None) -> None:
    """Print and keep the errors, log(predicted / measured), of one quantity under one way of leaving rows out."""
    LEFT[quantity.strip(), how] = residual, list(groups) if groups is not None else []
    low, middle, high = np.exp(np.quantile(residual, [0.1, 0.5, 0.9]))
    line = f"{quantity:<38} {how:<26} n {len(residual):5d}  median error {100 * median_error(residual):5.1f} %"
    REPORT.append(f"{line}  p10 {low:5.2f} p50 {middle:5.2f} p90 {high:5.2f}")
    print(REPORT[-1], flush=True)


def interval(*residuals: Array) -> dict[str, float]:
    """Factors on the prediction: quantiles of measured/predicted over all kinds of leaving out.

    A little beyond the nominal tails, because a new group differs from the known ones by more than their rows do:
    chosen so that four of five rows of left-out groups are covered by the factors of the others.
    """
    low, high = np.quantile(-np.concatenate(residuals), TAILS)
    return {"lower": float(np.exp(low)), "upper": float(np.exp(high))}


def weights(groups: list[str], power: float) -> Array:
    counts = {g: groups.count(g) for g in set(groups)}
    w = np.array([counts[g] ** -power for g in groups])
    return w / w.mean()


def settings(table: dict[str, tuple[float, float, float, float]]) -> tuple[Array, Array, Array, Array]:
    prior, width, low, high = (np.array([v[i] for v in table.values()]) for i in range(4))
    return np.log(prior), width, np.log(low), np.log(high)


def leave_one_out(
    groups: list[str],
    fit: Callable[[Any], Array],
    residual: Callable[[Array, Any], Any],
    fitted: dict[str, Array] | None = None,
) -> Any:
    """Residuals of every row under the fit that did not see its group; the fits are kept in `fitted` if given."""
    names = np.array(groups)
    fits = {g: fit(np.flatnonzero(names != g)) for g in sorted(set(groups))}
    if fitted is not None:
        fitted |= fits
    parts = [(names == g, residual(beta, np.flatnonzero(names == g))) for g, beta in fits.items()]
    first = parts[0][1]
    out = np.zeros((*np.atleast_2d(first).shape[:-1], len(names)))
    for mask, values in parts:
        out[..., mask] = np.atleast_2d(values)
    return out


def architecture(name: str) -> str:
    """Releases of one architecture count as one model when models are left out."""
    return re.sub(r"-(R1|V3)(\.\d)?.*$", "-V3", name.rsplit("/", 1)[-1])

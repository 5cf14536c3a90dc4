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
Left = tuple[Array, list[str]]  # errors of rows that no constant saw, and the group each was left out with
TAILS = np.linspace(0.14, 0.005, 28)  # candidates, widest interval last
USUAL_TAIL, LEAST_GROUPS = 0.06, 3  # with fewer groups there is nothing to choose by
NOMINAL = 0.8
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


def interval(*left: Left) -> dict[str, float]:
    """Factors on the prediction."""
    low, high = ends(*left)
    return {"lower": float(np.exp(low)), "upper": float(np.exp(high))}


def ends(*left: Left) -> tuple[float, float]:
    """Ends of the 80 % interval of log(measured / predicted): the widest over the ways of leaving out."""
    found = []
    for residual, names in left:
        cut = tail(residual, np.array(names))
        found.append(np.quantile(-residual, [cut, 1.0 - cut]))
    return float(min(low for low, _ in found)), float(max(high for _, high in found))


def tail(residual: Array, names: Any) -> float:
    """The share to cut off at each end, mostly below the nominal tenth, as a new group differs from the known ones by
    more than their rows do: the one with which the quantiles of the others hold four of five rows of a group."""
    groups = np.unique(names)
    if len(groups) < LEAST_GROUPS:
        return USUAL_TAIL
    cuts = np.array([[cut, 1.0 - cut] for cut in TAILS])
    held = np.zeros(len(TAILS))
    for group in groups:
        own = names == group
        limits = np.quantile(residual[~own], cuts)
        mine = residual[own][:, None]
        held += ((mine >= limits[:, 0]) & (mine <= limits[:, 1])).sum(axis=0)
    return float(TAILS[int(np.argmin(np.abs(held / len(residual) - NOMINAL)))])


def coverage(*left: Left) -> float:
    """Share of rows inside 80 % intervals that were made without their group, in each way of leaving groups out."""
    every = [(residual, np.array(names)) for residual, names in left]
    inside = []
    for residual, names in every:
        for group in np.unique(names):
            own = names == group
            low, high = ends(*((r[~own], n[~own]) for r, n in every))
            inside.append((-residual[own] >= low) & (-residual[own] <= high))
    return float(np.concatenate(inside).mean())


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

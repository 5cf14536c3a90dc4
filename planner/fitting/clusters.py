"""Which rows err together: the units that a bootstrap may draw.

The rows of a table are seldom as many independent observations. Points along one training run share its seed, its
learning rate and its data order; a row entered twice is one run; runs of a sweep at one point share what the law gets
wrong there. Drawing them one by one makes intervals too narrow by the root of their number. Rows count as one unit
- that a column of groups puts together (`group`), if the groups are training curves or are enough to draw from;
- that a column names as one run (`run_id` and its like);
- that have all variables of the form in common;
- that have all but the tokens in common, where the residuals of neighbours along the tokens agree in sign more often
  than chance allows, or the level of residuals differs between such series by more than chance: evidently curves, or
  whatever else goes by size (a recipe tuned for some sizes only).
Fewer groups than five that are no curves (corpora) are kept, and units drawn within each.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from planner.fitting.observations import Observations, numbered

Array = NDArray[np.float64]
Labels = NDArray[np.intp]
FEWEST_GROUPS = 5  # fewer say next to nothing about the scatter between groups
FEWEST_POINTS = 3  # of a curve
ADVANCING = ("token_count", "step_count", "example_count")  # what grows along a run
FEWEST_NEIGHBOURS = 12
BEYOND_CHANCE = 3.0  # standard deviations by which neighbours agree in sign
AGREEMENT = 0.3  # mean product of their signs; share of the variance of ranks that is between series
CHANCE = 1e-3  # of levels as different as these if runs err one by one


@dataclass(frozen=True, eq=False)
class Clusters:
    """`labels` (rows,) number the units from 0; `strata` (rows,) what they are drawn within; `what` says so."""

    labels: Labels
    what: str
    curves: bool = False
    strata: Labels | None = None

    @property
    def count(self) -> int:
        return int(self.labels.max()) + 1


def clusters(seen: Observations, residuals: Array, *, within: bool = False) -> Clusters:
    """The units of the runs, given the residuals (rows,) of a fit to them.

    `within`: every group is kept and units are drawn within each, as coefficients of single groups need.
    """
    groups = seen.groups
    if groups is not None and not within and are_curves(seen, groups):
        return Clusters(groups, "training curves, as grouped", curves=True)
    if groups is not None and not within and int(groups.max()) + 1 >= FEWEST_GROUPS:
        return Clusters(groups, "groups")
    found = _within(seen, residuals)
    if groups is None:
        return found
    inside = numbered(groups * (found.count + 1) + found.labels)
    return Clusters(inside, f"{found.what}, within groups", found.curves, groups)


def _within(seen: Observations, residuals: Array) -> Clusters:
    if seen.run_labels is not None and int(seen.run_labels.max()) + 1 < len(residuals):
        curves = are_curves(seen, seen.run_labels)
        return Clusters(seen.run_labels, f"{'training curves' if curves else 'runs'} by {seen.run_column}", curves)
    points = alike(seen, set())
    assert points is not None
    _, first = np.unique(points, return_index=True)  # one point seen twice is no evidence
    level = np.bincount(points, residuals) / np.bincount(points)
    for what, series in _series(seen):
        if series is not None and (agree(series, seen, residuals) or differ(series[first], level)):
            return Clusters(series, f"series of rows {what}, whose residuals agree", curves=True)
    whole = int(points.max()) + 1 == len(residuals)
    return Clusters(points, "runs" if whole else "points with all variables in common")


def _series(seen: Observations) -> tuple[tuple[str, Labels | None], ...]:
    """Rows that may be points of one run, or err with their size, in words and in numbers."""
    names = {k for k in seen.variables if k in ADVANCING}
    if not names:
        return ()
    by_size = alike(seen, seen.variables.keys() - {"parameter_count"})
    return ("alike but for tokens", alike(seen, names)), ("of one size", by_size)


def alike(seen: Observations, but: Set[str]) -> Labels | None:
    """Numbers of the rows that have all variables in common `but` these; None where no variable is left."""
    kept = [v for k, v in seen.variables.items() if k not in but]
    if not kept or (but and len(kept) == len(seen.variables)):
        return None
    labels = np.zeros(len(kept[0]), dtype=np.intp)
    for values in kept:
        _, inverse = np.unique(np.round(np.log(np.maximum(values, 1e-300)), 9), return_inverse=True)
        labels = numbered(labels * (int(inverse.max()) + 1) + inverse.reshape(-1))
    return labels


def are_curves(seen: Observations, labels: Labels) -> bool:
    """Whether most of these groups are points along a run: all else equal, several token counts."""
    name = next((k for k in ADVANCING if k in seen.variables), None)
    series = None if name is None else alike(seen, {*ADVANCING})
    if name is None or series is None:
        return False
    count = int(labels.max()) + 1
    first = np.full(count, -1)
    first[labels[::-1]] = series[::-1]
    mixed = np.bincount(labels, series != first[labels], count) > 0
    points = np.bincount(np.unique(np.stack([labels, seen.variables[name]]), axis=1)[0].astype(int), minlength=count)
    return bool(np.mean(~mixed & (points >= FEWEST_POINTS)) > 0.5)


def agree(series: Labels, seen: Observations, residuals: Array) -> bool:
    """Whether residuals of neighbours along the tokens of a series agree in sign beyond chance."""
    name = next(k for k in ADVANCING if k in seen.variables)
    order = np.lexsort((seen.variables[name], series))
    signs, which, along = np.sign(residuals[order]), series[order], seen.variables[name][order]
    neighbours = (which[1:] == which[:-1]) & (along[1:] > along[:-1])  # one point seen twice is no evidence
    product = (signs[1:] * signs[:-1])[neighbours]
    product = product[product != 0]
    if len(product) < FEWEST_NEIGHBOURS:
        return False
    return bool(product.sum() > BEYOND_CHANCE * np.sqrt(len(product)) and product.mean() > AGREEMENT)


def differ(series: Labels, residuals: Array) -> bool:
    """Whether series differ in the level of their residuals beyond chance: analysis of variance of the ranks.

    Ranks, so that no outlier makes or hides a difference (Conover & Iman 1981).
    """
    counts = np.bincount(series)
    spare, between = len(residuals) - len(counts), len(counts) - 1
    if between < 1 or spare < FEWEST_NEIGHBOURS:
        return False
    ranks = np.argsort(np.argsort(residuals, kind="stable"), kind="stable") - 0.5 * (len(residuals) - 1)
    means = np.bincount(series, ranks) / counts
    explained = float(np.sum(counts * means**2)) / between
    left = float(np.sum((ranks - means[series]) ** 2)) / spare
    usual = (len(residuals) - float(np.sum(counts**2)) / len(residuals)) / between  # size of a series
    share = (explained - left) / (explained + (usual - 1.0) * left) if explained > 0 else 0.0
    return bool(share > AGREEMENT and fdtrc(between, spare, explained / max(left, 1e-300)) < CHANCE)

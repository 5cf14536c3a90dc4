"""What no form gets right everywhere: how much a run far from the decision tells about it.

Two views of one quantity, the misfit per unit of distance (its size is estimated from the runs, see `beliefs`).
`Distance`: coefficients are those that hold where the decision looks, and a run is off by more the farther away it is.
`Field`: the loss is the form plus a Brownian field (Lévy 1948; its variance between two points is their distance,
nothing smoother is claimed), fitted with the coefficients, so that runs near each other that are off alike count as
little more than one, and learned where the decision looks, so that runs are spread over that region, also where the
form, were it true, would need none (model discrepancy, Kennedy & O'Hagan 2001, doi 10.1111/1467-9868.00294).

Both give `modes` (points, modes) that errors of several points have in common, and `rest` (points,), the variance of
what is left to each alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from planner.laws.variables import allowed

Array = NDArray[np.float64]
MODES = 12
MARKS = 120


@dataclass(frozen=True, eq=False)
class Distance:
    """Distances between logarithms of the variables, in units of their spread over candidates and aims, to the nearest
    of `aims` (aims, variables); less `nearest`, that of the nearest candidate. `usual` is the misfit per unit that is
    expected before any run, None if any is as likely as any other."""

    names: tuple[str, ...]
    scales: Array
    aims: Array
    nearest: float
    usual: float | None

    @classmethod
    def to(
        cls, names: tuple[str, ...], aims: Mapping[str, Array], candidates: Mapping[str, Array],
        usual: float | None = None,
    ) -> Distance:  # fmt: skip
        """The distance to these aims."""
        scales = _scales(names, aims, candidates)
        made = cls(names, scales, _coordinates(names, aims, scales), 0.0, usual)
        return cls(names, scales, made.aims, float(made.of(candidates).min()), usual)

    def modes(self, variables: Mapping[str, Array]) -> Array:
        """(points, 0): errors have nothing in common."""
        return np.zeros((len(variables[self.names[0]]), 0))

    def rest(self, variables: Mapping[str, Array]) -> Array:
        """Variance at each point (points,)."""
        return self.of(variables) ** 2

    def of(self, variables: Mapping[str, Array]) -> Array:
        """Distance of each point (points,)."""
        at = _coordinates(self.names, variables, self.scales)
        return np.asarray(np.maximum(_between(at, self.aims).min(axis=1, initial=np.inf) - self.nearest, 0.0))


@dataclass(frozen=True, eq=False)
class Field:
    """A Brownian field of unit size on its leading modes, zero in the middle of the aims."""

    names: tuple[str, ...]
    scales: Array
    origin: Array
    marks: Array
    basis: Array
    usual: ClassVar[None] = None  # any misfit is as likely as any other

    @classmethod
    def over(cls, names: tuple[str, ...], aims: Mapping[str, Array], candidates: Mapping[str, Array]) -> Field:
        """The field over these points, by Nyström's method on some of them."""
        scales = _scales(names, aims, candidates)
        goal = _coordinates(names, aims, scales)
        marks = np.unique(np.concatenate([goal, _coordinates(names, candidates, scales)]), axis=0)
        marks = marks[spread_rows(len(marks), MARKS)]
        origin = goal.mean(axis=0)
        values, vectors = np.linalg.eigh(_brownian(marks, marks, origin))
        top = (np.arange(len(values)) >= len(values) - MODES) & (values > 1e-9 * max(values[-1], 1e-9))
        return cls(names, scales, origin, marks, vectors[:, top] / np.sqrt(values[top]))

    def modes(self, variables: Mapping[str, Array]) -> Array:
        """(points, modes): the field is these times independent standard normal numbers, plus what `rest` says."""
        at = _coordinates(self.names, variables, self.scales)
        return np.asarray(_brownian(at, self.marks, self.origin) @ self.basis)

    def rest(self, variables: Mapping[str, Array]) -> Array:
        """Variance at each point (points,) that the leading modes leave out."""
        at = _coordinates(self.names, variables, self.scales)
        whole = np.linalg.norm(at - self.origin, axis=1)
        return np.asarray(np.maximum(whole - (self.modes(variables) ** 2).sum(axis=1), 0.0))


Missed = Distance | Field


def spread_rows(count: int, wanted: int) -> NDArray[np.intp]:
    """At most `wanted` of `count` rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(np.intp))


def _brownian(one: Array, other: Array, origin: Array) -> Array:
    """Covariance of Lévy's Brownian field: ½ (|x| + |y| - |x - y|), positive definite in any number of dimensions."""
    ends = np.linalg.norm(one - origin, axis=1)[:, None] + np.linalg.norm(other - origin, axis=1)
    return np.asarray(0.5 * (ends - _between(one, other)))


def _between(one: Array, other: Array) -> Array:
    return np.asarray(np.sqrt(((one[:, None, :] - other) ** 2).sum(axis=2)))


def _scales(names: tuple[str, ...], aims: Mapping[str, Array], candidates: Mapping[str, Array]) -> Array:
    ones = np.ones(len(names))
    both = np.concatenate([_coordinates(names, aims, ones), _coordinates(names, candidates, ones)])
    spread = both.std(axis=0)
    return np.where(spread > 1e-9, spread, 1.0)


def _coordinates(names: tuple[str, ...], variables: Mapping[str, Array], scales: Array) -> Array:
    """(points, variables): logarithms of positive variables, shares and the like as they are, over the scales."""
    columns = [np.asarray(variables[k], float) for k in names]
    plain = [c if allowed(k).lower <= 0.0 else np.log(c) for k, c in zip(names, columns, strict=True)]
    return np.stack(plain, axis=1) / scales

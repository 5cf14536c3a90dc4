"""One fitting problem: a form, its observations, and which coefficients are free.

Works in transformed coordinates θ, the logarithm of coefficients that are positive scales and the coefficient itself
otherwise, so that steps are of comparable size. All methods take a batch θ of shape (batch, free) and evaluate all
members at once; a `Sample` lets every member have its own bootstrap sample of the runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.fitting.jet import Jet, lift
from planner.fitting.objective import Huber
from planner.laws.form import Coefficient, Form

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Derivatives:
    """Objective (batch,), gradient (batch, free) and Hessian (batch, free, free)."""

    value: Array
    gradient: Array
    hessian: Array
    gauss_newton_diagonal: Array  # (batch, free): the scale of each coordinate

    def take(self, members: Any) -> Derivatives:
        """Those of these members (a slice, indices or a mask)."""
        return Derivatives(
            self.value[members], self.gradient[members], self.hessian[members], self.gauss_newton_diagonal[members]
        )

    def put(self, members: Any, new: Derivatives) -> None:
        """Write down those of these members."""
        self.value[members], self.gradient[members] = new.value, new.gradient
        self.hessian[members], self.gauss_newton_diagonal[members] = new.hessian, new.gauss_newton_diagonal


@dataclass(frozen=True, eq=False)
class Pull:
    """½ stiffness (θ - anchor)², added to the objective; both (batch, free)."""

    anchor: Array
    stiffness: Array


@dataclass(frozen=True, eq=False)
class Sample:
    """What differs between the members of a batch: weights of the runs (batch, rows), and a pull towards anchors."""

    weights: Array
    pull: Pull | None = None

    def take(self, members: Any) -> Sample:
        """The sample of these members (a slice, indices or a mask)."""
        pull = None if self.pull is None else Pull(self.pull.anchor[members], self.pull.stiffness[members])
        return Sample(self.weights[members], pull)


@dataclass(frozen=True, eq=False)
class Problem:
    """Form, variables (name -> (rows,)), observed losses (rows,), and coefficients held fixed."""

    form: type[Form]
    variables: Mapping[str, Array]
    losses: Array
    fixed: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def free(self) -> tuple[Coefficient, ...]:
        """Coefficients to be estimated, in the form's order."""
        return tuple(c for c in self.form.coefficients if c.name not in self.fixed)

    @cached_property
    def signed(self) -> bool:
        """Whether losses may be negative: residuals are differences then, else differences of logarithms."""
        return self.form.signed()

    @cached_property
    def targets(self) -> Array:
        """What residuals are taken from: log losses, or signed losses as they are."""
        return self.losses if self.signed else np.asarray(np.log(self.losses))

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest θ, each (free,)."""
        limits = np.array([[c.lower, c.upper] for c in self.free])
        logarithmic = self._logarithmic[:, None]
        limits = np.where(logarithmic, np.log(np.where(logarithmic, limits, 1.0)), limits)
        return limits[:, 0], limits[:, 1]

    @cached_property
    def _logarithmic(self) -> NDArray[np.bool_]:
        return np.array([c.logarithmic for c in self.free])

    def search_range(self, k: int) -> tuple[float, float]:
        """Where the k-th free coefficient is looked for, in θ."""
        low, high = self.free[k].search
        return (float(np.log(low)), float(np.log(high))) if self.free[k].logarithmic else (float(low), float(high))

    def to_theta(self, values: Array) -> Array:
        """θ of free coefficient values (..., free)."""
        return np.where(self._logarithmic, np.log(np.where(self._logarithmic, values, 1.0)), values)

    def to_values(self, theta: Array) -> Array:
        """Free coefficient values of θ (..., free)."""
        return np.where(self._logarithmic, np.exp(np.where(self._logarithmic, theta, 0.0)), theta)

    def vectors(self, theta: Array) -> Array:
        """All coefficients (..., coefficients) in the form's order, the fixed ones filled in."""
        values = self.to_values(theta)
        column = {c.name: values[..., k] for k, c in enumerate(self.free)}
        whole = [column.get(n, np.full(theta.shape[:-1], self.fixed.get(n, 0.0))) for n in self.form.names()]
        return np.stack(whole, axis=-1)

    def residuals(self, theta: Array) -> Array:
        """log predicted - log observed, or their difference where the metric is signed: (batch, rows)."""
        with np.errstate(all="ignore"):  # far starts may overflow; `objective` turns that into infinity
            predicted = self.form.from_vector(self.vectors(theta)).loss(**self.variables)
            return self._compared(np.broadcast_to(predicted, (len(theta), len(self.losses))))

    def _compared(self, predicted: Array) -> Array:
        return np.asarray((predicted if self.signed else np.log(predicted)) - self.targets)

    def objective(self, theta: Array, huber: Huber, sample: Sample | None = None) -> Array:
        """Summed Huber loss (batch,); infinite where the prediction is not a positive number."""
        each = huber.value(self.residuals(theta))
        total = each.sum(axis=1) if sample is None else np.einsum("bn,bn->b", each, sample.weights)
        if sample is not None and sample.pull is not None:
            total = total + 0.5 * (sample.pull.stiffness * (theta - sample.pull.anchor) ** 2).sum(axis=1)
        return np.where(np.isfinite(total), total, np.inf)

    def predicted_jet(self, theta: Array) -> Jet:
        """The loss with derivatives in θ: value (batch, rows)."""
        values = self.to_values(theta)
        coefficients: dict[str, Jet | float] = dict(self.fixed)
        for k, c in enumerate(self.free):
            column = values[:, k, None]
            if c.logarithmic:  # d/dθ e^θ = e^θ, twice
                coefficients[c.name] = Jet(column, {k: column}, {(k, k): column})
            else:
                coefficients[c.name] = Jet(column, {k: np.ones_like(column)})
        form = self.form(**coefficients)
        with np.errstate(all="ignore"):
            return lift(form.loss(**self.variables))

    def jacobian(self, theta: Array) -> Array:
        """∂ residual / ∂ θ, (batch, free, rows)."""
        return self._jacobian(self.predicted_jet(theta), len(theta))

    def _jacobian(self, jet: Jet, batch: int) -> Array:
        jacobian = np.zeros((batch, len(self.free), len(self.losses)))
        scale = 1.0 if self.signed else jet.value
        for k, g in jet.gradient.items():
            np.divide(g, scale, out=jacobian[:, k])
        return jacobian

    def derivatives(self, theta: Array, huber: Huber, sample: Sample | None = None) -> Derivatives:
        """The objective with exact gradient and Hessian for every member of the batch."""
        jet = self.predicted_jet(theta)
        with np.errstate(all="ignore"):  # far starts may overflow; a step that is no number is not taken
            residual = self._compared(np.broadcast_to(jet.value, (len(theta), len(self.losses))))
            slope, bend, value = huber.slope(residual), huber.curvature(residual), huber.value(residual)
            if sample is not None:
                slope, bend, value = slope * sample.weights, bend * sample.weights, value * sample.weights
            jacobian = self._jacobian(jet, len(theta))
            gradient = (jacobian @ slope[:, :, None])[:, :, 0]
            # r'' = L''/L - (L'/L)(L'/L)ᵀ, so JᵀJ gets the weight (bend - slope) and L'' the weight slope / L;
            # without the logarithm r'' = L''.
            scaled = jacobian * (bend if self.signed else bend - slope)[:, None, :]
            hessian = scaled @ jacobian.transpose(0, 2, 1)
            pull = slope if self.signed else slope / jet.value
            for (i, j), h in jet.hessian.items():
                entry = np.einsum("...n,...n->...", h, pull)
                hessian[:, i, j] += entry
                if i != j:
                    hessian[:, j, i] += entry
            diagonal = np.einsum("bkn,bkn->bk", jacobian, jacobian)
        total = value.sum(axis=1)
        if sample is not None and sample.pull is not None:
            away, stiffness = theta - sample.pull.anchor, sample.pull.stiffness
            total = total + 0.5 * (stiffness * away**2).sum(axis=1)
            gradient = gradient + stiffness * away
            hessian = hessian + stiffness[:, :, None] * np.eye(len(self.free))
        return Derivatives(total, gradient, hessian, diagonal)

"""Iterative magnitude pruning: ε = ε_np [(m² + p² r²)/(m² + p²)]^{g/2} in an invariant m of the architecture.

Rosenfeld et al. 2021 (2006.10621), r = (ε_up/ε_np)^{1/g} and m = depth^φ width^ψ density: networks of the same m err
alike. Falling in m, so the density that reaches an error is in closed form. The best small network is a large one
pruned past its plateau; unstructured sparsity rarely gains time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Array, Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class PrunedNetwork(Form):
    """Error of one network at each density; `p` is the density where the high plateau begins."""

    e_np: Coef
    e_up: Coef
    g: Coef
    p: Coef

    form_name: ClassVar[str] = "pruned-network"
    variables: ClassVar[tuple[str, ...]] = ("density",)
    citation: ClassVar[str] = "Rosenfeld et al. 2021, On the Predictability of Pruning Across Scales, arXiv 2006.10621"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("e_np", 1e-4, 1.0, (0.02, 0.5), "error", logarithmic=True),
        Coefficient("e_up", 0.01, 1.0, (0.3, 1.0), "error", logarithmic=True),
        Coefficient("g", 0.01, 20.0, (0.3, 3.0), logarithmic=True),
        Coefficient("p", 1e-6, 10.0, (1e-4, 0.1), "density", logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """e_np ((d^2 + p^2 r^2) / (d^2 + p^2))^(g/2), r = (e_up/e_np)^(1/g); d = density."""
        (density,) = self.read(variables)
        level = self.p * self.p * (self.e_up / self.e_np) ** (2.0 / self.g)
        square = density * density
        return self.e_np * ((square + level) / (square + self.p * self.p)) ** (0.5 * self.g)


@dataclass(frozen=True)
class MagnitudePruning(Form):
    """Error of networks pruned iteratively by magnitude; `p` is in units of the invariant."""

    e_up: Coef
    g: Coef
    p: Coef
    phi: Coef
    psi: Coef

    form_name: ClassVar[str] = "magnitude-pruning"
    variables: ClassVar[tuple[str, ...]] = ("dense_error", "depth_scale", "width_scale", "density")
    citation: ClassVar[str] = "Rosenfeld et al. 2021, On the Predictability of Pruning Across Scales, arXiv 2006.10621"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("e_up", 0.01, 1.0, (0.3, 1.0), "error", logarithmic=True),
        Coefficient("g", 0.01, 20.0, (0.3, 3.0), logarithmic=True),
        Coefficient("p", 1e-9, 1e9, (1e-3, 10.0), logarithmic=True),
        Coefficient("phi", -5.0, 5.0, (0.2, 2.0)),
        Coefficient("psi", -5.0, 5.0, (0.2, 2.5)),
    )

    def invariant(self, depth_scale: Any, width_scale: Any, density: Any) -> Any:
        """m = depth^phi width^psi density: networks of the same m err alike."""
        return depth_scale**self.phi * width_scale**self.psi * density

    def error_at(self, dense_error: Any, invariant: Any) -> Any:
        """Error at a value of the invariant."""
        level = self.p * self.p * (self.e_up / dense_error) ** (2.0 / self.g)
        square = invariant * invariant
        return dense_error * ((square + level) / (square + self.p * self.p)) ** (0.5 * self.g)

    def invariant_for_error(self, dense_error: Any, error: Any) -> Array:
        """The invariant at which `error` is reached; NaN outside (dense_error, e_up)."""
        quotient = (np.asarray(error, float) / dense_error) ** (2.0 / self.g)
        plateau = (self.e_up / dense_error) ** (2.0 / self.g)
        with np.errstate(all="ignore"):
            found = self.p * np.sqrt((plateau - quotient) / (quotient - 1.0))
        return np.asarray(np.where((quotient > 1.0) & (quotient < plateau), found, np.nan), float)

    def density_for_error(self, dense_error: Any, depth_scale: Any, width_scale: Any, error: Any) -> Array:
        """The density at which a network of this depth and width reaches `error`; above 1 it never does."""
        return np.asarray(
            self.invariant_for_error(dense_error, error) / (depth_scale**self.phi * width_scale**self.psi), float
        )

    def loss(self, **variables: Any) -> Any:
        """e ((m^2 + p^2 r^2) / (m^2 + p^2))^(g/2), r = (e_up/e)^(1/g), m = depth^phi width^psi density.

        e = dense_error.
        """
        dense_error, depth, width, density = self.read(variables)
        return self.error_at(dense_error, self.invariant(depth, width, density))

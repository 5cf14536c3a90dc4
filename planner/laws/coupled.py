"""L = E + (A N^-α + B D^-β)^γ: Chinchilla's terms under one more power.

Busbridge et al. 2025 (2502.08606) fit their supervised students so; Videau et al. 2026 (2608.07222) call it Skaling and
find γ of 0.31 to 0.45: size and data interact. The floor makes it no power of a posynomial, but it rises with the inner
sum, so a plan minimises or bounds that sum; the best split of a budget does not depend on γ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Coupled(Form):
    """Loss with a power over the sum of the model and the data term."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "coupled"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Busbridge et al. 2025, Distillation Scaling Laws, arXiv 2502.08606"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "parameters^alpha", (1.0, 1e8), linear=False),
        scale("B", "tokens^beta", (1.0, 1e10), linear=False),
        exponent("alpha", (0.1, 1.5)),
        exponent("beta", (0.1, 1.5)),
        exponent("gamma", (0.2, 1.5)),
    )

    def inner(self, **variables: Any) -> Any:
        """A N^-alpha + B D^-beta."""
        n, d = self.read(variables)
        return self.A * n**-self.alpha + self.B * d**-self.beta

    def outer(self, inner: Any) -> Any:
        """E + inner^gamma."""
        return self.E + inner**self.gamma

    def inner_for_loss(self, loss: Any) -> Any:
        reducible = np.asarray(loss, float) - self.E
        return np.where(reducible > 0, np.maximum(reducible, 1e-300) ** (1.0 / self.gamma), np.nan)

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        total = self.alpha + self.beta
        return self.beta / total, self.alpha / total

    def loss(self, **variables: Any) -> Any:
        """E + (A N^-alpha + B D^-beta)^gamma; N = parameter_count, D = token_count."""
        return self.outer(self.inner(**variables))

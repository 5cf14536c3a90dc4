"""Intrinsic performance of a policy: I^-β = (N_c/N)^α_N + (E_c/E)^α_E in parameters and interactions.

Hilton et al. 2023 (2301.13442): with β = α_N α_E/(α_N + α_E), I is the least compute N E that reaches the return, up to
a constant, whatever the scale of the reward. I rises as the posynomial falls. Exponents vary by environment; the
horizon of a task changes the coefficients only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class IntrinsicPerformance(Form):
    """Compute-equivalent performance of a policy of N parameters after E interactions."""

    N_c: Coef
    E_c: Coef
    alpha_N: Coef
    alpha_E: Coef

    form_name: ClassVar[str] = "intrinsic-performance"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "interaction_count")
    citation: ClassVar[str] = (
        "Hilton et al. 2023, Scaling Laws for Single-Agent Reinforcement Learning, arXiv 2301.13442"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("N_c", "parameters × intrinsic performance^(-beta/alpha_N)", (1e-3, 1e6), linear=False),
        scale("E_c", "interactions × intrinsic performance^(-beta/alpha_E)", (1e-3, 1e6), linear=False),
        exponent("alpha_N", (0.1, 1.2)),
        exponent("alpha_E", (0.1, 1.2)),
    )

    def inner(self, **variables: Any) -> Any:
        """I^-beta = (N_c/N)^alpha_N + (E_c/E)^alpha_E: to be minimised."""
        n, interactions = self.read(variables)
        return (self.N_c / n) ** self.alpha_N + (self.E_c / interactions) ** self.alpha_E

    def outer(self, inner: Any) -> Any:
        """inner^(-1/beta): falls as the inner quantity rises."""
        return inner ** (-1.0 / self.alpha_N - 1.0 / self.alpha_E)

    def inner_for_loss(self, loss: Any) -> Any:
        return np.asarray(loss, float) ** (-self.alpha_N * self.alpha_E / (self.alpha_N + self.alpha_E))

    def parameter_exponent(self) -> Coef:
        """a in N* ∝ C^a, C proportional to N E."""
        return self.alpha_E / (self.alpha_N + self.alpha_E)

    def loss(self, **variables: Any) -> Any:
        """[(N_c/N)^alpha_N + (E_c/E)^alpha_E]^(-1/alpha_N - 1/alpha_E); E = interaction_count. Rises."""
        return self.outer(self.inner(**variables))

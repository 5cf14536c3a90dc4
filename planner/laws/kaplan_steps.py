"""L = (N_c/N)^α_N + (S_c/S)^α_S: Kaplan's law of model size and optimiser steps.

Kaplan et al. 2020 (2001.08361) Eq. 1.6, S counted at a batch far below the critical one. It is this law, with the
critical batch size, that the paper's allocation N ∝ C^0.73 follows from. A posynomial in N and S.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class KaplanSteps(Form):
    """Loss of unlimited data in parameters and steps."""

    N_c: Coef
    S_c: Coef
    alpha_N: Coef
    alpha_S: Coef

    form_name: ClassVar[str] = "kaplan-steps"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "step_count")
    citation: ClassVar[str] = "Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv 2001.08361"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("N_c", "parameters", (1e6, 1e18), linear=False),
        scale("S_c", "steps", (1.0, 1e6), linear=False),
        exponent("alpha_N", (0.02, 0.6)),
        exponent("alpha_S", (0.1, 1.5)),
    )

    def loss(self, **variables: Any) -> Any:
        """(N_c/N)^alpha_N + (S_c/S)^alpha_S; N = parameter_count, S = step_count."""
        terms = self.loss_terms(**variables)
        return terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, s = self.read(variables)
        return LossTerms((self.N_c / n) ** self.alpha_N, (self.S_c / s) ** self.alpha_S, 0.0)

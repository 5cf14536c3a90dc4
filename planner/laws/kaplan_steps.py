"""L = (N_c/N)^α_N + (S_c/S)^α_S: Kaplan's law of model size and optimiser steps.

Kaplan et al. 2020 (2001.08361) Eq. 1.6, S counted at a batch far below the critical one. It is this law, with the
critical batch size, that the paper's allocation N ∝ C^0.73 follows from (App. B): at the best size training stops a
share α_N/α_S above the loss of endless training, and sizes off by a factor of two cost little. A posynomial in N and S.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

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

    def stopping_share(self) -> Coef:
        """How far above its converged loss a model of the best size stops training: alpha_N / alpha_S."""
        return self.alpha_N / self.alpha_S

    def compute_exponent(self, alpha_B: Any) -> Any:
        """x in L* ∝ C^-x with a critical batch ∝ L^(-1/alpha_B): one over the sum of one over each exponent."""
        return 1.0 / (1.0 / self.alpha_S + 1.0 / alpha_B + 1.0 / self.alpha_N)

    def excess_compute(self, size_ratio: Any) -> Any:
        """Compute for a loss with `size_ratio` times the best size, over the compute at the best size (Eq. B.12).

        NaN for models too small to reach that loss.
        """
        steps = 1.0 + (1.0 - size_ratio**-self.alpha_N) / self.stopping_share()
        with np.errstate(invalid="ignore"):
            return size_ratio * np.where(steps > 0, steps, np.nan) ** (-1.0 / self.alpha_S)

    def loss(self, **variables: Any) -> Any:
        """(N_c/N)^alpha_N + (S_c/S)^alpha_S; N = parameter_count, S = step_count."""
        terms = self.loss_terms(**variables)
        return terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, s = self.read(variables)
        return LossTerms((self.N_c / n) ** self.alpha_N, (self.S_c / s) ** self.alpha_S, 0.0)

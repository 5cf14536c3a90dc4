"""Two modalities in one model: competition and synergy, L = (L_i + L_j)/2 - C + A N^-α + B (D_i + D_j)^-β.

Aghajanyan et al. 2023 (2301.03728): L_i and L_j are the laws of each modality alone, the rest their interaction;
below zero (C exceeds both terms) the modalities help each other. With the two token counts in a fixed ratio L + C is
a posynomial in N and tokens: minimise that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


def _alone(which: str) -> tuple[Coefficient, ...]:
    return (
        scale(f"E_{which}", "nats/token", (0.1, 10.0), linear=False),
        scale(f"A_{which}", "nats/token × parameters^alpha", linear=False),
        scale(f"B_{which}", "nats/token × tokens^beta", (1.0, 1e6), linear=False),
        exponent(f"alpha_{which}", (0.05, 0.6)),
        exponent(f"beta_{which}", (0.05, 0.6)),
    )


@dataclass(frozen=True)
class Bimodal(Form):
    """Loss over two modalities i and j. Fit the modalities alone first and hold theirs fixed."""

    E_i: Coef
    A_i: Coef
    B_i: Coef
    alpha_i: Coef
    beta_i: Coef
    E_j: Coef
    A_j: Coef
    B_j: Coef
    alpha_j: Coef
    beta_j: Coef
    C: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "bimodal"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "first_token_count", "second_token_count")
    citation: ClassVar[str] = "Aghajanyan et al. 2023, Scaling Laws for Generative Mixed-Modal LMs, arXiv 2301.03728"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *_alone("i"),
        *_alone("j"),
        scale("C", "nats/token", (0.01, 3.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta"),
        exponent("alpha", (0.05, 0.6)),
        exponent("beta", (0.05, 0.6)),
    )

    def interaction(self, n: Any, first: Any, second: Any) -> Any:
        """Loss that sharing adds: competition above zero, synergy below."""
        return self.A * n**-self.alpha + self.B * (first + second) ** -self.beta - self.C

    def synergy_parameters(self, first: Any, second: Any) -> Any:
        """Parameters from which the modalities help each other, at these tokens; infinite where they never do."""
        room = self.C - self.B * (first + second) ** -self.beta
        with np.errstate(all="ignore"):
            return np.where(room > 0, (self.A / np.maximum(room, 1e-300)) ** (1.0 / self.alpha), np.inf)

    def loss(self, **variables: Any) -> Any:
        """(L_i + L_j)/2 - C + A N^-alpha + B (D_i + D_j)^-beta, L_x = E_x + A_x N^-alpha_x + B_x D_x^-beta_x."""
        n, first, second = self.read(variables)
        of_first = self.E_i + self.A_i * n**-self.alpha_i + self.B_i * first**-self.beta_i
        of_second = self.E_j + self.A_j * n**-self.alpha_j + self.B_j * second**-self.beta_j
        return 0.5 * (of_first + of_second) + self.interaction(n, first, second)

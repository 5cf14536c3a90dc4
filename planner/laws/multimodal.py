"""Two modalities in one model: competition and synergy, L = (L_i + L_j)/2 - C + A N^-α + B D^-β, D = D_i + D_j.

Aghajanyan et al. 2023 (2301.03728): L_i and L_j are the laws of each modality alone at its own tokens, the rest their
interaction; below zero (C exceeds both terms) the modalities help each other. For a given share of the first modality
L + C is a posynomial in N and D, and shares are enumerated.
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
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "first_modality_share")
    enumerated: ClassVar[tuple[str, ...]] = ("first_modality_share",)
    citation: ClassVar[str] = "Aghajanyan et al. 2023, Scaling Laws for Generative Mixed-Modal LMs, arXiv 2301.03728"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *_alone("i"),
        *_alone("j"),
        scale("C", "nats/token", (0.01, 3.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta"),
        exponent("alpha", (0.05, 0.6)),
        exponent("beta", (0.05, 0.6)),
    )

    def interaction(self, parameter_count: Any, token_count: Any) -> Any:
        """Loss that sharing adds: competition above zero, synergy below."""
        return self.A * parameter_count**-self.alpha + self.B * token_count**-self.beta - self.C

    def synergy_parameters(self, token_count: Any) -> Any:
        """Parameters from which the modalities help each other, at these tokens; infinite where they never do."""
        room = self.C - self.B * token_count**-self.beta
        with np.errstate(all="ignore"):
            return np.where(room > 0, (self.A / np.maximum(room, 1e-300)) ** (1.0 / self.alpha), np.inf)

    def inner(self, **variables: Any) -> Any:
        """(L_i + L_j)/2 + A N^-alpha + B D^-beta."""
        n, tokens, share = self.read(variables)
        of_first = self.E_i + self.A_i * n**-self.alpha_i + self.B_i * (share * tokens) ** -self.beta_i
        of_second = self.E_j + self.A_j * n**-self.alpha_j + self.B_j * ((1.0 - share) * tokens) ** -self.beta_j
        return 0.5 * (of_first + of_second) + self.A * n**-self.alpha + self.B * tokens**-self.beta

    def outer(self, inner: Any) -> Any:
        """inner - C."""
        return inner - self.C

    def inner_for_loss(self, loss: Any) -> Any:
        return loss + self.C

    def loss(self, **variables: Any) -> Any:
        """(L_i + L_j)/2 - C + A N^-alpha + B D^-beta, L_x = E_x + A_x N^-alpha_x + B_x D_x^-beta_x.

        D = token_count of both, D_i = first_modality_share D, D_j the rest.
        """
        return self.outer(self.inner(**variables))

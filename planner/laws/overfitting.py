"""L = E + A N^-α + B D^-β + P R^δ (N/U)^κ: repeated data as a penalty that grows with the model.

Lovelace et al. 2026 (2605.01640): D = U (1 + R) tokens seen, U of them unique, R repeats. Unlike the law of effective
tokens the loss can rise with N, so that "more parameters can hurt" is visible. For a fixed number of epochs it is a
posynomial in N and U: epochs are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Overfitting(Form):
    """Chinchilla plus a penalty on repeated data."""

    E: Coef
    A: Coef
    B: Coef
    P: Coef
    alpha: Coef
    beta: Coef
    delta: Coef
    kappa: Coef

    form_name: ClassVar[str] = "overfitting"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "unique_token_count", "epoch_count")
    enumerated: ClassVar[tuple[str, ...]] = ("epoch_count",)
    citation: ClassVar[str] = "Lovelace et al. 2026, arXiv 2605.01640"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("P", "nats/token × (parameters/token)^-kappa", (1e-4, 10.0)),
        exponent("alpha", (0.1, 0.9)),
        exponent("beta", (0.1, 0.9)),
        exponent("delta", (0.2, 2.5)),
        exponent("kappa", (0.1, 2.0)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B (U (1 + R))^-beta + P R^delta (N/U)^kappa; U = unique_token_count, R = epoch_count - 1."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, unique, epochs = self.read(variables)
        repeats = np.asarray(epochs, float) - 1.0
        once = repeats <= 0.0
        weight = np.where(once, 0.0, 1.0) * np.where(once, 1.0, repeats) ** self.delta
        data = self.B * (unique * epochs) ** -self.beta
        return LossTerms(self.A * n**-self.alpha + self.P * weight * (n / unique) ** self.kappa, data, self.E)

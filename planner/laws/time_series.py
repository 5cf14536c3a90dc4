"""L = E + A N^-α + G H^-γ + B H^δ D^-β: forecasting with a look-back horizon H that helps, then hurts.

Edwards et al. 2024 (2405.13867) and Yao et al. 2024 (2410.12360) find power laws in parameters and data for large
models of time series. Shi et al. 2024 (2405.15124) add the horizon: a longer past tells more (γ) and takes more data to
learn from (δ), so that the best horizon grows with data. No constants are published; the form is assumed after them.
A posynomial in N, D and H.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class LookBack(Form):
    """Forecasting error in parameters, observations and look-back horizon."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    delta: Coef

    form_name: ClassVar[str] = "look-back"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "observation_count", "look_back")
    citation: ClassVar[str] = "assumed form; after Shi et al. 2024, Scaling Law for Time Series, arXiv 2405.15124"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the error", (0.01, 10.0)),
        scale("A", "of the error × parameters^alpha", (0.1, 1e4)),
        scale("B", "of the error × observations^beta × steps^-delta", (0.1, 1e6)),
        scale("G", "of the error × steps^gamma", (0.01, 100.0)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("gamma", (0.1, 1.5)),
        exponent("delta", (0.1, 1.5)),
    )

    def best_look_back(self, observation_count: Any) -> Any:
        """The horizon of least error for so many observations: where gamma G H^-gamma = delta B H^delta D^-beta."""
        ratio = self.gamma * self.G / (self.delta * self.B)
        return (ratio * observation_count**self.beta) ** (1.0 / (self.gamma + self.delta))

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + G H^-gamma + B H^delta D^-beta; D = observation_count, H = look_back."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, horizon = self.read(variables)
        model = self.A * n**-self.alpha + self.G * horizon**-self.gamma
        return LossTerms(model, self.B * horizon**self.delta * d**-self.beta, self.E)

"""ε = ε₀ ε̃ / √(ε̃² + η²), ε̃ = n^-α + b m^-β + c: error of a model of scale m on a share n of the data.

Rosenfeld et al. 2020 (1909.12673). The envelope makes the law hold down to models and data so small that they guess.
The error rises with ε̃, a posynomial, so a plan bounds or minimises ε̃; a sum of such errors over tasks is not log-
log convex. The paper's factor a of the data term is absorbed: all of a, b, c, η scale together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ErrorSurface(Form):
    """Joint law of model and data scale with a random-guess plateau."""

    b: Coef
    c: Coef
    alpha: Coef
    beta: Coef
    eta: Coef
    eps0: Coef

    form_name: ClassVar[str] = "error-surface"
    variables: ClassVar[tuple[str, ...]] = ("model_scale", "data_scale")
    citation: ClassVar[str] = (
        "Rosenfeld et al. 2020, A Constructive Prediction of the Generalization Error, arXiv 1909.12673"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("b", "of the data term × scale^beta", (1e-4, 10.0), linear=False),
        Coefficient("c", 1e-15, 1e15, (1e-4, 10.0), "of the data term", logarithmic=True),
        exponent("alpha", (0.2, 1.5)),
        exponent("beta", (0.2, 1.5)),
        scale("eta", "of the data term", (0.3, 30.0), linear=False),
        scale("eps0", "error at random guess", (0.5, 10.0)),
    )

    def inner(self, **variables: Any) -> Any:
        """n^-alpha + b m^-beta + c."""
        m, n = self.read(variables)
        return n**-self.alpha + self.b * m**-self.beta + self.c

    def outer(self, inner: Any) -> Any:
        """eps0 inner / sqrt(inner^2 + eta^2)."""
        return self.eps0 * inner / (inner * inner + self.eta * self.eta) ** 0.5

    def inner_for_loss(self, loss: Any) -> Any:
        error = np.asarray(loss, float)
        with np.errstate(all="ignore"):
            return np.where(error < self.eps0, self.eta * error / np.sqrt(self.eps0**2 - error**2), np.nan)

    def loss(self, **variables: Any) -> Any:
        """eps0 e / sqrt(e^2 + eta^2), e = n^-alpha + b m^-beta + c; m = model_scale, n = data_scale."""
        return self.outer(self.inner(**variables))

    def loss_terms(self, **variables: Any) -> LossTerms:
        """The terms of the inner quantity, scaled so that they add up to the error."""
        m, n = self.read(variables)
        share = self.loss(**variables) / self.inner(**variables)
        return LossTerms(self.b * m**-self.beta * share, n**-self.alpha * share, self.c * share)

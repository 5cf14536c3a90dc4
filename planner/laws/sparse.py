"""L = (a_S s^b_S + c_S) N^-b_N + (a_D/D)^b_D + c: weight-sparse models trained from scratch, s = density.

Frantar et al. 2023 (2309.08520), N = non-zero parameters, s = 1 - S. A posynomial in N, D and s. Training usually
costs what the dense model costs, C = 6 (N/s) D, and then the best density follows in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Sparse(Form):
    """Loss in non-zero parameters, tokens and density."""

    a_S: Coef
    b_S: Coef
    c_S: Coef
    b_N: Coef
    a_D: Coef
    b_D: Coef
    c: Coef

    form_name: ClassVar[str] = "sparse"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "density")
    citation: ClassVar[str] = (
        "Frantar et al. 2023, Scaling Laws for Sparsely-Connected Foundation Models, arXiv 2309.08520"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a_S", "nats/token × parameters^b_N", (0.1, 1e4)),
        exponent("b_S", (0.1, 2.0)),
        scale("c_S", "nats/token × parameters^b_N"),
        exponent("b_N", (0.05, 0.9)),
        scale("a_D", "tokens", (1e4, 1e12), linear=False),
        exponent("b_D", (0.05, 1.2)),
        scale("c", "nats/token", (0.1, 10.0)),
    )

    def dense_multiplier(self, density: Any) -> Any:
        """Parameters of the dense model that does as well, per non-zero parameter."""
        return ((self.a_S * density**self.b_S + self.c_S) / (self.a_S + self.c_S)) ** (-1.0 / self.b_N)

    def optimal_density(self, parameter_count: Any, training_flops: Any) -> Any:
        """Density of least loss for N non-zero parameters if training costs 6 (N/s) D."""
        dense_tokens = training_flops / (6.0 * parameter_count)
        inner = self.b_D * self.a_D**self.b_D * parameter_count**self.b_N / (self.a_S * self.b_S)
        total = self.b_S + self.b_D
        return np.minimum(inner ** (1.0 / total) * dense_tokens ** (-self.b_D / total), 1.0)

    def active_parameter_count(self, **variables: Any) -> Any:
        """N/s: training costs what the dense model costs, whose zeros are multiplied too."""
        return variables["parameter_count"] / variables["density"]

    def loss(self, **variables: Any) -> Any:
        """(a_S s^b_S + c_S) N^-b_N + (a_D/D)^b_D + c; N = parameter_count (non-zero), s = density."""
        terms = self.loss_terms(**variables)
        return terms.model + terms.data + terms.floor

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, density = self.read(variables)
        model = (self.a_S * density**self.b_S + self.c_S) * n**-self.b_N
        return LossTerms(model, (self.a_D / d) ** self.b_D, self.c)


@dataclass(frozen=True)
class SparseAtFixedData(Form):
    """The same where all runs saw equally many tokens, so that the data term is part of the floor."""

    a_S: Coef
    b_S: Coef
    c_S: Coef
    b_N: Coef
    c: Coef

    form_name: ClassVar[str] = "sparse-at-fixed-data"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "density")
    citation: ClassVar[str] = Sparse.citation
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a_S", "nats/token × parameters^b_N", (0.1, 1e4)),
        exponent("b_S", (-2.0, 2.0)),
        scale("c_S", "nats/token × parameters^b_N"),
        exponent("b_N", (0.05, 0.9)),
        scale("c", "nats/token", (0.1, 10.0)),
    )

    def loss(self, **variables: Any) -> Any:
        """(a_S s^b_S + c_S) N^-b_N + c; N = parameter_count (non-zero), s = density."""
        n, density = self.read(variables)
        return (self.a_S * density**self.b_S + self.c_S) * n**-self.b_N + self.c

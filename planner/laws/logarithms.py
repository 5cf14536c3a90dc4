"""y = b ln(x/x₀): scores that rise by as much for each factor of size or compute.

Neumann & Gros 2022 (2210.00849): strengths of AlphaZero agents are powers of parameters and of compute, and Elo = 400
log10 strength, so Elo is a straight line in their logarithms; with Elo's zero at will, x₀ means nothing. The best size
grows as the ratio of the two slopes. Ruan et al. 2024 (2405.10938): capabilities of a family of models are such
lines in compute. Values may be negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale


@dataclass(frozen=True)
class Logarithm(Form):
    """b ln(x/x_0) of the one variable that a subclass names."""

    b: Coef
    x_0: Coef

    citation: ClassVar[str] = "Neumann & Gros 2022, Scaling Laws for a Multi-Agent RL Model, arXiv 2210.00849"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("b", "of the score per nat of the variable", (0.01, 1e3)),
        Coefficient("x_0", 1e-100, 1e100, (1.0, 1e24), "the variable where the score is zero", logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """b ln(x/x_0); x = the variable. A score."""
        (x,) = self.read(variables)
        return self.b * (np.log(x) - np.log(self.x_0))


@dataclass(frozen=True)
class LogarithmOfCompute(Logarithm):
    """A score that is a line in the logarithm of compute: Elo of agents of the best size, capabilities of a family."""

    form_name: ClassVar[str] = "logarithm-of-compute"
    variables: ClassVar[tuple[str, ...]] = ("training_flops",)


@dataclass(frozen=True)
class LogarithmOfParameters(Logarithm):
    """A score that is a line in the logarithm of parameters: Elo of agents trained until they stop improving."""

    form_name: ClassVar[str] = "logarithm-of-parameters"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count",)


def size_exponent(by_compute: Logarithm, by_parameters: Logarithm) -> Coef:
    """x in N* ∝ C^x: the size whose converged score equals the best score of a budget."""
    return by_compute.b / by_parameters.b

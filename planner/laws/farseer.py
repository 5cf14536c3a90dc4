"""L = e^{a₃N^γ + b₃} + e^{a₂N^β + b₂} D^{-e^{a₁N^α + b₁}}: a data exponent that changes with model size.

Li et al. 2025 (2506.10972, Farseer). Unlike Chinchilla's law it lets the best ratio of tokens to parameters rise with
compute. Not log-log convex: for each N the loss is a plain power law of D, so N is searched. N here is relative to a
billion parameters, which keeps the coefficients of a fit of moderate size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass

UNIT = 1e9


@dataclass(frozen=True)
class Farseer(Form):
    """Model-dependent floor, data coefficient and data exponent."""

    a1: Coef
    b1: Coef
    alpha: Coef
    a2: Coef
    b2: Coef
    beta: Coef
    a3: Coef
    b3: Coef
    gamma: Coef

    form_name: ClassVar[str] = "farseer"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = (
        "Li et al. 2025, Farseer: A Refined Scaling Law in Large Language Models, arXiv 2506.10972"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a1", -20.0, 20.0, (-1.0, 1.0)),
        Coefficient("b1", -20.0, 20.0, (-3.0, 0.5)),
        Coefficient("alpha", -2.0, 2.0, (0.05, 0.5)),
        Coefficient("a2", -50.0, 50.0, (-5.0, 5.0)),
        Coefficient("b2", -60.0, 60.0, (-5.0, 5.0)),
        Coefficient("beta", -2.0, 2.0, (0.05, 0.5)),
        Coefficient("a3", -20.0, 20.0, (-1.0, 1.0)),
        Coefficient("b3", -20.0, 20.0, (-1.0, 1.5)),
        Coefficient("gamma", -2.0, 2.0, (-0.3, 0.3)),
    )

    def loss(self, **variables: Any) -> Any:
        """exp(a3 n^gamma + b3) + exp(a2 n^beta + b2) d^-exp(a1 n^alpha + b1); n, d = parameters, tokens per 1e9."""
        parameters, tokens = self.read(variables)
        n, d = parameters / UNIT, tokens / UNIT
        data_exponent = np.exp(self.a1 * n**self.alpha + self.b1)
        data = np.exp(self.a2 * n**self.beta + self.b2 - data_exponent * np.log(d))
        return np.exp(self.a3 * n**self.gamma + self.b3) + data

"""log L = log(a N^-α + b E^-β + c D^-γ + f) + d log N log E: routed models in parameters, tokens and experts.

Yun et al. 2024 (2404.02852). For each number of experts a posynomial times a monomial, so experts are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class RoutedWithData(Form):
    """Loss of routed models in parameters, tokens and experts."""

    a: Coef
    b: Coef
    c: Coef
    f: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    d: Coef

    form_name: ClassVar[str] = "routed-with-data"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "expert_count")
    enumerated: ClassVar[tuple[str, ...]] = ("expert_count",)
    citation: ClassVar[str] = "Yun et al. 2024, Toward Inference-optimal Mixture-of-Expert LLMs, arXiv 2404.02852"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a", "nats/token × parameters^alpha"),
        scale("b", "nats/token × experts^beta", (0.01, 10.0)),
        scale("c", "nats/token × tokens^gamma", (1.0, 1e8)),
        scale("f", "nats/token", (0.1, 10.0)),
        exponent("alpha", (0.1, 0.7)),
        exponent("beta", (0.1, 1.5)),
        exponent("gamma", (0.1, 0.7)),
        Coefficient("d", -0.2, 0.2, (-0.005, 0.005)),
    )

    def loss(self, **variables: Any) -> Any:
        """(a N^-alpha + b E^-beta + c D^-gamma + f) N^(d ln E); N = parameter_count, E = expert_count."""
        n, tokens, experts = self.read(variables)
        inner = self.a * n**-self.alpha + self.b * experts**-self.beta + self.c * tokens**-self.gamma + self.f
        return inner * n ** (self.d * np.log(experts))

"""L = c + (g G^-γ + a) N^-α + b D^-β: mixtures of experts of finer grain.

Krajewski et al. 2024 (2402.07871), G = feed-forward width over expert width, 64 times as many expert parameters as
active ones throughout. A posynomial in N, D and G; routing costs grow with G, so a plan needs the paper's cost (12
width² c_f + width E G c_r) D layers as well, or G runs to its bound. Round G to a power of two afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class FineGrainedMoE(Form):
    """Chinchilla with a granularity factor on the model term."""

    c: Coef
    a: Coef
    g: Coef
    b: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "fine-grained-moe"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "granularity")
    citation: ClassVar[str] = (
        "Krajewski et al. 2024, Scaling Laws for Fine-Grained Mixture of Experts, arXiv 2402.07871"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("c", "nats/token", (0.1, 10.0)),
        scale("a", "nats/token × parameters^alpha"),
        scale("g", "nats/token × parameters^alpha", (0.1, 1e4)),
        scale("b", "nats/token × tokens^beta", (1.0, 1e8)),
        exponent("alpha", (0.05, 0.7)),
        exponent("beta", (0.05, 0.7)),
        exponent("gamma", (0.1, 1.5)),
    )

    def at_granularity(self, granularity: Any) -> Chinchilla:
        """The Chinchilla law of models of this granularity."""
        return Chinchilla(self.c, self.g * granularity**-self.gamma + self.a, self.b, self.alpha, self.beta)

    def loss(self, **variables: Any) -> Any:
        """c + (g G^-gamma + a) N^-alpha + b D^-beta; G = granularity."""
        n, d, granularity = self.read(variables)
        return self.at_granularity(granularity).loss(parameter_count=n, token_count=d)

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, granularity = self.read(variables)
        return self.at_granularity(granularity).loss_terms(parameter_count=n, token_count=d)

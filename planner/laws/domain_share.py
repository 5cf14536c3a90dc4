"""L = E + A N^-α + B r^η D^-β + C (r + ε)^-γ: continual pre-training on a share r of a domain.

Que et al. 2024 (2406.01375, D-CPT). One law for the loss on the domain, one for the general loss in 1 - r. A posynomial
in N and D for each r, so shares are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class DomainShare(Form):
    """Loss on a domain in parameters, tokens and the share of that domain (general loss: use the other share)."""

    E: Coef
    A: Coef
    B: Coef
    C: Coef
    alpha: Coef
    beta: Coef
    eta: Coef
    gamma: Coef
    eps: Coef

    form_name: ClassVar[str] = "domain-share"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "domain_share")
    enumerated: ClassVar[tuple[str, ...]] = ("domain_share",)
    citation: ClassVar[str] = "Que et al. 2024, D-CPT Law: Domain-specific Continual Pre-Training, arXiv 2406.01375"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("C", "nats/token", (1e-3, 10.0)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("eta", (-0.5, 1.5)),
        exponent("gamma", (0.05, 2.0)),
        scale("eps", "share", (0.01, 0.5), linear=False),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B r^eta D^-beta + C (r + eps)^-gamma; r = domain_share."""
        n, d, share = self.read(variables)
        data = self.B * share**self.eta * d**-self.beta
        return self.E + self.A * n**-self.alpha + data + self.C * (share + self.eps) ** -self.gamma

"""Data mixtures: the loss on one domain as a function of the shares of all, and of one share with size and tokens.

Ye et al. 2024 (2403.16952): L_i(r) = c_i + k_i exp(Σ_j t_ij r_j). Shares add up to one, so k is part of the t_j here.
Convex in the shares (a convex program over the simplex), no geometric program. Que et al. 2024 (2406.01375, D-CPT):
N, D and the share r of one domain; a posynomial in N and D for each r, so shares are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

FEWEST_DOMAINS, MOST_DOMAINS = 2, 64


@dataclass(frozen=True)
class Mixture(Form):
    """c + exp(sum_j t_j r_j); subclasses by `mixture` have one t per domain."""

    citation: ClassVar[str] = "Ye et al. 2024, Data Mixing Laws, arXiv 2403.16952"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.CONVEX

    def loss(self, **variables: Any) -> Any:
        """c + exp(sum_j t_j r_j); r_j = domain_share_j."""
        floor, *rates = self.values().values()
        shares = self.read(variables)
        total: Any = 0.0
        for rate, share in zip(rates, shares, strict=True):
            total = total + rate * share
        return floor + np.exp(total)


@cache
def mixture(domain_count: int) -> type[Mixture]:
    """The form called `mixture-<domain_count>`."""
    names = ["c", *(f"t{k}" for k in range(1, domain_count + 1))]
    made = make_dataclass(
        f"Mixture{domain_count}",
        [(name, "Coef") for name in names],
        bases=(Mixture,),
        frozen=True,
        namespace={
            "__doc__": f"Loss on one domain as a function of the shares of {domain_count}; one fit per domain.",
            "__module__": __name__,
            "form_name": f"mixture-{domain_count}",
            "variables": tuple(f"domain_share_{k}" for k in range(1, domain_count + 1)),
            "coefficients": (
                scale("c", "nats/token", (0.1, 10.0)),
                *(Coefficient(name, -50.0, 50.0, (-2.0, 2.0), "nats") for name in names[1:]),
            ),
        },
    )
    return cast(type[Mixture], made)


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

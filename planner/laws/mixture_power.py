"""Data mixtures as effective data: L_i = k (r_n + Σ_{j<n} w_j r_j)^-γ for the loss on one domain.

A token of domain j is worth w_j tokens of the last domain to the loss in question, and the loss is a power of what the
mixture is worth. Where Ye et al. 2024 (2403.16952) put shares into an exponential, which has no steep rise as a domain
leaves the mixture, a power has. The transfer weights follow Hernandez et al. 2021 (2102.01293). An assumed form: to
be fitted and compared, no published coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar, cast

from planner.laws.form import Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class MixturePower(Form):
    """k (r_n + sum_j w_j r_j)^-gamma; subclasses by `mixture_power` have one w per domain but the last."""

    citation: ClassVar[str] = "assumed form; weights after Hernandez et al. 2021, arXiv 2102.01293"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.CONVEX

    def loss(self, **variables: Any) -> Any:
        """k (r_n + sum_j w_j r_j)^-gamma; r_j = domain_share_j, n the last domain."""
        factor, gamma, *weights = self.values().values()
        *shares, worth = self.read(variables)
        for weight, share in zip(weights, shares, strict=True):
            worth = worth + weight * share
        return factor * worth**-gamma


@cache
def mixture_power(domain_count: int) -> type[MixturePower]:
    """The form called `mixture-power-<domain_count>`."""
    weights = [f"w{k}" for k in range(1, domain_count)]
    made = make_dataclass(
        f"MixturePower{domain_count}",
        [(name, "Coef") for name in ("k", "gamma", *weights)],
        bases=(MixturePower,),
        frozen=True,
        namespace={
            "__doc__": f"Loss on one domain as a power of what a mixture of {domain_count} is worth to it.",
            "__module__": __name__,
            "form_name": f"mixture-power-{domain_count}",
            "variables": tuple(f"domain_share_{k}" for k in range(1, domain_count + 1)),
            "coefficients": (
                scale("k", "nats/token", (0.1, 10.0)),
                exponent("gamma", (0.02, 1.0)),
                *(Coefficient(name, 1e-6, 1e6, (1e-2, 1e2), "tokens per token", logarithmic=True) for name in weights),
            ),
        },
    )
    return cast(type[MixturePower], made)

"""Data mixtures: L_i(r) = c_i + k_i exp(Σ_j t_ij r_j), the loss on one domain in the shares of all.

Ye et al. 2024 (2403.16952). Shares add up to one, so k is part of the t_j here. Convex in the shares (a convex program
over the simplex), no geometric program. One fit per domain; sizes and tokens enter by fitting each and extrapolating.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from planner.laws.form import Coefficient, Form, OptimisationClass, scale

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

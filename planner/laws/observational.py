"""logit((y - h)/(1 - h)) = b + Σ_m w_m S_m: scores of public models from a few capabilities, without training any.

Ruan et al. 2024 (2405.10938): the scores of public models on many benchmarks are, to 97 % of their variance, a few
principal components S_m; in each family of models these are lines in the logarithm of compute (`logarithm-of-compute`),
and a further score, h at chance, is a logistic function of them. `planner.laws.capabilities` finds the components.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from planner.laws.form import Coefficient, Form, OptimisationClass

FEWEST_CAPABILITIES, MOST_CAPABILITIES = 1, 8


@dataclass(frozen=True)
class Observational(Form):
    """h + (1 - h) logistic(b + sum_m w_m S_m); subclasses by `observational` have one w per capability."""

    citation: ClassVar[str] = "Ruan et al. 2024, Observational Scaling Laws, arXiv 2405.10938"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True

    def loss(self, **variables: Any) -> Any:
        """h + (1 - h) / (1 + exp(-b - sum_m w_m S_m)); S_m = capability_m. A score between h and 1."""
        chance, logit, *weights = self.values().values()
        for weight, capability in zip(weights, self.read(variables), strict=True):
            logit = logit + weight * capability
        return chance + (1.0 - chance) * np.exp(-1.0 * np.logaddexp(0.0, -1.0 * logit))


@cache
def observational(capability_count: int) -> type[Observational]:
    """The form called `observational-<capability_count>`."""
    weights = [f"w{k}" for k in range(1, capability_count + 1)]
    made = make_dataclass(
        f"Observational{capability_count}",
        [(name, "Coef") for name in ("h", "b", *weights)],
        bases=(Observational,),
        frozen=True,
        namespace={
            "__doc__": f"A score by {capability_count} capabilities of a model.",
            "__module__": __name__,
            "form_name": f"observational-{capability_count}",
            "variables": tuple(f"capability_{k}" for k in range(1, capability_count + 1)),
            "coefficients": (
                Coefficient("h", 1e-9, 0.999, (0.001, 0.5), "score at chance", logarithmic=True),
                Coefficient("b", -50.0, 50.0, (-5.0, 3.0)),
                *(Coefficient(name, -50.0, 50.0, (-3.0, 3.0), "per capability") for name in weights),
            ),
        },
    )
    return cast(type[Observational], made)

"""Gold reward of a policy optimised against a proxy: d (α - β d) for best-of-n, d (α - β ln d) for RL.

Gao et al. 2022 (2210.10760), d the square root of the KL divergence from the first policy. Both rise, turn, and fall:
there is a best distance. Coefficients vary smoothly with the size of the reward model; none were collected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale

GAO = "Gao et al. 2022, Scaling Laws for Reward Model Overoptimization, arXiv 2210.10760"


@dataclass(frozen=True)
class BestOfNReward(Form):
    """Gold reward of best-of-n sampling against a proxy, by distance from the first policy."""

    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "reward-of-best-of-n"
    variables: ClassVar[tuple[str, ...]] = ("policy_distance",)
    citation: ClassVar[str] = GAO
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("alpha", "reward per distance", (0.05, 10.0)),
        scale("beta", "reward per squared distance", (1e-3, 1.0)),
    )

    def best_distance(self) -> Coef:
        """d of highest reward."""
        return self.alpha / (2.0 * self.beta)

    def loss(self, **variables: Any) -> Any:
        """d (alpha - beta d); d = policy_distance. Reward."""
        (d,) = self.read(variables)
        return d * (self.alpha - self.beta * d)


@dataclass(frozen=True)
class OptimisedReward(Form):
    """Gold reward of reinforcement learning against a proxy, by distance from the first policy."""

    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "reward-of-rl"
    variables: ClassVar[tuple[str, ...]] = ("policy_distance",)
    citation: ClassVar[str] = GAO
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = BestOfNReward.coefficients

    def best_distance(self) -> Coef:
        """d of highest reward."""
        return np.exp(self.alpha / self.beta - 1.0)

    def loss(self, **variables: Any) -> Any:
        """d (alpha - beta ln d); d = policy_distance. Reward."""
        (d,) = self.read(variables)
        return d * (self.alpha - self.beta * np.log(d))


def best_of_n_distance(sample_count: Any) -> Any:
    """Distance (square root of nats) of best-of-n from the first policy: sqrt(ln n - (n - 1)/n)."""
    n = np.asarray(sample_count, float)
    return np.sqrt(np.log(n) - (n - 1.0) / n)

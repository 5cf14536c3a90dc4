"""Coverage: the share of questions that at least one of k samples solves, exp(a k^b), a and b negative.

Brown et al. 2024 (2407.21787), over four decades of k. Coverage is accuracy only where a verifier picks the right
sample; without one, votes and reward models stop improving after some hundred.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class Coverage(Form):
    """Share of questions that at least one of k samples solves."""

    a: Coef
    b: Coef

    form_name: ClassVar[str] = "coverage"
    variables: ClassVar[tuple[str, ...]] = ("sample_count",)
    citation: ClassVar[str] = "Brown et al. 2024, Large Language Monkeys, arXiv 2407.21787"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a", -50.0, -1e-6, (-5.0, -0.2)),
        Coefficient("b", -5.0, -1e-4, (-1.0, -0.05)),
    )

    def loss(self, **variables: Any) -> Any:
        """exp(a k^b); k = sample_count. Coverage, which rises."""
        (k,) = self.read(variables)
        return np.exp(self.a * k**self.b)

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


def observed_coverage(sample_count: Any, solved_count: Any, drawn: Any) -> Any:
    """Chance that `drawn` of `sample_count` samples, of which `solved_count` solve a question, hold one that does.

    1 - C(n - c, k) / C(n, k), which is unbiased for coverage at k where 1 - (1 - c/n)^k is not; for a set of questions
    take the mean. NaN where more are drawn than there are samples. Arrays broadcast.
    """
    from scipy.special import gammaln  # late: no other law needs it

    n, c, k = (np.asarray(x, float) for x in (sample_count, solved_count, drawn))
    wrong = n - c
    with np.errstate(all="ignore"):
        log_missed = gammaln(wrong + 1) + gammaln(n - k + 1) - gammaln(wrong - k + 1) - gammaln(n + 1)
        found = np.where(wrong < k, 1.0, -np.expm1(log_missed))
    return np.where(k <= n, found, np.nan)

"""Accuracy of a majority of K votes: s I_p1 + (1 - s) I_p2 over easy and hard questions.

Chen et al. 2024 (2403.02419), I_p the regularised incomplete beta at ((K+1)/2, (K+1)/2). More votes help where p > 1/2
and hurt where it is less, so accuracy is not monotone in K and there is a best number of votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class Votes(Form):
    """Accuracy of a majority of K votes: a share s of easy questions (p1 > 1/2), the others hard (p2 < 1/2)."""

    s: Coef
    p1: Coef
    p2: Coef

    form_name: ClassVar[str] = "votes"
    variables: ClassVar[tuple[str, ...]] = ("vote_count",)
    citation: ClassVar[str] = "Chen et al. 2024, Are More LLM Calls All You Need?, arXiv 2403.02419"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("s", 0.0, 1.0, (0.2, 0.9), "share"),
        Coefficient("p1", 0.5, 1.0 - 1e-9, (0.52, 0.95), "probability"),
        Coefficient("p2", 1e-9, 0.5, (0.05, 0.48), "probability"),
    )

    def best_vote_count(self) -> Coef:
        """K of highest accuracy (not rounded); below one where the first vote is the best."""
        odds = self.s / (1.0 - self.s) * (2.0 * self.p1 - 1.0) / (1.0 - 2.0 * self.p2)
        return 2.0 * np.log(odds) / np.log(self.p2 * (1.0 - self.p2) / (self.p1 * (1.0 - self.p1)))

    def loss(self, **variables: Any) -> Any:
        """s I(p1) + (1 - s) I(p2), I(p) = regularised incomplete beta at ((K+1)/2, (K+1)/2); K = vote_count."""
        (votes,) = self.read(variables)
        return self.s * _majority(self.p1, votes) + (1.0 - self.s) * _majority(self.p2, votes)


def _majority(p: Any, votes: Any) -> Any:
    """Probability that most of `votes` are right, with its derivatives where p carries some."""
    from scipy.special import betainc, betaln  # late: no other law needs it

    half = 0.5 * (np.asarray(votes, float) + 1.0)
    at = np.asarray(getattr(p, "value", p), float)
    value = betainc(half, half, at)
    if not hasattr(p, "mapped"):
        return value
    first = np.exp((half - 1.0) * (np.log(at) + np.log1p(-at)) - betaln(half, half))
    return p.mapped(value, first, first * (half - 1.0) * (1.0 / at - 1.0 / (1.0 - at)))

"""L = [(A/N)^(α/β) + B/D]^β + δ: contrastive entropy of a dense retriever in parameters and annotations.

Fang et al. 2024 (2403.18684). Rises with the posynomial inside, so a plan bounds or minimises that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class DenseRetriever(Form):
    """Contrastive entropy in parameters and annotated queries (`token_count` counts these)."""

    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    delta: Coef

    form_name: ClassVar[str] = "dense-retriever"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Fang et al. 2024, Scaling Laws for Dense Retrieval, arXiv 2403.18684"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("A", "parameters", (1e2, 1e8), linear=False),
        scale("B", "annotations", (1e2, 1e8), linear=False),
        exponent("alpha", (0.1, 1.5)),
        exponent("beta", (0.2, 2.0)),
        scale("delta", "nats", (0.005, 1.0)),
    )

    def inner(self, **variables: Any) -> Any:
        """(A/N)^(alpha/beta) + B/D."""
        n, d = self.read(variables)
        return (self.A / n) ** (self.alpha / self.beta) + self.B / d

    def outer(self, inner: Any) -> Any:
        """inner^beta + delta."""
        return inner**self.beta + self.delta

    def inner_for_loss(self, loss: Any) -> Any:
        reducible = np.asarray(loss, float) - self.delta
        return np.where(reducible > 0, np.maximum(reducible, 1e-300) ** (1.0 / self.beta), np.nan)

    def loss(self, **variables: Any) -> Any:
        """[(A/N)^(alpha/beta) + B/D]^beta + delta; N = parameter_count, D = token_count (annotations)."""
        return self.outer(self.inner(**variables))

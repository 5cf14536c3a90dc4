"""Retrieval: dense retrievers in model size and annotations, and language models with a datastore.

Fang et al. 2024 (2403.18684): L = [(A/N)^{α/β} + B/D]^β + δ, contrastive entropy; rises with the posynomial inside.
For datastores (Shao et al. 2024, 2407.12854) no law is published: the form here is assumed, for own fits only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


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


@dataclass(frozen=True)
class Datastore(Form):
    """Chinchilla with a third term in retrievable tokens; an assumed form."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "datastore"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "datastore_token_count")
    citation: ClassVar[str] = (
        "assumed form; data: Shao et al. 2024, Scaling Retrieval-Based Language Models, arXiv 2407.12854"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("G", "nats/token × tokens^gamma", (0.1, 1e4)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("gamma", (0.02, 0.6)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + G R^-gamma; R = datastore_token_count."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, store = self.read(variables)
        data = self.B * d**-self.beta + self.G * store**-self.gamma
        return LossTerms(self.A * n**-self.alpha, data, self.E)

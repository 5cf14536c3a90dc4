"""Vocabulary as a third resource: L = -E + A1 N^-a1 + A2 N_v^-a2 + B D^-b, unigram-normalised and hence negative.

Tao et al. 2024 (2407.13623), approach 3: N without embeddings in millions, N_v = vocabulary × width in millions, D in
billions of tokens, tied a1 = b. Data is given in characters, which compare across vocabularies; the authors' fit
turns them into tokens by a fertility polynomial evaluated at the vocabulary in *thousands*, and B belongs to that
(evaluated at the vocabulary itself the published coefficients miss the authors' losses by 0.4 nats). L + E is a
posynomial for a given vocabulary, so vocabularies are enumerated and the inner sum is minimised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.counting import convention
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

MILLION, BILLION, THOUSAND = 1e6, 1e9, 1e3
CITATION = "Tao et al. 2024, Scaling Laws with Vocabulary, arXiv 2407.13623"


def tokens_per_character(vocabulary_size: Any) -> Any:
    """Fertility of the authors' tokenizers, by their polynomial in the log of the vocabulary (at most 200,000)."""
    log = np.log(np.minimum(vocabulary_size, 200_000))
    two, one, zero = (convention(f"fertility_{name}") for name in ("square", "linear", "constant"))
    return two * log**2 + one * log + zero


@dataclass(frozen=True)
class Vocabulary(Form):
    """Unigram-normalised loss in non-vocabulary parameters, vocabulary, width and characters."""

    E: Coef
    A1: Coef
    A2: Coef
    B: Coef
    a1: Coef
    a2: Coef
    b: Coef

    form_name: ClassVar[str] = "vocabulary"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "vocabulary_size", "embedding_width", "character_count")
    enumerated: ClassVar[tuple[str, ...]] = ("vocabulary_size", "embedding_width")
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    observed: ClassVar[str] = "signed_metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token below unigram", (1.0, 20.0)),
        scale("A1", "nats/token × millions^a1", (0.1, 100.0)),
        scale("A2", "nats/token × millions^a2", (0.01, 100.0)),
        scale("B", "nats/token × billions^b", (0.1, 100.0)),
        exponent("a1", (0.1, 1.0)),
        exponent("a2", (0.1, 1.0)),
        exponent("b", (0.1, 1.0)),
    )

    def active_parameter_count(self, **variables: Any) -> Any:
        """N + V d: the embedding's parameters cost FLOPs too, at the head."""
        return variables["parameter_count"] + variables["vocabulary_size"] * variables["embedding_width"]

    def trained_token_count(self, **variables: Any) -> Any:
        """H tokens_per_character(V): of the vocabulary as it is; that it enters the loss in thousands is the fit's."""
        return variables["character_count"] * tokens_per_character(variables["vocabulary_size"])

    def inner(self, **variables: Any) -> Any:
        """A1 N^-a1 + A2 (V d)^-a2 + B D^-b, in the units above."""
        n, size, width, characters = self.read(variables)
        tokens = characters * tokens_per_character(size / THOUSAND)
        model = self.A1 * (n / MILLION) ** -self.a1 + self.A2 * (size * width / MILLION) ** -self.a2
        return model + self.B * (tokens / BILLION) ** -self.b

    def outer(self, inner: Any) -> Any:
        """inner - E."""
        return inner - self.E

    def inner_for_loss(self, loss: Any) -> Any:
        reducible = np.asarray(loss, float) + self.E
        return np.where(reducible > 0, reducible, np.nan)

    def loss(self, **variables: Any) -> Any:
        """-E + A1 N^-a1 + A2 (V d)^-a2 + B D^-b; V = vocabulary_size, d = embedding_width, D = tokens."""
        return self.outer(self.inner(**variables))


@dataclass(frozen=True)
class VocabularySize(Form):
    """The same idea without the embedding width: N, V and characters H only."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "vocabulary-size"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "vocabulary_size", "character_count")
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.MONOTONE_TRANSFORM
    observed: ClassVar[str] = "signed_metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token below unigram", (1.0, 20.0)),
        scale("A", "nats/token × millions^alpha", (0.1, 100.0)),
        scale("B", "nats/token × thousands^beta", (0.01, 100.0)),
        scale("G", "nats/token × billions^gamma", (0.1, 100.0)),
        exponent("alpha", (0.05, 1.0)),
        exponent("beta", (-0.5, 1.0)),
        exponent("gamma", (0.05, 1.0)),
    )

    def inner(self, **variables: Any) -> Any:
        """A N^-alpha + B V^-beta + G H^-gamma, in millions, thousands and billions."""
        n, size, characters = self.read(variables)
        model = self.A * (n / MILLION) ** -self.alpha + self.B * (size / THOUSAND) ** -self.beta
        return model + self.G * (characters / BILLION) ** -self.gamma

    def outer(self, inner: Any) -> Any:
        """inner - E."""
        return inner - self.E

    def inner_for_loss(self, loss: Any) -> Any:
        reducible = np.asarray(loss, float) + self.E
        return np.where(reducible > 0, reducible, np.nan)

    def loss(self, **variables: Any) -> Any:
        """-E + A N^-alpha + B V^-beta + G H^-gamma; V = vocabulary_size, H = character_count."""
        return self.outer(self.inner(**variables))

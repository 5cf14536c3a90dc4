"""Vocabulary along a training curve: L = -E + A N^-α + G N^δ (H V^-β + H_0)^-γ, unigram-normalised.

A larger vocabulary splits the same characters over more tokens to learn, so each character is worth V^-β of itself; H_0
is what the first steps of a run are worth, which keeps the early part of a curve finite; and larger models start
further from their floor (δ). An assumed form for tables that hold whole curves, where the additive law of Tao et al.
2024 (2407.13623), made for their ends, misses the start. Units as there: millions, thousands, billions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

MILLION, BILLION, THOUSAND = 1e6, 1e9, 1e3


@dataclass(frozen=True)
class VocabularyCurve(Form):
    """Unigram-normalised loss in non-vocabulary parameters, vocabulary and characters, early checkpoints included."""

    E: Coef
    A: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    delta: Coef
    H_0: Coef

    form_name: ClassVar[str] = "vocabulary-curve"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "vocabulary_size", "character_count")
    enumerated: ClassVar[tuple[str, ...]] = ("vocabulary_size",)
    citation: ClassVar[str] = "assumed form; after Tao et al. 2024, Scaling Laws with Vocabulary, arXiv 2407.13623"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "signed_metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token below unigram", (1.0, 20.0)),
        scale("A", "nats/token × millions^alpha", (0.1, 100.0)),
        scale("G", "nats/token × billions^gamma", (0.1, 100.0)),
        exponent("alpha", (0.05, 1.0)),
        exponent("beta", (-0.5, 1.5)),
        exponent("gamma", (0.05, 2.0)),
        exponent("delta", (-1.0, 1.0)),
        scale("H_0", "billions of characters", (0.01, 10.0), linear=False),
    )

    def loss(self, **variables: Any) -> Any:
        """-E + A N^-alpha + G N^delta (H V^-beta + H_0)^-gamma; V = vocabulary_size, H = character_count."""
        n, size, characters = self.read(variables)
        parameters, useful = n / MILLION, characters / BILLION * (size / THOUSAND) ** -self.beta
        data = self.G * parameters**self.delta * (useful + self.H_0) ** -self.gamma
        return self.A * parameters**-self.alpha + data - self.E

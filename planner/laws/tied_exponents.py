"""Chinchilla's form with one exponent, L = E + A N^-α + B D^-α: fewer coefficients, a constant ratio of tokens.

Gadre et al. 2024 (2403.08540) write it in compute C and tokens per parameter M, E + (a M^η + b M^-η) C^-η with η =
α/2, a = A 6^η, b = B 6^η. The optimum has D/N = (B/A)^{1/α} at every budget. Also Muennighoff et al. 2023
(2305.16264).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class TiedExponents(Form):
    """Chinchilla with alpha = beta."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef

    form_name: ClassVar[str] = "chinchilla-tied"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Gadre et al. 2024, Language models scale reliably with over-training, arXiv 2403.08540"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^alpha", (1.0, 1e8)),
        exponent("alpha"),
    )

    @property
    def base(self) -> Chinchilla:
        """The same law with two exponents."""
        return Chinchilla(self.E, self.A, self.B, self.alpha, self.alpha)

    def tokens_per_parameter(self) -> Coef:
        """D/N of every compute-optimal run."""
        return (self.B / self.A) ** (1.0 / self.alpha)

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        half = 0.5 + 0.0 * self.alpha
        return half, half

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-alpha; N = parameter_count, D = token_count."""
        self.read(variables)
        return self.base.loss(**variables)

    def loss_terms(self, **variables: Any) -> LossTerms:
        self.read(variables)
        return self.base.loss_terms(**variables)

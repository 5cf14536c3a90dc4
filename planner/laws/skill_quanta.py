"""L = E + A N^-α + B D^-α/(1+α): Chinchilla's form with the two exponents that a theory of skills ties together.

Michaud et al. 2023 (2303.13506): if skills are learned in the order of their use, and uses follow Zipf's law with
exponent 1 + α, parameters buy loss at α and examples at α/(1+α). Fits of language models violate it (Besiroglu et al.
2024 find 0.35 and 0.37 where it says 0.35 and 0.26), so this form is there to be compared with, and as a prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class SkillQuanta(Form):
    """Chinchilla with the data exponent that follows from the model exponent."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef

    form_name: ClassVar[str] = "skill-quanta"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Michaud et al. 2023, The Quantization Model of Neural Scaling, arXiv 2303.13506"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^(alpha/(1+alpha))", (1.0, 1e8)),
        exponent("alpha"),
    )

    @property
    def base(self) -> Chinchilla:
        """The same law with both exponents written out."""
        return Chinchilla(self.E, self.A, self.B, self.alpha, self.alpha / (1.0 + self.alpha))

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        return self.base.compute_optimal_exponents()

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^(-alpha/(1+alpha)); N = parameter_count, D = token_count."""
        self.read(variables)
        return self.base.loss(**variables)

    def loss_terms(self, **variables: Any) -> LossTerms:
        self.read(variables)
        return self.base.loss_terms(**variables)

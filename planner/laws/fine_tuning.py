"""Fine-tuning: L = A X^-α D_f^-β + E, X model size, pre-training data or tunable parameters.

Zhang et al. 2024 (2402.17193), one set of coefficients for each task and method (all weights, LoRA, prompts); two
methods cross where their reducible losses are equal. Multiplicative where Chinchilla's law adds: held-out runs prefer
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class FineTuning(Form):
    """A X^-alpha D_f^-beta + E in the X that a subclass names."""

    E: Coef
    A: Coef
    alpha: Coef
    beta: Coef

    citation: ClassVar[str] = "Zhang et al. 2024, When Scaling Meets LLM Finetuning, arXiv 2402.17193"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the loss", (0.01, 5.0)),
        scale("A", "of the loss × X^alpha × tokens^beta", (0.1, 1e6)),
        exponent("alpha", (-0.05, 0.9)),
        exponent("beta", (0.01, 0.6)),
    )

    def loss(self, **variables: Any) -> Any:
        """A X^-alpha D^-beta + E; D = finetuning_token_count, X = the other variable."""
        x, d = self.read(variables)
        return self.A * x**-self.alpha * d**-self.beta + self.E

    def crossover(self, other: FineTuning, x: Any) -> Any:
        """Fine-tuning tokens at which the reducible losses of two methods are equal: H X^gamma (Table 5)."""
        gap = 1.0 / (self.beta - other.beta)
        return (self.A / other.A) ** gap * x ** ((other.alpha - self.alpha) * gap)


@dataclass(frozen=True)
class FineTuningBySize(FineTuning):
    """X = model size."""

    form_name: ClassVar[str] = "fine-tuning"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "finetuning_token_count")


@dataclass(frozen=True)
class FineTuningByPretraining(FineTuning):
    """X = pre-training tokens."""

    form_name: ClassVar[str] = "fine-tuning-by-pretraining"
    variables: ClassVar[tuple[str, ...]] = ("token_count", "finetuning_token_count")


@dataclass(frozen=True)
class FineTuningByTunable(FineTuning):
    """X = parameters that may change."""

    form_name: ClassVar[str] = "fine-tuning-by-tunable"
    variables: ClassVar[tuple[str, ...]] = ("tunable_parameter_count", "finetuning_token_count")

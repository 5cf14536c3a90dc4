"""Transfer: pre-training is worth D_T = k D_F^a N^b of fine-tuning data.

Hernandez et al. 2021 (2102.01293). Where few data are fine-tuned on (D_T ≫ D_F) the loss is a posynomial to a power;
else D_F + D_T stands in a denominator, and with D_F given N is searched. Beyond some 10 % of the data that a model of
its size deserves, small pre-trained models end up worse than fresh ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

HERNANDEZ = "Hernandez et al. 2021, Scaling Laws for Transfer, arXiv 2102.01293"


KAPLAN_PART: tuple[Coefficient, ...] = (
    Coefficient("N_c", 1e2, 1e40, (1e8, 1e18), "parameters", logarithmic=True),
    Coefficient("D_c", 1e-10, 1e40, (1e2, 1e14), "data", logarithmic=True),
    exponent("alpha_N", (0.02, 0.6)),
    exponent("alpha_D", (0.02, 0.6)),
)


@dataclass(frozen=True)
class TransferredData(Form):
    """Data that pre-training is worth."""

    k: Coef
    a: Coef
    b: Coef

    form_name: ClassVar[str] = "transferred-data"
    variables: ClassVar[tuple[str, ...]] = ("finetuning_token_count", "parameter_count")
    citation: ClassVar[str] = HERNANDEZ
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("k", "data^(1-a) × parameters^-b", (1.0, 1e8)),
        exponent("a", (0.02, 0.9)),
        exponent("b", (0.02, 1.2)),
    )

    def loss(self, **variables: Any) -> Any:
        """k D^a N^b; D = finetuning_token_count, N = parameter_count."""
        d, n = self.read(variables)
        return self.k * d**self.a * n**self.b


@dataclass(frozen=True)
class TransferLowData(Form):
    """Kaplan's joint law where nearly all data is transferred; D_c is that of Kaplan's law over k."""

    N_c: Coef
    D_c: Coef
    alpha_N: Coef
    alpha_D: Coef
    a: Coef
    b: Coef

    form_name: ClassVar[str] = "transfer-low-data"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "finetuning_token_count")
    citation: ClassVar[str] = HERNANDEZ
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL_POWER
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *KAPLAN_PART,
        exponent("a", (0.02, 0.9)),
        exponent("b", (0.02, 1.2)),
    )

    def loss(self, **variables: Any) -> Any:
        """[(N_c/N)^(alpha_N/alpha_D) + D_c D^-a N^-b]^alpha_D; D = finetuning_token_count."""
        n, d = self.read(variables)
        model = (self.N_c / n) ** (self.alpha_N / self.alpha_D)
        return (model + self.D_c * d**-self.a * n**-self.b) ** self.alpha_D


@dataclass(frozen=True)
class Transfer(Form):
    """Kaplan's joint law in effective data D_F + k D_F^a N^b: not log-log convex; with D_F given, search N."""

    N_c: Coef
    D_c: Coef
    alpha_N: Coef
    alpha_D: Coef
    k: Coef
    a: Coef
    b: Coef

    form_name: ClassVar[str] = "transfer"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "finetuning_token_count")
    citation: ClassVar[str] = HERNANDEZ
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *KAPLAN_PART,
        scale("k", "data^(1-a) × parameters^-b", (1.0, 1e8), linear=False),
        exponent("a", (0.02, 0.9)),
        exponent("b", (0.02, 1.2)),
    )

    def effective_data(self, parameter_count: Any, finetuning_token_count: Any) -> Any:
        """D_F + D_T."""
        transferred = self.k * finetuning_token_count**self.a * parameter_count**self.b
        return finetuning_token_count + transferred

    def loss(self, **variables: Any) -> Any:
        """[(N_c/N)^(alpha_N/alpha_D) + D_c/(D + k D^a N^b)]^alpha_D; D = finetuning_token_count."""
        n, d = self.read(variables)
        model = (self.N_c / n) ** (self.alpha_N / self.alpha_D)
        return (model + self.D_c / self.effective_data(n, d)) ** self.alpha_D

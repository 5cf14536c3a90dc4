"""L = B/(D_l + D^β) + E: fine-tuning with a phase before the power law.

Lin et al. 2024 (2402.02314): what pre-training learned already counts as data D_l. One set of coefficients per model
and data set; monotone, so the data for a target follows by bisection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Rectified(Form):
    """Fine-tuning loss with a pre-power phase: what pre-training already learned counts as data."""

    E: Coef
    B: Coef
    D_l: Coef
    beta: Coef

    form_name: ClassVar[str] = "rectified"
    variables: ClassVar[tuple[str, ...]] = ("finetuning_token_count",)
    citation: ClassVar[str] = "Lin et al. 2024, Selecting LLM to Fine-tune via Rectified Scaling Law, arXiv 2402.02314"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.01, 5.0)),
        scale("B", "nats/token × tokens^beta", (1.0, 1e6)),
        scale("D_l", "tokens^beta", (1.0, 1e6), linear=False),
        exponent("beta", (0.1, 1.5)),
    )

    def loss(self, **variables: Any) -> Any:
        """B / (D_l + D^beta) + E; D = finetuning_token_count."""
        (d,) = self.read(variables)
        return self.B / (self.D_l + d**self.beta) + self.E

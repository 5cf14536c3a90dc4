"""L = E + A N^-α + B D^-β + G k^-γ: samples per question as a third resource beside parameters and tokens.

Roberts et al. 2026 (2604.01411, T²), under 6 N D within the training compute and 2 N k T within the compute of a
question: a geometric program in N, D and k. Once samples are paid for, smaller models trained for longer are best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.compute import ComputeModel
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class RepeatedSampling(Form):
    """Chinchilla with a third term in samples per question."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "repeated-sampling"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "sample_count")
    citation: ClassVar[str] = "Roberts et al. 2026, arXiv 2604.01411"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the metric", (0.01, 10.0)),
        scale("A", "of the metric × parameters^alpha"),
        scale("B", "of the metric × tokens^beta", (1.0, 1e8)),
        scale("G", "of the metric", (0.01, 10.0)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("gamma", (0.05, 1.5)),
    )

    def inference_flops_per_token(self, compute_model: ComputeModel, **variables: Any) -> Any:
        """Each question is answered `sample_count` times."""
        once = super().inference_flops_per_token(compute_model, **variables)
        return None if once is None else once * variables["sample_count"]

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + G k^-gamma; k = sample_count."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, k = self.read(variables)
        return LossTerms(self.A * n**-self.alpha, self.B * d**-self.beta, self.E + self.G * k**-self.gamma)

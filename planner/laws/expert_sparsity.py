"""L = a N^-α + b D^-β + c s^λ + d s^-δ N^-γ + e: mixtures of experts by the share s of experts that are active.

Abnar et al. 2025 (2501.12370), s = 1 - S with S their sparsity, N total parameters; their λ is negative, which makes
the c term rise with s: here it is -λ in `loss` as in the paper, c (1-S)^-λ. A posynomial in N, D and s. Without a
limit on N the law wants endlessly many parameters at vanishing s: always bound memory, and s from below (runs reach
0.02).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ExpertSparsity(Form):
    """Loss in total parameters, tokens and share of active experts."""

    a: Coef
    b: Coef
    c: Coef
    d: Coef
    e: Coef
    alpha: Coef
    beta: Coef
    lambda_: Coef
    delta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "expert-sparsity"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "active_expert_share")
    citation: ClassVar[str] = (
        "Abnar et al. 2025, Parameters vs FLOPs: Scaling Laws for Optimal Sparsity, arXiv 2501.12370"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a", "nats/token × parameters^alpha"),
        scale("b", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("c", "nats/token", (0.01, 10.0)),
        scale("d", "nats/token × parameters^gamma", (0.1, 1e4)),
        scale("e", "nats/token", (0.01, 10.0)),
        exponent("alpha", (0.1, 0.9)),
        exponent("beta", (0.1, 0.9)),
        exponent("lambda_", (-0.6, 0.6)),
        exponent("delta", (-0.6, 0.6)),
        exponent("gamma", (0.05, 0.6)),
    )

    def loss(self, **variables: Any) -> Any:
        """a N^-alpha + b D^-beta + c s^-lambda + d s^-delta N^-gamma + e; s = active_expert_share."""
        terms = self.loss_terms(**variables)
        return terms.model + terms.data + terms.floor

    def active_parameter_count(self, **variables: Any) -> Any:
        """N s: all parameters count in N, only the active share costs FLOPs."""
        return variables["parameter_count"] * variables["active_expert_share"]

    def total_parameter_count(self, **variables: Any) -> Any:
        return variables["parameter_count"]

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, tokens, share = self.read(variables)
        model = self.a * n**-self.alpha + self.d * share**-self.delta * n**-self.gamma
        return LossTerms(model, self.b * tokens**-self.beta, self.c * share**-self.lambda_ + self.e)


@dataclass(frozen=True)
class ExpertSparsityAtFixedData(Form):
    """The same where all runs saw equally many tokens, so that the data term is part of the floor."""

    a: Coef
    c: Coef
    d: Coef
    e: Coef
    alpha: Coef
    lambda_: Coef
    delta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "expert-sparsity-at-fixed-data"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "active_expert_share")
    citation: ClassVar[str] = ExpertSparsity.citation
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = tuple(
        spec for spec in ExpertSparsity.coefficients if spec.name not in ("b", "beta")
    )

    def loss(self, **variables: Any) -> Any:
        """a N^-alpha + c s^-lambda + d s^-delta N^-gamma + e; s = active_expert_share."""
        n, share = self.read(variables)
        mixed = self.d * share**-self.delta * n**-self.gamma
        return self.a * n**-self.alpha + self.c * share**-self.lambda_ + mixed + self.e

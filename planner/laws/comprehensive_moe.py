"""Five factors of a mixture of experts: total size, active size, tokens, experts per token, share of shared experts.

Zhao et al. 2025 (2509.23678): L = K(G, S) (N^-α + k N_a^-α + h N_a/N) + a N^-α + b D^-β + c N_a^-α + ε with
K = e G + f/G + m S² + n S. Choosing G and S is a matter of K alone, so the best of both, √(f/e) and -n/(2m), depend on
neither size nor data. More active parameters help until h N_a/N outweighs them: the best share N_a/N falls as models
grow. For given G and S, and K positive, a posynomial in N, N_a and D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ComprehensiveMoE(Form):
    """Loss in active and total parameters, tokens, active experts and the share of experts that all tokens share."""

    e: Coef
    f: Coef
    m: Coef
    n: Coef
    k: Coef
    h: Coef
    a: Coef
    b: Coef
    c: Coef
    eps: Coef
    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "five-factor-moe"
    variables: ClassVar[tuple[str, ...]] = (
        "parameter_count",
        "total_parameter_count",
        "token_count",
        "active_expert_count",
        "shared_expert_share",
    )
    enumerated: ClassVar[tuple[str, ...]] = ("active_expert_count", "shared_expert_share")
    citation: ClassVar[str] = (
        "Zhao et al. 2025, Towards a Comprehensive Scaling Law of Mixture-of-Experts, arXiv 2509.23678"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("e", "per expert", (0.01, 10.0), linear=False),
        scale("f", "experts", (0.1, 100.0), linear=False),
        scale("m", "", (0.1, 100.0), linear=False),
        Coefficient("n", -100.0, 100.0, (-10.0, 0.0)),
        scale("k", "", (1e-4, 1.0), linear=False),
        scale("h", "nats/token", (1e-3, 1.0), linear=False),
        scale("a", "nats/token × parameters^alpha", (1.0, 1e4)),
        scale("b", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("c", "nats/token × parameters^alpha", (1.0, 1e4)),
        scale("eps", "nats/token", (0.1, 10.0)),
        exponent("alpha", (0.1, 0.7)),
        exponent("beta", (0.1, 0.9)),
    )

    def total_parameter_count(self, **variables: Any) -> Any:
        return variables.get("total_parameter_count")

    def structure(self, active_expert_count: Any, shared_expert_share: Any) -> Any:
        """K(G, S) = e G + f/G + m S^2 + n S: what the choice of experts multiplies the model terms by."""
        experts, share = active_expert_count, shared_expert_share
        return self.e * experts + self.f / experts + self.m * share**2 + self.n * share

    def best_active_experts(self) -> Coef:
        """G of least loss at any size and data."""
        return (self.f / self.e) ** 0.5

    def best_shared_share(self) -> Coef:
        """S of least loss at any size and data."""
        return -0.5 * self.n / self.m

    def best_active_parameters(self, total_parameter_count: Any, active_expert_count: Any, shared_share: Any) -> Any:
        """N_a of least loss for a total: where alpha (k K + c) N_a^-alpha = h K N_a / N."""
        structure = self.structure(active_expert_count, shared_share)
        gain = self.alpha * (self.k * structure + self.c) / (self.h * structure)
        return (gain * total_parameter_count) ** (1.0 / (1.0 + self.alpha))

    def loss(self, **variables: Any) -> Any:
        """(e G + f/G + m S^2 + n S) (N^-alpha + k M^-alpha + h M/N) + a N^-alpha + b D^-beta + c M^-alpha + eps.

        M = parameter_count (active), N = total_parameter_count, G = active_expert_count, S = shared_expert_share.
        """
        terms = self.loss_terms(**variables)
        return terms.model + terms.data + terms.floor

    def loss_terms(self, **variables: Any) -> LossTerms:
        active, total, tokens, experts, share = self.read(variables)
        by_active, by_total = active**-self.alpha, total**-self.alpha
        coupled = self.structure(experts, share) * (by_total + self.k * by_active + self.h * active / total)
        return LossTerms(coupled + self.a * by_total + self.c * by_active, self.b * tokens**-self.beta, self.eps)

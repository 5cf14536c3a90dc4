"""Mixture-of-experts loss in active parameters, tokens and number of experts.

Ludziejewski et al. 2025 (2502.05172): L = a Ê^δ N^(α+γ ln Ê) + b Ê^ω D^(β+ζ ln Ê) + c with N the parameters active
per token and Ê a saturated expert count, 1/Ê = 1/(E - 1 + (1/E_start - 1/E_max)^-1) + 1/E_max (Clark et al. 2022,
2202.01169). For each expert count this is a Chinchilla law with other coefficients: experts are enumerated, and
each has the closed forms and the geometric program of that law. Exponents are negative as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass


@dataclass(frozen=True)
class JointMoE(Form):
    """Joint law of active parameters, tokens and experts (one expert = dense)."""

    a: Coef
    b: Coef
    c: Coef
    alpha: Coef
    delta: Coef
    gamma: Coef
    beta: Coef
    omega: Coef
    zeta: Coef
    E_start: Coef
    E_max: Coef

    form_name: ClassVar[str] = "joint-moe"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "expert_count")
    citation: ClassVar[str] = "Ludziejewski et al. 2025, Joint MoE Scaling Laws, arXiv 2502.05172"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    enumerated: ClassVar[tuple[str, ...]] = ("expert_count",)
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a", 1e-8, 1e20, (1.0, 1e4), "nats/token × parameters^-alpha", logarithmic=True, linear=True),
        Coefficient("b", 1e-8, 1e20, (1.0, 1e4), "nats/token × tokens^-beta", logarithmic=True, linear=True),
        Coefficient("c", 1e-8, 1e4, (0.1, 10.0), "nats/token", logarithmic=True, linear=True),
        Coefficient("alpha", -3.0, -1e-3, (-0.5, -0.05)),
        Coefficient("delta", -5.0, 5.0, (-0.6, 0.2)),
        Coefficient("gamma", -1.0, 1.0, (-0.03, 0.04)),
        Coefficient("beta", -3.0, -1e-3, (-0.5, -0.05)),
        Coefficient("omega", -5.0, 5.0, (-0.5, 1.0)),
        Coefficient("zeta", -1.0, 1.0, (-0.05, 0.03)),
        Coefficient("E_start", 1.0001, 50.0, (1.2, 6.0), "experts", logarithmic=True),
        Coefficient("E_max", 51.0, 1e5, (100.0, 1000.0), "experts", logarithmic=True),
    )

    def effective_expert_count(self, expert_count: Any) -> Any:
        """Ê: E_start for one expert, saturating at E_max."""
        return saturated_experts(expert_count, self.E_start, self.E_max)

    def at_expert_count(self, expert_count: Any) -> Chinchilla:
        """The Chinchilla law, in active parameters and tokens, of models with `expert_count` experts."""
        effective = self.effective_expert_count(expert_count)
        log_effective = np.log(effective)
        return Chinchilla(
            E=self.c,
            A=self.a * effective**self.delta,
            B=self.b * effective**self.omega,
            alpha=-1.0 * (self.alpha + self.gamma * log_effective),
            beta=-1.0 * (self.beta + self.zeta * log_effective),
        )

    def loss(self, **variables: Any) -> Any:
        """a Ê^delta N^(alpha + gamma ln Ê) + b Ê^omega D^(beta + zeta ln Ê) + c; N active, Ê from experts."""
        n, d, experts = self.read(variables)
        return self.at_expert_count(experts).loss(parameter_count=n, token_count=d)

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, experts = self.read(variables)
        return self.at_expert_count(experts).loss_terms(parameter_count=n, token_count=d)


def saturated_experts(expert_count: Any, start: Any, most: Any) -> Any:
    """1 / (1/(E - 1 + (1/start - 1/most)^-1) + 1/most): `start` for one expert, `most` for endlessly many."""
    offset = 1.0 / (1.0 / start - 1.0 / most)
    return 1.0 / (1.0 / (expert_count - 1.0 + offset) + 1.0 / most)

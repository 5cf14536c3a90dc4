"""Routed models at a fixed number of tokens: log10 L = a log10 N + b log10 Ê + c log10 N log10 Ê + d.

Clark et al. 2022 (2202.01169), Ê a saturated number of experts. Bilinear in logarithms and hence not convex jointly;
for each number of experts a monomial in N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass
from planner.laws.joint_moe import saturated_experts


@dataclass(frozen=True)
class RoutedExperts(Form):
    """Loss of routed models of N parameters per token and E experts, all trained alike. Logarithms are base 10."""

    a: Coef
    b: Coef
    c: Coef
    d: Coef
    E_start: Coef
    E_max: Coef

    form_name: ClassVar[str] = "routed"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "expert_count")
    enumerated: ClassVar[tuple[str, ...]] = ("expert_count",)
    citation: ClassVar[str] = "Clark et al. 2022, Unified Scaling Laws for Routed Language Models, arXiv 2202.01169"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a", -2.0, 1.0, (-0.2, -0.02)),
        Coefficient("b", -5.0, 5.0, (-0.3, 0.0)),
        Coefficient("c", -1.0, 1.0, (-0.01, 0.03)),
        Coefficient("d", -20.0, 20.0, (0.5, 2.0)),
        Coefficient("E_start", 1.0001, 50.0, (1.2, 6.0), "experts", logarithmic=True),
        Coefficient("E_max", 51.0, 1e5, (100.0, 1000.0), "experts", logarithmic=True),
    )

    def effective_expert_count(self, expert_count: Any) -> Any:
        """Ê: E_start for one expert, saturating at E_max."""
        return saturated_experts(expert_count, self.E_start, self.E_max)

    def cut_off(self) -> Coef:
        """N beyond which more experts stop helping; sensitive to the last digits of b and c."""
        return 10.0 ** (-1.0 * self.b / self.c)

    def loss(self, **variables: Any) -> Any:
        """10^(a log N + b log Ê + c log N log Ê + d), Ê saturating in E; N = parameter_count, E = expert_count."""
        n, experts = self.read(variables)
        log_experts = np.log(self.effective_expert_count(experts)) * (1.0 / np.log(10.0))
        return 10.0 ** (self.d + self.b * log_experts) * n ** (self.a + self.c * log_experts)

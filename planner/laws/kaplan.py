"""L = [(N_c/N)^(α_N/α_D) + D_c/D]^α_D: Kaplan's joint law of model size and data.

Kaplan et al. 2020 (2001.08361) Eq. 1.5, N non-embedding. A posynomial raised to a positive power, hence log-log
convex. The optimum on C = k N D follows from the inner sum alone: with ρ = α_N/α_D, ρ (N_c/N)^ρ = D_c/D.
Note: the paper's own allocation exponent 0.73 comes from its law in N and steps, not from this one, which
describes early-stopped runs; on 6ND = C this law gives 1/(1+ρ).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.errors import InvalidInput, Violation
from planner.laws.compute import SIMPLE, ComputeModel
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class Kaplan(Form):
    """Nested power laws without an irreducible floor."""

    N_c: Coef
    D_c: Coef
    alpha_N: Coef
    alpha_D: Coef

    form_name: ClassVar[str] = "kaplan"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv 2001.08361"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL_POWER
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("N_c", 1e2, 1e40, (1e8, 1e18), "parameters", logarithmic=True),
        Coefficient("D_c", 1e2, 1e40, (1e8, 1e18), "tokens", logarithmic=True),
        Coefficient("alpha_N", 1e-3, 3.0, (0.02, 0.6)),
        Coefficient("alpha_D", 1e-3, 3.0, (0.02, 0.6)),
    )

    def loss(self, **variables: Any) -> Any:
        """[(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D; N = parameter_count, D = token_count."""
        n, d = self.read(variables)
        return ((self.N_c / n) ** (self.alpha_N / self.alpha_D) + self.D_c / d) ** self.alpha_D

    def parameter_exponent(self) -> Coef:
        """a in N* ∝ C^a on C = k N D."""
        return self.alpha_D / (self.alpha_N + self.alpha_D)

    def token_exponent(self) -> Coef:
        """b in D* ∝ C^b on C = k N D."""
        return self.alpha_N / (self.alpha_N + self.alpha_D)

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        return self.parameter_exponent(), self.token_exponent()

    def compute_optimal(self, training_flops: Any, compute_model: ComputeModel = SIMPLE) -> tuple[Any, Any]:
        """(N, D) of least loss at `training_flops`. Raises InvalidInput for compute not proportional to N D."""
        _require_proportional(compute_model)
        product = training_flops / compute_model.training_flops(1.0, 1.0)
        ratio = self.alpha_N / self.alpha_D
        n = (ratio * self.N_c**ratio * product / self.D_c) ** (1.0 / (1.0 + ratio))
        return n, product / n

    def compute_for_loss(self, loss: Any, compute_model: ComputeModel = SIMPLE) -> Any:
        """Least training FLOPs that reach `loss`."""
        _require_proportional(compute_model)
        ratio = self.alpha_N / self.alpha_D
        inner = loss ** (1.0 / self.alpha_D)  # model part m plus data part ρ m
        model_part = inner / (1.0 + ratio)
        n = self.N_c / model_part ** (1.0 / ratio)
        d = self.D_c / (ratio * model_part)
        return compute_model.training_flops(n, d)


def _require_proportional(model: ComputeModel) -> None:
    if not model.proportional:
        raise InvalidInput(Violation("compute_model", model.name, "a model proportional to N D (closed form)"))

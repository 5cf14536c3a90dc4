"""Repeated data and surplus parameters: L = E + A N'^-α + B D'^-β in effective counts N', D'.

Muennighoff et al. 2023 (2305.16264) Eq. 5-7. A token seen again is worth less each time, with a life of R_D
repeats; parameters beyond the optimum of the unique data likewise, R_N. Both effective counts are log-log concave
(and homogeneous of degree one up to the optimal-size map), so the loss is log-log convex; it is no posynomial, and
an optimiser bounds D' and N' by monomial tangents, whose slopes are given here in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass


@dataclass(frozen=True)
class DataConstrained(Form):
    """Chinchilla law in effective parameters and tokens."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    R_D: Coef
    R_N: Coef

    form_name: ClassVar[str] = "data-constrained"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "unique_token_count")
    citation: ClassVar[str] = "Muennighoff et al. 2023, Scaling Data-Constrained Language Models, arXiv 2305.16264"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.TANGENT_CUTS
    # A and B also set where parameters turn surplus, so the loss is linear in the floor alone.
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("E", 1e-8, 1e4, (1.0, 2.5), "nats/token", logarithmic=True, linear=True),
        Coefficient("A", 1e-8, 1e25, (30.0, 1e4), "nats/token × parameters^alpha", logarithmic=True),
        Coefficient("B", 1e-8, 1e25, (100.0, 1e5), "nats/token × tokens^beta", logarithmic=True),
        Coefficient("alpha", 1e-2, 3.0, (0.2, 0.5)),
        Coefficient("beta", 1e-2, 3.0, (0.2, 0.5)),
        Coefficient("R_D", 1e-2, 1e4, (1.0, 300.0), "repeats", logarithmic=True),
        Coefficient("R_N", 1e-2, 1e4, (0.5, 50.0), "surplus parameters per parameter", logarithmic=True),
    )

    @property
    def base(self) -> Chinchilla:
        """The law of unique data, to be evaluated at the effective counts."""
        return Chinchilla(self.E, self.A, self.B, self.alpha, self.beta)

    def optimal_parameters(self, unique_token_count: Any) -> Any:
        """N_opt(U): compute-optimal size for that many unique tokens; beyond it parameters are surplus."""
        return self.base.parameters_for_tokens(unique_token_count)

    def effective_tokens(self, token_count: Any, unique_token_count: Any) -> Any:
        """D' = U [1 + R_D (1 - exp(-(D/U - 1)/R_D))], U = min(unique_token_count, token_count)."""
        unique = np.minimum(unique_token_count, token_count)
        return _saturated(token_count, unique, self.R_D)

    def effective_parameters(self, parameter_count: Any, unique_token_count: Any) -> Any:
        """N' likewise from min(N, N_opt(U)). Pass min(unique, seen) tokens as `unique_token_count`."""
        useful = np.minimum(parameter_count, self.optimal_parameters(unique_token_count))
        return _saturated(parameter_count, useful, self.R_N)

    def effective_tokens_slopes(self, token_count: Any, unique_token_count: Any) -> tuple[Any, Any]:
        """(∂ log D'/∂ log D, ∂ log D'/∂ log U): the exponents of the monomial tangent to D' at this point."""
        unique = np.minimum(unique_token_count, token_count)
        slope = _log_slope(token_count, unique, self.R_D)
        return slope, 1.0 - slope

    def effective_parameters_slopes(self, parameter_count: Any, unique_token_count: Any) -> tuple[Any, Any]:
        """(∂ log N'/∂ log N, ∂ log N'/∂ log U): the exponents of the monomial tangent to N' at this point."""
        useful = np.minimum(parameter_count, self.optimal_parameters(unique_token_count))
        slope = _log_slope(parameter_count, useful, self.R_N)
        return slope, (1.0 - slope) * self.beta / self.alpha

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        """Those of the base law: they hold as long as data is not repeated."""
        return self.base.compute_optimal_exponents()

    def loss(self, **variables: Any) -> Any:
        """E + A N'^-alpha + B D'^-beta at the effective counts N' and D' of repeated tokens and surplus parameters."""
        n, d = self._effective(variables)
        return self.base.loss(parameter_count=n, token_count=d)

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d = self._effective(variables)
        return self.base.loss_terms(parameter_count=n, token_count=d)

    def _effective(self, variables: dict[str, Any]) -> tuple[Any, Any]:
        parameters, tokens, unique_tokens = self.read(variables)
        unique = np.minimum(unique_tokens, tokens)
        return (
            self.effective_parameters(parameters, unique),
            self.effective_tokens(tokens, unique),
        )


def _saturated(count: Any, unique: Any, life: Any) -> Any:
    """unique × [1 + life (1 - exp(-(count/unique - 1)/life))]."""
    return unique * (1.0 + life * (1.0 - np.exp((1.0 - count / unique) / life)))


def _log_slope(count: Any, unique: Any, life: Any) -> Any:
    """d log saturated / d log count: 1 at one epoch, falling after."""
    return count * np.exp((1.0 - count / unique) / life) / _saturated(count, unique, life)

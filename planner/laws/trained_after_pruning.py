"""Loss after pruning and D tokens of more training: L₀ + ρ^-γ N^-δ (N_C N^-α + D_C D^-β + E).

Chen et al. 2024 (2411.10272, P2), ρ the pruning rate, N and L₀ size and loss before pruning. A posynomial in ρ, N and
D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class TrainedAfterPruning(Form):
    """Loss of a pruned model after D more tokens. The sign of gamma is free: loss rises with the pruning rate."""

    N_C: Coef
    D_C: Coef
    E: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    delta: Coef

    form_name: ClassVar[str] = "trained-after-pruning"
    variables: ClassVar[tuple[str, ...]] = ("dense_loss", "pruning_rate", "parameter_count", "token_count")
    citation: ClassVar[str] = (
        "Chen et al. 2024, P2 Law: Scaling Law for Post-Training After Model Pruning, arXiv 2411.10272"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("N_C", "nats/token × parameters^(alpha+delta)", (0.1, 1e6)),
        scale("D_C", "nats/token × parameters^delta × tokens^beta", (0.1, 1e6)),
        scale("E", "nats/token × parameters^delta", (1e-3, 10.0)),
        exponent("alpha", (0.05, 0.8)),
        exponent("beta", (0.05, 0.8)),
        exponent("gamma", (-2.0, 2.0)),
        exponent("delta", (-0.2, 0.5)),
    )

    def loss(self, **variables: Any) -> Any:
        """L0 + rho^-gamma N^-delta (N_C N^-alpha + D_C D^-beta + E); L0 = dense_loss, rho = pruning_rate."""
        dense_loss, rate, n, d = self.read(variables)
        inner = self.N_C * n**-self.alpha + self.D_C * d**-self.beta + self.E
        return dense_loss + inner * (rate**-self.gamma * n**-self.delta)

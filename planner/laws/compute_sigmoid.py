"""R = R₀ + (A - R₀) / (1 + (C_mid/C)^B): a score that saturates in compute.

Khatri et al. 2025 (2510.13786, ScaleRL) for reinforcement learning: changes to a recipe move either its ceiling A or
its efficiency (B, C_mid), and early curves tell which. Also accuracies over pre-training compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale


@dataclass(frozen=True)
class ComputeSigmoid(Form):
    """A score that rises from R0 to a ceiling A, half way at C_mid; also accuracies over compute (Ruan et al. 2024)."""

    R0: Coef
    A: Coef
    C_mid: Coef
    B: Coef

    form_name: ClassVar[str] = "compute-sigmoid"
    variables: ClassVar[tuple[str, ...]] = ("training_flops",)
    citation: ClassVar[str] = "Khatri et al. 2025, The Art of Scaling Reinforcement Learning Compute, arXiv 2510.13786"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("R0", "score", (0.001, 0.5), linear=False),
        scale("A", "score", (0.2, 1.5), linear=False),
        scale("C_mid", "FLOP", (1e16, 1e26), linear=False),
        Coefficient("B", 0.01, 20.0, (0.2, 3.0), logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """R0 + (A - R0) / (1 + (C_mid/C)^B); C = training_flops. Score."""
        (c,) = self.read(variables)
        rise = np.exp(-1.0 * np.logaddexp(0.0, self.B * (np.log(self.C_mid) - np.log(c))))
        return self.R0 + (self.A - self.R0) * rise

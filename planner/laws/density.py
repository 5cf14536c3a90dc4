"""ρ = e^{A t + B}: capability density, the parameters of a reference model over those of a newer one that does as well.

Xiao et al. 2024 (2412.04315): the largest density of open models doubles about every 3.3 months. Good for one thing:
whether to train now or to wait. It says nothing of a particular run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass

LN_2 = float(np.log(2.0))


@dataclass(frozen=True)
class CapabilityDensity(Form):
    """Growth of capability density with the calendar."""

    A: Coef
    B: Coef

    form_name: ClassVar[str] = "capability-density"
    variables: ClassVar[tuple[str, ...]] = ("elapsed_days",)
    citation: ClassVar[str] = "Xiao et al. 2024, Densing Law of LLMs, arXiv 2412.04315"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("A", -1.0, 1.0, (0.0, 0.02), "nats per day"),
        Coefficient("B", -50.0, 50.0, (-3.0, 3.0), "nats"),
    )

    def doubling_days(self) -> Coef:
        """Days in which the density doubles."""
        return LN_2 / self.A

    def loss(self, **variables: Any) -> Any:
        """exp(A t + B); t = elapsed_days. Density, which rises."""
        (days,) = self.read(variables)
        return np.exp(self.A * days + self.B)

"""From loss to tasks: Err = ε - k e^{-γL}, the second stage of a two-stage law.

Gadre et al. 2024 (2403.08540): average top-1 error over many tasks as a function of the loss on text; monotone, so a
target error is a bound on the loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Array, Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class DownstreamError(Form):
    """Average task error of a model by its loss."""

    eps: Coef
    k: Coef
    gamma: Coef

    form_name: ClassVar[str] = "downstream-error"
    variables: ClassVar[tuple[str, ...]] = ("reached_loss",)
    citation: ClassVar[str] = "Gadre et al. 2024, Language models scale reliably with over-training, arXiv 2403.08540"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("eps", "error", (0.3, 1.0)),
        scale("k", "error", (0.1, 10.0)),
        exponent("gamma", (0.2, 3.0), limit=20.0),
    )

    def loss_for_error(self, error: Any) -> Array:
        """The loss that gives this error: ln(k/(eps - error))/gamma; NaN at eps and above."""
        room = np.asarray(self.eps - np.asarray(error, float))
        with np.errstate(all="ignore"):
            return np.where(room > 0, np.log(self.k / np.maximum(room, 1e-300)) / self.gamma, np.nan)

    def loss(self, **variables: Any) -> Any:
        """eps - k exp(-gamma L); L = reached_loss. Error."""
        (loss,) = self.read(variables)
        return self.eps - self.k * np.exp(-1.0 * self.gamma * loss)

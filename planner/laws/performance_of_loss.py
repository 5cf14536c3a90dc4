"""From loss to performance in straight lines: all the way, or from a threshold on.

Chen et al. 2024 (2410.08527, FLP): compute gives the loss by a power law, the loss gives the performance by a line. Du
et al. 2024 (2403.15796): below chance nothing is seen until the loss falls under a threshold, about 2.2 nats/token for
MMLU and GSM8K with their data, and performance rises after; what looks sudden in compute is gradual in loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale


@dataclass(frozen=True)
class LineInLoss(Form):
    """Performance that rises as much for each nat of loss."""

    w0: Coef
    w1: Coef

    form_name: ClassVar[str] = "line-in-loss"
    variables: ClassVar[tuple[str, ...]] = ("reached_loss",)
    citation: ClassVar[str] = "Chen et al. 2024, Scaling Laws for Predicting Downstream Performance, arXiv 2410.08527"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "signed_metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("w0", "performance", (0.1, 10.0)),
        scale("w1", "performance per nat", (0.01, 10.0)),
    )

    def loss(self, **variables: Any) -> Any:
        """w0 - w1 L; L = reached_loss. Performance, which rises as the loss falls."""
        (loss,) = self.read(variables)
        return self.w0 - self.w1 * loss


@dataclass(frozen=True)
class LossThreshold(Form):
    """Performance at chance above a loss, and rising below it."""

    chance: Coef
    slope: Coef
    threshold: Coef

    form_name: ClassVar[str] = "loss-threshold"
    variables: ClassVar[tuple[str, ...]] = ("reached_loss",)
    citation: ClassVar[str] = "Du et al. 2024, Understanding Emergent Abilities from the Loss, arXiv 2403.15796"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("chance", "performance", (0.01, 0.5)),
        scale("slope", "performance per nat", (0.01, 10.0)),
        scale("threshold", "nats/token", (1.0, 5.0), linear=False),
    )

    def loss_for_performance(self, performance: Any) -> Any:
        """The loss at which this performance is reached; NaN at chance and below."""
        above = np.asarray(performance, float) - self.chance
        return np.where(above > 0, self.threshold - above / self.slope, np.nan)

    def loss(self, **variables: Any) -> Any:
        """chance + slope max(0, threshold - L); L = reached_loss. Performance."""
        (loss,) = self.read(variables)
        return self.chance + self.slope * np.maximum(0.0, self.threshold - loss)

"""Steps against batch: S = S_min (1 + B_crit/B), twice the least steps and twice the least data at the critical batch.

McCandlish et al. 2018 (1812.06162), the same as (S/S_min - 1)(D/D_min - 1) = 1 with D = S B tokens seen and D_min =
S_min B_crit. Kaplan et al. 2020 (2001.08361) take B_crit to be a power of the loss reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, scale


@dataclass(frozen=True)
class BatchTradeOff(Form):
    """Steps needed at a batch size: twice the least number at the critical batch."""

    S_min: Coef
    B_crit: Coef

    form_name: ClassVar[str] = "batch-trade-off"
    variables: ClassVar[tuple[str, ...]] = ("batch_token_count",)
    citation: ClassVar[str] = "McCandlish et al. 2018, An Empirical Model of Large-Batch Training, arXiv 1812.06162"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("S_min", "steps", (1e2, 1e6), linear=False),
        scale("B_crit", "tokens", (1e4, 1e8), linear=False),
    )

    def loss(self, **variables: Any) -> Any:
        """S_min (1 + B_crit / B); B = batch_token_count."""
        (batch,) = self.read(variables)
        return self.S_min * (1.0 + self.B_crit / batch)

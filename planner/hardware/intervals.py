"""80 % intervals of every prediction, as multiplicative factors.

Quantiles 0.1 and 0.9 of log(measured / predicted) under cross-validation that leaves out one accelerator or
one model at a time (split conformal prediction in log space: Vovk et al. 2005), stored per quantity in
`calibration.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.errors import UnknownName
from planner.hardware.tables import table


@dataclass(frozen=True)
class Interval:
    """prediction x lower and prediction x upper hold four of five measurements of configurations not fitted."""

    lower: float
    upper: float

    def around(self, value: Any) -> tuple[Any, Any]:
        """The bounds around a prediction."""
        return value * self.lower, value * self.upper


def interval_factors(quantity: str) -> Interval:
    """The factors of a quantity: ttft_seconds, tpot_seconds, output_tokens_per_second, power_watts,
    joules_per_token,
    tokens_per_second_per_accelerator, training_seconds, accelerator_hours (`UnknownName` otherwise)."""
    known = table("calibration")["intervals"]
    if quantity not in known:
        raise UnknownName("quantity", quantity, known)
    return Interval(float(known[quantity]["lower"]), float(known[quantity]["upper"]))

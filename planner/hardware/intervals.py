"""80 % intervals of every prediction, as multiplicative factors.

Quantiles of log(measured / predicted) under cross-validation that leaves out one accelerator or one model at a time
(split conformal prediction in log space: Vovk et al. 2005), stored per quantity in `calibration.toml`. The quantiles
are those with which the rows of the other groups hold four of five rows of a group left out, a little further out than
0.1 and 0.9, as groups differ by more than their rows do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from planner.errors import UnknownName
from planner.hardware.tables import table

NINETIETH = 1.2815515594  # standard deviations above the mean of a normal quantity


@dataclass(frozen=True)
class Interval:
    """prediction x lower and prediction x upper hold four of five measurements of configurations not fitted."""

    lower: float
    upper: float

    def around(self, value: Any) -> tuple[Any, Any]:
        """The bounds around a prediction."""
        return value * self.lower, value * self.upper


def probability_within(limit: Any, value: Any, lower: Any, upper: Any) -> Any:
    """Probability that a positive quantity with this prediction and 80 % interval is at most `limit`.

    Log-normal on either side of the prediction, each bound being the tenth or ninetieth percentile.
    """
    above = np.asarray(limit) > value
    spread = np.where(above, np.log(np.divide(upper, value)), np.log(np.divide(value, lower))) / NINETIETH
    return ndtr(np.log(np.divide(limit, value)) / np.maximum(spread, 1e-12))


def interval_factors(quantity: str) -> Interval:
    """The factors of a quantity: ttft_seconds, tpot_seconds, output_tokens_per_second (with `_split` of separate pools,
    with `_batch` of whole batches), ttft_percentile, tpot_percentile, power_watts, joules_per_token,
    tokens_per_second_per_accelerator, training_seconds, accelerator_hours (`UnknownName` otherwise)."""
    known = table("calibration")["intervals"]
    if quantity not in known:
        raise UnknownName("quantity", quantity, known)
    return Interval(float(known[quantity]["lower"]), float(known[quantity]["upper"]))

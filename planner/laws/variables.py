"""The variables of laws: canonical names, units and the physical range that keeps nonsense out.

The ranges are wider than anything built or planned; a value outside is a slip of units or of the keyboard.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.errors import Range

RANGES: Mapping[str, Range] = {
    "parameter_count": Range(1.0, 1e18, "parameters"),
    "token_count": Range(1.0, 1e20, "tokens"),
    "unique_token_count": Range(1.0, 1e20, "tokens"),
    "training_flops": Range(1.0, 1e40, "FLOP"),
    "expert_count": Range(1.0, 1e6, "experts"),
    "loss": Range(1e-9, 1e6, "nats/token"),
}
ANY = Range(5e-324, 1e300, "")  # variables without a range of their own: positive


def allowed(name: str) -> Range:
    """The range of the variable called `name`."""
    return RANGES.get(name, ANY)


def is_allowed(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Elementwise: finite and within the range."""
    limits = allowed(name)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(values) & (values >= limits.lower) & (values <= limits.upper))

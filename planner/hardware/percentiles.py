"""From means of latency to percentiles, as measured under Poisson arrivals (MLPerf inference server logs).

Time to first token: a request waits for the step under way, which is uniform over one step, and for its prompt and
those before it, which vary as prompts do; spreads add in quadrature. Where the first token comes after one step the
tail is short, after many steps it is that of prompts and queues. Time per output token: what varies is how often
prompts of others get in between, hence a power of input over output tokens. The spreads of each percentile are fitted
(`calibration.toml`, section `percentiles`); between them factors are interpolated in -log(1 - q).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from planner.errors import InvalidInput, Violation
from planner.hardware.tables import calibration

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def percentile_factor(
    quantity: str, percentile: float, *, steps_to_first_token: Any = None, input_per_output: Any = None
) -> Any:
    """Percentile over mean of `ttft` or `tpot`.

    Args:
        percentile: 50 to 99.9.
        steps_to_first_token: mean TTFT over mean TPOT (float or array); the median of the measurements if not given.
        input_per_output: input tokens over output tokens (float or array); likewise.

    Raises:
        InvalidInput: another quantity, or a percentile outside 50..99.9.
    """
    if quantity not in ("ttft", "tpot"):
        raise InvalidInput(Violation("quantity", quantity, "ttft or tpot"))
    if not PERCENTILES[0] <= percentile <= PERCENTILES[-1]:
        raise InvalidInput(
            Violation("percentile", f"{percentile:g}", f"between {PERCENTILES[0]:g} and {PERCENTILES[-1]:g}")
        )
    facts = calibration("percentiles")
    if quantity == "ttft":
        steps = facts["usual_steps_to_first_token"] if steps_to_first_token is None else steps_to_first_token

        def factor(at: float) -> Any:
            return first_token_factor(at, steps, facts["ttft_spread"][f"p{at:g}"])
    else:
        ratio = facts["usual_input_per_output"] if input_per_output is None else input_per_output

        def factor(at: float) -> Any:
            return output_token_factor(ratio, facts["tpot_spread"][f"p{at:g}"], facts["tpot_exponent"])

    low, high = next((a, b) for a, b in pairwise(PERCENTILES) if percentile <= b)
    share = math.log((100 - low) / (100 - percentile)) / math.log((100 - low) / (100 - high))
    below, above = factor(low), factor(high)
    return below * (above / below) ** share


def first_token_factor(percentile: float, steps: Any, spread: Any) -> Any:
    """1 +- sqrt(((q - 1/2) / s)^2 + (d (1 - 1/s))^2): s steps of which one is uniform, the rest of spread d.

    The sign is that of d: the median lies below the mean.
    """
    uniform = (percentile / 100.0 - 0.5) / np.maximum(steps, 1.0)
    rest = spread * (1.0 - 1.0 / np.maximum(steps, 1.0))
    return 1.0 + np.copysign(np.hypot(uniform, rest), spread)


def output_token_factor(input_per_output: Any, spread: Any, exponent: Any) -> Any:
    """1 + a (I/O)^b."""
    return 1.0 + spread * input_per_output**exponent

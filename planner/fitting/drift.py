"""How wrong a law goes beyond its runs: what splits of the runs show, drawn towards what is usual.

A law that fits its runs still bends away from the truth outside them, and no bootstrap of the same form shows that. As
the error of unknown steps it grows with the square root of the decades outside the range (that beat a straight line on
public tables). A few split-off runs measure it badly: on a logarithmic scale the measured drift is averaged with what
is usual, a share of how fast the loss falls. Both constants are data (`drift.toml`) set on public tables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from planner.fitting.observations import Observations
from planner.laws.law import DRIFT_LEVEL

Array = NDArray[np.float64]
NEAR_DECADES = 0.1  # closer than this, an error is scatter and not drift
FEWEST_DECADES = 0.3  # over which a fall of the loss is measured
LEAST_SHARE = 0.1  # of the usual drift: splits that show less agree by luck


@cache
def constant(name: str) -> float:
    """A constant of `drift.toml`."""
    table = tomllib.loads(files("planner.fitting").joinpath("drift.toml").read_text("utf-8"))
    return float(table[name]["value"])


def drift_of_split(errors: Array, decades: Array, scatter: float) -> float:
    """Error per root of a decade that 80 % of held-out runs stay within, beyond the scatter of the fitted ones.

    `errors` and `decades` outside the fitted range, both (rows,), of the held-out runs; `scatter` not exceeded by 80 %
    of the fitted ones.
    """
    excess = np.sqrt(np.maximum(errors**2 - scatter**2, 0.0))
    return float(np.quantile(excess / np.sqrt(np.maximum(decades, NEAR_DECADES)), DRIFT_LEVEL))


def measured_drift(drifts: Iterable[float]) -> float:
    """Geometric mean over splits; 0 if one shows none."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(np.array(list(drifts))))))


def fall_per_decade(targets: Array, seen: Observations) -> float:
    """Range of the (log) losses over the decades that the widest variable spans; 10 % at either end left out."""
    axes = [*seen.variables.values(), seen.training_flops]
    spans = [float(np.log10(v.max() / v.min())) for v in axes if np.all(np.isfinite(v)) and np.all(v > 0)]
    low, high = np.quantile(targets, [0.1, 0.9])
    return float(high - low) / max(FEWEST_DECADES, *spans, 0.0)


def expected_drift(measured: float | None, fall: float) -> float:
    """Error of the (log) loss that 80 % of runs a decade outside stay within; `measured` by splits of the runs or None.

    `fall` is the fall of the (log) loss per decade among the runs.
    """
    usual = constant("usual_share") * fall
    if measured is None or usual <= 0.0:
        return usual
    weight = constant("weight_of_measured")
    return float(max(measured, LEAST_SHARE * usual) ** weight * usual ** (1.0 - weight))

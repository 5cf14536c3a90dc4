"""What a law has to beat: predictions that take no theory.

The nearest run repeats the loss of the fitted run that is closest in the logarithms of all variables: an error no
better than its says that nothing was learned about the trend. The plane in logarithms is the plainest trend there
is, the constant is none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Variables = Mapping[str, Array]
Baseline = Callable[[Variables, Array, Variables, bool], Array]


def nearest_run(fitted: Variables, losses: Array, wanted: Variables, signed: bool) -> Array:
    """The loss of the nearest fitted run; each variable in units of its spread among them."""
    known, asked = _points(fitted, fitted), _points(wanted, fitted)
    spread = known.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    distance = ((asked[:, None, :] - known[None, :, :]) / scale) ** 2
    return np.asarray(losses[np.argmin(distance.sum(axis=2), axis=1)])


def log_plane(fitted: Variables, losses: Array, wanted: Variables, signed: bool) -> Array:
    """Least-squares plane of log loss (loss, if signed) over the logarithms of the variables."""
    known, asked = _points(fitted, fitted), _points(wanted, fitted)
    goal = losses if signed else np.log(losses)
    centre = known.mean(axis=0)
    weights, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(known)), known - centre]), goal, rcond=None)
    value = weights[0] + (asked - centre) @ weights[1:]
    return np.asarray(value if signed else np.exp(value))


def constant(fitted: Variables, losses: Array, wanted: Variables, signed: bool) -> Array:
    """The median of the fitted losses."""
    return np.full(len(next(iter(wanted.values()))), float(np.median(losses)))


BASELINES: Mapping[str, Baseline] = {"nearest-run": nearest_run, "log-plane": log_plane, "constant": constant}
NAIVE = "nearest-run"


def _points(variables: Variables, fitted: Variables) -> Array:
    """Coordinates (rows, variables): logarithms, or values where a variable can be zero."""
    with np.errstate(all="ignore"):
        columns = [np.log(v) if np.all(fitted[k] > 0) and np.all(v > 0) else v for k, v in variables.items()]
    return np.stack(columns, axis=1)

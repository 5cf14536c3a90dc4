"""Errors and coverage of forecasts of held-out runs, table by table, and whether two methods can be told apart.

The error on a cut is the median absolute relative error (absolute, of a metric that may be negative), on a table the
geometric mean over its cuts. Two methods are compared by a paired bootstrap: what errs together, the runs of one model
size, is drawn together, the same draws for both methods and for all cuts of a table. A method is within noise of
another if it is not worse in more than LEVEL + (1 - LEVEL) / 2 of the draws: the 80 % interval of the ratio of their
errors reaches 1, up to a hundredth, which nobody notices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from runs_tasks import Cut

from planner.laws import form_class

Array = NDArray[np.float64]
LEVEL = 0.8
DRAWS = 400
FEWEST_SIZES = 5  # of models, to be drawn in place of runs
TINY = 1e-12  # an error of zero has no logarithm
UNNOTICED = 0.01  # in the logarithm of a ratio of errors


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predictions of held-out runs (rows,), and their interval where the method has one."""

    method: str
    form: str
    loss: Array
    lower: Array | None = None
    upper: Array | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """The held-out runs of a cut and what the methods said of them; `units` (rows,) name what errs together."""

    task: str
    cut: str
    family: str
    observed: Array
    signed: bool
    units: Array
    forecasts: Mapping[str, Forecast]

    def errors(self, method: str) -> Array:
        """Absolute relative errors, or absolute ones of a metric that may be negative."""
        miss = np.abs(self.forecasts[method].loss - self.observed)
        return np.where(np.isfinite(miss), miss, np.inf) / (1.0 if self.signed else self.observed)

    def missed(self, method: str) -> Array | None:
        """How far outside the interval each run lies."""
        said = self.forecasts[method]
        if said.lower is None or said.upper is None:
            return None
        return np.maximum(0.0, np.maximum(said.lower - self.observed, self.observed - said.upper))

    def winkler(self, method: str) -> float:
        """Interval score: mean width and ten times what is missed, relative to the median loss."""
        said, missed = self.forecasts[method], self.missed(method)
        assert said.lower is not None
        assert said.upper is not None
        assert missed is not None
        score = said.upper - said.lower + 2.0 / (1.0 - LEVEL) * missed
        return float(np.mean(score)) / (1.0 if self.signed else float(np.median(self.observed)))


def scored(cut: Cut, forecasts: Iterable[Forecast]) -> Scored:
    """A cut with what was said of it."""
    points = cut.points
    units = points.get("parameter_count", np.empty(0))
    if len(np.unique(units)) < FEWEST_SIZES:
        units = np.flatnonzero(cut.held).astype(float)
    signed = form_class(cut.task.form).signed()
    said = {forecast.method: forecast for forecast in forecasts}
    return Scored(cut.task.name, cut.name, cut.task.family, cut.losses, signed, units, said)


def table_error(cuts: Sequence[Scored], method: str) -> float:
    """Geometric mean over cuts of the median error."""
    return float(np.exp(np.mean([np.log(np.median(cut.errors(method)) + TINY) for cut in cuts])))


def within_noise(cuts: Sequence[Scored], method: str, other: str) -> bool:
    """Whether `method` is not told apart from `other` as the worse one, over cuts that both forecast."""
    both = [cut for cut in cuts if method in cut.forecasts and other in cut.forecasts]
    if not both:
        return True
    every, which = np.unique(np.concatenate([cut.units for cut in both]), return_inverse=True)
    drawn = np.random.default_rng(0).exponential(size=(DRAWS, len(every)))  # the Bayesian bootstrap: none is absent
    total, first = np.zeros(DRAWS), 0
    for cut in both:
        weights = drawn[:, which.reshape(-1)[first : first + len(cut.units)]]
        first += len(cut.units)
        mine, theirs = (_weighted_medians(cut.errors(name), weights) for name in (method, other))
        total += np.log(mine + TINY) - np.log(theirs + TINY)
    return bool(np.quantile(total / len(both), (1.0 - LEVEL) / 2) <= UNNOTICED)


def _weighted_medians(values: Array, weights: Array) -> Array:
    """The median of `values` (rows,) for each row of `weights` (draws, rows)."""
    order = np.argsort(values)
    sums = np.cumsum(weights[:, order], axis=1)
    return np.asarray(values[order][np.argmax(sums >= 0.5 * sums[:, -1:], axis=1)])


def rivals_ahead(cuts: Sequence[Scored], method: str, methods: Iterable[str]) -> list[str]:
    """The methods that beat `method` on these cuts by more than noise."""
    return [other for other in methods if other != method and not within_noise(cuts, method, other)]


def coverage(cuts: Sequence[Scored], method: str) -> str:
    """Shares of runs inside the interval, runs and tables counting alike, and the mean interval score."""
    inside: dict[str, list[NDArray[np.bool_]]] = {}
    scores = []
    for cut in cuts:
        if method in cut.forecasts and (missed := cut.missed(method)) is not None:
            inside.setdefault(cut.family, []).append(missed == 0.0)
            scores.append(cut.winkler(method))
    if not inside:
        return "no interval"
    runs = float(np.mean(np.concatenate([part for parts in inside.values() for part in parts])))
    tables = {family: float(np.mean([part.mean() for part in parts])) for family, parts in inside.items()}
    mean, score = float(np.mean(list(tables.values()))), float(np.exp(np.mean(np.log(scores))))
    each = ", ".join(f"{family} {share:.2f}" for family, share in tables.items())
    return f"{100 * runs:.0f} % of runs, {100 * mean:.0f} % over tables; interval score {score:.4f}\n  {each}"


def keep(path: Path, cut: Cut, forecast: Forecast) -> None:
    """Add a forecast to a file of them, one a line."""
    parts = {k: None if v is None else v.tolist() for k, v in
             (("loss", forecast.loss), ("lower", forecast.lower), ("upper", forecast.upper))}  # fmt: skip
    line = {"task": cut.task.name, "cut": cut.name, "method": forecast.method, "form": forecast.form, **parts}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def kept(path: Path) -> dict[tuple[str, str], dict[str, Forecast]]:
    """Forecasts of a file by task and cut, then by method; the last of each counts."""
    found: dict[tuple[str, str], dict[str, Forecast]] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        said = json.loads(line)
        loss, lower, upper = (None if said[k] is None else np.array(said[k], float) for k in ("loss", "lower", "upper"))
        assert loss is not None
        forecast = Forecast(said["method"], said["form"], loss, lower, upper)
        found.setdefault((said["task"], said["cut"]), {})[forecast.method] = forecast
    return found

"""What errors on held-out runs say of a form: its error with an interval, its rank, and whether to trust any.

Errors are absolute log ratios of predicted to observed loss (about relative errors), or differences where losses may be
negative. The error of a form is the mean over splits, by their weights, of its mean error; the interval is a bootstrap
over splits and over the runs within each, the same draws for every form, so that two are compared on equal terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.8
WORST = 1e6  # the error of a prediction that is no number


@dataclass(frozen=True)
class ErrorEstimate:
    """A mean held-out error with its 80 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class FormScore:
    """How well one form, fitted one way, predicts runs it has not seen.

    `sharing` is what groups share ("pooled": everything, "scales": all but scales and floors, "own": nothing),
    `huber_delta` the δ it was fitted with. `tied`: not told apart from the best at 80 %. What begins with `holdout` is
    about the runs that the caller holds out. `group_errors` has the mean error of each group's runs over the splits: a
    form may hold on average and fail for a part of the runs.
    """

    form: str
    sharing: str
    huber_delta: float
    coefficient_count: int
    extrapolation_error: ErrorEstimate
    split_errors: tuple[float, ...]
    holdout_error: ErrorEstimate | None
    holdout_r_squared: float | None
    tied: bool
    baseline: bool
    group_errors: Mapping[str, float] = field(default_factory=dict)

    @property
    def worst_group(self) -> str:
        """The group predicted worst; "" without groups."""
        return max(self.group_errors, key=lambda name: self.group_errors[name], default="")


def absolute_errors(predicted: Array, observed: Array, signed: bool) -> Array:
    """Elementwise errors, WORST where a prediction is no number."""
    with np.errstate(all="ignore"):
        error = predicted - observed if signed else np.log(predicted) - np.log(observed)
    return np.where(np.isfinite(error), np.minimum(np.abs(error), WORST), WORST)


def mean_error(errors: Sequence[Array], weights: Array) -> float:
    """Mean over splits, by their weights (splits,), of mean errors."""
    return float(np.average([each.mean() for each in errors], weights=weights))


def resampled_means(errors: Sequence[Array], weights: Array, draws: int, seed: int) -> Array:
    """Means over splits of mean errors, for `draws` draws of splits and of runs within them: (draws,)."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(len(errors), size=(draws, len(errors)), p=weights / weights.sum())
    means = np.empty((draws, len(errors)))
    for k, each in enumerate(errors):
        means[:, k] = each[generator.integers(len(each), size=(draws, len(each)))].mean(axis=1)
    return np.asarray(np.take_along_axis(means, chosen, axis=1).mean(axis=1))


def estimated(errors: Sequence[Array], weights: Array, draws: int, seed: int) -> tuple[ErrorEstimate, Array]:
    """The mean error over splits of these weights with its interval, and the draws behind it."""
    value = mean_error(errors, weights)
    sample = resampled_means(errors, weights, draws, seed) if draws else np.full(1, value)
    low, high = np.quantile(sample, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return ErrorEstimate(value, min(float(low), value), max(float(high), value)), sample


def r_squared(predicted: Array, observed: Array) -> float:
    """1 - residual over total sum of squares; NaN for fewer than two different losses or predictions that fail."""
    total = float(((observed - observed.mean()) ** 2).sum())
    return 1.0 - float(((observed - predicted) ** 2).sum()) / total if total > 0 else float("nan")


def spread(losses: Array, signed: bool) -> float:
    """Mean absolute deviation of losses about their mean, in the unit of errors."""
    values = losses if signed else np.log(losses)
    return float(np.abs(values - values.mean()).mean())


def statement(best: FormScore, baselines: Iterable[FormScore], held_spread: float, splits: int) -> tuple[bool, str]:
    """Whether the best form can be trusted beyond its runs, and why or why not, in a sentence."""
    error = best.extrapolation_error
    over = f"{splits} split" + ("s" if splits != 1 else "")
    shown = f"{best.form} errs by {error.value:.3g} [{error.lower:.3g}, {error.upper:.3g}] over {over}"
    plain = min(baselines, key=lambda b: b.extrapolation_error.value)
    bar = plain.extrapolation_error.value
    if error.value >= bar:
        return False, f"no form is trustworthy: {shown}, the baseline {plain.form} by no more than {bar:.3g}"
    if error.upper >= bar:
        return False, f"no form is trustworthy: {shown}, an interval that reaches the {bar:.3g} of {plain.form}"
    if error.upper >= held_spread:
        return False, f"no form is trustworthy: {shown}, and held-out losses differ by no more than {held_spread:.3g}"
    return True, f"{shown}, the best baseline ({plain.form}) by {bar:.3g}"

"""What parabolas and the envelope read off the runs that a law was fitted to, and whether the three agree.

What is left between approaches once each says its own bias is uncertainty of the method, which no bootstrap of one
shows: the pooled interval takes it in. Only where the runs lie on isoFLOP profiles is there anything to read off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.envelope import envelope_draws
from planner.fitting.estimates import ApproachExponents, Estimate, estimate_of
from planner.fitting.isoflop import Budget, budgets, isoflop_optima, resampled_within
from planner.fitting.observations import Observations
from planner.fitting.optima import lines
from planner.laws.caution import Caution

Array = NDArray[np.float64]
DRAWS_BESIDE = 200
MOST_VALUES = 4_000_000  # runs × draws: very large tables get fewer
PROFILED_SHARE = 0.5  # of the runs must belong to budgets for the runs to count as isoFLOP profiles


def exponents_beside(
    seen: Observations, exponent: Estimate, draws: Array | None, seed: int
) -> tuple[ApproachExponents | None, tuple[Caution, ...]]:
    """What parabolas and envelope read off the runs of a fit whose N* ∝ C^`exponent`; None if these are no profiles.

    `draws` (draws,) are those of the fit's own exponent, or None.
    """
    try:
        groups = budgets(seen)
    except NotIdentified:
        return None, ()
    if sum(len(g.rows) for g in groups) < PROFILED_SHARE * len(seen.losses):
        return None, ()
    count = 0 if draws is None else min(len(draws), DRAWS_BESIDE, MOST_VALUES // len(seen.losses))
    samples = {"isoflop": _isoflop_sample(seen, groups, count, seed), "envelope": _envelope_sample(seen, count, seed)}
    found = {name: estimate_of(float(sample[0]), sample[1:]) for name, sample in samples.items() if len(sample)}
    if not found:
        return None, ()
    exponents = {"parametric": exponent, **found}
    values = [e.value for e in exponents.values()]
    own = np.zeros(0) if draws is None else draws
    pooled = pooled_estimate(values, [own, *(s[1:] for s in samples.values() if len(s))])
    beside = ApproachExponents(exponents, max(values) - min(values), pooled)
    return beside, tuple(_disagreement(name, e, exponent, pooled) for name, e in found.items() if _apart(e, exponent))


def _isoflop_sample(seen: Observations, groups: tuple[Budget, ...], count: int, seed: int) -> Array:
    """a of the parabolas: the estimate, then its draws; empty where too few budgets have a minimum."""
    optima, _, _ = isoflop_optima(seen, groups, resampled_within(groups, len(seen.losses), count, seed))
    try:
        found = lines(optima, seed)[:, 1]
    except NotIdentified:
        return np.zeros(0)
    return np.asarray(found[np.isfinite(found)])


def _envelope_sample(seen: Observations, count: int, seed: int) -> Array:
    found = envelope_draws(seen, count, seed).lines[:, 1]
    return np.asarray(found[np.isfinite(found)]) if np.isfinite(found[0]) else np.zeros(0)


def _apart(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals have nothing in common (never, without draws)."""
    return one.upper < other.lower or other.upper < one.lower


def _disagreement(name: str, found: Estimate, own: Estimate, pooled: Estimate) -> Caution:
    what = "isoFLOP parabolas" if name == "isoflop" else "the envelope"
    sentence = (
        f"the exponent of the best model size is {found.value:.3f} ({found.lower:.3f} to {found.upper:.3f}) by {what} "
        f"of the same runs, {own.value:.3f} ({own.lower:.3f} to {own.upper:.3f}) by this fit: over the draws of all "
        f"approaches {pooled.lower:.3f} to {pooled.upper:.3f}"
    )
    return Caution("APPROACHES_DISAGREE", sentence)


def pooled_estimate(values: list[float], samples: list[Array]) -> Estimate:
    """Mean of the values; interval over equally many draws of each sample, else their range."""
    middle = float(np.mean(values))
    size = min((len(s) for s in samples), default=0)
    if size < 2:
        return Estimate(middle, min(values), max(values), float("nan"))
    return estimate_of(middle, np.concatenate([s[:size] for s in samples]))

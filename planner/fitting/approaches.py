"""The three approaches of Hoffmann et al. 2022 (2203.15556) side by side on the same runs, and what they disagree on.

Each reads the compute-optimal exponent off the runs in another way and errs in another: the envelope by the winner's
curse, the parabolas by the width of their grid, the parametric law by its form. What is left between them once each
says its own bias is uncertainty of the method, which no bootstrap of one shows: the pooled interval takes it in. A fit
of a law to runs on isoFLOP profiles says what the other two read off them (`exponents_beside`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.envelope import envelope_draws, fit_envelope
from planner.fitting.fit import LEVEL, ApproachExponents, Estimate, FittedLaw, fit_law
from planner.fitting.isoflop import Budget, budgets, fit_isoflop, isoflop_optima, resampled_within
from planner.fitting.observations import Observations
from planner.fitting.optima import lines
from planner.fitting.runs import Runs
from planner.laws.caution import Caution

Array = NDArray[np.float64]
DRAWS_BESIDE = 200
MOST_VALUES = 4_000_000  # runs × draws: very large tables get fewer
PROFILED_SHARE = 0.5  # of the runs must belong to budgets for the runs to count as isoFLOP profiles
PARAMETRIC_CAVEAT = "rests on the form E + A N^-alpha + B D^-beta holding at all runs"


@dataclass(frozen=True, eq=False)
class Approach:
    """One approach: its law and exponent, or why the runs do not allow it."""

    name: str
    law: FittedLaw | None
    exponent: Estimate | None
    caveat: str


@dataclass(frozen=True, eq=False)
class Approaches:
    """All approaches, the spread of their exponents, and the interval over the pooled draws of all."""

    approaches: tuple[Approach, ...]
    disagreement: float  # largest less smallest exponent
    pooled: Estimate


def compare_approaches(
    runs: Runs,
    *,
    bootstrap: int = 300,
    seed: int = 0,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
) -> Approaches:
    """Envelope, isoFLOP and parametric exponent of the same runs. Raises what the parametric fit raises."""

    def parametric() -> FittedLaw:
        return fit_law(runs, "chinchilla", bootstrap=bootstrap, seed=seed, where=where, mapping=mapping, group=group)

    def envelope() -> FittedLaw:
        return fit_envelope(runs, bootstrap=bootstrap, seed=seed, where=where, mapping=mapping, group=group)

    def isoflop() -> FittedLaw:
        return fit_isoflop(runs, bootstrap=bootstrap, seed=seed, where=where, mapping=mapping)

    found = (_tried("envelope", envelope), _tried("isoflop", isoflop), _of("parametric", parametric()))
    values = [a.exponent.value for a in found if a.exponent is not None]
    samples = [_draws(a.law) for a in found if a.law is not None]
    return Approaches(found, max(values) - min(values), _pooled(values, samples))


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
    found = {name: _estimate(sample) for name, sample in samples.items() if len(sample)}
    if not found:
        return None, ()
    exponents = {"parametric": exponent, **found}
    values = [e.value for e in exponents.values()]
    own = np.zeros(0) if draws is None else draws
    pooled = _pooled(values, [own, *(s[1:] for s in samples.values() if len(s))])
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


def _estimate(sample: Array) -> Estimate:
    """The first of the sample, with the interval of the others."""
    if len(sample) < 3:
        nothing = float("nan")
        return Estimate(float(sample[0]), nothing, nothing, nothing)
    tail = 0.5 * (1.0 - LEVEL)
    low, high = np.quantile(sample[1:], [tail, 1.0 - tail])
    return Estimate(float(sample[0]), float(low), float(high), float(np.std(sample[1:], ddof=1)))


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


def _pooled(values: list[float], samples: list[Array]) -> Estimate:
    """Mean of the values; interval over equally many draws of each sample, else their range."""
    middle = float(np.mean(values))
    size = min((len(s) for s in samples), default=0)
    if size < 2:
        return Estimate(middle, min(values), max(values), float("nan"))
    pool = np.concatenate([s[:size] for s in samples])
    tail = 0.5 * (1.0 - LEVEL)
    low, high = np.quantile(pool, [tail, 1.0 - tail])
    return Estimate(middle, float(low), float(high), float(np.std(pool, ddof=1)))


def _draws(law: FittedLaw) -> Array:
    cloud = law.cloud()
    exponents = None if cloud is None else cloud.compute_optimal_exponents()
    return np.zeros(0) if exponents is None else np.asarray(exponents[0], float).reshape(-1)


def _tried(name: str, fit: Callable[[], FittedLaw]) -> Approach:
    try:
        return _of(name, fit())
    except NotIdentified as error:
        return Approach(name, None, None, error.message)


def _of(name: str, law: FittedLaw) -> Approach:
    exponent = law.compute_optimal_exponent
    caveat = next((w.sentence for w in law.warnings if w.code == "METHOD_BIAS"), "")
    caveat = PARAMETRIC_CAVEAT if name == "parametric" else caveat
    return Approach(name, law, None if exponent is None else exponent.parameters, caveat)

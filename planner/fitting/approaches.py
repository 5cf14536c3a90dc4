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
from planner.fitting.beside import pooled_estimate
from planner.fitting.envelope import fit_envelope
from planner.fitting.estimates import Estimate
from planner.fitting.fit import fit_law
from planner.fitting.fitted import FittedLaw
from planner.fitting.isoflop import fit_isoflop
from planner.fitting.runs import Runs

Array = NDArray[np.float64]
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
    return Approaches(found, max(values) - min(values), pooled_estimate(values, samples))


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

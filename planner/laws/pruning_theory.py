"""Data pruning in the one case that is solved: a perceptron that learns from another, examples chosen by the margin.

Sorscher et al. 2022 (2206.14486) §2, in the limit of many parameters: of all examples the share f whose distance z to
the teacher's boundary is smallest (hard), or largest (easy), is kept, α of them per parameter, and the student is the
classifier of largest margin κ. Its overlap R with the teacher and κ solve two equations, and the error is arccos(R)/π:

    1 - R² = (2α/f) ∫ Dt p(t) (κ - t)²,    R = (2α/f) ∫ Dt p'(t) (κ - t)     over t < κ, Dt normal,

p(t) the chance that the example is kept and on the right side, given the student's margin t, p' its derivative in R
(up to a factor). Without pruning the error falls as 1/α; keeping the hard ones it falls faster, and where there are few
examples keeping the easy ones is better. There is nothing to fit: what data teach has to be seen (`data-pruning`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from planner.errors import Range, require

Array = NDArray[np.float64]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(120)
LOWEST = -9.0  # standard deviations beyond which a normal variable is not seen
EXAMPLES = Range(0.1, 1e3, "examples kept per parameter")
SHARE = Range(0.01, 1.0, "share of the examples")


def perceptron_error(examples_per_parameter: float, kept_share: float, keep: Literal["hard", "easy"] = "hard") -> float:
    """Test error of the student after that many kept examples per parameter. Raises InvalidInput outside the ranges."""
    require(
        *EXAMPLES.check("examples_per_parameter", examples_per_parameter),
        *SHARE.check("kept_share", kept_share),
    )
    hard = keep == "hard"
    density = 2.0 * examples_per_parameter / kept_share
    edge = float(-ndtri(0.5 * (1.0 - kept_share if hard else kept_share)))  # |z| of the last example kept

    def margin(overlap: float) -> float:
        """κ of the first equation, in which the right side rises with κ."""

        def excess(kappa: float) -> float:
            t, weights = _below(kappa, overlap, edge)
            kept = density * float(np.sum(weights * _kept(t, overlap, edge, hard) * (kappa - t) ** 2))
            return kept - (1.0 - overlap**2)

        return float(brentq(excess, LOWEST + 1e-6, 60.0, xtol=1e-12))

    def gap(overlap: float) -> float:
        kappa = margin(overlap)
        t, weights = _below(kappa, overlap, edge)
        return density * float(np.sum(weights * _pull(t, overlap, edge, hard) * (kappa - t))) - overlap

    overlap = float(brentq(gap, 1e-4, 1.0 - 1e-13, xtol=1e-15))
    return float(np.arccos(overlap) / np.pi)


def _below(kappa: float, overlap: float, edge: float) -> tuple[Array, Array]:
    """Points below κ and their normal weights, dense where the chance of being kept changes."""
    around = 8.0 * np.sqrt(1.0 - overlap**2)
    corners = np.array([LOWEST, -around, around, edge - around, edge + around, min(kappa, -LOWEST)])
    corners = np.unique(np.clip(corners, LOWEST, min(kappa, -LOWEST)))
    half = 0.5 * np.diff(corners)[:, None]
    t = (corners[:-1, None] + half * (NODES + 1.0)).ravel()
    return t, (half * WEIGHTS).ravel() * np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi)


def _kept(t: Array, overlap: float, edge: float, hard: bool) -> Array:
    """p(t): the teacher's margin z, normal about R t, lies between 0 and the edge (hard) or beyond the edge (easy)."""
    spread = np.sqrt(1.0 - overlap**2)
    beyond = ndtr((overlap * t - edge) / spread)
    return np.asarray(ndtr(overlap * t / spread) - beyond if hard else beyond)


def _pull(t: Array, overlap: float, edge: float, hard: bool) -> Array:
    """p'(t) = [φ(R t) - φ(R t - edge)] in units of the spread of z (hard), φ(R t - edge) (easy)."""
    spread = np.sqrt(1.0 - overlap**2)
    at_edge = np.exp(-0.5 * ((overlap * t - edge) / spread) ** 2)
    at_zero = np.exp(-0.5 * (overlap * t / spread) ** 2)
    return np.asarray((at_zero - at_edge if hard else at_edge) / (np.sqrt(2.0 * np.pi) * spread))

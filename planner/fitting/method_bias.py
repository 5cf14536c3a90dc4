"""How far a graphical approach errs by itself: run it on a law whose optimum is known, at the very same runs.

The parametric law is fitted to the runs, its losses at their (N, D) are taken as truth, without noise (bias of the
method: a parabola is not the profile, an envelope picks among few sizes) and with the noise of the residuals (winner's
curse: the lowest of noisy runs is lowest by luck too). The difference between the exponent read off and the law's own
is the bias, as far as the law is right: so it is not taken off the estimate, but its size is part of the interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.newton import minimise, schedule
from planner.fitting.observations import Observations
from planner.fitting.problem import Problem
from planner.fitting.projection import screen
from planner.laws.chinchilla import Chinchilla

Array = NDArray[np.float64]
SIMULATIONS = 60
MOST_ROWS = 2000  # the law that serves as truth needs no more


@dataclass(frozen=True)
class MethodBias:
    """What the approach reads off minus the exponent a of the law that made the losses."""

    without_noise: float
    with_noise: float  # mean over simulations
    scatter: float  # standard deviation over simulations
    noise_log_sd: float

    def sentence(self, subject: str) -> str:
        """The bias in words."""
        return (
            f"on losses of a parametric law at the same runs, {subject} miss its exponent by {self.without_noise:+.3f} "
            f"without noise and by {self.with_noise:+.3f} ± {self.scatter:.3f} with noise of {self.noise_log_sd:.2g}"
        )


def parametric(seen: Observations) -> tuple[Chinchilla, float]:
    """Chinchilla's law fitted to the runs, and the spread of its residuals (robust, in log loss)."""
    rows = np.arange(len(seen.losses))
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False)
    problem = Problem(Chinchilla, {k: v[rows] for k, v in seen.variables.items()}, seen.losses[rows])
    found = minimise(problem, screen(problem, 12).theta, schedule(0.05))
    best = found.theta[int(np.argmin(found.objective))]
    spread = 1.4826 * float(np.median(np.abs(problem.residuals(best[None])[0])))
    return Chinchilla.from_vector(problem.vectors(best[None])[0]), spread


def method_bias(
    seen: Observations, exponent: Callable[[Array], float], seed: int, shared: NDArray[np.intp] | None = None
) -> MethodBias | None:
    """The bias of `exponent` (losses (runs,) -> a); None where it finds none on the law's own losses.

    `shared` (runs,) numbers what runs share their noise with (the curve they are points of).
    """
    law, noise = parametric(seen)
    if law.alpha <= 0.0 or law.beta <= 0.0:
        return None
    truth, clean = float(law.parameter_exponent()), np.asarray(law.loss(**seen.variables), float)
    plain = exponent(clean)
    generator = np.random.default_rng(seed)
    count = len(clean) if shared is None else int(shared.max()) + 1
    found = []
    for _ in range(SIMULATIONS):
        luck = generator.standard_normal(count)
        found.append(exponent(clean * np.exp(noise * (luck if shared is None else luck[shared]))))
    sample = np.array(found)
    sample = sample[np.isfinite(sample)]
    if not np.isfinite(plain) or len(sample) < SIMULATIONS // 2:
        return None
    return MethodBias(plain - truth, float(sample.mean()) - truth, float(sample.std(ddof=1)), noise)


def widened(fitted: Array, bias: MethodBias | None, seen: Observations, seed: int) -> Array:
    """Lines (draws + 1, 4: ln G_N, a, ln G_D, b) whose draws err by the bias too, about the middle of the runs.

    And by the scatter that the noise of the runs gives the exponent, as far as the draws show less.
    """
    if bias is None:
        return fitted
    known = fitted[1:, 1][np.isfinite(fitted[1:, 1])]
    shown = float(known.std()) if len(known) else 0.0
    lacking = max(bias.scatter**2 - shown**2, 0.0)
    size = float(np.sqrt(max(abs(bias.without_noise), abs(bias.with_noise)) ** 2 + lacking))
    turn = size * np.random.default_rng([seed, 2]).standard_normal(len(fitted))
    turn[0] = 0.0
    middle = float(np.mean(np.log(seen.training_flops)))
    return np.asarray(fitted + np.stack([-turn * middle, turn, turn * middle, -turn], axis=1))

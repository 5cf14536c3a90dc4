"""What is believed of a form's coefficients before and after runs: a cloud of draws, not one best fit.

A design has to be good for whatever law turns out to be true, and a handful of runs leaves many. The prior is wide:
each coefficient about the middle of its search range (or about a given law), the losses it implies within reason. The
posterior is drawn by randomised maximum a posteriori (Chen & Oliver 2012, doi 10.1007/s11004-011-9376-z): every draw
moves data and prior by their own noise and is minimised anew, all at once. Residuals are weighted as under Student's t
(four degrees of freedom), so that runs no form explains do not steer the design.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.fitting.problem import Problem
from planner.laws.form import Form
from planner.laws.variables import allowed

Array = NDArray[np.float64]
NOISE = 0.01  # scatter of a run's log loss before any is seen: seeds alone give 0.2 to 0.5 %
SIGNED_NOISE = 0.03
NOISE_RUNS = 4.0  # how many runs that guess is worth
LOSS_SPREAD = 0.7  # standard deviation of log loss about the level of the runs (or about e), prior
SIGNED_SPREAD = 3.0
STUDENT = 4.0
STEPS = 60
SMALL = 1e-6
RANGE_SIGMAS = 1.5  # half a search range is this many standard deviations


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal beliefs in the coordinates of the fit: mean and standard deviation (free,)."""

    mean: Array
    sd: Array


@dataclass(frozen=True, eq=False)
class Misfit:
    """No form is true everywhere: a run counts for less the farther it lies from where the decision looks.

    Distances are between logarithms of the variables, each divided by its spread (`scales`), to the nearest of `aims`
    (aims, variables), less `nearest`, that of the nearest candidate; `size` is the misfit per unit of distance.
    """

    names: tuple[str, ...]
    aims: Array
    scales: Array
    nearest: float
    size: float

    def distance(self, variables: Mapping[str, Array]) -> Array:
        """Distance of each point (points,)."""
        at = _logs(self.names, variables) / self.scales
        return np.asarray(np.sqrt(((at[:, None, :] - self.aims[None] / self.scales) ** 2).sum(axis=2)).min(axis=1))

    def sd(self, variables: Mapping[str, Array]) -> Array:
        """Standard deviation of what the form misses at each point."""
        return np.asarray(self.size * np.maximum(self.distance(variables) - self.nearest, 0.0))

    @classmethod
    def about(
        cls, names: tuple[str, ...], aims: Mapping[str, Array], candidates: Mapping[str, Array], size: float
    ) -> Misfit:
        """Distances to `aims`, in units of the spread of candidates and aims together."""
        goal, near = _logs(names, aims), _logs(names, candidates)
        spread = np.concatenate([goal, near]).std(axis=0)
        scales = np.where(spread > 1e-9, spread, 1.0)
        made = cls(names, goal, scales, 0.0, size)
        return cls(names, goal, scales, float(made.distance(candidates).min()), size)


def _logs(names: tuple[str, ...], variables: Mapping[str, Array]) -> Array:
    """(points, variables): logarithms of positive variables, shares and the like as they are."""
    columns = [np.asarray(variables[k], float) for k in names]
    return np.stack([c if allowed(k).lower <= 0.0 else np.log(c) for k, c in zip(names, columns, strict=True)], axis=1)


@dataclass(frozen=True, eq=False)
class Beliefs:
    """A cloud of coefficients.

    `best` (free,) is the most probable one, `draws` (draws, free) the cloud, `precision` (draws, free, free) the local
    information about each draw (runs so far and prior), `noise_sd` the scatter of a run (log loss; own unit if signed).
    """

    form: type[Form]
    best: Array
    draws: Array
    precision: Array
    noise_sd: float
    misfit: Misfit | None = None

    def noise(self, variables: Mapping[str, Array]) -> Array:
        """Standard deviation of a run at each point (points,): scatter, and what the form misses there."""
        count = len(next(iter(variables.values())))
        missed = np.zeros(count) if self.misfit is None else self.misfit.sd(variables)
        return np.hypot(self.noise_sd, missed)

    def problem(self, variables: Mapping[str, Array]) -> Problem:
        """The form at these points, for predictions and derivatives in θ."""
        chosen = {k: variables[k] for k in self.form.variables}
        return _noiseless(self.form, chosen)

    def gradients(self, variables: Mapping[str, Array]) -> Array:
        """∂ log loss / ∂ θ of every draw at every point (the loss itself if signed): (draws, points, free)."""
        jacobian = self.problem(variables).jacobian(self.draws)
        return np.nan_to_num(jacobian, nan=0.0, posinf=0.0, neginf=0.0).transpose(0, 2, 1)

    @cached_property
    def law(self) -> Form:
        """The form at its most probable coefficients."""
        return self.form.from_vector(self.problem({k: np.ones(1) for k in self.form.variables}).vectors(self.best))

    def predict(self, variables: Mapping[str, Array]) -> Array:
        """Median loss over the draws at each point."""
        problem = self.problem(variables)
        clouds = problem.form.from_vector(problem.vectors(self.draws))
        with np.errstate(all="ignore"):
            values = np.broadcast_to(clouds.loss(**problem.variables), (len(self.draws), len(problem.losses)))
        return np.asarray(np.median(values, axis=0))


def search_prior(form: type[Form]) -> Prior:
    """The middle of every coefficient's search range, and a spread that covers it."""
    ends = np.array([np.log(c.search) if c.logarithmic else c.search for c in form.coefficients], float)
    return Prior(ends.mean(axis=1), (ends[:, 1] - ends[:, 0]) / (2.0 * RANGE_SIGMAS))


def law_prior(form: Form, draws: Array | None, widening: float = 3.0) -> Prior:
    """About a law's coefficients: as wide as its draws, widened (it was fitted to other runs), or a tenth of the prior.

    `draws` (draws, coefficients) or None.
    """
    kind = type(form)
    broad = search_prior(kind)
    problem = Problem(kind, {}, np.ones(1))
    centre = problem.to_theta(form.vector())
    if draws is None:
        return Prior(centre, 0.3 * broad.sd)
    spread = problem.to_theta(draws).std(axis=0)
    return Prior(centre, np.clip(widening * spread, 0.02 * broad.sd, broad.sd))


def believe(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    anchors: Mapping[str, Array],
    *,
    prior: Prior | None = None,
    misfit: Misfit | None = None,
    count: int = 24,
    seed: int = 0,
) -> Beliefs:
    """Beliefs after runs at `variables` gave `losses` (rows,), none at all allowed.

    `anchors` are points (candidates, targets) where losses must be within reason. Deterministic in the seed.
    """
    return _Posterior(form, variables, np.asarray(losses, float), anchors, prior or search_prior(form), misfit).drawn(
        count, seed
    )


class _Posterior:
    """Data, anchors and prior as one weighted least-squares problem, minimised from many starts."""

    def __init__(
        self,
        form: type[Form],
        variables: Mapping[str, Array],
        losses: Array,
        anchors: Mapping[str, Array],
        prior: Prior,
        misfit: Misfit | None,
    ) -> None:
        self.misfit = misfit
        self.missed = np.zeros(len(losses)) if misfit is None or not len(losses) else misfit.sd(variables)
        self.form, self.prior, self.rows = form, prior, len(losses)
        some = _spread_rows(len(next(iter(anchors.values()))), 12)
        points = {k: np.concatenate([np.asarray(variables[k], float), anchors[k][some]]) for k in form.variables}
        self.signed = form.signed()
        seen = losses if self.signed else np.log(losses)
        centre = float(np.median(seen)) if len(seen) else 0.0 if self.signed else 1.0
        self.targets = np.concatenate([seen, np.full(len(some), centre)])
        self.spread = SIGNED_SPREAD if self.signed else LOSS_SPREAD
        self.problem = _noiseless(form, points)
        low, high = self.problem.bounds
        self.low, self.high = low, high

    def drawn(self, count: int, seed: int) -> Beliefs:
        generator = np.random.default_rng(seed)
        starts = self.prior.mean + self.prior.sd * generator.standard_normal((max(2 * count, 48), len(self.prior.mean)))
        still, mean = np.zeros((1, len(self.targets))), self.prior.mean[None]
        found, value = self._minimised(starts, still, mean, SIGNED_NOISE if self.signed else NOISE)
        noise = self._noise(found[int(np.argmin(value))])
        found, value = self._minimised(found[np.argsort(value)[:24]], still, mean, noise)
        order = np.argsort(value)
        best = found[order[0]]
        noise = self._noise(best)
        # Each draw: data, anchors and prior moved by their own noise, from one of the minima that are worth something.
        good = order[value[order] <= value[order[0]] + 0.5 * len(best) + 3.0]
        origin = found[good[generator.integers(0, len(good), count)]]
        shake = np.zeros((count, len(self.targets)))
        shake[:, : self.rows] = np.hypot(noise, self.missed) * generator.standard_normal((count, self.rows))
        shake[:, self.rows :] = self.spread * generator.standard_normal((count, 1))
        means = self.prior.mean + self.prior.sd * generator.standard_normal((count, len(best)))
        draws, value = self._minimised(origin, shake, means, noise)
        usable = np.isfinite(value) & np.isfinite(draws).all(axis=1)
        draws = draws[usable] if usable.any() else best[None]
        return Beliefs(self.form, best, draws, self._precision(draws, noise), noise, self.misfit)

    def _noise(self, theta: Array) -> float:
        """Scatter of the runs about θ, shrunk to what is usual."""
        usual = SIGNED_NOISE if self.signed else NOISE
        size = np.abs(self._residual(theta[None])[0][: self.rows]) / np.hypot(1.0, self.missed / usual)
        limit = 3.0 * max(float(np.median(size)), usual) if self.rows else usual
        spare = max(self.rows - len(theta), 0)
        squares = float((np.minimum(size, limit) ** 2).sum())
        return float(np.sqrt((NOISE_RUNS * usual**2 + squares) / (NOISE_RUNS + spare)))

    def _residual(self, theta: Array) -> Array:
        away = self.problem.residuals(theta) - self.targets
        return np.asarray(np.nan_to_num(away, nan=1e3, posinf=1e3, neginf=-1e3))

    def _scales(self, noise: float) -> Array:
        return np.concatenate(
            [1.0 / np.hypot(noise, self.missed), np.full(len(self.targets) - self.rows, 0.3 / self.spread)]
        )

    def _value(self, theta: Array, shake: Array, means: Array, scale: Array) -> Array:
        z = (self._residual(theta) - shake) * scale
        data = 0.5 * (STUDENT + 1.0) * np.log1p(z[:, : self.rows] ** 2 / STUDENT)
        near = 0.5 * z[:, self.rows :] ** 2
        prior = 0.5 * ((theta - means) / self.prior.sd) ** 2
        return np.asarray(data.sum(axis=1) + near.sum(axis=1) + prior.sum(axis=1))

    def _minimised(self, starts: Array, shake: Array, means: Array, noise: float) -> tuple[Array, Array]:
        """Levenberg-Marquardt on all rows of `starts` at once: (θ, objective)."""
        theta = np.clip(starts, self.low, self.high)
        scale = self._scales(noise)
        damping = np.full(len(theta), 1e-2)
        value = self._value(theta, shake, means, scale)
        identity = np.eye(theta.shape[1])
        for _step in range(STEPS):
            jacobian = self._slopes(theta)
            z = (self._residual(theta) - shake) * scale
            weight = np.ones_like(z)
            weight[:, : self.rows] = (STUDENT + 1.0) / (STUDENT + z[:, : self.rows] ** 2)
            scaled = jacobian * scale
            normal = (scaled * weight[:, None, :]) @ scaled.transpose(0, 2, 1) + identity / self.prior.sd**2
            slope = np.einsum("bkn,bn->bk", scaled, weight * z) + (theta - means) / self.prior.sd**2
            diagonal = np.einsum("bkk->bk", normal)
            system = normal + damping[:, None, None] * diagonal[:, :, None] * identity
            step = np.linalg.solve(system, slope[..., None])[..., 0]
            trial = np.clip(theta - step, self.low, self.high)
            reached = self._value(trial, shake, means, scale)
            better = reached <= value
            moved = float(np.max(np.where(better, value - reached, 0.0), initial=0.0))
            theta = np.where(better[:, None], trial, theta)
            value = np.where(better, reached, value)
            damping = np.clip(np.where(better, 0.2 * damping, 5.0 * damping), 1e-9, 1e9)
            if moved < 1e-4 and bool(np.all(better | (damping > 1e3))):
                break
        return theta, value

    def _slopes(self, theta: Array) -> Array:
        """∂ residual / ∂ θ (batch, free, rows) by differences: on the way to a minimum no more is needed."""
        batch, free = theta.shape
        moved = (theta[:, None, :] + np.vstack([np.zeros(free), SMALL * np.eye(free)])).reshape(-1, free)
        at = self.problem.residuals(moved).reshape(batch, free + 1, -1)
        with np.errstate(all="ignore"):
            slopes = (at[:, 1:] - at[:, :1]) / SMALL
        return np.asarray(np.nan_to_num(slopes, nan=0.0, posinf=0.0, neginf=0.0))

    def _precision(self, draws: Array, noise: float) -> Array:
        jacobian = np.nan_to_num(self.problem.jacobian(draws), nan=0.0, posinf=0.0, neginf=0.0)
        scaled = jacobian * self._scales(noise)
        return np.asarray(scaled @ scaled.transpose(0, 2, 1) + np.diag(1.0 / self.prior.sd**2))


def _noiseless(form: type[Form], variables: Mapping[str, Array]) -> Problem:
    """A problem whose residuals are the predictions themselves: log loss, or the metric as it is if signed."""
    count = len(next(iter(variables.values())))
    return Problem(form, variables, np.zeros(count) if form.signed() else np.ones(count))


def _spread_rows(count: int, wanted: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).astype(np.intp))

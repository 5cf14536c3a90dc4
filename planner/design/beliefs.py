"""What is believed of a form's coefficients after runs: a cloud of draws, not one best fit.

A design has to be good for whatever law turns out to be true, and a handful of runs leaves many. How much runs scatter,
and how much the form misses per unit of distance, are not set but weighed: by their marginal likelihood (Laplace's
approximation, MacKay 1992) on a grid, under wide priors. Each draw of the cloud has a scatter and a misfit drawn from
that, and is a randomised maximum a posteriori (Chen & Oliver 2012, doi 10.1007/s11004-011-9376-z): data and prior are
moved by their own noise and the fit, of coefficients and of what they miss, is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.design.misfit import Missed, spread_rows
from planner.design.prior import Prior, felt_prior, noiseless, spread
from planner.design.robust import PRIOR_TAIL, Members, Search
from planner.fitting.problem import Problem
from planner.laws.form import Form

Array = NDArray[np.float64]
DRAWS = 48
NOISE, SIGNED_NOISE = 0.01, 0.03  # scatter of a run's log loss before any is seen: seeds alone give 0.2 to 0.5 %
NOISE_RUNS = 4.0  # how many runs that guess is worth
NOISES = np.geomspace(0.1, 6.4, 6)  # the grid, in units of that guess
MISFITS = np.geomspace(0.05, 8.0, 6)  # the same of the misfit per unit of distance: all sizes equally likely at first
STARTS = 48
SEARCHED = 160  # runs that the search for the optimum and the evidence look at, where there are more
ANCHORS = 12


@dataclass(frozen=True, eq=False)
class Beliefs:
    """A cloud of coefficients.

    `best` (free,) is the most probable one, `draws` (draws, free) the cloud; for each draw `known` (draws, free, free)
    is the information that does not come from runs, `noise_sd` (draws,) the scatter of a run (log loss; own unit if
    signed), `misfit` (draws,) the size of what the form misses, and `amounts` (draws, modes) how much there is of each
    mode of it, by `missed`. `seen` are the runs so far.
    """

    form: type[Form]
    best: Array
    draws: Array
    known: Array
    noise_sd: Array
    misfit: Array
    amounts: Array
    missed: Missed
    seen: Mapping[str, Array]

    def noise(self, variables: Mapping[str, Array]) -> Array:
        """Standard deviation of a run at each point (draws, points): scatter, and what is missed there alone."""
        return np.sqrt(self.noise_sd[:, None] ** 2 + self.misfit[:, None] ** 2 * self.missed.rest(variables))

    def problem(self, variables: Mapping[str, Array]) -> Problem:
        """The form at these points, for predictions and derivatives in θ."""
        return noiseless(self.form, variables)

    def answers(self, variables: Mapping[str, Array]) -> Array:
        """Log loss of every draw at every point (the loss itself if signed), with what the form misses there: (draws,
        points)."""
        values = np.nan_to_num(self.problem(variables).residuals(self.draws), nan=1e3)
        return np.asarray(values + self.amounts @ self.missed.modes(variables).T)

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
        middle = np.median(self.answers(variables), axis=0)
        return np.asarray(middle if self.form.signed() else np.exp(middle))


def believe(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    anchors: Mapping[str, Array],
    missed: Missed,
    *,
    prior: Prior | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Beliefs, ...]:
    """Beliefs after runs at `variables` gave `losses` (rows, metrics), one a metric; no runs at all are allowed.

    `anchors` are points (candidates, targets) where losses must be within reason. Deterministic in the seed.
    """
    some = spread_rows(len(next(iter(anchors.values()))), 60)
    prior = prior or felt_prior(form, {k: np.asarray(anchors[k], float)[some] for k in form.variables}, seed)
    several = _Metrics(form, variables, losses, anchors, prior, missed)
    generator = np.random.default_rng(seed)
    found = several.searched(generator)
    return several.drawn(found, several.weighed(found), draws, generator)


@dataclass(frozen=True, eq=False)
class _Weighed:
    """The grid of scatters and misfits (cells,), and for each metric and cell the best fit and its probability."""

    noise: Array
    misfit: Array
    best: Array  # (metrics, cells, unknowns)
    probability: Array  # (metrics, cells)


def _inverse_chi_square(ratio: Array) -> Array:
    """Log density of a standard deviation at usual / ratio, if the usual one is worth `NOISE_RUNS` runs."""
    return np.asarray(0.5 * NOISE_RUNS * (np.log(ratio**2) - ratio**2))


class _Metrics:
    """Several metrics of the same runs, each with its own coefficients, fitted as members of one batch.

    The unknowns are the free coefficients, then the amounts of the modes that the form misses.
    """

    def __init__(
        self,
        form: type[Form],
        variables: Mapping[str, Array],
        losses: Array,
        anchors: Mapping[str, Array],
        prior: Prior,
        missed: Missed,
    ) -> None:
        self.form, self.prior, self.missed = form, prior, missed
        self.runs, self.metrics = losses.shape
        self.seen = {k: np.asarray(variables[k], float) for k in form.variables}
        self.rest = missed.rest(self.seen)
        self.usual = SIGNED_NOISE if form.signed() else NOISE
        self.spread = spread(form)
        some = spread_rows(len(next(iter(anchors.values()))), ANCHORS)
        self.points = {k: np.concatenate([self.seen[k], np.asarray(anchors[k], float)[some]]) for k in form.variables}
        values = (losses if form.signed() else np.log(losses)).T
        level = np.full(self.metrics, 0.0 if form.signed() else 1.0)
        centre = np.median(values, axis=1) if self.runs else level
        self.goals = np.concatenate([values, np.repeat(centre[:, None], len(some), axis=1)], axis=1)
        self.anchors = len(some)
        kept = spread_rows(self.runs, SEARCHED) if self.runs else np.zeros(0, np.intp)
        self.columns = np.concatenate([kept, np.arange(self.runs, self.runs + self.anchors)])
        modes = missed.modes(self.seen)
        modes = np.concatenate([modes, np.zeros((self.anchors, modes.shape[1]))])  # anchors are about the form
        self.free, self.modes = len(prior.mean), modes.shape[1]
        self.part = Search(noiseless(form, {k: v[self.columns] for k, v in self.points.items()}), modes[self.columns])
        self.whole = Search(noiseless(form, self.points), modes)

    def members(self, metric: NDArray[np.intp], noise: Array, misfit: Array, part: bool = False) -> Members:
        """A member for each entry: which metric, with what scatter and misfit, on all points or a part of them."""
        count = len(metric)
        errors = np.full((count, self.runs + self.anchors), self.spread * np.sqrt(self.anchors))  # anchors: one run's
        errors[:, : self.runs] = np.sqrt(noise[:, None] ** 2 + misfit[:, None] ** 2 * self.rest)
        mean, sd = np.zeros((count, self.free + self.modes)), np.tile(misfit[:, None], self.free + self.modes)
        mean[:, : self.free], sd[:, : self.free] = self.prior.mean, self.prior.sd
        goals, weights, runs = self.goals[metric], 1.0 / errors, self.runs
        if part:
            goals, weights, runs = goals[:, self.columns], weights[:, self.columns], len(self.columns) - self.anchors
        return Members(goals, weights, mean, sd, runs, self.free if self.prior.tailed else 0)

    def searched(self, generator: np.random.Generator) -> Array:
        """Minima from many starts (metrics, starts, unknowns)."""
        shape = (self.metrics * STARTS, self.free)
        starts = generator.standard_t(PRIOR_TAIL, shape) if self.prior.tailed else generator.standard_normal(shape)
        metric = np.repeat(np.arange(self.metrics), STARTS)
        usual = np.full(len(metric), self.usual)
        members = self.members(metric, 2.0 * usual, usual, part=True)
        begun = np.pad(self.prior.mean + self.prior.sd * starts, ((0, 0), (0, self.modes)))
        found, _, _ = self.part.minimised(begun, members)
        return found.reshape(self.metrics, STARTS, -1)

    def weighed(self, found: Array) -> _Weighed:
        """How probable each scatter and misfit is, from the minimum that is best at the usual ones."""
        noise, misfit = (self.usual * x.reshape(-1) for x in np.meshgrid(NOISES, MISFITS))
        cells, usual = len(noise), np.full(self.metrics, self.usual)
        first = found[np.arange(self.metrics), np.argmin(self._costs(found, 2.0 * usual, usual), axis=1)]
        metric = np.repeat(np.arange(self.metrics), cells)
        members = self.members(metric, np.tile(noise, self.metrics), np.tile(misfit, self.metrics), part=True)
        best, predicted, cost = self.part.minimised(first[metric], members)
        matrix, _ = members.normal(best, predicted, self.part.slopes(best, predicted))
        evidence = np.log(members.weights[:, : members.runs]).sum(axis=1) - cost
        evidence -= 0.5 * np.linalg.slogdet(matrix)[1] + self.modes * np.log(np.tile(misfit, self.metrics))
        table = evidence.reshape(self.metrics, cells) + _inverse_chi_square(self.usual / noise)
        if self.missed.usual is not None:
            table += _inverse_chi_square(self.missed.usual / misfit)
        odds = np.exp(table - table.max(axis=1, keepdims=True))
        return _Weighed(noise, misfit, best.reshape(self.metrics, cells, -1), odds / odds.sum(axis=1, keepdims=True))

    def _costs(self, theta: Array, noise: Array, misfit: Array) -> Array:
        """On all points, of unknowns (metrics, starts, unknowns): (metrics, starts)."""
        metric = np.repeat(np.arange(self.metrics), theta.shape[1])
        flat = theta.reshape(-1, theta.shape[2])
        members = self.members(metric, noise[metric], misfit[metric])
        return members.cost(flat, self.whole.predictions(flat)).reshape(theta.shape[:2])

    def drawn(self, found: Array, weighed: _Weighed, draws: int, generator: np.random.Generator) -> tuple[Beliefs, ...]:
        """The cloud of every metric, from the minima that are worth something."""
        every, free, unknowns = np.arange(self.metrics), self.free, self.free + self.modes
        top = np.argmax(weighed.probability, axis=1)
        likely = weighed.noise[top], weighed.misfit[top]
        best, _, _ = self.whole.minimised(weighed.best[every, top], self.members(every, *likely))
        minima = np.concatenate([best[:, None], found], axis=1)
        cost = self._costs(minima, *likely)
        origin, cell = np.zeros((self.metrics, draws, unknowns)), np.zeros((self.metrics, draws), np.intp)
        for m in range(self.metrics):
            good = np.flatnonzero(cost[m] <= cost[m].min() + 0.5 * free + 3.0)
            origin[m] = minima[m, good[generator.integers(0, len(good), draws)]]
            even = (generator.permutation(draws) + generator.random()) / draws
            cell[m] = np.minimum(np.searchsorted(np.cumsum(weighed.probability[m]), even), len(weighed.noise) - 1)
        metric, theta = np.repeat(np.arange(self.metrics), draws), origin.reshape(-1, unknowns)
        noise, misfit = weighed.noise[cell].reshape(-1), weighed.misfit[cell].reshape(-1)
        still = self.members(metric, noise, misfit)
        sd = np.concatenate([self._widths(theta[:, :free], generator), still.sd[:, free:]], axis=1)
        shake = generator.standard_normal(still.goals.shape)
        shake[:, self.runs :] = generator.standard_normal((len(theta), 1)) / np.sqrt(self.anchors)
        moved = Members(
            still.goals + shake / still.weights, still.weights,
            still.mean + sd * generator.standard_normal(sd.shape), sd, self.runs, tailed=0,
        )  # fmt: skip
        cloud, predicted, _ = self.whole.minimised(theta, moved)
        anchored = self.whole.slopes(cloud, predicted)[:, :free, self.runs :] * moved.weights[:, None, self.runs :]
        known = anchored @ anchored.transpose(0, 2, 1) + np.eye(free) / sd[:, None, :free] ** 2
        each = [np.split(x, self.metrics) for x in (cloud[:, :free], known, noise, misfit, cloud[:, free:])]
        parts = zip(best[:, :free], *each, strict=True)
        return tuple(Beliefs(self.form, b, d, k, n, s, a, self.missed, self.seen) for b, d, k, n, s, a in parts)

    def _widths(self, theta: Array, generator: np.random.Generator) -> Array:
        """Widths of normal priors for draws that start at θ (draws, free): a Cauchy prior is a normal one of random
        width, here as wide as its tails, or as the minimum found, ask for."""
        if not self.prior.tailed:
            return np.broadcast_to(self.prior.sd, theta.shape)
        away = ((theta - self.prior.mean) / self.prior.sd) ** 2
        tightness = np.minimum(
            generator.gamma(0.5 * PRIOR_TAIL, 2.0 / PRIOR_TAIL, away.shape),
            generator.gamma(0.5 * (PRIOR_TAIL + 1.0), 2.0 / (PRIOR_TAIL + away)),
        )
        return np.asarray(self.prior.sd / np.sqrt(np.maximum(tightness, 1e-3)))

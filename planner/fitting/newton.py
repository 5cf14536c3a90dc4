"""Damped Newton on many starts or bootstrap draws at once, with Huber's δ lowered step by step.

At δ = 1e-3 the objective is nearly a sum of absolute values: Newton from afar stalls on its kinks. Solving for a large
δ first and following the minimum down (continuation) makes every stage start in the right pieces, where Newton ends
after finitely many steps at a gradient of rounding size. Indefinite Hessians are made positive by the absolute values
of their eigenvalues (saddle-free Newton); coordinates at a bound that want to leave it are held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.fitting.objective import DELTA, Huber
from planner.fitting.problem import Derivatives, Problem, Sample

Array = NDArray[np.float64]
CHUNK_VALUES = 32_768  # (batch × rows) evaluated at once: temporaries stay in the cache
TIE = 4e-15  # relative difference of two objectives that is rounding
PATIENCE = 6  # iterations without a real decrease before a member is left alone
DAMPING = 1e-4  # at first, of the largest eigenvalue
ROUGH_ITERATIONS, ROUGH_TOLERANCE = 12, 1e-4  # of stages before the last; the gradient in δ


@dataclass(frozen=True, eq=False)
class Minimum:
    """θ (batch, free), objective (batch,), and the projected gradient's largest entry (batch,)."""

    theta: Array
    objective: Array
    gradient: Array


def schedule(start: float, delta: float = DELTA) -> tuple[float, ...]:
    """δ from `start` down to `delta` by factors of about three."""
    if start <= delta:
        return (delta,)
    steps = max(1, round(np.log(start / delta) / np.log(3.0)))
    return tuple(float(d) for d in np.geomspace(start, delta, steps + 1))


def best_points(problem: Problem, points: Array, sample: Sample, delta: float = DELTA) -> Array:
    """For every member of the sample, the point of `points` (points, free) at which it is lowest: (batch, free)."""
    size = max(1, CHUNK_VALUES // max(1, len(problem.losses)))
    huber = Huber(delta)
    parts = [huber.value(problem.residuals(points[k : k + size])) for k in range(0, len(points), size)]
    each = np.concatenate(parts)
    possible = np.asarray(np.isfinite(each).all(axis=1))
    total = sample.weights @ np.where(possible[:, None], each, 0.0).T + np.where(possible, 0.0, np.inf)
    if sample.pull is not None:
        anchor, stiffness = sample.pull.anchor, sample.pull.stiffness
        for k in range(points.shape[1]):
            total += 0.5 * stiffness[:, k, None] * (points[:, k] - anchor[:, k, None]) ** 2
    return np.asarray(points[np.argmin(total, axis=1)])


def minimise(
    problem: Problem,
    theta: Array,
    deltas: tuple[float, ...] | Array,
    sample: Sample | None = None,
    iterations: int = 60,
    tolerance: float = 1e-12,
) -> Minimum:
    """Minimise from every row of `theta` (batch, free); `sample` says what differs between them.

    `deltas` are the stages of all, or (batch, stages) of each member, where those that are no number are passed over.
    """
    return _Descent(problem, theta, deltas, sample, iterations, tolerance).ended()


class _Descent:
    """Members on their way down, each at a stage of its own: none waits for the slowest of the others.

    So many are under way at once as fit the cache; when one has arrived the next sets out.
    """

    def __init__(
        self,
        problem: Problem,
        theta: Array,
        deltas: tuple[float, ...] | Array,
        sample: Sample | None,
        iterations: int,
        tolerance: float,
    ) -> None:
        batch = len(theta)
        self.problem, self.sample, self.iterations, self.tolerance = problem, sample, iterations, tolerance
        self.deltas = np.broadcast_to(np.asarray(deltas, float), (batch, np.shape(deltas)[-1]))
        self.last = self.deltas.shape[1] - 1
        self.stage = np.isnan(self.deltas).sum(axis=1)
        self.here = np.clip(theta, *problem.bounds)
        self.best = self.here.copy()
        self.value, self.norm = np.full(batch, np.inf), np.full(batch, np.inf)  # of the best so far of this stage
        self.damping = np.full(batch, DAMPING)
        self.stalled, self.spent = np.zeros(batch, dtype=int), np.zeros(batch, dtype=int)
        self.waiting = np.arange(batch)
        free = self.here.shape[1]
        self.known = np.zeros(batch, dtype=bool)  # whether the derivatives are those of where the member is now
        self.now = Derivatives(np.empty(batch), *(np.empty((batch, *k)) for k in ((free,), (free, free), (free,))))

    def ended(self) -> Minimum:
        """The minima of all members."""
        size = max(1, CHUNK_VALUES // max(1, len(self.problem.losses)))
        active, self.waiting = self.waiting[:size], self.waiting[size:]
        mine = self._sampled(active)
        while len(active):
            stays = self._advance(active, mine)
            if not stays.all():
                room = size - int(stays.sum())
                active = np.concatenate([active[stays], self.waiting[:room]])
                self.waiting = self.waiting[room:]
                mine = self._sampled(active)
        return Minimum(self.best, self.value, self.norm)

    def _sampled(self, members: NDArray[np.intp]) -> Sample | None:
        return None if self.sample is None else self.sample.take(members)

    def _derivatives(self, active: NDArray[np.intp], sample: Sample | None) -> Derivatives:
        """Of these members; worked out anew where they have moved."""
        moved = ~self.known[active]
        if moved.any():
            members = active if moved.all() else active[moved]
            mine = sample if sample is None or moved.all() else sample.take(moved)
            delta = self.deltas[members, self.stage[members], None]
            self.now.put(members, self.problem.derivatives(self.here[members], Huber(delta), mine))
        return self.now.take(active)

    def _advance(self, active: NDArray[np.intp], sample: Sample | None) -> NDArray[np.bool_]:
        """One step of these members; whether each is still under way."""
        here, stage = self.here[active], self.stage[active]
        delta = self.deltas[active, stage]
        now = self._derivatives(active, sample)
        held = _held(self.problem, here, now.gradient)
        gradient = np.where(held, 0.0, now.gradient)
        norm = np.abs(gradient).max(axis=1)
        self._remember(active, now.value, norm)
        final = stage == self.last  # on the way down a rough minimum is enough
        busy = (norm > np.where(final, self.tolerance, ROUGH_TOLERANCE * delta)) & (self.stalled[active] < PATIENCE)
        busy &= (self.spent[active] < np.where(final, self.iterations, ROUGH_ITERATIONS)) & np.isfinite(
            now.value + norm
        )
        self._next_stage(active[~busy & ~final])
        if busy.any():
            moving = active
            if not busy.all():
                moving, here, delta = active[busy], here[busy], delta[busy]
                now, gradient, held = now.take(busy), gradient[busy], held[busy]
                sample = None if sample is None else sample.take(busy)
            step = _step(here, gradient, now, held, self.damping[moving])
            trial, better = _tried(self.problem, here, step, now.value, delta, sample)
            self.here[moving] = np.where(better[:, None], trial, here)
            self.known[moving] = ~better
            self.damping[moving] = np.clip(self.damping[moving] * np.where(better, 0.1, 10.0), 1e-14, 1e6)
        return np.asarray(busy | ~final)

    def _remember(self, active: NDArray[np.intp], value: Array, norm: Array) -> None:
        """Keep what is best: lower by more than rounding, or equal up to rounding and flatter (as the last steps)."""
        lower = value < self.value[active] * (1.0 - TIE)
        level = (value <= self.value[active] * (1.0 + TIE)) & (norm < self.norm[active])
        kept, which = active[lower | level], lower | level
        self.best[kept], self.value[kept], self.norm[kept] = self.here[kept], value[which], norm[which]
        self.stalled[active] = np.where(lower, 0, self.stalled[active] + 1)
        self.spent[active] += 1

    def _next_stage(self, members: NDArray[np.intp]) -> None:
        """From the best point of the last stage, with nothing else kept of it."""
        self.stage[members] += 1
        self.here[members], self.known[members] = self.best[members], False
        self.value[members] = self.norm[members] = np.inf
        self.damping[members], self.stalled[members], self.spent[members] = DAMPING, 0, 0


def _held(problem: Problem, theta: Array, gradient: Array) -> NDArray[np.bool_]:
    low, high = problem.bounds
    return np.asarray(((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0)))


def _step(theta: Array, gradient: Array, now: Derivatives, held: NDArray[np.bool_], damping: Array) -> Array:
    """Saddle-free Newton step (batch, free) in coordinates scaled by the Gauss-Newton diagonal, at most e² long."""
    diagonal = now.gauss_newton_diagonal
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300))
    scaled = now.hessian * scale[:, :, None] * scale[:, None, :]
    either = held[:, :, None] | held[:, None, :]
    scaled = np.where(either, np.eye(theta.shape[1]), np.where(np.isfinite(scaled), scaled, 0.0))
    eigenvalues, vectors = np.linalg.eigh(0.5 * (scaled + scaled.transpose(0, 2, 1)))
    size = np.abs(eigenvalues)
    largest = size.max(axis=1, keepdims=True)
    downhill = np.einsum("bkj,bk->bj", vectors, gradient * scale)
    downhill /= np.maximum(size, 1e-13 * largest + 1e-300) + damping[:, None] * largest
    step = -scale * np.einsum("bkj,bj->bk", vectors, downhill)
    return np.asarray(step * (2.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 2.0)))


def _tried(
    problem: Problem, theta: Array, step: Array, value: Array, delta: Array, sample: Sample | None
) -> tuple[Array, NDArray[np.bool_]]:
    """θ after the whole step, or after a quarter where the whole one goes up; and whether it may be taken."""
    low, high = problem.bounds
    trial = np.clip(theta + step, low, high)
    better = problem.objective(trial, Huber(delta[:, None]), sample) <= value * (1.0 + TIE)
    again = np.flatnonzero(~better)
    if len(again):
        trial[again] = np.clip(theta[again] + 0.25 * step[again], low, high)
        mine = None if sample is None else sample.take(again)
        lower = problem.objective(trial[again], Huber(delta[again, None]), mine)
        better[again] = lower <= value[again] * (1.0 + TIE)
    return trial, np.asarray(better)

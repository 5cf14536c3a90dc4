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
CHUNK_VALUES = 16_384  # (batch × rows) evaluated at once: temporaries stay in the cache
TIE = 4e-15  # relative difference of two objectives that is rounding
PATIENCE = 6  # iterations without a real decrease before a member is left alone


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
    deltas: tuple[float, ...],
    sample: Sample | None = None,
    iterations: int = 60,
    tolerance: float = 1e-12,
) -> Minimum:
    """Minimise from every row of `theta` (batch, free), in chunks; `sample` says what differs between them."""
    size = max(1, CHUNK_VALUES // max(1, len(problem.losses)))
    parts = []
    for k in range(0, len(theta), size):
        mine = None if sample is None else sample.take(slice(k, k + size))
        parts.append(_chunk(problem, theta[k : k + size], deltas, mine, iterations, tolerance))
    return Minimum(
        np.concatenate([p.theta for p in parts]),
        np.concatenate([p.objective for p in parts]),
        np.concatenate([p.gradient for p in parts]),
    )


def _chunk(
    problem: Problem, theta: Array, deltas: tuple[float, ...], sample: Sample | None, iterations: int, tolerance: float
) -> Minimum:
    low, high = problem.bounds
    theta = np.clip(theta, low, high)
    for delta in deltas[:-1]:  # on the way down a rough minimum is enough
        theta = _newton(problem, theta, Huber(delta), sample, 12, 1e-4 * delta).theta
    return _newton(problem, theta, Huber(deltas[-1]), sample, iterations, tolerance)


def _newton(
    problem: Problem, theta: Array, huber: Huber, sample: Sample | None, iterations: int, tolerance: float
) -> Minimum:
    here = theta.copy()
    batch = len(theta)
    damping, stalled = np.full(batch, 1e-4), np.zeros(batch, dtype=int)
    best, best_value, best_norm = theta.copy(), np.full(batch, np.inf), np.full(batch, np.inf)
    active = np.arange(batch)
    for _ in range(iterations):
        mine = None if sample is None else sample.take(active)
        now = problem.derivatives(here[active], huber, mine)
        held = _held(problem, here[active], now.gradient)
        gradient = np.where(held, 0.0, now.gradient)
        norm = np.abs(gradient).max(axis=1)
        # Lower by more than rounding, or equal up to rounding and flatter: the last steps show in the gradient only.
        lower = now.value < best_value[active] * (1.0 - TIE)
        level = (now.value <= best_value[active] * (1.0 + TIE)) & (norm < best_norm[active])
        kept = active[lower | level]
        best[kept], best_value[kept] = here[kept], now.value[lower | level]
        best_norm[kept] = norm[lower | level]
        stalled[active] = np.where(lower, 0, stalled[active] + 1)
        busy = (norm > tolerance) & (stalled[active] < PATIENCE) & np.isfinite(now.value) & np.isfinite(norm)
        if not busy.any():
            break
        active, gradient, held, value = active[busy], gradient[busy], held[busy], now.value[busy]
        mine = None if mine is None else mine.take(busy)
        step = _step(problem, here[active], gradient, now, busy, held, damping[active])
        trial, better = _tried(problem, here[active], step, value, huber, mine)
        here[active] = np.where(better[:, None], trial, here[active])
        damping[active] = np.clip(np.where(better, damping[active] * 0.1, damping[active] * 10.0), 1e-14, 1e6)
    return Minimum(best, best_value, best_norm)


def _held(problem: Problem, theta: Array, gradient: Array) -> NDArray[np.bool_]:
    low, high = problem.bounds
    return np.asarray(((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0)))


def _step(
    problem: Problem,
    theta: Array,
    gradient: Array,
    now: Derivatives,
    busy: NDArray[np.bool_],
    held: NDArray[np.bool_],
    damping: Array,
) -> Array:
    """Saddle-free Newton step (batch, free) in coordinates scaled by the Gauss-Newton diagonal, at most e² long."""
    diagonal = now.gauss_newton_diagonal[busy]
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300))
    scaled = now.hessian[busy] * scale[:, :, None] * scale[:, None, :]
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
    problem: Problem, theta: Array, step: Array, value: Array, huber: Huber, sample: Sample | None
) -> tuple[Array, NDArray[np.bool_]]:
    """θ after the whole step, or after a quarter where the whole one goes up; and whether it may be taken."""
    low, high = problem.bounds
    trial = np.clip(theta + step, low, high)
    better = problem.objective(trial, huber, sample) <= value * (1.0 + TIE)
    again = np.flatnonzero(~better)
    if len(again):
        trial[again] = np.clip(theta[again] + 0.25 * step[again], low, high)
        mine = None if sample is None else sample.take(again)
        better[again] = problem.objective(trial[again], huber, mine) <= value[again] * (1.0 + TIE)
    return trial, np.asarray(better)

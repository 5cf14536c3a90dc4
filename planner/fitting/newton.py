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
from planner.fitting.problem import Problem

Array = NDArray[np.float64]
CHUNK_VALUES = 65_536  # (batch × rows) evaluated at once: temporaries stay in the cache


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


def minimise(
    problem: Problem,
    theta: Array,
    deltas: tuple[float, ...],
    weights: Array | None = None,
    iterations: int = 60,
    tolerance: float = 1e-12,
) -> Minimum:
    """Minimise from every row of `theta` (batch, free), in chunks; `weights` (batch, rows) per member or None."""
    size = max(1, CHUNK_VALUES // max(1, len(problem.losses)))
    parts = []
    for k in range(0, len(theta), size):
        mine = None if weights is None else weights[k : k + size]
        parts.append(_chunk(problem, theta[k : k + size], deltas, mine, iterations, tolerance))
    return Minimum(
        np.concatenate([p.theta for p in parts]),
        np.concatenate([p.objective for p in parts]),
        np.concatenate([p.gradient for p in parts]),
    )


def _chunk(
    problem: Problem, theta: Array, deltas: tuple[float, ...], weights: Array | None, iterations: int, tolerance: float
) -> Minimum:
    low, high = problem.bounds
    theta = np.clip(theta, low, high)
    for delta in deltas[:-1]:  # on the way down a rough minimum is enough
        theta = _newton(problem, theta, Huber(delta), weights, 12, 1e-4 * delta).theta
    return _newton(problem, theta, Huber(deltas[-1]), weights, iterations, tolerance)


def _newton(
    problem: Problem, theta: Array, huber: Huber, weights: Array | None, iterations: int, tolerance: float
) -> Minimum:
    theta = theta.copy()
    batch = len(theta)
    damping = np.full(batch, 1e-4)
    value, norm = np.full(batch, np.inf), np.full(batch, np.inf)
    active = np.arange(batch)
    stalled = np.zeros(batch, dtype=int)
    for _ in range(iterations):
        mine = None if weights is None else weights[active]
        here = problem.derivatives(theta[active], huber, mine)
        held = _held(problem, theta[active], here.gradient)
        gradient = np.where(held, 0.0, here.gradient)
        value[active], norm[active] = here.value, np.abs(gradient).max(axis=1)
        busy = (norm[active] > tolerance) & (stalled[active] < 8) & np.isfinite(here.value)
        if not busy.any():
            break
        active, gradient, held = active[busy], gradient[busy], held[busy]
        mine = None if mine is None else mine[busy]
        trial, better, trial_value = _step(
            problem, theta[active], value[active], gradient, here.hessian[busy], here.gauss_newton_diagonal[busy],
            held, damping[active], huber, mine,
        )  # fmt: skip
        theta[active] = np.where(better[:, None], trial, theta[active])
        gain = value[active] - trial_value
        stalled[active] = np.where(better & (gain > 1e-15 * value[active]), 0, stalled[active] + 1)
        damping[active] = np.clip(np.where(better, damping[active] * 0.1, damping[active] * 10.0), 1e-14, 1e6)
    return Minimum(theta, value, norm)


def _held(problem: Problem, theta: Array, gradient: Array) -> NDArray[np.bool_]:
    low, high = problem.bounds
    return np.asarray(((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0)))


def _step(
    problem: Problem,
    theta: Array,
    value: Array,
    gradient: Array,
    hessian: Array,
    diagonal: Array,
    held: NDArray[np.bool_],
    damping: Array,
    huber: Huber,
    weights: Array | None,
) -> tuple[Array, NDArray[np.bool_], Array]:
    """Newton step, tried whole and at a quarter; (trial θ, whether it is better, its objective)."""
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True) + 1e-300))
    scaled = hessian * scale[:, :, None] * scale[:, None, :]
    either = held[:, :, None] | held[:, None, :]
    scaled = np.where(either, np.eye(theta.shape[1]), scaled)
    scaled = np.where(np.isfinite(scaled), scaled, 0.0)
    eigenvalues, vectors = np.linalg.eigh(0.5 * (scaled + scaled.transpose(0, 2, 1)))
    size = np.abs(eigenvalues)
    floor = 1e-13 * size.max(axis=1, keepdims=True) + 1e-300
    downhill = np.einsum("bkj,bk->bj", vectors, gradient * scale)
    downhill /= np.maximum(size, floor) + damping[:, None] * size.max(axis=1, keepdims=True)
    step = -scale * np.einsum("bkj,bj->bk", vectors, downhill)
    limit = 2.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 2.0)  # no more than e² at a time
    low, high = problem.bounds
    trial = np.clip(theta + limit * step, low, high)
    trial_value = problem.objective(trial, huber, weights)
    better = trial_value < value
    if not better.all():
        again = ~better
        shorter = np.clip(theta[again] + 0.25 * (limit * step)[again], low, high)
        shorter_value = problem.objective(shorter, huber, None if weights is None else weights[again])
        trial[again], trial_value[again] = shorter, shorter_value
        better = trial_value < value
    return trial, np.asarray(better), trial_value

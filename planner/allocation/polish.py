"""Newton's method on the optimality conditions, from the solver's answer to machine precision.

A scaling-law optimum is flat: an interior-point answer whose loss is right to 1e-9 may hold a parameter count
that is off by 1e-4. With the active constraints and bounds known, the stationarity conditions are a smooth
square system, and a few Newton steps settle it. All routines work on stacks of programs of one pattern
(leading axis: bootstrap draws, or one), so the same code answers how the plan moves when the law moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.allocation.program import Array, Program

STEPS = 12
ACTIVE_SLACK = 1e-3
ACTIVE_MULTIPLIER = 1e-7


@dataclass(frozen=True)
class Stack:
    """Programs of one pattern: exponents (draws, terms, variables), log coefficients (draws, terms)."""

    matrix: Array
    log_coefficients: Array
    block_of: NDArray[np.intp]
    blocks: int
    lower: Array
    upper: Array


def stack_of(program: Program, cell: int) -> Stack:
    """One cell as a stack of one, its absent terms left out."""
    present = program.pattern(cell)
    return Stack(
        program.matrix(cell)[None, present],
        program.log_coefficients[cell][None, present],
        program.block_of[present],
        len(program.blocks),
        program.lower,
        program.upper,
    )


def newton(stack: Stack, x: Array, multipliers: Array) -> tuple[Array, Array, Array]:
    """Refine x (variables,) and ν (terms present,) for every draw.

    Returns x (draws, variables), ν (draws, terms) and the largest residual of the optimality conditions (draws,).
    The set of active constraints and bounds is taken from the start and kept; callers judge the result by its
    certificate, or by the residual.
    """
    draws, _, n = stack.matrix.shape
    start = _shares(stack, np.broadcast_to(x, (draws, n)))
    masses = np.array([multipliers[stack.block_of == i].sum() for i in range(stack.blocks)])
    values = np.array([_value(stack, np.broadcast_to(x, (draws, n)), i)[0] for i in range(stack.blocks)])
    active = [i for i in range(1, stack.blocks) if masses[i] > ACTIVE_MULTIPLIER and values[i] > -ACTIVE_SLACK]
    pinned = (x - stack.lower < 1e-6) | (stack.upper - x < 1e-6)
    free = np.flatnonzero(~pinned)
    x = np.broadcast_to(x, (draws, n)).copy()
    x[:, pinned] = np.where(x - stack.lower < stack.upper - x, stack.lower, stack.upper)[:, pinned]
    weights = np.broadcast_to(masses[active], (draws, len(active))).copy()
    shares, worst = start, np.full(draws, np.inf)
    for _ in range(STEPS):
        shares = _shares(stack, x)
        gradients = _gradients(stack, shares)
        hessian = _hessian(stack, shares, gradients, active, weights)
        size = len(free) + len(active)
        system = np.zeros((draws, size, size))
        system[:, : len(free), : len(free)] = hessian[:, free][:, :, free]
        jacobian = gradients[:, active][:, :, free] if active else np.zeros((draws, 0, len(free)))
        system[:, : len(free), len(free) :] = np.swapaxes(jacobian, 1, 2)
        system[:, len(free) :, : len(free)] = jacobian
        stationarity = gradients[:, 0] + np.einsum("sa,san->sn", weights, gradients[:, active])
        residual = np.concatenate(
            [stationarity[:, free], np.stack([_value(stack, x, i) for i in active], axis=1)]
            if active
            else [stationarity[:, free]],
            axis=1,
        )
        step = -_solve(system, residual)
        largest = np.abs(step[:, : len(free)]).max(axis=1, initial=0.0)
        step *= np.minimum(1.0, 1.0 / np.maximum(largest, 1e-300))[:, None]
        x[:, free] += step[:, : len(free)]
        x = np.clip(x, stack.lower, stack.upper)
        weights = weights + step[:, len(free) :]
        worst = np.abs(residual).max(axis=1, initial=0.0)
        if float(worst.max(initial=0.0)) < 1e-14:
            break
    shares = _shares(stack, x)
    scale = np.zeros((draws, stack.blocks))
    scale[:, 0] = 1.0
    scale[:, active] = np.maximum(weights, 0.0)
    return x, shares * scale[:, stack.block_of], worst


def _solve(system: Array, right: Array) -> Array:
    """Solutions of a stack of symmetric systems; of least norm where one is singular (a variable left free)."""
    try:
        solution = np.asarray(np.linalg.solve(system, right[:, :, None])[:, :, 0], dtype=np.float64)
        if np.all(np.isfinite(solution)) and np.abs(solution).max(initial=0.0) < 1e3:
            return solution
    except np.linalg.LinAlgError:
        pass
    return np.asarray(np.einsum("sij,sj->si", np.linalg.pinv(system, rcond=1e-13, hermitian=True), right))


def _shares(stack: Stack, x: Array) -> Array:
    """Share of each term in its block, (draws, terms)."""
    exponents = np.einsum("skn,sn->sk", stack.matrix, x) + stack.log_coefficients
    shares: Array = np.empty_like(exponents)
    for i in range(stack.blocks):
        rows = stack.block_of == i
        if rows.any():
            part = exponents[:, rows]
            part = np.exp(part - part.max(axis=1, keepdims=True))
            shares[:, rows] = part / part.sum(axis=1, keepdims=True)
    return shares


def _value(stack: Stack, x: Array, block: int) -> Array:
    rows = stack.block_of == block
    if not rows.any():
        return np.full(len(x), -np.inf)
    part = np.einsum("skn,sn->sk", stack.matrix[:, rows], x) + stack.log_coefficients[:, rows]
    top = part.max(axis=1)
    return np.asarray(top + np.log(np.exp(part - top[:, None]).sum(axis=1)))


def _gradients(stack: Stack, shares: Array) -> Array:
    """Gradient of every block, (draws, blocks, variables)."""
    weighted = shares[:, :, None] * stack.matrix
    gradients: Array = np.stack([weighted[:, stack.block_of == i].sum(axis=1) for i in range(stack.blocks)], axis=1)
    return gradients


def _hessian(stack: Stack, shares: Array, gradients: Array, active: list[int], weights: Array) -> Array:
    """Hessian of the Lagrangian, (draws, variables, variables)."""
    draws, _, n = stack.matrix.shape
    hessian = np.zeros((draws, n, n))
    for i, weight in [(0, np.ones(draws)), *((i, weights[:, a]) for a, i in enumerate(active))]:
        rows = stack.block_of == i
        matrix, share, mean = stack.matrix[:, rows], shares[:, rows], gradients[:, i]
        second = np.einsum("sk,skm,skn->smn", share, matrix, matrix) - mean[:, :, None] * mean[:, None, :]
        hessian += weight[:, None, None] * second
    return hessian

"""The certificate: a lower bound that any nonnegative multipliers prove, and a feasibility check.

For multipliers ν ≥ 0, one a term, with λ_i = Σ ν over block i and r = A'ν:

    LB = ν·c − Σ ν log ν + Σ_i λ_i log λ_i + Σ_j min(r_j lower_j, r_j upper_j)

bounds a geometric program from below for ANY such ν (weak duality, Boyd & Vandenberghe 2004 §5.7.3, with the box on
x kept explicit): its log objective if the objective block has λ_0 = 1, its least violation (the phase-one optimum) if
λ_0 = 0 and Σ λ_i = 1. So it does not matter which solver, or which *cell*, ν comes from: a solver's status is never a
ground for calling a plan optimal, this bound is. And one matrix product bounds thousands of cells.
"""

from __future__ import annotations

import numpy as np

from planner.allocation.program import Array, Program


def evaluate(program: Program, cell: int, x: Array) -> Array:
    """Values LSE_i(A_i x + c_i) of all blocks, (blocks,); block 0 is the log objective before its power."""
    exponents = program.matrix(cell) @ x + program.log_coefficients[cell]
    return np.array([_log_sum_exp(exponents[program.block_of == i]) for i in range(len(program.blocks))])


def lower_bounds(program: Program, multipliers: Array, source: int) -> Array:
    """Lower bounds (cells,) on the log objective of every cell, from multipliers (terms,) found at cell `source`."""
    bounds = _bounds(program, multipliers, source, program.block_of == 0)
    return np.asarray(bounds * program.powers[0])


def violation_bounds(program: Program, multipliers: Array, source: int) -> Array:
    """Lower bounds (cells,) on the least log violation of every cell; above 0 they prove a cell infeasible."""
    constraints = program.block_of != 0
    return _bounds(program, np.where(constraints, multipliers, 0.0), source, constraints)


def _bounds(program: Program, multipliers: Array, source: int, normalised: Array) -> Array:
    """The dual function for all cells; ν is scaled so that it sums to one over the `normalised` terms.

    Cells of a group share terms and exponents, hence ν and everything but ν·c. Terms that a group lacks are dropped;
    where its exponents differ, ν_k is scaled so that r stays put and the block's constant term takes up the difference
    (for a scaling law: the conjugate of the other law's loss at the same slope). Any choice gives a valid bound.
    """
    bounds = np.full(program.cells, -np.inf)
    at_source = program.matrix(source)
    for cells in program.groups:
        first = int(cells[0])
        matrix = program.matrix(first)
        nu = _keep_slopes(program, multipliers, at_source, matrix)
        nu = np.where(program.pattern(first), nu, 0.0)
        total = nu[normalised].sum()
        if not total > 0:
            continue
        nu = nu / total
        used = np.flatnonzero(nu > 0)
        entropy = -float(nu[used] @ np.log(nu[used]))
        masses = np.bincount(program.block_of, weights=nu)
        masses = masses[masses > 0]
        slopes = nu @ matrix
        box = float(np.minimum(slopes * program.lower, slopes * program.upper).sum())
        constant = entropy + float(masses @ np.log(masses)) + box
        coefficients = program.finite_coefficients
        bounds[cells] = (coefficients if len(cells) == program.cells else coefficients[cells]) @ nu + constant
    return bounds


def _keep_slopes(program: Program, multipliers: Array, here: Array, there: Array) -> Array:
    """ν of terms whose exponent differs in the other cell, rescaled to keep r; the constant term compensates."""
    moved = multipliers
    if np.array_equal(here, there):
        return moved
    for term in {term for term, _ in program.varying}:
        columns = np.flatnonzero(here[term])
        if len(columns) != 1 or here[term, columns[0]] * there[term, columns[0]] <= 0:
            continue
        scaled = multipliers[term] * here[term, columns[0]] / there[term, columns[0]]
        block = program.block_of == program.block_of[term]
        constant = np.flatnonzero(block & ~here.any(axis=1))
        if scaled == multipliers[term] or not constant.size:
            continue
        left = moved[constant[0]] + moved[term] - scaled
        if left >= 0:
            moved = moved.copy()
            moved[term], moved[constant[0]] = scaled, left
    return moved


def _log_sum_exp(values: Array) -> float:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -np.inf
    top = float(finite.max())
    return top + float(np.log(np.exp(finite - top).sum()))

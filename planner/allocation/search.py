"""The best of thousands of cells in a handful of solves: branch and bound with dual transfer.

Solving a cell yields multipliers ν that bound *every* cell from below (`certify.lower_bounds`): one matrix
product bounds them all. So: solve the cell with the smallest bound, tighten all bounds, stop when the smallest
bound of an unsolved cell is no better than what is in hand. Cells without any feasible point are met by the
phase-one twin, whose multipliers prove many others infeasible at once. The result is the same as solving every
cell; nothing is pruned without a proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from planner.allocation.certify import evaluate, lower_bounds, violation_bounds
from planner.allocation.compile import solve_cell
from planner.allocation.polish import newton, stack_of
from planner.allocation.program import Array, Program

TOLERANCE = 1e-7
FEASIBILITY = 1e-8


@dataclass(frozen=True)
class CellSolution:
    """A solved cell: x = log variables, ν, log objective and its proven lower bound."""

    cell: int
    x: Array
    multipliers: Array
    value: float
    lower_bound: float
    violation: float

    @property
    def log_gap(self) -> float:
        return self.value - self.lower_bound


@dataclass(frozen=True)
class SearchResult:
    """The best cells in order; empty when no cell has a feasible point, then `obstacle` holds the proof."""

    best: tuple[CellSolution, ...]
    lower_bound: float
    solve_count: int
    cell_count: int
    obstacle: Obstacle | None = None
    unproven: int = 0


@dataclass(frozen=True)
class Obstacle:
    """Why nothing is feasible: the least violation over all cells and the constraints that share it."""

    violation: float
    shares: dict[str, float] = field(default_factory=dict)


@dataclass
class DualPool:
    """Multipliers of the latest solve of each pattern of terms, kept from one search of a program to the next.

    A bound passes well between cells of one pattern and to cells with more terms, badly to cells with fewer; so every
    pattern keeps its own.
    """

    entries: dict[bytes, tuple[Array, int]] = field(default_factory=dict)

    def add(self, program: Program, multipliers: Array, cell: int) -> None:
        self.entries[program.pattern(cell).tobytes()] = (multipliers, cell)

    def bounds(self, program: Program) -> Array:
        """The best of all bounds, (cells,)."""
        best = np.full(program.cells, -np.inf)
        for multipliers, source in self.entries.values():
            np.maximum(best, lower_bounds(program, multipliers, source), out=best)
        return best


def search(
    program: Program,
    *,
    keep: int = 1,
    tolerance: float = TOLERANCE,
    pool: DualPool | None = None,
    labels: NDArray[np.intp] | None = None,
) -> SearchResult:
    """The `keep` best cells of a program, proven so to `tolerance` in the log objective.

    With `labels` (cells,) the best cell of each label competes: the `keep` best labels, each at its best.
    """
    cells = program.cells
    bounds = pool.bounds(program) if pool else np.full(cells, -np.inf)
    infeasibility = np.full(cells, -np.inf)
    open_cells = np.ones(cells, dtype=bool)
    label = np.arange(cells) if labels is None else labels
    leaders: dict[int, CellSolution] = {}
    solves = unproven = 0
    blocked: list[tuple[float, Array]] = []
    while open_cells.any():
        solved = sorted(leaders.values(), key=lambda s: s.value)
        threshold = solved[keep - 1].value if len(solved) >= keep else np.inf
        cell = _most_promising(bounds, open_cells)
        if bounds[cell] >= threshold - tolerance:
            break
        open_cells[cell] = False
        leader = leaders.get(int(label[cell]))
        if leader is not None and bounds[cell] >= leader.value - tolerance:
            continue
        solution = _solve_raw(program, cell)
        solves += 1
        if solution is not None:
            np.maximum(bounds, lower_bounds(program, solution.multipliers, cell), out=bounds)
            if pool is not None:
                pool.add(program, solution.multipliers, cell)
            if leader is None or solution.value < leader.value:
                leaders[int(label[cell])] = solution
            continue
        proof = _phase_one(program, cell)
        solves += 1
        if proof is None:
            unproven += 1
            continue
        least, multipliers = proof
        blocked.append((least, multipliers))
        np.maximum(infeasibility, violation_bounds(program, multipliers, cell), out=infeasibility)
        open_cells &= infeasibility <= FEASIBILITY
    solved = sorted(leaders.values(), key=lambda s: s.value)
    best = tuple(polished(program, s) for s in solved[:keep])
    left = bounds[open_cells]
    floor = min([s.lower_bound for s in best[:1]] + ([float(left.min())] if left.size else []), default=np.inf)
    obstacle = None
    if not solved and blocked:
        least, multipliers = min(blocked, key=lambda b: b[0])
        masses = {name: float(multipliers[program.rows(i)].sum()) for i, name in enumerate(program.blocks) if i}
        total = sum(masses.values())
        obstacle = Obstacle(least, {name: mass / total for name, mass in masses.items() if mass > 1e-6 * total})
    return SearchResult(best, floor, solves, cells, obstacle, unproven)


def solve(program: Program, cell: int) -> CellSolution | None:
    """One cell to machine precision, certified; None when no usable point came back."""
    raw = _solve_raw(program, cell)
    return None if raw is None else polished(program, raw)


def polished(program: Program, solution: CellSolution) -> CellSolution:
    """The solution after Newton's method on its optimality conditions, if that proves more than before."""
    present = program.pattern(solution.cell)
    x, nu, _ = newton(stack_of(program, solution.cell), solution.x, solution.multipliers[present])
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(nu))):
        return solution
    multipliers = np.zeros_like(solution.multipliers)
    multipliers[present] = nu[0]
    return min(solution, _judge(program, solution.cell, x[0], multipliers), key=_quality)


def _solve_raw(program: Program, cell: int) -> CellSolution | None:
    """The solver's answer, judged; polished at once where it is not good enough to search with."""
    raw = solve_cell(program, cell)
    if raw.x is None or raw.multipliers is None:
        return None
    judged = _judge(program, cell, raw.x, raw.multipliers)
    good = judged.violation <= FEASIBILITY and abs(judged.log_gap) <= TOLERANCE / 2
    return judged if good else polished(program, judged)


def _judge(program: Program, cell: int, x: Array, multipliers: Array) -> CellSolution:
    values = evaluate(program, cell, x)
    bound = float(lower_bounds(_single(program, cell), multipliers, 0)[0])
    value = float(values[0]) * program.powers[0]
    return CellSolution(cell, x, multipliers, value, bound, float(values[1:].max(initial=-np.inf)))


def _quality(solution: CellSolution) -> tuple[bool, float]:
    """Feasible first, then the smaller proven gap."""
    return (solution.violation > FEASIBILITY, abs(solution.log_gap))


def _single(program: Program, cell: int) -> Program:
    return program.select(np.array([cell]))


def _most_promising(bounds: Array, open_cells: NDArray[np.bool_]) -> int:
    return int(np.argmin(np.where(open_cells, bounds, np.inf)))


def _phase_one(program: Program, cell: int) -> tuple[float, Array] | None:
    """The proven least violation of a cell (log) with its multipliers; None unless infeasibility is proven."""
    raw = solve_cell(program, cell, phase_one=True)
    if raw.multipliers is None:
        return None
    least = float(violation_bounds(_single(program, cell), raw.multipliers, 0)[0])
    return (least, raw.multipliers) if least > FEASIBILITY else None

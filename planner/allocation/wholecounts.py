"""Whole accelerators and sequences: a relaxed optimum turned into counts that exist.

In the chosen cell the counts are settled at neighbouring whole numbers (accelerators in multiples of a model replica)
and the rest is optimised again round them, so that limits still hold. What that costs shows in the gap to the
relaxation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner.allocation.model import Model
from planner.allocation.program import Program
from planner.allocation.search import FEASIBILITY, CellSolution, solve

COUNTS = ("accelerator_count", "batch_size")


def whole_counts(
    model: Model, program: Program, chosen: CellSolution, *, prefer: str | None = None
) -> tuple[CellSolution | None, int]:
    """The chosen cell with whole counts (None if no neighbouring count is feasible), and the solves it took.

    With `prefer` all neighbouring counts are tried: the best objective wins, then the smaller metric `prefer`. Without,
    the nearest counts that are feasible are taken.
    """
    names: list[str] = [n for n in COUNTS if n in program.variables]
    if not names:
        return chosen, 0
    single = program.select(np.array([chosen.cell]))
    found: list[tuple[float, float, CellSolution]] = []
    solves = 0
    for counts in _neighbours(model, program, chosen, names):
        settled = dict(zip(names, counts, strict=True))
        fixed = single.fix(settled)
        solution = solve(fixed, 0)
        solves += 1
        if solution is None or solution.violation > FEASIBILITY:
            continue
        solution = in_whole_program(solution, chosen.cell, fixed, program, settled)
        if prefer is None:
            return solution, solves
        values = dict(zip(program.variables, np.exp(solution.x), strict=True))
        found.append((round(solution.value, 9), model.evaluate(chosen.cell, values)[prefer], solution))
    return (min(found, key=lambda f: f[:2])[2] if found else None), solves


def _neighbours(model: Model, program: Program, chosen: CellSolution, names: list[str]) -> list[tuple[float, ...]]:
    """Combinations of the whole numbers on either side, nearest first."""
    _, training, _ = model.product.parts(chosen.cell)
    options: list[list[float]] = []
    for name in names:
        column = program.variables.index(name)
        unit = training.model_parallel if training and name == "accelerator_count" else 1
        value = float(np.exp(chosen.x[column])) / unit
        most = max(1, math.floor(float(np.exp(program.upper[column])) / unit + 1e-9))
        near = {max(1, math.floor(value + 1e-9)), min(max(1, math.ceil(value - 1e-9)), most)}
        distance = {n: abs(math.log(n / value)) for n in near}
        options.append([float(unit * n) for n in sorted(near, key=distance.__getitem__)])
    return list(itertools.product(*options))


def in_whole_program(
    solution: CellSolution, cell: int, fixed: Program, program: Program, settled: Mapping[str, float]
) -> CellSolution:
    """A solution of a program with settled variables as a point of the whole program, in its own cell."""
    known = dict(zip(fixed.variables, solution.x, strict=True))
    x = np.array([known[n] if n in known else math.log(settled[n]) for n in program.variables])
    return replace(solution, cell=cell, x=x)

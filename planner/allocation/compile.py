"""One compiled cvxpy problem per structure; a cell is a change of its parameters.

Building and canonicalising a geometric program costs ten times its solution, so each structure (variables,
terms, constant exponents) is compiled once and kept. The problem is the log-sum-exp form

    minimize LSE(y_0)  subject to  LSE(y_i) <= 0,  y == A x + c,  lower <= x <= upper

whose equality multiplier ν is at once the certificate, every elasticity, and a bound for other cells.
The phase-one twin minimises the largest violation s and so proves infeasibility by the same multipliers.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from planner.allocation.program import Array, Program

CACHED_STRUCTURES = 64
_cache: OrderedDict[Hashable, _Compiled] = OrderedDict()


@dataclass(frozen=True)
class RawSolution:
    """What the solver said: x (variables,), multipliers ν (terms,) with zeros for absent terms."""

    status: str
    x: Array | None
    multipliers: Array | None


class _Compiled:
    """The cvxpy problem of one structure, with its parameters."""

    def __init__(self, program: Program, cell: int, phase_one: bool) -> None:
        present = np.flatnonzero(program.pattern(cell))
        self.present = present
        position = {int(k): row for row, k in enumerate(present)}
        self.varying = [v for v, (term, _) in enumerate(program.varying) if term in position]
        n, terms = len(program.variables), len(present)
        self.x, y = cp.Variable(n), cp.Variable(terms)
        self.c = cp.Parameter(terms)
        self.lower, self.upper = cp.Parameter(n), cp.Parameter(n)
        base = program.exponents[present].copy()
        expression = base @ self.x + self.c
        self.powers = cp.Parameter(len(self.varying)) if self.varying else None
        if self.powers is not None:
            rows = np.zeros((terms, len(self.varying)))
            columns = np.zeros((len(self.varying), n))
            for index, v in enumerate(self.varying):
                term, column = program.varying[v]
                rows[position[term], index] = 1.0
                columns[index, column] = 1.0
            expression = expression + rows @ cp.multiply(self.powers, columns @ self.x)
        self.equality = y == expression
        bound: cp.Expression | float = cp.Variable() if phase_one else 0.0
        constraints: list[cp.Constraint] = [self.equality, self.x >= self.lower, self.x <= self.upper]
        for i in range(1, len(program.blocks)):
            rows_of = [position[int(k)] for k in program.rows(i) if int(k) in position]
            if len(rows_of) == 1:
                constraints.append(y[rows_of[0]] <= bound)
            elif rows_of:
                constraints.append(cp.log_sum_exp(y[rows_of]) <= bound)
        if phase_one:
            constraints.append(bound >= -10.0)
            objective: cp.Expression = bound
        else:
            first = [position[int(k)] for k in program.rows(0) if int(k) in position]
            objective = cp.log_sum_exp(y[first]) if len(first) > 1 else y[first[0]]
        self.problem = cp.Problem(cp.Minimize(objective), constraints)

    def solve(self, program: Program, cell: int, solver: str, **options: float) -> RawSolution:
        self.c.value = program.log_coefficients[cell][self.present]
        self.lower.value, self.upper.value = program.lower, program.upper
        if self.powers is not None:
            self.powers.value = program.varying_values[cell][self.varying]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # accuracy is judged by the certificate, not by the solver
                self.problem.solve(solver=solver, **options)
        except cp.SolverError:
            return RawSolution("solver_error", None, None)
        dual = self.equality.dual_value
        if self.x.value is None or dual is None or not np.all(np.isfinite(self.x.value)):
            return RawSolution(str(self.problem.status), None, None)
        multipliers = np.zeros(program.log_coefficients.shape[1])
        multipliers[self.present] = np.maximum(-np.asarray(dual, dtype=float), 0.0)
        return RawSolution(str(self.problem.status), np.asarray(self.x.value, dtype=float), multipliers)


def solve_cell(program: Program, cell: int, *, phase_one: bool = False) -> RawSolution:
    """Solve one cell (or its phase one) through the compiled problem of its structure.

    Clarabel first; when it gives nothing usable and does not claim infeasibility, SCS at tight tolerance.
    """
    compiled = _compiled(program, cell, phase_one)
    answer = compiled.solve(program, cell, "CLARABEL")
    if answer.x is None and answer.status not in ("infeasible", "infeasible_inaccurate"):
        answer = compiled.solve(program, cell, "SCS", eps=1e-7, max_iters=5000)
    return answer


def _compiled(program: Program, cell: int, phase_one: bool) -> _Compiled:
    key = (
        phase_one,
        program.variables,
        program.block_of.tobytes(),
        program.exponents.tobytes(),
        program.varying,
        program.pattern(cell).tobytes(),
    )
    if key not in _cache:
        _cache[key] = _Compiled(program, cell, phase_one)
        if len(_cache) > CACHED_STRUCTURES:
            _cache.popitem(last=False)
    _cache.move_to_end(key)
    return _cache[key]

"""Geometric programs for many cells at once, as tables.

In x = log(variables) every posynomial block i is LSE_i(A_i x + c_i), with c the log coefficients (prices,
speeds and limits enter only there). Cells, the discrete configurations, share the blocks and differ in c and
in a few exponents; so thousands of programs are two arrays:

    log_coefficients  (cells, terms)      -inf where a cell lacks the term
    exponents         (terms, variables)  with `varying` entries replaced per cell

Block 0 is the objective, every other block must stay ≤ 0. A block's outer power p > 0 only scales its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from planner.posynomial import Posynomial

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Program:
    """`cells` geometric programs over the same variables; see the module docstring for the arrays."""

    variables: tuple[str, ...]
    lower: Array
    upper: Array
    blocks: tuple[str, ...]
    block_of: NDArray[np.intp]
    log_coefficients: Array
    exponents: Array
    varying: tuple[tuple[int, int], ...]
    varying_values: Array
    powers: Array

    @property
    def cells(self) -> int:
        return int(self.log_coefficients.shape[0])

    def rows(self, block: int) -> NDArray[np.intp]:
        """Indices of the terms of a block."""
        return np.flatnonzero(self.block_of == block)

    def matrix(self, cell: int) -> Array:
        """Exponents of one cell, (terms, variables)."""
        matrix = self.exponents.copy()
        for (term, column), value in zip(self.varying, self.varying_values[cell], strict=True):
            matrix[term, column] = value
        return matrix

    def matrices(self) -> Array:
        """Exponents of every cell, (cells, terms, variables)."""
        matrices = np.repeat(self.exponents[None], self.cells, axis=0)
        for (term, column), values in zip(self.varying, self.varying_values.T, strict=True):
            matrices[:, term, column] = values
        return matrices

    def pattern(self, cell: int) -> NDArray[np.bool_]:
        """Which terms the cell has."""
        return np.asarray(np.isfinite(self.log_coefficients[cell]))

    @cached_property
    def groups(self) -> tuple[NDArray[np.intp], ...]:
        """Cells that share a pattern of terms and all exponents, group by group."""
        rows = np.hstack([np.isfinite(self.log_coefficients), self.varying_values.view(np.int64)]).astype(np.int64)
        weights = np.random.default_rng(0).integers(1, 2**62, rows.shape[1], dtype=np.int64)
        _, label = np.unique(rows @ weights, return_inverse=True)  # integer sums wrap, but are equal for equal rows
        return tuple(np.flatnonzero(label == g) for g in range(int(label.max()) + 1))

    @cached_property
    def finite_coefficients(self) -> Array:
        """Log coefficients with zeros for absent terms, for products with multipliers that are zero there."""
        return np.where(np.isfinite(self.log_coefficients), self.log_coefficients, 0.0)

    def select(self, cells: NDArray[np.intp]) -> Program:
        """The program of some of the cells."""
        return replace(self, log_coefficients=self.log_coefficients[cells], varying_values=self.varying_values[cells])

    def shifted(self, log_factors: Mapping[str, float]) -> Program:
        """The same program with whole blocks scaled: a limit changed by exp(-factor) costs no rebuilding."""
        shift = np.zeros(len(self.block_of))
        for name, factor in log_factors.items():
            block = self.blocks.index(name)
            shift[self.rows(block)] = factor / self.powers[block]
        return replace(self, log_coefficients=self.log_coefficients + shift)

    def fix(self, values: Mapping[str, float]) -> Program:
        """The program with some variables settled (natural units): smaller, and exact at these values.

        Constraints that no longer depend on any variable are dropped where every cell meets them (to 1e-6).
        """
        settled = {self.variables.index(name): float(np.log(value)) for name, value in values.items()}
        shift = sum((self.exponents[:, j] * x for j, x in settled.items()), np.zeros(len(self.block_of)))
        coefficients = self.log_coefficients + shift
        kept = []
        for index, (term, column) in enumerate(self.varying):
            if column in settled:
                coefficients[:, term] += self.varying_values[:, index] * settled[column]
            else:
                kept.append(index)
        free = [j for j in range(len(self.variables)) if j not in settled]
        moving = {term for term, column in self.varying if column in free}
        constant = ~self.exponents[:, free].any(axis=1) & ~np.isin(np.arange(len(self.block_of)), list(moving))
        blocks = [0]
        for i in range(1, len(self.blocks)):
            rows = self.rows(i)
            if not constant[rows].all() or np.exp(coefficients[:, rows]).sum(axis=1).max() > 1.0 + 1e-6:
                blocks.append(i)
        terms = np.flatnonzero(np.isin(self.block_of, blocks))
        renumbered = {int(k): row for row, k in enumerate(terms)}
        stays = [index for index in kept if self.varying[index][0] in renumbered]
        return replace(
            self,
            variables=tuple(self.variables[j] for j in free),
            lower=self.lower[free],
            upper=self.upper[free],
            blocks=tuple(self.blocks[i] for i in blocks),
            block_of=np.searchsorted(blocks, self.block_of[terms]),
            log_coefficients=coefficients[:, terms],
            exponents=self.exponents[terms][:, free],
            varying=tuple((renumbered[self.varying[i][0]], free.index(self.varying[i][1])) for i in stays),
            varying_values=self.varying_values[:, stays],
            powers=self.powers[blocks],
        )


def build(
    variables: Mapping[str, tuple[float, float]],
    objective: Posynomial,
    constraints: Mapping[str, Posynomial],
    cells: int = 1,
) -> Program:
    """Tabulate `minimize objective subject to constraint <= 1` for every cell.

    `variables` maps names to (lower, upper) bounds in natural units. Coefficients and exponents of the
    posynomials are scalars or arrays of shape (cells,); an exponent given as an array is a parameter of the
    compiled problem, one given as a float is part of its structure.
    """
    names = tuple(variables)
    column = {name: j for j, name in enumerate(names)}
    bounds = np.log(np.array([variables[n] for n in names], dtype=float)).reshape(-1, 2)
    blocks = {"objective": objective, **constraints}
    terms = [(i, term) for i, posynomial in enumerate(blocks.values()) for term in posynomial.terms]
    coefficients = np.empty((cells, len(terms)))
    exponents = np.zeros((len(terms), len(names)))
    varying: list[tuple[int, int]] = []
    values: list[Array] = []
    for k, (_, term) in enumerate(terms):
        coefficients[:, k] = term.coefficient
        for name, power in term.exponents.items():
            if np.ndim(power):
                varying.append((k, column[name]))
                values.append(np.broadcast_to(np.asarray(power, dtype=float), (cells,)))
            else:
                exponents[k, column[name]] = power
    with np.errstate(divide="ignore"):
        log_coefficients = np.log(coefficients)
    return Program(
        variables=names,
        lower=bounds[:, 0],
        upper=bounds[:, 1],
        blocks=tuple(blocks),
        block_of=np.array([i for i, _ in terms], dtype=np.intp),
        log_coefficients=log_coefficients,
        exponents=exponents,
        varying=tuple(varying),
        varying_values=np.stack(values, axis=1) if values else np.zeros((cells, 0)),
        powers=np.array([posynomial.power for posynomial in blocks.values()]),
    )

"""Posynomials: what a formula becomes when it is evaluated on decision variables.

Laws and cost models are plain arithmetic. Evaluated on floats or arrays they predict; evaluated on the
`Posynomial` variables of this module they return their own terms, Σ_k c_k Π_j x_j^{a_kj}, and these are what
the optimiser compiles into a geometric program (Boyd, Kim, Vandenberghe & Hassibi 2007, "A tutorial on
geometric programming"). So a formula is written once and used for predicting, fitting and planning.

Coefficients and exponents may be arrays over *cells* (one entry per discrete configuration): evaluating a
formula once then yields the tables of thousands of geometric programs.

A posynomial may carry an outer `power` > 0, so that Kaplan's `[(Nc/N)^(a/b) + Dc/D]^b` stays log-log convex.
What is not log-log convex (a difference, a posynomial in a denominator) raises `NotLogLogConvex`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Number = float | NDArray[np.float64]


class NotLogLogConvex(TypeError):
    """The expression cannot be part of a geometric program as it stands."""


@dataclass(frozen=True)
class Term:
    """c Π_j x_j^{a_j}; c and a_j are scalars or arrays over cells."""

    coefficient: Number
    exponents: Mapping[str, Number] = field(default_factory=dict)

    def times(self, other: Term) -> Term:
        exponents = dict(self.exponents)
        for name, power in other.exponents.items():
            exponents[name] = exponents[name] + power if name in exponents else power
        kept = {n: p for n, p in exponents.items() if np.ndim(p) or p}
        return Term(self.coefficient * other.coefficient, kept)

    def raised(self, power: Number) -> Term:
        return Term(self.coefficient**power, {n: p * power for n, p in self.exponents.items()})

    def key(self) -> object:
        """Equal for terms that may be merged by adding coefficients."""
        if any(np.ndim(p) for p in self.exponents.values()):
            return object()
        return tuple(sorted((n, float(p)) for n, p in self.exponents.items()))


@dataclass(frozen=True, eq=False)
class Posynomial:
    """(Σ_k terms_k)^power, closed under +, × and division by monomials."""

    terms: tuple[Term, ...]
    power: float = 1.0

    __array_ufunc__ = None  # numpy arrays on the left defer to the reflected operators below

    @property
    def is_monomial(self) -> bool:
        return len(self.terms) == 1

    def at(self, values: Mapping[str, Any]) -> Any:
        """The value at numeric variables (floats, or arrays that broadcast with the coefficients)."""
        total: Any = 0.0
        for term in self.terms:
            powers = (values[n] ** p for n, p in term.exponents.items())
            total = total + reduce(operator.mul, powers, term.coefficient)
        return total**self.power

    def cell(self, index: int) -> Posynomial:
        """The posynomial of one cell: arrays replaced by their entry `index`."""

        def pick(value: Number) -> Number:
            return float(value) if np.ndim(value) == 0 else float(np.ravel(value)[index if np.size(value) > 1 else 0])

        return Posynomial(
            tuple(Term(pick(t.coefficient), {n: pick(p) for n, p in t.exponents.items()}) for t in self.terms),
            self.power,
        )

    def parametrised(self) -> Posynomial:
        """The same posynomial with its exponents as arrays: values that may change, not structure."""
        return Posynomial(
            tuple(
                Term(np.atleast_1d(t.coefficient), {n: np.atleast_1d(p) for n, p in t.exponents.items()})
                for t in self.terms
            ),
            self.power,
        )

    def __add__(self, other: Posynomial | Number) -> Posynomial:
        other = _lift(other)
        if self.power != 1.0 or other.power != 1.0:
            raise NotLogLogConvex("a powered posynomial can be multiplied or bounded, not added to")
        return Posynomial(_merge(self.terms + other.terms))

    def __mul__(self, other: Posynomial | Number) -> Posynomial:
        other = _lift(other)
        if self.power == other.power == 1.0:
            return Posynomial(_merge(tuple(a.times(b) for a in self.terms for b in other.terms)))
        if not (self.is_monomial or other.is_monomial):
            raise NotLogLogConvex("two powered posynomials cannot be multiplied out")
        powered, single = (self, other) if self.power != 1.0 else (other, self)
        if not single.is_monomial:
            raise NotLogLogConvex("a powered posynomial can be multiplied by a monomial only")
        factor = single.terms[0].raised(single.power / powered.power)
        return Posynomial(tuple(t.times(factor) for t in powered.terms), powered.power)

    def __truediv__(self, other: Posynomial | Number) -> Posynomial:
        return self * _lift(other) ** -1.0

    def __rtruediv__(self, other: Number) -> Posynomial:
        return _lift(other) * self**-1.0

    def __pow__(self, power: Number) -> Posynomial:
        if self.is_monomial:
            return Posynomial((self.terms[0].raised(self.power * power),))
        if np.ndim(power):
            raise NotLogLogConvex("a sum can only be raised to a power that all cells share")
        if power <= 0:
            raise NotLogLogConvex("a sum in a denominator is not log-log convex")
        if self.power == 1.0 and power == 2.0:
            return self * self
        return Posynomial(self.terms, self.power * float(power))

    __radd__ = __add__
    __rmul__ = __mul__


def variable(name: str) -> Posynomial:
    """A positive decision variable."""
    return Posynomial((Term(1.0, {name: 1.0}),))


def constant(value: Number) -> Posynomial:
    """A positive constant (or one per cell)."""
    return Posynomial((Term(value),))


def stacked(cells: Sequence[Posynomial]) -> Posynomial:
    """Posynomials that differ in numbers only as one, with arrays over them; outer powers are left out.

    Without its power a posynomial is least where it was; limits on it have to be taken to the inverse power.
    """
    terms = []
    for k, term in enumerate(cells[0].terms):
        coefficients = np.array([float(c.terms[k].coefficient) for c in cells])
        names = term.exponents
        exponents = {n: np.array([float(c.terms[k].exponents[n]) for c in cells]) for n in names}
        terms.append(Term(coefficients, exponents))
    return Posynomial(tuple(terms))


def _lift(value: Posynomial | Number) -> Posynomial:
    if isinstance(value, Posynomial):
        return value
    if np.any(np.asarray(value) < 0):
        raise NotLogLogConvex("a negative coefficient is not log-log convex")
    return constant(value)


def _merge(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    merged: dict[object, Term] = {}
    for term in terms:
        if np.ndim(term.coefficient) == 0 and term.coefficient == 0:
            continue
        key = term.key()
        known = merged.get(key)
        merged[key] = term if known is None else Term(known.coefficient + term.coefficient, known.exponents)
    return tuple(merged.values())

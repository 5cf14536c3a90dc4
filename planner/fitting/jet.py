"""Numbers that carry their first and second derivatives, so that no form needs derivative code.

A `Jet` is a truncated Taylor expansion in the coefficients of a form (forward mode, second order). Calling a form's
`loss` on coefficients that are jets returns the loss with its exact gradient and Hessian. Derivatives are kept
sparsely: A N^-α knows of A and α only, so a sum of terms costs no more than hand-written derivatives would.
Values and derivatives are arrays of shape (starts or draws, rows) or anything that broadcasts to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Gradient = Mapping[int, Array]
Hessian = Mapping[tuple[int, int], Array]  # keys (i, j) with i <= j; absent entries are zero


@dataclass(frozen=True, eq=False)
class Jet:
    """value + gradient + Hessian with respect to numbered coefficients."""

    value: Array
    gradient: Gradient = field(default_factory=dict)
    hessian: Hessian = field(default_factory=dict)

    def mapped(self, value: Array, first: Array, second: Array | None) -> Jet:
        """f(self), given f, f' and f'' at the value (None: f'' = 0)."""
        gradient = {i: first * g for i, g in self.gradient.items()}
        hessian = {k: first * h for k, h in self.hessian.items()}
        if second is not None:
            for i, gi in self.gradient.items():
                scaled = second * gi
                for j, gj in self.gradient.items():
                    if i <= j:
                        hessian[i, j] = hessian[i, j] + scaled * gj if (i, j) in hessian else scaled * gj
        return Jet(value, gradient, hessian)

    def __add__(self, other: Any) -> Jet:
        other_jet = lift(other)
        return Jet(
            self.value + other_jet.value,
            _sum(self.gradient, other_jet.gradient),
            _sum(self.hessian, other_jet.hessian),
        )

    def __mul__(self, factor: Any) -> Jet:
        other = lift(factor)
        u, v = self.value, other.value
        if not other.gradient:
            return self.mapped(u * v, v, None)
        if not self.gradient:
            return other.mapped(u * v, u, None)
        gradient = _sum({i: v * g for i, g in self.gradient.items()}, {i: u * g for i, g in other.gradient.items()})
        hessian = dict(_sum({k: v * h for k, h in self.hessian.items()}, {k: u * h for k, h in other.hessian.items()}))
        for i, gi in self.gradient.items():
            for j, gj in other.gradient.items():
                key = (i, j) if i <= j else (j, i)
                cross = gi * gj if i != j else 2.0 * gi * gj
                hessian[key] = hessian[key] + cross if key in hessian else cross
        return Jet(u * v, gradient, hessian)

    def __pow__(self, power: Any) -> Jet:
        if isinstance(power, Jet):
            return exp(log(self) * power)
        value = self.value**power
        first = power * value / self.value
        return self.mapped(value, first, np.asarray((power - 1.0) * first / self.value))

    def __rpow__(self, base: Any) -> Jet:
        return exp(self * np.log(base))

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Any) -> Jet:
        return self + lift(other) * -1.0

    def __rsub__(self, other: Any) -> Jet:
        return lift(other) + self * -1.0

    def reciprocal(self) -> Jet:
        """1 / self."""
        inverse = 1.0 / self.value
        first = -inverse * inverse
        return self.mapped(inverse, first, -2.0 * first * inverse)

    def __truediv__(self, other: Any) -> Jet:
        inverse = other.reciprocal() if isinstance(other, Jet) else 1.0 / np.asarray(other, float)
        return self * inverse

    def __rtruediv__(self, other: Any) -> Jet:
        return lift(other) * self.reciprocal()

    __radd__ = __add__
    __rmul__ = __mul__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        rule = _RULES.get(ufunc)
        if rule is None or method != "__call__" or kwargs:
            return NotImplemented
        return rule(*inputs)


def lift(x: Any) -> Jet:
    """A jet; plain numbers become constants."""
    return x if isinstance(x, Jet) else Jet(np.asarray(x, float))


def exp(x: Jet) -> Jet:
    """e^x."""
    value = np.exp(x.value)
    return x.mapped(value, value, value)


def log(x: Jet) -> Jet:
    """ln x."""
    inverse = 1.0 / x.value
    return x.mapped(np.log(x.value), inverse, -inverse * inverse)


def logaddexp(a: Any, b: Any) -> Jet:
    """ln(e^a + e^b), without overflow."""
    base = lift(b)
    difference = lift(a) - base
    value = np.logaddexp(0.0, difference.value)
    rise = np.exp(difference.value - value)  # the logistic function
    return base + difference.mapped(value, rise, rise * np.exp(-value))


def log1p(x: Jet) -> Jet:
    """ln(1 + x)."""
    inverse = 1.0 / (1.0 + x.value)
    return x.mapped(np.log1p(x.value), inverse, -inverse * inverse)


def sqrt(x: Jet) -> Jet:
    """√x."""
    return x**0.5


def where(chosen: NDArray[np.bool_], one: Any, other: Any) -> Jet:
    """`one` where chosen, else `other` (derivatives of a piecewise function, one-sided at the seam)."""
    one, other = lift(one), lift(other)
    zero = np.zeros(())

    def pick(a: Mapping[Any, Array], b: Mapping[Any, Array]) -> dict[Any, Array]:
        return {k: np.where(chosen, a.get(k, zero), b.get(k, zero)) for k in a.keys() | b.keys()}

    value = np.where(chosen, one.value, other.value)
    return Jet(value, pick(one.gradient, other.gradient), pick(one.hessian, other.hessian))


def _minimum(a: Any, b: Any) -> Jet:
    a, b = lift(a), lift(b)
    return where(a.value <= b.value, a, b)


def _maximum(a: Any, b: Any) -> Jet:
    a, b = lift(a), lift(b)
    return where(a.value >= b.value, a, b)


def _sum(a: Mapping[Any, Array], b: Mapping[Any, Array]) -> Mapping[Any, Array]:
    if not a or not b:
        return a or b
    total = dict(a)
    for key, x in b.items():
        total[key] = total[key] + x if key in total else x
    return total


_RULES: Mapping[np.ufunc, Callable[..., Jet]] = {
    np.add: lambda a, b: lift(a) + b,
    np.subtract: lambda a, b: lift(a) - b,
    np.multiply: lambda a, b: lift(a) * b,
    np.true_divide: lambda a, b: lift(a) / b,
    np.power: lambda a, b: a**b if isinstance(a, Jet) else b.__rpow__(a),
    np.negative: lambda a: -a,
    np.exp: exp,
    np.log: log,
    np.sqrt: sqrt,
    np.log1p: log1p,
    np.logaddexp: logaddexp,
    np.minimum: _minimum,
    np.maximum: _maximum,
}

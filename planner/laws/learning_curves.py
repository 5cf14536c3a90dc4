"""Learning curves in one variable: the estimators M1 to M4, in order of what they can bend to.

Alabdulmohsin et al. 2022 (2209.06640): M1 b x^c, M2 e + b x^c, M3 b (1/x + g)^-c, M4 (y - e)/(e0 - y)^a = b x^c. Which
of them holds is decided by extrapolation, not by the fit. `scale` is whatever grows along the curve: examples, steps,
compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

ESTIMATORS = "Alabdulmohsin et al. 2022, Revisiting Neural Scaling Laws in Language and Vision, arXiv 2209.06640"


STEEP = 300.0  # logits beyond which a logistic function has saturated in double precision


@dataclass(frozen=True)
class M1(Form):
    """A plain power law."""

    b: Coef
    c: Coef

    form_name: ClassVar[str] = "m1"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = ESTIMATORS
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (scale("b", "of the error"), exponent("c", (-1.5, -0.02)))

    def loss(self, **variables: Any) -> Any:
        """b x^c; x = scale."""
        (x,) = self.read(variables)
        return self.b * x**self.c


@dataclass(frozen=True)
class M2(Form):
    """A power law with a floor."""

    floor: Coef
    b: Coef
    c: Coef

    form_name: ClassVar[str] = "m2"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = ESTIMATORS
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("floor", "of the error", (1e-3, 10.0)),
        scale("b", "of the error"),
        exponent("c", (-1.5, -0.02)),
    )

    def loss(self, **variables: Any) -> Any:
        """floor + b x^c; x = scale."""
        (x,) = self.read(variables)
        return self.floor + self.b * x**self.c


@dataclass(frozen=True)
class M3(Form):
    """A power law that ends at a floor set by g."""

    b: Coef
    c: Coef
    g: Coef

    form_name: ClassVar[str] = "m3"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = ESTIMATORS
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("b", "of the error"),
        exponent("c", (-1.5, -0.02)),
        scale("g", "1 / scale", (1e-12, 1e-2), linear=False),
    )

    def loss(self, **variables: Any) -> Any:
        """b (1/x + g)^-c; x = scale."""
        (x,) = self.read(variables)
        return self.b * (1.0 / x + self.g) ** -self.c


@dataclass(frozen=True)
class M4(Form):
    """A curve that leaves a plateau e0, falls as a power law and ends at a floor; defined implicitly."""

    floor: Coef
    e0: Coef
    a: Coef
    b: Coef
    c: Coef

    form_name: ClassVar[str] = "m4"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = ESTIMATORS
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("floor", "of the error", (1e-3, 3.0), linear=False),
        scale("e0", "of the error, above the floor", (0.1, 10.0), linear=False),
        Coefficient("a", 0.0, 20.0, (0.0, 2.0)),
        scale("b", "of the error^(1-a) × scale^-c", (1e-2, 1e4), linear=False),
        exponent("c", (-1.5, -0.02)),
    )

    def scale_for(self, error: Any) -> Any:
        """x at which the error is reached: ((y - floor) / (b (e0 - (y - floor))^a))^(1/c)."""
        above = error - self.floor
        return (above / (self.b * (self.e0 - above) ** self.a)) ** (1.0 / self.c)

    def loss(self, **variables: Any) -> Any:
        """floor + e0 y with e0^(1-a) y / (1 - y)^a = b x^c; x = scale."""
        (x,) = self.read(variables)
        # With y = 1/(1 + e^-u): (1 - a) ln e0 - ln(1 + e^-u) + a ln(1 + e^u) = ln b + c ln x, rising in u.
        level = np.log(self.b) + self.c * np.log(x) - (1.0 - self.a) * np.log(self.e0)
        u = _root(_plain(level), _plain(self.a))
        rise = np.maximum(_logistic(-u) + _plain(self.a) * _logistic(u), 1e-300)
        for _ in range(2):  # Newton steps from the solution bring the first and second derivatives of coefficients in
            u = u - (self.a * np.logaddexp(0.0, u) - np.logaddexp(0.0, -u) - level) / rise
        return self.floor + self.e0 * np.exp(-1.0 * np.logaddexp(0.0, -u))


def _plain(x: Any) -> Any:
    """The number without its derivatives."""
    return getattr(x, "value", x)


def _logistic(u: Any) -> Any:
    return np.exp(-1.0 * np.logaddexp(0.0, -u))


def _root(level: Any, a: Any) -> Any:
    """u with a ln(1 + e^u) - ln(1 + e^-u) = level.

    The left side is concave for a < 1, convex for a > 1, and `level` itself lies on the side of the root from which
    Newton's steps never pass it.
    """
    u = np.clip(level + 0.0 * a, -STEEP, STEEP)
    for _ in range(12):
        slope = np.maximum(_logistic(-u) + a * _logistic(u), 1e-300)
        u = np.clip(u - (a * np.logaddexp(0.0, u) - np.logaddexp(0.0, -u) - level) / slope, -STEEP, STEEP)
    return u

"""y = a + b x^-c₀ Π_i (1 + (x/d_i)^{1/f_i})^{-c_i f_i}: smoothly broken power laws.

Caballero et al. 2022 (2210.14891). Each break at d_i adds c_i to the slope over a width f_i, so the family covers
inflections, saturation and double descent. It extrapolates past a break only once the break is in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

START: tuple[Coefficient, ...] = (
    scale("a", "of the metric", (1e-3, 10.0)),
    scale("b", "of the metric × scale^c0"),
    exponent("c0", (-0.2, 1.2)),
)
CITATION = "Caballero et al. 2022, Broken Neural Scaling Laws, arXiv 2210.14891"


def _break(number: int) -> tuple[Coefficient, ...]:
    return (
        exponent(f"c{number}", (-1.0, 1.0)),
        scale(f"d{number}", "of the scale", (1.0, 1e8), linear=False),
        Coefficient(f"f{number}", 0.01, 20.0, (0.1, 2.0), "nats of scale", logarithmic=True),
    )


def _factor(x: Any, c: Any, d: Any, f: Any) -> Any:
    """(1 + (x/d)^(1/f))^(-c f), without overflow."""
    return np.exp(-1.0 * c * f * np.logaddexp(0.0, (np.log(x) - np.log(d)) / f))


@dataclass(frozen=True)
class BrokenOnce(Form):
    """One break: six coefficients."""

    a: Coef
    b: Coef
    c0: Coef
    c1: Coef
    d1: Coef
    f1: Coef

    form_name: ClassVar[str] = "broken-1"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (*START, *_break(1))

    def loss(self, **variables: Any) -> Any:
        """a + b x^-c0 (1 + (x/d1)^(1/f1))^(-c1 f1); x = scale."""
        (x,) = self.read(variables)
        return self.a + self.b * x**-self.c0 * _factor(x, self.c1, self.d1, self.f1)


@dataclass(frozen=True)
class BrokenTwice(Form):
    """Two breaks: nine coefficients."""

    a: Coef
    b: Coef
    c0: Coef
    c1: Coef
    d1: Coef
    f1: Coef
    c2: Coef
    d2: Coef
    f2: Coef

    form_name: ClassVar[str] = "broken-2"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (*START, *_break(1), *_break(2))

    def loss(self, **variables: Any) -> Any:
        """a + b x^-c0 prod_i (1 + (x/d_i)^(1/f_i))^(-c_i f_i), two breaks; x = scale."""
        (x,) = self.read(variables)
        first = _factor(x, self.c1, self.d1, self.f1)
        return self.a + self.b * x**-self.c0 * first * _factor(x, self.c2, self.d2, self.f2)

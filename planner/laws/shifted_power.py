"""y = a (x + d)^-b + c: a power law that saturates at both ends.

Zhai et al. 2021 (2106.04560) for vision transformers in compute: d is where few examples stop mattering, c the floor.
The inverse is in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ShiftedPower(Form):
    """A power law that saturates at both ends."""

    a: Coef
    b: Coef
    c: Coef
    d: Coef

    form_name: ClassVar[str] = "shifted-power"
    variables: ClassVar[tuple[str, ...]] = ("scale",)
    citation: ClassVar[str] = "Zhai et al. 2021, Scaling Vision Transformers, arXiv 2106.04560"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a", "of the error × scale^b", (0.01, 1e4)),
        exponent("b", (0.05, 1.5)),
        scale("c", "of the error", (1e-3, 3.0)),
        scale("d", "of the scale", (1e-3, 1e5), linear=False),
    )

    def loss(self, **variables: Any) -> Any:
        """a (x + d)^-b + c; x = scale."""
        (x,) = self.read(variables)
        return self.a * (x + self.d) ** -self.b + self.c

"""f(x, t) = a x^-p + (b x^q + ξ) t^-r + e: width, depth or feed-forward width of a vision transformer, and compute.

Alabdulmohsin et al. 2023 (2305.13035): for each shape dimension x the best value grows as a power of compute,
x* = (a p t^r / (b q))^{1/(p+q)}. A posynomial in x and t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ShapeDimension(Form):
    """Error in one shape dimension and compute."""

    a: Coef
    b: Coef
    xi: Coef
    e: Coef
    p: Coef
    q: Coef
    r: Coef

    form_name: ClassVar[str] = "shape-dimension"
    variables: ClassVar[tuple[str, ...]] = ("shape_dimension", "training_flops")
    citation: ClassVar[str] = "Alabdulmohsin et al. 2023, Getting ViT in Shape, arXiv 2305.13035"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a", "of the error × dimension^p", (0.01, 1e3)),
        scale("b", "of the error × dimension^-q × FLOP^r", (1e-2, 1e6)),
        scale("xi", "of the error × FLOP^r", (1.0, 1e8)),
        scale("e", "of the error", (1e-3, 1.0)),
        exponent("p", (0.1, 1.5)),
        exponent("q", (0.1, 1.5)),
        exponent("r", (0.05, 0.9)),
    )

    def optimal_dimension(self, training_flops: Any) -> Any:
        """x* at this compute."""
        ratio = self.a * self.p / (self.b * self.q)
        return (ratio * training_flops**self.r) ** (1.0 / (self.p + self.q))

    def loss(self, **variables: Any) -> Any:
        """a x^-p + (b x^q + xi) t^-r + e; x = shape_dimension, t = training_flops."""
        x, t = self.read(variables)
        return self.a * x**-self.p + (self.b * x**self.q + self.xi) * t**-self.r + self.e

"""L = E + A N^-α + B M^-β: graph networks, whose data is counted in edges M.

Liu et al. 2024 (2402.02054): power laws in model and data size hold for graphs once data is measured in edges and not
in graphs, whose sizes differ; where a model collapses by overfitting they do not. No constants are published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class GraphSize(Form):
    """Error in parameters and edges seen."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "graph"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "edge_count")
    citation: ClassVar[str] = "Liu et al. 2024, Towards Neural Scaling Laws on Graphs, arXiv 2402.02054"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the error", (0.01, 10.0)),
        scale("A", "of the error × parameters^alpha", (0.1, 1e5)),
        scale("B", "of the error × edges^beta", (0.1, 1e6)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B M^-beta; N = parameter_count, M = edge_count."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, edges = self.read(variables)
        base = Chinchilla(self.E, self.A, self.B, self.alpha, self.beta)
        return base.loss_terms(parameter_count=n, token_count=edges)

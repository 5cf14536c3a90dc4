"""L = E + A N^-α + B D^-β + G R^-γ: a language model with a datastore of R tokens to retrieve from.

An assumed form: Shao et al. 2024 (2407.12854) find steady gains up to 1.4e12 tokens and publish no law. For fits to
own runs only. A posynomial in N, D and R.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Datastore(Form):
    """Chinchilla with a third term in retrievable tokens; an assumed form."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "datastore"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "datastore_token_count")
    citation: ClassVar[str] = (
        "assumed form; data: Shao et al. 2024, Scaling Retrieval-Based Language Models, arXiv 2407.12854"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "nats/token × parameters^alpha"),
        scale("B", "nats/token × tokens^beta", (1.0, 1e8)),
        scale("G", "nats/token × tokens^gamma", (0.1, 1e4)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("gamma", (0.02, 0.6)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + G R^-gamma; R = datastore_token_count."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, store = self.read(variables)
        data = self.B * d**-self.beta + self.G * store**-self.gamma
        return LossTerms(self.A * n**-self.alpha, data, self.E)

"""ε = E + A f^-κ D^-β(1 + δ ln 1/f): keeping the hardest share f of a data set, D examples after pruning.

Sorscher et al. 2022 (2206.14486): with a good measure of difficulty the error falls faster than a power law in the
examples kept, and keeping hard ones pays where data abound but hurts where they are scarce. They publish no law for
this; the form here is assumed. It has what they find: a steeper slope for a smaller share (δ), a worse start (κ), and a
number of examples from which on pruning pays. Where theory is solved (`planner.laws.pruning_theory`) it misses by 5 %
in the median and a factor of 1.6 at worst. A power law in D for each f, so shares are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class DataPruning(Form):
    """Error in examples kept and the share of the data set that they are."""

    E: Coef
    A: Coef
    beta: Coef
    kappa: Coef
    delta: Coef

    form_name: ClassVar[str] = "data-pruning"
    variables: ClassVar[tuple[str, ...]] = ("token_count", "kept_share")
    enumerated: ClassVar[tuple[str, ...]] = ("kept_share",)
    citation: ClassVar[str] = "assumed form; after Sorscher et al. 2022, Beyond neural scaling laws, arXiv 2206.14486"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the error", (1e-3, 1.0)),
        scale("A", "of the error × examples^beta", (0.1, 1e4)),
        exponent("beta", (0.05, 1.0)),
        Coefficient("kappa", -20.0, 20.0, (0.0, 4.0)),
        Coefficient("delta", -5.0, 5.0, (0.0, 1.0)),
    )

    def pruning_pays_from(self) -> Coef:
        """Examples kept from which on the hardest share errs less than as many drawn at random."""
        return np.exp(self.kappa / (self.beta * self.delta))

    def loss(self, **variables: Any) -> Any:
        """E + A f^-kappa D^-(beta (1 + delta ln 1/f)); D = token_count (examples kept), f = kept_share."""
        terms = self.loss_terms(**variables)
        return terms.data + terms.floor

    def loss_terms(self, **variables: Any) -> LossTerms:
        kept, share = self.read(variables)
        log_pruned = -np.log(share)
        slope = self.beta * (1.0 + self.delta * log_pruned)
        return LossTerms(0.0, self.A * np.exp(self.kappa * log_pruned) * kept**-slope, self.E)

"""Training and serving with few bits together: effective parameters, and a loss by quantizing below the training bits.

Kumar et al. 2024 (2411.04330) unify both: L = E + A N_eff^-α + B D^-β + δ with N_eff = N (1 - e^{-P/γ_w}) at P training
bits, and δ = C_T e^{-Q/γ_post} D^γ_D N_eff^-γ_N (1 - e^{-C_w (P - Q)}) at Q serving bits: weights trained at few bits
lose little when they are served at as few. Here for the bits of weights; C_w is not published, so the form is to be
fitted. For given bits a posynomial in N and D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale
from planner.laws.precision import BASE, CITATION, useful_share

NO_BITS = 1e-9  # not zero, for which a term would be no monomial


@dataclass(frozen=True)
class QuantizedTraining(Form):
    """Loss of a model trained with weights of some bits and served with weights of as many or fewer."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    gamma_w: Coef
    C_T: Coef
    gamma_D: Coef
    gamma_N: Coef
    gamma_post: Coef
    C_w: Coef

    form_name: ClassVar[str] = "quantized-training"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "weight_bits", "served_weight_bits")
    enumerated: ClassVar[tuple[str, ...]] = ("weight_bits", "served_weight_bits")
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *BASE,
        Coefficient("gamma_w", 0.05, 50.0, (0.5, 6.0), "bits", logarithmic=True),
        scale("C_T", "nats/token × tokens^-gamma_D × parameters^gamma_N", (1e-4, 10.0)),
        exponent("gamma_D", (0.1, 1.0)),
        exponent("gamma_N", (0.1, 1.0)),
        Coefficient("gamma_post", 0.05, 20.0, (0.3, 2.0), "bits", logarithmic=True),
        Coefficient("C_w", 0.01, 20.0, (0.05, 2.0), "per bit", logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A M^-alpha + B D^-beta + C_T exp(-Q/gamma_post) D^gamma_D M^-gamma_N (1 - exp(-C_w (P - Q))).

        M = N (1 - exp(-P/gamma_w)); P = weight_bits, Q = served_weight_bits (at most P).
        """
        n, d, trained, served = self.read(variables)
        effective = n * useful_share(trained, self.gamma_w, 0.0)
        dropped = np.maximum(NO_BITS, np.asarray(trained, float) - served)
        damage = self.C_T * np.exp(-1.0 * served / self.gamma_post) * (1.0 - np.exp(-1.0 * self.C_w * dropped))
        learned = self.E + self.A * effective**-self.alpha + self.B * d**-self.beta
        return learned + damage * (d**self.gamma_D * effective**-self.gamma_N)

"""Loss of a sparse auto-encoder: exp(a + b_k ln k + b_n ln n + g ln k ln n) + exp(z + e ln k).

Gao et al. 2024 (2406.04093), n latents of which k are active. Bilinear in logarithms; for each k a monomial in n above
a floor, so k is enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class AutoEncoder(Form):
    """Normalised loss of a sparse auto-encoder with n latents, k of them active."""

    a: Coef
    b_k: Coef
    b_n: Coef
    g: Coef
    z: Coef
    e: Coef

    form_name: ClassVar[str] = "sparse-autoencoder"
    variables: ClassVar[tuple[str, ...]] = ("latent_count", "active_latent_count")
    enumerated: ClassVar[tuple[str, ...]] = ("active_latent_count",)
    citation: ClassVar[str] = "Gao et al. 2024, Scaling and evaluating sparse autoencoders, arXiv 2406.04093"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a", -20.0, 20.0, (-2.0, 2.0)),
        Coefficient("b_k", -5.0, 5.0, (-0.2, 0.5)),
        Coefficient("b_n", -5.0, 5.0, (-0.3, 0.1)),
        Coefficient("g", -1.0, 1.0, (-0.05, 0.02)),
        Coefficient("z", -20.0, 20.0, (-3.0, 0.0)),
        Coefficient("e", -5.0, 5.0, (-0.3, 0.0)),
    )

    def loss(self, **variables: Any) -> Any:
        """exp(a + b_k ln k + g ln k ln n + b_n ln n) + exp(z + e ln k); n = latent_count, k = active_latent_count."""
        n, k = self.read(variables)
        log_k = np.log(k)
        return np.exp(self.a + self.b_k * log_k) * n ** (self.b_n + self.g * log_k) + np.exp(self.z + self.e * log_k)

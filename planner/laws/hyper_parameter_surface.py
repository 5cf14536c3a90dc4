"""Chinchilla's loss and what a learning rate and a batch away from the best ones add to it.

Li et al. 2025 (Step Law, 2503.04715) find the loss of 3,700 runs convex in the logarithms of both, with the best ones
η* ∝ N^p D^q and b* ∝ D^r. The surface about them is assumed: with w and v the logarithms of η/η* and b/b*, a valley
that runs along w = x v (a larger batch bears a larger step, 1812.06162), square in v, and in w

    K (e^{s w} - s w - 1) / s²,    ½ K w² near the best,

steeper on the side where training diverges. A plan uses the loss at the best hyper-parameters, which is Chinchilla's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

REFERENCE_PARAMETERS, REFERENCE_TOKENS = 1e9, 1e10  # where lr_ref and batch_ref are the best


@dataclass(frozen=True)
class HyperParameterSurface(Form):
    """Loss of a model and its tokens at a learning rate and a batch size."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    lr_ref: Coef
    lr_N: Coef
    lr_D: Coef
    batch_ref: Coef
    batch_D: Coef
    K: Coef
    steepness: Coef
    batch_K: Coef
    tilt: Coef

    form_name: ClassVar[str] = "hyper-parameter-surface"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "learning_rate", "batch_size")
    hyper_parameters: ClassVar[tuple[str, ...]] = ("learning_rate", "batch_size")
    tuned_form: ClassVar[type[Form]] = Chinchilla
    citation: ClassVar[str] = "Li et al. 2025, Predictable Scale: Part I (Step Law), arXiv 2503.04715"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *Chinchilla.coefficients,
        scale("lr_ref", "learning rate", (1e-4, 1e-2), linear=False),
        exponent("lr_N", (-1.0, 0.2)),
        exponent("lr_D", (-0.3, 0.6)),
        scale("batch_ref", "batch size", (1e2, 1e6), linear=False),
        exponent("batch_D", (-0.2, 0.9)),
        scale("K", "nats/token", (1e-3, 1.0)),
        Coefficient("steepness", 1e-3, 10.0, (0.05, 3.0), "", logarithmic=True),
        scale("batch_K", "nats/token", (1e-3, 1.0)),
        exponent("tilt", (-0.5, 1.0)),
    )

    def best(self, **variables: Any) -> dict[str, Any]:
        """Learning rate and batch size that train a model of `parameter_count` on `token_count` best."""
        n, d = variables["parameter_count"] / REFERENCE_PARAMETERS, variables["token_count"] / REFERENCE_TOKENS
        return {
            "learning_rate": self.lr_ref * n**self.lr_N * d**self.lr_D,
            "batch_size": self.batch_ref * d**self.batch_D,
        }

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + K (e^(s w) - s w - 1) / s^2 + batch_K v^2 / 2; N = parameter_count.

        D = token_count, w = ln(learning_rate / lr*) - tilt v, v = ln(batch_size / b*), s = steepness. At the best
        nothing is added: lr* = lr_ref (N / 1e9)^lr_N (D / 1e10)^lr_D, b* = batch_ref (D / 1e10)^batch_D.
        """
        _, _, rate, batch = self.read(variables)
        best = self.best(**variables)
        v = np.log(batch) - np.log(best["batch_size"])
        step = self.steepness * (np.log(rate) - np.log(best["learning_rate"]) - self.tilt * v)
        valley = self.K * (np.exp(step) - step - 1.0) / self.steepness**2 + 0.5 * self.batch_K * v**2
        return self.tuned().loss(**variables) + valley

    def compute_optimal_exponents(self) -> tuple[Coef, Coef] | None:
        return self.tuned().compute_optimal_exponents()

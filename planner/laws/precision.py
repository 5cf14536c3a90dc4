"""Chinchilla in effective parameters: what few bits for weights, activations and the cache leave of a model.

Kumar et al. 2024 (2411.04330): N_eff = N Π_x (1 - e^{-P_x/γ_x + n_x}) over weights, activations and key-value cache.
The main text leaves the offsets n_x out, the fitted constants (App. K) have them. Quantization after training adds δ
= C_T e^{-P/γ_post} D^γ_D N_eff^-γ_N, which grows with D: more data can hurt. Bits are enumerated; for given bits
these are posynomials in N and D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.chinchilla import Chinchilla
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale

LEAST_SHARE = 1e-9  # below its offset a precision leaves nothing: the loss is then huge, not undefined
CITATION = "Kumar et al. 2024, Scaling Laws for Precision, arXiv 2411.04330"
BASE: tuple[Coefficient, ...] = (
    scale("E", "nats/token", (0.1, 10.0)),
    scale("A", "nats/token × parameters^alpha"),
    scale("B", "nats/token × tokens^beta", (1.0, 1e8)),
    exponent("alpha", (0.05, 0.9)),
    exponent("beta", (0.05, 0.9)),
)


def useful_share(bits: Any, life: Any, offset: Any) -> Any:
    """1 - e^{-bits/life + offset}: the share of parameters that a precision leaves useful."""
    return np.maximum(1.0 - np.exp(offset - bits / life), LEAST_SHARE)


@dataclass(frozen=True)
class WeightPrecision(Form):
    """Training with low-precision weights; `k` counts how many tensors share the precision (1: weights alone)."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef
    k: Coef

    form_name: ClassVar[str] = "weight-precision"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "weight_bits")
    enumerated: ClassVar[tuple[str, ...]] = ("weight_bits",)
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *BASE,
        Coefficient("gamma", 0.05, 50.0, (0.5, 6.0), "bits", logarithmic=True),
        Coefficient("k", 0.05, 20.0, (0.5, 6.0), logarithmic=True),
    )

    def at_bits(self, weight_bits: Any) -> Chinchilla:
        """The Chinchilla law of models trained at this precision."""
        share = useful_share(weight_bits, self.gamma, 0.0) ** self.k
        return Chinchilla(self.E, self.A * share**-self.alpha, self.B, self.alpha, self.beta)

    def loss(self, **variables: Any) -> Any:
        """E + A (N (1 - exp(-P/gamma))^k)^-alpha + B D^-beta; P = weight_bits."""
        n, d, bits = self.read(variables)
        return self.at_bits(bits).loss(parameter_count=n, token_count=d)

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, bits = self.read(variables)
        return self.at_bits(bits).loss_terms(parameter_count=n, token_count=d)


@dataclass(frozen=True)
class TrainingPrecision(Form):
    """Training with weights, activations and cache of few bits."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    gamma_w: Coef
    gamma_a: Coef
    gamma_c: Coef
    n_w: Coef
    n_a: Coef
    n_c: Coef

    form_name: ClassVar[str] = "training-precision"
    variables: ClassVar[tuple[str, ...]] = (
        "parameter_count",
        "token_count",
        "weight_bits",
        "activation_bits",
        "cache_bits",
    )
    enumerated: ClassVar[tuple[str, ...]] = ("weight_bits", "activation_bits", "cache_bits")
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *BASE,
        *(Coefficient(f"gamma_{x}", 0.05, 50.0, (0.5, 6.0), "bits", logarithmic=True) for x in "wac"),
        *(Coefficient(f"n_{x}", -5.0, 5.0, (0.0, 1.0)) for x in "wac"),
    )

    def effective_parameters(self, n: Any, weight_bits: Any, activation_bits: Any, cache_bits: Any) -> Any:
        """N_eff: parameters of the full-precision model that does as well."""
        weights = useful_share(weight_bits, self.gamma_w, self.n_w)
        activations = useful_share(activation_bits, self.gamma_a, self.n_a)
        return n * (weights * activations * useful_share(cache_bits, self.gamma_c, self.n_c))

    def loss(self, **variables: Any) -> Any:
        """E + A N_eff^-alpha + B D^-beta, N_eff = N prod_x (1 - exp(-P_x/gamma_x + n_x)); P_x = bits."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, *bits = self.read(variables)
        return LossTerms(self.A * self.effective_parameters(n, *bits) ** -self.alpha, self.B * d**-self.beta, self.E)


@dataclass(frozen=True)
class PostTrainingPrecision(Form):
    """A model trained in full precision whose weights are quantized afterwards."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef
    C_T: Coef
    gamma_D: Coef
    gamma_N: Coef
    gamma_post: Coef

    form_name: ClassVar[str] = "post-training-precision"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "served_weight_bits")
    enumerated: ClassVar[tuple[str, ...]] = ("served_weight_bits",)
    citation: ClassVar[str] = CITATION
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        *BASE,
        scale("C_T", "nats/token × tokens^-gamma_D × parameters^gamma_N", (1e-4, 10.0)),
        exponent("gamma_D", (0.1, 1.0)),
        exponent("gamma_N", (0.1, 1.0)),
        Coefficient("gamma_post", 0.05, 20.0, (0.3, 2.0), "bits", logarithmic=True),
    )

    def degradation(self, n: Any, d: Any, served_weight_bits: Any) -> Any:
        """Loss added by quantizing to `served_weight_bits`."""
        return self.C_T * np.exp(-1.0 * served_weight_bits / self.gamma_post) * d**self.gamma_D * n**-self.gamma_N

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + C_T exp(-P/gamma_post) D^gamma_D N^-gamma_N; P = served_weight_bits."""
        n, d, bits = self.read(variables)
        return self.E + self.A * n**-self.alpha + self.B * d**-self.beta + self.degradation(n, d, bits)

"""L = E + A N^-α + B D^-β, and everything that follows from it in closed form.

Hoffmann et al. 2022 (2203.15556) Eq. 2 and 4. Written r = αA / (βB), the loss is least on 6ND = C where the
marginal gains αA N^-α and βB D^-β are equal, hence N = r^{1/(α+β)} (C/6)^{β/(α+β)}. For compute models that are
not proportional to N D the marginal gain of parameters is weighed by the elasticity of FLOPs to N and found by
bisection on a monotone function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.compute import SIMPLE, ComputeModel
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass

SEARCH_DECADES = (0.0, 18.0)  # parameter counts looked at where there is no closed form


@dataclass(frozen=True)
class Chinchilla(Form):
    """Parametric loss with an irreducible floor. Coefficients: floats or arrays of draws."""

    E: Coef
    A: Coef
    B: Coef
    alpha: Coef
    beta: Coef

    form_name: ClassVar[str] = "chinchilla"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Hoffmann et al. 2022, Training Compute-Optimal Large Language Models, arXiv 2203.15556"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("E", 1e-8, 1e4, (0.1, 10.0), "nats/token", logarithmic=True, linear=True),
        Coefficient("A", 1e-8, 1e25, (1.0, 1e6), "nats/token × parameters^alpha", logarithmic=True, linear=True),
        Coefficient("B", 1e-8, 1e25, (1.0, 1e8), "nats/token × tokens^beta", logarithmic=True, linear=True),
        Coefficient("alpha", 1e-3, 3.0, (0.03, 1.5)),
        Coefficient("beta", 1e-3, 3.0, (0.03, 1.5)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta; N = parameter_count, D = token_count."""
        n, d = self.read(variables)
        return self.E + self.A * n**-self.alpha + self.B * d**-self.beta

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d = self.read(variables)
        return LossTerms(self.A * n**-self.alpha, self.B * d**-self.beta, self.E)

    def parameter_exponent(self) -> Coef:
        """a in N* ∝ C^a."""
        return self.beta / (self.alpha + self.beta)

    def token_exponent(self) -> Coef:
        """b in D* ∝ C^b; a + b = 1."""
        return self.alpha / (self.alpha + self.beta)

    def tokens_for_parameters(self, parameter_count: Any) -> Any:
        """D of the compute-optimal run whose model has `parameter_count` parameters (C proportional to N D)."""
        ratio = self.beta * self.B / (self.alpha * self.A)
        return (ratio * parameter_count**self.alpha) ** (1.0 / self.beta)

    def parameters_for_tokens(self, token_count: Any) -> Any:
        """N of the compute-optimal run that sees `token_count` tokens (C proportional to N D)."""
        ratio = self.alpha * self.A / (self.beta * self.B)
        return (ratio * token_count**self.beta) ** (1.0 / self.alpha)

    def optimum_for_parameters(self, parameter_count: Any) -> tuple[Any, Any]:
        """(N, D) of the compute-optimal run with this model size."""
        return parameter_count, self.tokens_for_parameters(parameter_count)

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        return self.parameter_exponent(), self.token_exponent()

    def compute_optimal(self, training_flops: Any, compute_model: ComputeModel = SIMPLE) -> tuple[Any, Any]:
        """(N, D) of least loss at `training_flops`; arrays of budgets and of draws broadcast."""
        if not compute_model.proportional:
            return self._searched_optimum(training_flops, compute_model)
        product = training_flops / compute_model.training_flops(1.0, 1.0)
        share = 1.0 / (self.alpha + self.beta)
        scale = (self.alpha * self.A / (self.beta * self.B)) ** share
        n = scale * product ** (self.beta * share)
        return n, product / n

    def compute_for_loss(self, loss: Any, compute_model: ComputeModel = SIMPLE) -> Any:
        """Least training FLOPs that reach `loss`; infinite at or below the floor E."""
        if not compute_model.proportional:
            return self._searched_compute(loss, compute_model)
        reducible = np.maximum(np.asarray(loss, float) - self.E, 0.0)
        total = self.alpha + self.beta
        with np.errstate(divide="ignore"):
            n = (self.A * total / (self.beta * reducible)) ** (1.0 / self.alpha)
            d = (self.B * total / (self.alpha * reducible)) ** (1.0 / self.beta)
        return compute_model.training_flops(n, d)

    def _searched_optimum(self, training_flops: Any, model: ComputeModel) -> tuple[Any, Any]:
        log_c = np.log(np.asarray(training_flops, float))
        shape = np.broadcast(log_c, self.alpha, self.A).shape
        low = np.full(shape, SEARCH_DECADES[0] * np.log(10.0))
        high = np.full(shape, SEARCH_DECADES[1] * np.log(10.0))
        for _ in range(80):  # halves 41 nats down to the last bit
            middle = 0.5 * (low + high)
            too_small = self._marginal_ratio(middle, log_c, model) > 0.0
            low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
        n = np.exp(0.5 * (low + high))
        return n, np.exp(log_c) / model.training_flops_per_token(n)

    def _marginal_ratio(self, log_n: Any, log_c: Any, model: ComputeModel) -> Any:
        """log of (gain from parameters / gain from tokens) on the budget: falls with log_n."""
        step = 1e-5

        def log_flops(log_size: Any) -> Any:
            return np.log(model.training_flops_per_token(np.exp(log_size)) + 0.0 * log_size)

        elasticity = (log_flops(log_n + step) - log_flops(log_n - step)) / (2.0 * step)
        log_d = log_c - log_flops(log_n)
        gain = np.log(self.alpha * self.A) - self.alpha * log_n - np.log(self.beta * self.B) + self.beta * log_d
        return gain - np.log(np.maximum(elasticity, 1e-12))

    def _searched_compute(self, loss: Any, model: ComputeModel) -> Any:
        target = np.asarray(loss, float)
        shape = np.broadcast(target, self.alpha, self.A).shape
        low, high = np.zeros(shape), np.full(shape, np.log(1e40))
        for _ in range(80):
            middle = 0.5 * (low + high)
            n, d = self.compute_optimal(np.exp(middle), model)
            missed = self.loss(parameter_count=n, token_count=d) > target
            low, high = np.where(missed, middle, low), np.where(missed, high, middle)
        return np.where(target > self.E, np.exp(high), np.inf)

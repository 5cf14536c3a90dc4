"""Monomials y = k x^s: hyper-parameters, allocations and errors that papers state as plain power laws.

Kaplan et al. 2020 (2001.08361), DeepSeek-AI 2024 (2401.02954), Li et al. 2025 (2503.04715, Step Law), Bergsma et al.
2025 (2505.13738, Power Lines), Cherti et al. 2022 (2212.07143, OpenCLIP). They follow a plan and are no objective of
one, so their class says that there is nothing to trade off. What y is stands in `Law.metric`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class Monomial(Form):
    """k x^s of the one variable that a subclass names."""

    k: Coef
    s: Coef

    citation: ClassVar[str] = "Kaplan et al. 2020, Scaling Laws for Neural Language Models, arXiv 2001.08361"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("k", "of the metric × variable^-s", (1e-6, 1e6)),
        exponent("s", (-1.5, 1.5), limit=10.0),
    )

    def loss(self, **variables: Any) -> Any:
        """k x^s; x = the variable."""
        (x,) = self.read(variables)
        return self.k * x**self.s


@dataclass(frozen=True)
class MonomialOfCompute(Monomial):
    """A power of training compute."""

    form_name: ClassVar[str] = "monomial-of-compute"
    variables: ClassVar[tuple[str, ...]] = ("training_flops",)


@dataclass(frozen=True)
class MonomialOfTokens(Monomial):
    """A power of tokens."""

    form_name: ClassVar[str] = "monomial-of-tokens"
    variables: ClassVar[tuple[str, ...]] = ("token_count",)


@dataclass(frozen=True)
class MonomialOfParameters(Monomial):
    """A power of the parameter count."""

    form_name: ClassVar[str] = "monomial-of-parameters"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count",)


@dataclass(frozen=True)
class MonomialOfLoss(Monomial):
    """A power of the loss reached, as the critical batch size is."""

    form_name: ClassVar[str] = "monomial-of-loss"
    variables: ClassVar[tuple[str, ...]] = ("reached_loss",)


@dataclass(frozen=True)
class MonomialOfParametersAndTokens(Form):
    """k N^s D^t, as learning rates are."""

    k: Coef
    s: Coef
    t: Coef

    form_name: ClassVar[str] = "monomial-of-parameters-and-tokens"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count")
    citation: ClassVar[str] = "Li et al. 2025, Predictable Scale: Step Law, arXiv 2503.04715"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("k", "of the metric × parameters^-s × tokens^-t", (1e-6, 1e6)),
        exponent("s", (-1.5, 1.5), limit=10.0),
        exponent("t", (-1.5, 1.5), limit=10.0),
    )

    def loss(self, **variables: Any) -> Any:
        """k N^s D^t; N = parameter_count, D = token_count."""
        n, d = self.read(variables)
        return self.k * n**self.s * d**self.t

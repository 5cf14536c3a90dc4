"""Power laws of one variable with a floor, y = E + A x^-α, for each variable that papers draw them in.

Hestness et al. 2017 (1712.00409) in data, Henighan et al. 2020 (2010.14701) in parameters and compute, Xiong et al.
2023 (2309.16039) in context length, Ardalani et al. 2022 (2208.08489) in compute. One variable has no trade-off to
plan: the inverse (`value_for`) is the answer. Papers that write (x_c/x)^α have A = x_c^α.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale

HENIGHAN = "Henighan et al. 2020, Scaling Laws for Autoregressive Generative Modeling, arXiv 2010.14701"


@dataclass(frozen=True)
class PowerLaw(Form):
    """E + A x^-alpha of the one variable that a subclass names."""

    E: Coef
    A: Coef
    alpha: Coef

    citation: ClassVar[str] = (
        "Hestness et al. 2017, Deep Learning Scaling is Predictable, Empirically, arXiv 1712.00409"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the loss", (0.01, 10.0)),
        scale("A", "of the loss × variable^alpha"),
        exponent("alpha", (0.02, 1.5)),
    )

    def loss(self, **variables: Any) -> Any:
        """E + A x^-alpha; x = the variable."""
        (x,) = self.read(variables)
        return self.E + self.A * x**-self.alpha


@dataclass(frozen=True)
class PowerOfTokens(PowerLaw):
    """Learning curve in data with a floor."""

    form_name: ClassVar[str] = "power-of-tokens"
    variables: ClassVar[tuple[str, ...]] = ("token_count",)

    def loss_terms(self, **variables: Any) -> LossTerms:
        (x,) = self.read(variables)
        return LossTerms(0.0, self.A * x**-self.alpha, self.E)


@dataclass(frozen=True)
class PowerOfParameters(PowerLaw):
    """Model size with a floor, data unlimited."""

    form_name: ClassVar[str] = "power-of-parameters"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count",)
    citation: ClassVar[str] = HENIGHAN

    def loss_terms(self, **variables: Any) -> LossTerms:
        (x,) = self.read(variables)
        return LossTerms(self.A * x**-self.alpha, 0.0, self.E)


@dataclass(frozen=True)
class PowerOfCompute(PowerLaw):
    """Compute, well spent, with a floor."""

    form_name: ClassVar[str] = "power-of-compute"
    variables: ClassVar[tuple[str, ...]] = ("training_flops",)
    citation: ClassVar[str] = HENIGHAN


@dataclass(frozen=True)
class PowerOfContext(PowerLaw):
    """Context length with a floor."""

    form_name: ClassVar[str] = "power-of-context"
    variables: ClassVar[tuple[str, ...]] = ("context_length",)
    citation: ClassVar[str] = "Xiong et al. 2023, Effective Long-Context Scaling of Foundation Models, arXiv 2309.16039"


@dataclass(frozen=True)
class PowerOfLoss(Form):
    """Downstream error as a power of the pre-training loss or error: k e^a + c."""

    c: Coef
    k: Coef
    a: Coef

    form_name: ClassVar[str] = "power-of-loss"
    variables: ClassVar[tuple[str, ...]] = ("reached_loss",)
    citation: ClassVar[str] = "Abnar et al. 2021, Exploring the Limits of Large Scale Pre-training, arXiv 2110.02095"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("c", "of the error", (0.001, 1.0)),
        scale("k", "of the error", (0.01, 10.0)),
        exponent("a", (0.2, 4.0), limit=20.0),
    )

    def loss(self, **variables: Any) -> Any:
        """k e^a + c; e = reached_loss."""
        (e,) = self.read(variables)
        return self.k * e**self.a + self.c


@dataclass(frozen=True)
class EnsembleLoss(Form):
    """Expected loss of an average over independently trained members."""

    floor: Coef
    a: Coef

    form_name: ClassVar[str] = "ensemble"
    variables: ClassVar[tuple[str, ...]] = ("member_count",)
    citation: ClassVar[str] = (
        "Sengupta et al. 2025, Enough of Scaling LLMs! Lets Focus on Downscaling, arXiv 2505.00985"
    )
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("floor", "nats/token", (0.5, 5.0)),
        scale("a", "nats/token", (0.01, 5.0)),
    )

    def loss(self, **variables: Any) -> Any:
        """floor + a / n; n = member_count."""
        (n,) = self.read(variables)
        return self.floor + self.a / n

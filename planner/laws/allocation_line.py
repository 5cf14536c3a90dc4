"""N* = G_N C^a and D* = G_D C^b: laws that say what is best at a budget, and nothing of the loss elsewhere.

Approaches 1 and 2 of Hoffmann et al. 2022 (2203.15556) read the best model of each budget off the runs and draw a line
through these in logarithms. Such a law has exponents and intervals, but no loss formula: whoever asks it for a loss is
told so. With C = 6 N D exactly, a + b = 1; estimated separately, their sum is a check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from planner.errors import InvalidInput, Violation
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass


@dataclass(frozen=True)
class AllocationLine(Form):
    """Compute-optimal parameters and tokens as powers of compute. Coefficients: floats or arrays of draws."""

    G_N: Coef
    a: Coef
    G_D: Coef
    b: Coef

    variables: ClassVar[tuple[str, ...]] = ()
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("G_N", 1e-40, 1e40, (1e-9, 1e9), "parameters × FLOP^-a", logarithmic=True),
        Coefficient("a", -3.0, 3.0, (0.1, 0.9)),
        Coefficient("G_D", 1e-40, 1e40, (1e-9, 1e9), "tokens × FLOP^-b", logarithmic=True),
        Coefficient("b", -3.0, 3.0, (0.1, 0.9)),
    )

    def loss(self, **variables: Any) -> NoReturn:
        """no formula: only the best parameters and tokens of a budget are known, N* = G_N C^a and D* = G_D C^b"""
        allowed = "a law with a loss formula (fit the same runs with --form chinchilla); this one has exponents only"
        raise InvalidInput(Violation("law", f"form {self.form_name}", allowed))

    def compute_optimal(self, training_flops: Any) -> tuple[Any, Any]:
        """(N, D) of least loss at `training_flops`."""
        return self.G_N * training_flops**self.a, self.G_D * training_flops**self.b

    def parameter_exponent(self) -> Coef:
        """a in N* ∝ C^a."""
        return self.a

    def token_exponent(self) -> Coef:
        """b in D* ∝ C^b."""
        return self.b

    def compute_optimal_exponents(self) -> tuple[Coef, Coef]:
        return self.a, self.b


@dataclass(frozen=True)
class IsoFlop(AllocationLine):
    """The best models of budgets by parabolas in log parameters (approach 2)."""

    form_name: ClassVar[str] = "isoflop"
    citation: ClassVar[str] = "Hoffmann et al. 2022, arXiv 2203.15556, approach 2 (IsoFLOP profiles)"


@dataclass(frozen=True)
class Envelope(AllocationLine):
    """The best models of budgets by the lower envelope of training curves (approach 1)."""

    form_name: ClassVar[str] = "envelope"
    citation: ClassVar[str] = "Hoffmann et al. 2022, arXiv 2203.15556, approach 1 (envelope of training curves)"


ALLOCATION_LINES: tuple[type[AllocationLine], ...] = (IsoFlop, Envelope)

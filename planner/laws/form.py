"""The seam every scaling law goes through: a `Form` is a formula, its coefficients and what is known of both.

A form is a frozen dataclass whose fields are its coefficients. `loss` is plain arithmetic in them, so one method
- predicts on floats and arrays,
- evaluates a whole cloud of bootstrap draws at once (each coefficient an array, see `from_vector`),
- is differentiated exactly by `planner.fitting.jet` and so fitted without any per-form code,
- and, where it is a posynomial, is handed to the optimiser by calling it on cvxpy or `Posynomial` variables.

Where the loss is an increasing function of a posynomial without being one, `inner` is that posynomial and `outer` the
function: an optimiser minimises, or bounds, the inner quantity.

Adding a form is one class and one row in `planner.laws.forms`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation
from planner.laws.compute import ComputeModel
from planner.laws.variables import variable

Array = NDArray[np.float64]
Coef = float | Array  # one value, or an array of draws
FormT = TypeVar("FormT", bound="Form")


class OptimisationClass(Enum):
    """What a plan that minimises this loss needs (the devices are those of the geometric-programming literature)."""

    POSYNOMIAL = "posynomial"  # a geometric program as it stands
    POSYNOMIAL_POWER = "posynomial raised to a positive power"  # log-log convex, a geometric program
    TANGENT_CUTS = "posynomial in log-log concave arguments"  # monomial tangents, then a geometric program
    ENUMERATED = "posynomial once a small discrete variable is fixed"  # enumerate, then geometric programs
    MONOTONE_TRANSFORM = "monotone function of a posynomial"  # bound the inner quantity instead
    CONVEX = "convex in shares"  # a convex program over the simplex, no geometric program
    INVERTED = "monotone in one variable"  # no trade-off to optimise: the inverse is the answer
    SEARCH = "not log-log convex"  # one-dimensional search, no certificate


@dataclass(frozen=True)
class Coefficient:
    """What is known of one coefficient before any data is seen.

    `lower`..`upper` is the allowed range (a fit stays inside), `search` the part of it that starting points are
    spread over. `logarithmic` coefficients are positive scales, searched and reported as logarithms. The loss is
    linear in all `linear` coefficients together (the others held fixed): these are projected out when fitting.
    """

    name: str
    lower: float
    upper: float
    search: tuple[float, float]
    unit: str = ""
    logarithmic: bool = False
    linear: bool = False


@dataclass(frozen=True)
class LossTerms:
    """Where a loss comes from: limited model size, limited data, and what neither removes."""

    model: Any
    data: Any
    floor: Any


@dataclass(frozen=True)
class Form(ABC):
    """A functional form with coefficients (fields, in the order of `coefficients`).

    `observed` says what the form predicts: "loss", another positive "metric", or a "signed_metric", which may be
    negative (errors are then differences and not ratios); of a metric, `larger_is_better` may hold. For values of the
    `enumerated` variables (numbers, or arrays over cells) the loss is a posynomial of the others. `hyper_parameters`
    are variables that cost nothing: a plan leaves them at their best, where the loss is that of `tuned_form`.
    """

    form_name: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]
    coefficients: ClassVar[tuple[Coefficient, ...]]
    citation: ClassVar[str]
    optimisation_class: ClassVar[OptimisationClass]
    enumerated: ClassVar[tuple[str, ...]] = ()
    observed: ClassVar[str] = "loss"
    larger_is_better: ClassVar[bool] = False
    hyper_parameters: ClassVar[tuple[str, ...]] = ()
    tuned_form: ClassVar[type[Form] | None] = None

    @abstractmethod
    def loss(self, **variables: Any) -> Any:
        """Loss in nats per token at `variables` (named as in `variables`), by plain arithmetic."""

    def inner(self, **variables: Any) -> Any:
        """The posynomial that the loss is an increasing function of: the loss itself unless a form says otherwise."""
        return self.loss(**variables)

    def outer(self, inner: Any) -> Any:
        """The loss at a value of `inner`."""
        return inner

    def inner_for_loss(self, loss: Any) -> Any:
        """The value of `inner` at which `outer` gives `loss`; NaN where none does."""
        return loss

    def tuned(self) -> Form:
        """The form of the other variables with the hyper-parameters at their best; its coefficients are among these."""
        if self.tuned_form is None:
            return self
        values = self.values()
        return self.tuned_form(**{name: values[name] for name in self.tuned_form.names()})

    def best(self, **variables: Any) -> dict[str, Any]:
        """The best hyper-parameters at `variables`, by name."""
        return {}

    def active_parameter_count(self, **variables: Any) -> Any:
        """Parameters that one token is multiplied with, which is what costs FLOPs; None where they are not known."""
        return variables.get("parameter_count")

    def total_parameter_count(self, **variables: Any) -> Any:
        """All parameters, which is what fills memory; None where they follow from the active ones and the experts."""
        return None

    def trained_token_count(self, **variables: Any) -> Any:
        """Tokens that the run in question sees, repeats counted; None where they are not known."""
        for factors in (("step_count", "batch_token_count"), ("unique_token_count", "epoch_count")):
            if all(name in variables for name in factors):
                return variables[factors[0]] * variables[factors[1]]
        seen = ("finetuning_token_count", "token_count")  # what is tuned was trained before, at another's expense
        return next((variables[name] for name in seen if name in variables), None)

    def training_flops(self, compute_model: ComputeModel, **variables: Any) -> Any:
        """FLOPs of the run in question, by plain arithmetic; None where model or data are not known."""
        n, d = self.active_parameter_count(**variables), self.trained_token_count(**variables)
        if n is None or d is None:
            return variables.get("training_flops")
        return compute_model.training_flops(n, d)

    def inference_flops_per_token(self, compute_model: ComputeModel, **variables: Any) -> Any:
        """FLOPs of answering with one token, by plain arithmetic; None where the model is not known."""
        n = self.active_parameter_count(**variables)
        return None if n is None else compute_model.inference_flops_per_token(n)

    def read(self, variables: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the form's variables, in order. Raises InvalidInput naming all that are missing."""
        missing = [name for name in self.variables if name not in variables]
        if missing:
            allowed = f"required by the form {self.form_name}"
            raise InvalidInput(*(Violation(name, "missing", allowed) for name in missing))
        return tuple(variables[name] for name in self.variables)

    def value_for(self, name: str, target: Any, **others: Any) -> Array:
        """The value of variable `name` at which the loss is `target`, the `others` given; NaN where none is.

        By bisection of the logarithm over the physical range, for losses monotone in that variable. Arrays broadcast.
        """
        limits = variable(name).range
        goal = np.asarray(target, float)
        shape = np.broadcast(goal, *(np.asarray(v, float) for v in others.values())).shape
        ends = np.log(max(limits.lower, 1e-300)), np.log(min(limits.upper, 1e300))
        low, high = (np.full(shape, end) for end in ends)

        def over(log_value: Array) -> NDArray[np.bool_]:
            with np.errstate(all="ignore"):
                return np.asarray(self.loss(**others, **{name: np.exp(log_value)}) > goal)

        at_low, at_high = over(low), over(high)
        for _ in range(90):  # halves the widest range down to the last bit
            middle = 0.5 * (low + high)
            like_low = over(middle) == at_low
            low, high = np.where(like_low, middle, low), np.where(like_low, high, middle)
        return np.where(at_low == at_high, np.nan, np.exp(0.5 * (low + high)))

    def loss_terms(self, **variables: Any) -> LossTerms | None:
        """The loss split into model term, data term and floor; None where the form has no such split."""
        return None

    def compute_optimal_exponents(self) -> tuple[Coef, Coef] | None:
        """(a, b) in N* ∝ C^a, D* ∝ C^b with C proportional to N D; None where there is no such pair."""
        return None

    def values(self) -> dict[str, Coef]:
        """Coefficients by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def vector(self) -> Array:
        """Coefficients as an array (coefficients,), or (draws, coefficients) for a cloud."""
        return np.stack(np.broadcast_arrays(*(np.asarray(v, float) for v in self.values().values())), axis=-1)

    @classmethod
    def from_vector(cls: type[FormT], vector: Array) -> FormT:
        """The form with coefficients `vector[..., k]`.

        A vector gives floats. A matrix (draws, coefficients) gives columns of shape (draws, 1), so that a loss
        evaluated on variables of shape (points,) has shape (draws, points).
        """
        vector = np.asarray(vector, float)
        if vector.ndim == 1:
            return cls(*(float(v) for v in vector))
        return cls(*(vector[..., k, None] for k in range(vector.shape[-1])))

    @classmethod
    def signed(cls) -> bool:
        """Whether what is observed may be negative."""
        return cls.observed == "signed_metric"

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the coefficients, in order."""
        return tuple(c.name for c in cls.coefficients)


def scale(name: str, unit: str = "", search: tuple[float, float] = (1.0, 1e6), *, linear: bool = True) -> Coefficient:
    """A positive factor of a term, of any size; `linear` if the loss is linear in it."""
    return Coefficient(name, 1e-12, 1e40, search, unit, logarithmic=True, linear=linear)


def exponent(name: str, search: tuple[float, float] = (0.03, 1.5), limit: float = 5.0) -> Coefficient:
    """A power: positive if its search range is, of either sign if that straddles zero."""
    lower = -limit if search[0] < 0 else 1e-3
    upper = limit if search[1] > 0 else -1e-3
    return Coefficient(name, lower, upper, search)


def coefficient(specs: Iterable[Coefficient], name: str) -> Coefficient:
    """The specification called `name`."""
    return next(c for c in specs if c.name == name)

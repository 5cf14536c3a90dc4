"""The seam every scaling law goes through: a `Form` is a formula, its coefficients and what is known of both.

A form is a frozen dataclass whose fields are its coefficients. `loss` is plain arithmetic in them, so one method
- predicts on floats and arrays,
- evaluates a whole cloud of bootstrap draws at once (each coefficient an array, see `from_vector`),
- is differentiated exactly by `planner.fitting.jet` and so fitted without any per-form code,
- and, where it is a posynomial, is handed to the optimiser by calling it on cvxpy or `Posynomial` variables.

Adding a form is one file with a subclass and one row in `planner.laws.forms`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

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
    """A functional form with coefficients (fields, in the order of `coefficients`)."""

    form_name: ClassVar[str]
    variables: ClassVar[tuple[str, ...]]
    coefficients: ClassVar[tuple[Coefficient, ...]]
    citation: ClassVar[str]
    optimisation_class: ClassVar[OptimisationClass]

    @abstractmethod
    def loss(self, **variables: Any) -> Any:
        """Loss in nats per token at `variables` (named as in `variables`), by plain arithmetic."""

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
    def names(cls) -> tuple[str, ...]:
        """Names of the coefficients, in order."""
        return tuple(c.name for c in cls.coefficients)


def coefficient(specs: Iterable[Coefficient], name: str) -> Coefficient:
    """The specification called `name`."""
    return next(c for c in specs if c.name == name)

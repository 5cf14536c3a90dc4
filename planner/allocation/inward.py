"""What a geometric program minimises in place of a law's loss, and the way back.

The loss is an increasing (or, of a metric, any monotone) function of a posynomial: of itself, of the `inner` of a form
that names one, or, where a law is monotone in the one variable that is left open, of that variable or its inverse.
Limits on the loss become limits on the inner quantity, proven bounds on the inner quantity become bounds on the loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.laws import Form
from planner.posynomial import Posynomial, constant

UNREACHABLE, ANYTHING = 1e-250, 1e250  # limits on the inner quantity that nothing meets, that everything meets
STEP = 1e-5


class Inward(ABC):
    """A law's loss as a monotone function of a posynomial."""

    identical: bool = False  # the inner quantity is the loss itself

    @abstractmethod
    def inner(self, symbols: Mapping[str, Any]) -> Posynomial:
        """The posynomial, smaller for better losses, at decision variables, numbers and arrays over variants."""

    @abstractmethod
    def outer(self, inner: float) -> float:
        """The loss at a value of the posynomial."""

    @abstractmethod
    def limit(self, loss: float) -> float:
        """The largest value of the posynomial that is as good as `loss`."""

    def slope(self, inner: float) -> float:
        """d log loss / d log inner."""
        if self.identical:
            return 1.0
        low, high = (self.outer(inner * np.exp(step)) for step in (-STEP, STEP))
        middle = self.outer(inner)
        return float((high - low) / (2.0 * STEP * middle)) if middle else 0.0


@dataclass(frozen=True)
class ByForm(Inward):
    """The form's own inner quantity."""

    form: Form

    @property
    def identical(self) -> bool:  # type: ignore[override]
        return type(self.form).outer is Form.outer

    def inner(self, symbols: Mapping[str, Any]) -> Posynomial:
        value = self.form.inner(**{name: symbols[name] for name in self.form.variables})
        return value if isinstance(value, Posynomial) else constant(value)

    def outer(self, inner: float) -> float:
        return float(self.form.outer(inner))

    def limit(self, loss: float) -> float:
        with np.errstate(all="ignore"):
            found = float(self.form.inner_for_loss(loss))
        return found if np.isfinite(found) and found > 0.0 else UNREACHABLE


@dataclass(frozen=True)
class ByVariable(Inward):
    """A form that is monotone in `name`, the one variable left open between `lower` and `upper`; `others` settled."""

    form: Form
    name: str
    lower: float
    upper: float
    others: Mapping[str, float]

    @property
    def rewarding(self) -> bool:
        """Whether more of the variable is better."""
        at_lower, at_upper = self._at(self.lower), self._at(self.upper)
        return (at_upper > at_lower) if self.form.larger_is_better else (at_upper < at_lower)

    def inner(self, symbols: Mapping[str, Any]) -> Posynomial:
        power = -1.0 if self.rewarding else 1.0
        result: Posynomial = symbols[self.name] ** power
        return result

    def outer(self, inner: float) -> float:
        return self._at(1.0 / inner if self.rewarding else inner)

    def limit(self, loss: float) -> float:
        value = float(self.form.value_for(self.name, loss, **self.others))
        if np.isfinite(value) and value > 0.0:
            return 1.0 / value if self.rewarding else value
        best = self._at(self.upper if self.rewarding else self.lower)
        met = best >= loss if self.form.larger_is_better else best <= loss
        return ANYTHING if met else UNREACHABLE

    def _at(self, value: float) -> float:
        with np.errstate(all="ignore"):
            return float(self.form.loss(**{**self.others, self.name: value}))


@dataclass(frozen=True)
class Fixed(Inward):
    """Nothing about the loss is left to decide: it is `value`."""

    value: float
    larger_is_better: bool

    def inner(self, symbols: Mapping[str, Any]) -> Posynomial:
        return constant(1.0)

    def outer(self, inner: float) -> float:
        return self.value

    def limit(self, loss: float) -> float:
        met = self.value >= loss if self.larger_is_better else self.value <= loss
        return ANYTHING if met else UNREACHABLE

    def slope(self, inner: float) -> float:
        return 0.0

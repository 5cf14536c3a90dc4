"""A way of fitting: a form, what groups share of its coefficients, and Huber's δ."""

from __future__ import annotations

from dataclasses import dataclass

from planner.fitting.objective import DELTA
from planner.fitting.refit import POOLED
from planner.laws.form import Form


@dataclass(frozen=True)
class Way:
    """A form and how it is fitted."""

    form: type[Form]
    sharing: str = POOLED
    delta: float = DELTA

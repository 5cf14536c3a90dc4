"""A law inside a geometric program: its loss over the decision variables, cell by cell.

One dispatch on the form's optimisation class, so that a new form of a known class needs nothing here:

    POSYNOMIAL, POSYNOMIAL_POWER   the formula itself, evaluated on posynomial variables
    ENUMERATED                     one cell per expert count, the formula with that cell's coefficients
    TANGENT_CUTS                   the formula in effective counts, which monomial tangents bound from above

Tangents make a relaxation (the loss comes out too low, never too high), so its optimum still certifies; the
relaxation is tightened at its own optimum until it is exact there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation
from planner.laws import Chinchilla, DataConstrained, JointMoE, Law, OptimisationClass
from planner.posynomial import Posynomial, variable

DEFAULT_EXPERT_COUNTS = (1, 2, 4, 8, 16, 32)
TANGENT_GRID = np.geomspace(1.0, 300.0, 12)  # epochs, or parameters over the optimum of the unique tokens
LOCAL_TANGENTS = 13


@dataclass(frozen=True)
class Near:
    """A point to place tangents round: epochs, parameters over the unique optimum, and the cluster's log half-width."""

    epochs: float = 1.0
    surplus: float = 1.0
    width: float = 0.6


@dataclass(frozen=True)
class LossModel:
    """Loss as a posynomial, with the auxiliary variables and constraints that it needs.

    `expert_counts` has one entry per variant of the law (cells of the law); coefficients of `loss` are arrays
    over these. `exact` evaluates the law itself.
    """

    law: Law
    loss: Posynomial
    expert_counts: tuple[int, ...]
    unique_token_count: float | None = None
    variables: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    constraints: Mapping[str, Posynomial] = field(default_factory=dict)

    def at(self, parameter_count: Any, token_count: Any, expert_count: int) -> dict[str, Any]:
        """The law's own variables at a decision."""
        known = {"parameter_count": parameter_count, "token_count": token_count, "expert_count": float(expert_count)}
        limit = np.inf if self.unique_token_count is None else self.unique_token_count
        known["unique_token_count"] = np.minimum(limit, token_count)
        return {name: known[name] for name in self.law.form.variables}

    def exact(self, parameter_count: Any, token_count: Any, expert_count: int) -> Any:
        """The law's loss at a decision (floats or arrays)."""
        return self.law.loss(**self.at(parameter_count, token_count, expert_count))


def loss_model(
    law: Law,
    unique_token_count: float | None,
    expert_counts: tuple[int, ...],
    near: Near | None = None,
) -> LossModel:
    """The law as a block of a geometric program in `parameter_count` and `token_count`.

    `near` places extra tangents round a point.
    Raises InvalidInput where the law needs what the problem does not give, or has no such use.
    """
    form = law.form
    if isinstance(form, JointMoE):
        counts = expert_counts or DEFAULT_EXPERT_COUNTS
        _refuse_unique(law, unique_token_count)
        loss = _evaluate(form.at_expert_count(np.array(counts, dtype=float)))
        return LossModel(law, loss, counts)
    if expert_counts and expert_counts != (1,):
        allowed = f"unset: {law.name} is not a law of mixtures of experts"
        raise InvalidInput(Violation("expert_counts", str(list(expert_counts)), allowed))
    if isinstance(form, DataConstrained):
        return _tangent_model(law, form, unique_token_count, near)
    _refuse_unique(law, unique_token_count)
    plannable = (OptimisationClass.POSYNOMIAL, OptimisationClass.POSYNOMIAL_POWER)
    if set(form.variables) != {"parameter_count", "token_count"} or form.optimisation_class not in plannable:
        needs = f"{form.form_name} is {form.optimisation_class.value}, in {', '.join(form.variables)}"
        raise InvalidInput(
            Violation("law", law.name, f"a law of parameters and tokens that is log-log convex; {needs}")
        )
    return LossModel(law, _evaluate(form), (1,))


def _evaluate(form: Any) -> Posynomial:
    """The formula on the decision variables; exponents become per-cell parameters of the compiled problem."""
    loss: Posynomial = form.loss(parameter_count=variable("parameter_count"), token_count=variable("token_count"))
    return loss.parametrised()


def _tangent_model(law: Law, form: DataConstrained, unique_token_count: float | None, near: Near | None) -> LossModel:
    if unique_token_count is None:
        return LossModel(law, _evaluate(form.base), (1,))
    n, d = variable("parameter_count"), variable("token_count")
    useful_n, useful_d = variable("effective_parameter_count"), variable("effective_token_count")
    unique = variable("used_unique_token_count")
    base: Chinchilla = form.base
    loss = base.loss(parameter_count=useful_n, token_count=useful_d).parametrised()
    near = near or Near()
    constraints: dict[str, Posynomial] = {
        "unique_tokens_given": unique / unique_token_count,
        "unique_tokens_seen": unique / d,
    }
    for index, ratio in enumerate(_ratios(near.epochs, near.width)):
        slope, rest = (float(s) for s in form.effective_tokens_slopes(ratio, 1.0))
        level = float(form.effective_tokens(ratio, 1.0)) / ratio**slope
        bound = np.array([level]) * d ** np.array([slope]) * unique ** np.array([rest])
        constraints[f"effective_tokens_{index}"] = useful_d / bound
    scale = float(form.optimal_parameters(1.0))
    for index, ratio in enumerate(_ratios(near.surplus, near.width)):
        slope, rest = (float(s) for s in form.effective_parameters_slopes(ratio * scale, 1.0))
        level = float(form.effective_parameters(ratio * scale, 1.0)) / ((ratio * scale) ** slope)
        # `rest` = (1 - slope) β/α; a slope of one leaves N alone, as below the optimum.
        bound = np.array([level]) * n ** np.array([slope]) * unique ** np.array([rest])
        constraints[f"effective_parameters_{index}"] = useful_n / bound
    bounds = {
        "effective_parameter_count": (1e-3, 1e18),
        "effective_token_count": (1e-3, 1e22),
        "used_unique_token_count": (1e-3, 1e22),
    }
    return LossModel(law, loss, (1,), unique_token_count, bounds, constraints)


def _ratios(centre: float, width: float) -> NDArray[np.float64]:
    """Where tangents touch: a grid over all ratios and a cluster round the point in hand."""
    local = np.maximum(centre * np.exp(width * np.linspace(-1.0, 1.0, LOCAL_TANGENTS)), 1.0)
    return np.concatenate([TANGENT_GRID, local])


def _refuse_unique(law: Law, unique_token_count: float | None) -> None:
    if unique_token_count is not None:
        raise InvalidInput(
            Violation(
                "unique_token_count",
                f"{unique_token_count:g}",
                f"unset: {law.name} does not model repeated data (use a data-constrained law, e.g. muennighoff-2023)",
            )
        )

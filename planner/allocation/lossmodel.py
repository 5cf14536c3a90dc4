"""A law inside a geometric program: its loss over the decision variables, cell by cell.

One dispatch on the form's optimisation class, so that a new form of a known class needs nothing here:

    POSYNOMIAL, POSYNOMIAL_POWER   the formula itself, evaluated on posynomial variables
    MONOTONE_TRANSFORM             the posynomial that the loss is a function of (see `inward`)
    ENUMERATED                     one cell per combination of the enumerated variables' values
    TANGENT_CUTS                   the formula in effective counts, which monomial tangents bound from above
    INVERTED, SEARCH               monotone in the one variable that is left open: that variable

Tangents make a relaxation (the loss comes out too low, never too high), so its optimum still certifies; the
relaxation is tightened at its own optimum until it is exact there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.allocation.inward import ByForm, ByVariable, Fixed, Inward
from planner.allocation.lawvariables import LawVariable, Settled, settle
from planner.allocation.metrics import PARAMETERS, TOKENS
from planner.errors import InvalidInput, Violation
from planner.laws import DataConstrained, Law, OptimisationClass
from planner.posynomial import NotLogLogConvex, Posynomial, variable

TANGENT_GRID = np.geomspace(1.0, 300.0, 12)  # epochs, or parameters over the optimum of the unique tokens
LOCAL_TANGENTS = 13
COUNTS = {"parameter_count": (PARAMETERS.lower, PARAMETERS.upper), "token_count": (TOKENS.lower, TOKENS.upper)}


@dataclass(frozen=True)
class Near:
    """A point to place tangents round: epochs, parameters over the unique optimum, and the cluster's log half-width."""

    epochs: float = 1.0
    surplus: float = 1.0
    width: float = 0.6


@dataclass(frozen=True)
class LossModel:
    """A law's loss as a posynomial `inner`, the variables that it decides on, and the constraints that it needs.

    Coefficients of `inner` are arrays over `variants`, the combinations of values of what is enumerated (cells of the
    law); `given` is settled for all. `ranged` names the variables whose range the question gives.
    """

    law: Law
    inner: Posynomial
    inward: Inward
    variables: Mapping[str, tuple[float, float]]
    variants: tuple[Mapping[str, float], ...] = ({},)
    given: Mapping[str, float] = field(default_factory=dict)
    ranged: frozenset[str] = frozenset()
    unique_token_count: float | None = None
    constraints: Mapping[str, Posynomial] = field(default_factory=dict)

    @property
    def expert_counts(self) -> tuple[float, ...]:
        """Experts a layer of each variant; 1 where the law knows none."""
        return tuple({**self.given, **variant}.get("expert_count", 1.0) for variant in self.variants)

    def at(self, values: Mapping[str, Any], variant: int) -> dict[str, Any]:
        """The law's own variables at decision `values`, in one of the variants."""
        known = {**values, **self.given, **self.variants[variant]}
        if "unique_token_count" in self.law.form.variables:
            limit = known.get("unique_token_count", np.inf)
            known["unique_token_count"] = np.minimum(limit, known["token_count"]) if "token_count" in known else limit
        return {name: known[name] for name in self.law.form.variables}

    def exact(self, values: Mapping[str, Any], variant: int) -> Any:
        """The law's loss at a decision (floats or arrays)."""
        return self.law.loss(**self.at(values, variant))


def loss_model(law: Law, choices: Mapping[str, LawVariable], near: Near | None = None) -> LossModel:
    """The law as a block of a geometric program; `choices` says what its variables may be.

    `near` places extra tangents round a point.
    Raises InvalidInput where the law needs what the problem does not give, or has no such use.
    """
    if isinstance(law.form, DataConstrained):
        return _data_constrained(law, law.form, choices, near)
    settled = settle(law.form, choices, COUNTS)
    return _model(law, _inward(law, settled), settled)


def _inward(law: Law, settled: Settled) -> Inward:
    """How the law's loss becomes a posynomial in what is left open."""
    form = law.form
    if form.optimisation_class is OptimisationClass.CONVEX:
        raise InvalidInput(Violation("law", law.name, f"a law with a budget: {form.form_name} splits shares only"))
    if form.optimisation_class not in (OptimisationClass.INVERTED, OptimisationClass.SEARCH):
        return ByForm(form)
    if len(settled.variants) > 1 or len(settled.free) > 1:
        open_ones = ", ".join([*settled.free, *settled.variants[0]])
        one = f"one value of all but one of {open_ones}, since {form.form_name} is {form.optimisation_class.value}"
        raise InvalidInput(Violation("law_variables", f"{open_ones} open", one))
    known = {name: value for name, value in settled.given.items() if name in form.variables}
    if not settled.free:
        return Fixed(float(form.loss(**known)), form.larger_is_better)
    (name, (lower, upper)), *_ = settled.free.items()
    return ByVariable(form, name, lower, upper, known)


def _model(law: Law, inward: Inward, settled: Settled) -> LossModel:
    symbols: dict[str, Any] = {**settled.given, **{name: variable(name) for name in settled.free}}
    for name in settled.variants[0]:
        symbols[name] = np.array([variant[name] for variant in settled.variants])
    try:
        inner = inward.inner(symbols).parametrised()
    except NotLogLogConvex as error:
        open_ones = ", ".join(settled.free)
        reason = f"a law that is log-log convex in {open_ones} ({error}); settle them one by one with law_variables"
        raise InvalidInput(Violation("law", law.name, reason)) from error
    return LossModel(law, inner, inward, settled.free, settled.variants, settled.given, settled.ranged)


def _data_constrained(
    law: Law, form: DataConstrained, choices: Mapping[str, LawVariable], near: Near | None
) -> LossModel:
    others = {name: choice for name, choice in choices.items() if name != "unique_token_count"}
    settled = settle(form.base, others, COUNTS)
    unique = choices.get("unique_token_count")
    if unique is None:
        return _model(law, ByForm(form.base), settled)
    limit = unique.values[0] if unique.values else unique.upper
    if limit is None or len(unique.values) > 1 or len(settled.variants) > 1:
        allowed = "one value, or a range with an upper end: more unique tokens are never worse"
        raise InvalidInput(Violation("law_variables.unique_token_count", "several or unbounded", allowed))
    return _tangent_model(law, form, limit, settled, near or Near())


def _tangent_model(
    law: Law, form: DataConstrained, unique_token_count: float, settled: Settled, near: Near
) -> LossModel:
    n, d = (settled.given.get(name, variable(name)) for name in form.base.variables)
    useful_n, useful_d = variable("effective_parameter_count"), variable("effective_token_count")
    unique = variable("used_unique_token_count")
    inward = ByForm(form.base)
    inner = inward.inner({"parameter_count": useful_n, "token_count": useful_d}).parametrised()
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
    variables = {
        **settled.free,
        "effective_parameter_count": (1e-3, 1e18),
        "effective_token_count": (1e-3, 1e22),
        "used_unique_token_count": (1e-3, 1e22),
    }
    given = {**settled.given, "unique_token_count": unique_token_count}
    return LossModel(law, inner, inward, variables, ({},), given, settled.ranged, unique_token_count, constraints)


def _ratios(centre: float, width: float) -> NDArray[np.float64]:
    """Where tangents touch: a grid over all ratios and a cluster round the point in hand."""
    local = np.maximum(centre * np.exp(width * np.linspace(-1.0, 1.0, LOCAL_TANGENTS)), 1.0)
    return np.concatenate([TANGENT_GRID, local])

"""What forms that extrapolate nearly as well as the chosen one say of the same runs.

No bootstrap of one form shows what the choice of the form leaves open: with little noise each gives the exponent of the
best model size to a thousandth, and another one. So that interval takes in the exponents of the others that do nearly
as well on the splits, and a caution names those that lie outside what the chosen form alone would have said. What does
not vary among the runs is said too, for no form that reads it could be tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from planner.fitting.columns import columns_of_variables
from planner.fitting.estimates import ComputeOptimalExponent
from planner.fitting.fitted import FittedLaw
from planner.fitting.judgement import FormScore
from planner.fitting.observations import observe
from planner.fitting.ranking import Comparison
from planner.fitting.refit import POOLED, refit
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.fitting.sweeps import found_sweep
from planner.laws.caution import Caution
from planner.laws.form import Form
from planner.laws.forms import form_class

NEARLY_AS_WELL = 2.0  # times the error of the chosen form on the splits
MOST_RIVALS = 3  # and no more of them are fitted
NOT_OF_THE_MODEL = frozenset({"loss", "training_flops"})


def rivals(
    found: Comparison, runs: Runs, where: str | None, mapping: Mapping[str, str] | None
) -> dict[str, tuple[float, float]]:
    """Exponents (of parameters, of tokens) of the forms that do nearly as well as the chosen one, by form."""
    limit = NEARLY_AS_WELL * found.chosen.extrapolation_error.value
    near = [s for s in found.ranking if not s.baseline and s.form != found.chosen.form and s.sharing == POOLED]
    near = sorted((s for s in near if s.extrapolation_error.value <= limit), key=lambda s: s.extrapolation_error.value)
    named = [s for s in near if _has_exponents(form_class(s.form))][:MOST_RIVALS]
    return {s.form: e for s in named if (e := _exponents(s, runs, where, mapping)) is not None}


def _has_exponents(form: type[Form]) -> bool:
    return form.compute_optimal_exponents is not Form.compute_optimal_exponents


def _exponents(
    score: FormScore, runs: Runs, where: str | None, mapping: Mapping[str, str] | None
) -> tuple[float, float] | None:
    kind = form_class(score.form)
    sweep = found_sweep(runs, kind, where=where, mapping=mapping)
    seen = observe(runs, kind, where=where, mapping=mapping, kept=None if sweep is None else sweep.best)
    fitted = refit(kind, seen.variables, seen.losses, delta=score.huber_delta).forms[0]
    pair = fitted.compute_optimal_exponents()
    if pair is None:
        return None
    a, b = float(pair[0]), float(pair[1])
    return (a, b) if math.isfinite(a + b) else None


def widened_by(law: FittedLaw, others: Mapping[str, tuple[float, float]]) -> FittedLaw:
    """The law with the exponents of `others` inside its intervals, and a caution that names those that were not."""
    own = law.compute_optimal_exponent
    if own is None:
        return law
    # Of an interval that is not known (no draws) nothing lies outside.
    apart = {n: a for n, (a, _) in others.items() if a < own.parameters.lower or a > own.parameters.upper}
    if not apart:
        return law
    parameters, tokens = (
        replace(e, lower=min(e.lower, *values), upper=max(e.upper, *values))
        for e, values in zip((own.parameters, own.tokens), zip(*others.values(), strict=True), strict=True)
    )
    named = ", ".join(f"{value:.3f} by {name}" for name, value in apart.items())
    sentence = (
        f"the exponent of the best model size is {own.parameters.value:.3f} by {law.form.form_name}, but {named}, no "
        f"more than {NEARLY_AS_WELL:g} times as wrong on held-out runs: the interval, {parameters.lower:.3f} to "
        f"{parameters.upper:.3f}, takes that in"
    )
    return replace(
        law,
        compute_optimal_exponent=ComputeOptimalExponent(parameters, tokens),
        warnings=(*law.warnings, Caution("FORMS_DISAGREE", sentence)),
    )


def unvaried(law: FittedLaw, runs: Runs, where: str | None, mapping: Mapping[str, str] | None) -> tuple[Caution, ...]:
    """A caution for every variable that has one value in all runs and that the law does not read."""
    rows = slice(None) if where is None else chosen_rows(runs, where)
    notes = []
    for name, source in columns_of_variables(runs, mapping).items():
        if name in NOT_OF_THE_MODEL or name in law.form.variables or runs.column(source.column).is_text:
            continue
        numbers = source.numbers(runs)[rows]
        numbers = numbers[np.isfinite(numbers)]
        if len(numbers) and np.ptp(numbers) == 0.0:
            sentence = f"{source.column} is {numbers[0]:g} in all runs: nothing is known of the loss at other values"
            notes.append(Caution("ONE_VALUE", sentence))
    return tuple(notes)

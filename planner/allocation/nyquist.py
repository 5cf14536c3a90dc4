"""Hypothetical: what would be best if a finite amount of data were enough.

Rosenfeld (thesis, 2108.07686, ch. 5) conjectures that where data are effectively band-limited, a learner restricted to
that band reaches the lower limit of the error at a finite size of the data, as a signal is recovered from samples at
Nyquist's rate. No such learner and no such size is known for language: this is a scenario to weigh research against,
no law and no forecast, and nothing else in a plan rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.errors import InvalidInput, Range, Violation, require
from planner.laws import Chinchilla, Law

TOKENS = Range(1e3, 1e22, "tokens")
FLOPS = Range(1e9, 1e33, "FLOP")


@dataclass(frozen=True)
class NyquistScenario:
    """The best model of a budget if `critical_token_count` tokens left no data term, and what the law itself says."""

    critical_token_count: float
    parameter_count: float
    token_count: float
    loss: float
    reached: bool  # whether the scenario's best plan sees the critical tokens
    loss_by_law: float
    parameter_count_by_law: float

    hypothetical = True


def nyquist_scenario(law: Law, training_flops: float, critical_token_count: float) -> NyquistScenario:
    """The scenario for a law of the form `chinchilla`. Raises InvalidInput for others and for values out of range."""
    require(*FLOPS.check("training_flops", training_flops), *TOKENS.check("critical_token_count", critical_token_count))
    form = law.form
    if not isinstance(form, Chinchilla) or not law.compute_model.proportional:
        allowed = "a law of the form chinchilla, with compute proportional to N D, for example besiroglu-2024"
        raise InvalidInput(Violation("law", law.name, allowed))
    n, d = (float(x) for x in form.compute_optimal(training_flops, law.compute_model))
    by_law = float(form.loss(parameter_count=n, token_count=d))
    large = training_flops / float(law.compute_model.training_flops(1.0, critical_token_count))
    terms = form.loss_terms(parameter_count=large, token_count=critical_token_count)
    resolved = float(terms.model) + float(terms.floor)
    if resolved < by_law:
        return NyquistScenario(critical_token_count, large, critical_token_count, resolved, True, by_law, n)
    return NyquistScenario(critical_token_count, n, d, by_law, False, by_law, n)

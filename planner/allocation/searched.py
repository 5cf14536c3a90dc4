"""Plans under laws that are not log-log convex: one variable is searched, the rest is planned for each of its values.

With that variable settled the law is monotone in what is left open, so each trial is an ordinary certified plan; what
is not proven is that no value between the trials is better. Such a plan is FEASIBLE, never OPTIMAL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from planner.allocation.decide import Decided, Refused
from planner.allocation.lawvariables import LawVariable, settle
from planner.allocation.lossmodel import COUNTS
from planner.errors import NotIdentified
from planner.laws import Form, OptimisationClass
from planner.laws.variables import allowed

Answer = Decided | Refused
Trial = Callable[[Mapping[str, LawVariable]], Answer]
PER_DECADE, STEPS = 2, 16  # trials of the first pass, of a variable that is positive or not
REFINEMENTS = 16  # golden sections round its best
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def needs_search(form: Form, choices: Mapping[str, LawVariable]) -> bool:
    """Whether the law is not log-log convex, or leaves a variable open that has no logarithm."""
    if form.optimisation_class is OptimisationClass.SEARCH:
        return True
    if all(allowed(name).lower > 0.0 for name in form.variables):
        return False
    return any(lower <= 0.0 for lower, _ in settle(form, choices, COUNTS).free.values())


def best_of_search(form: Form, choices: Mapping[str, LawVariable], objective: str, trial: Trial) -> Answer:
    """The best answer of `trial` over one open variable of the law and the values of all that are enumerated.

    Raises InvalidInput as `settle` does, and whatever `trial` raises.
    """
    settled = settle(form, choices, COUNTS)
    found: list[Answer] = []
    for variant in settled.variants:
        fixed = {**choices, **{name: LawVariable((value,)) for name, value in variant.items()}}
        if not settled.free:
            found.append(trial(fixed))
            continue
        name = "parameter_count" if "parameter_count" in settled.free else next(iter(settled.free))
        found.append(_along(name, settled.free[name], fixed, lambda a: _badness(a, form, objective), trial))
    best = min(found, key=lambda a: _badness(a, form, objective))
    return replace(best, searched=True) if isinstance(best, Decided) else best


def _along(
    name: str,
    bounds: tuple[float, float],
    fixed: Mapping[str, LawVariable],
    badness: Callable[[Answer], float],
    trial: Trial,
) -> Answer:
    """The best answer along one variable: a grid in its logarithm (in itself, if it may be negative), then golden
    sections round the best."""
    positive = bounds[0] > 0.0

    def at(place: float) -> Answer:
        value = float(np.clip(np.exp(place) if positive else place, *bounds))
        return trial({**fixed, name: LawVariable((value,))})

    low, high = np.log(bounds) if positive else bounds
    count = max(int(PER_DECADE * (high - low) / np.log(10.0)), 2) if positive else STEPS
    grid = np.linspace(low, high, count + 1)
    answers = [at(x) for x in grid]
    k = int(np.argmin([badness(a) for a in answers]))
    if not np.isfinite(badness(answers[k])):
        return answers[k]
    best = answers[k]
    left, right = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    inner = [right - GOLDEN * (right - left), left + GOLDEN * (right - left)]
    tried = [at(x) for x in inner]
    for _ in range(REFINEMENTS):
        best = min([best, *tried], key=badness)
        if badness(tried[0]) <= badness(tried[1]):
            right, inner, tried = inner[1], [0.0, inner[0]], [tried[0], tried[0]]
            inner[0] = right - GOLDEN * (right - left)
            tried[0] = at(inner[0])
        else:
            left, inner, tried = inner[0], [inner[1], 0.0], [tried[1], tried[1]]
            inner[1] = left + GOLDEN * (right - left)
            tried[1] = at(inner[1])
    return min([best, *tried], key=badness)


def _badness(answer: Answer, form: Form, objective: str) -> float:
    """What to minimise over answers; infinite for a refusal."""
    if isinstance(answer, Refused):
        return float("inf")
    value = answer.metrics[objective]
    if not np.isfinite(value):
        raise NotIdentified(f"{form.form_name} gives {value} at the decision looked at")
    return -value if objective == "loss" and form.larger_is_better else value

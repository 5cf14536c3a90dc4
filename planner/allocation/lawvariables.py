"""What may be decided about a law's own variables: settled, chosen from a few values, or free within a range.

Counts of parameters, tokens and FLOPs are free unless the question says otherwise, for a budget bounds them. Anything
else that a law knows (bits, density, granularity, samples …) costs what the question says, so the question must say
which values it may take.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.errors import InvalidInput, Violation, require
from planner.laws import Form
from planner.laws.variables import allowed, variable

FREE = (
    "parameter_count",
    "token_count",
    "finetuning_token_count",
    "character_count",
    "step_count",
    "interaction_count",
    "training_flops",
)
COST = ("parameter_count", "token_count", "batch_token_count")  # may be given for the cost, also if the law lacks them
USUAL_EXPERT_COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
MOST_VARIANTS = 4096


@dataclass(frozen=True)
class LawVariable:
    """What one variable of a law may be: one value, one of several values, or anything within a range."""

    values: tuple[float, ...] = ()
    lower: float | None = None
    upper: float | None = None

    def violations(self, name: str) -> tuple[Violation, ...]:
        """What is wrong with it as the choice of the variable called `name`."""
        path, limits = f"law_variables.{name}", allowed(name)
        given = (*self.values, *(end for end in (self.lower, self.upper) if end is not None))
        found = [v for value in given for v in limits.check(path, value)]
        if bool(self.values) == (self.lower is not None or self.upper is not None):
            found.append(Violation(path, "no value" if not given else "values and a range", "either values or a range"))
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            found.append(Violation(path, f"{self.lower:g} to {self.upper:g}", "a range whose lower end is below"))
        return tuple(found)


@dataclass(frozen=True)
class Settled:
    """The variables of a law, sorted by what may be decided: `given` one value, `variants` the combinations of those
    with several, `free` the rest with their range. `ranged` are the free ones whose range the question gives."""

    given: Mapping[str, float] = field(default_factory=dict)
    variants: tuple[Mapping[str, float], ...] = ({},)
    free: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ranged: frozenset[str] = frozenset()


def settle(form: Form, choices: Mapping[str, LawVariable], ranges: Mapping[str, tuple[float, float]]) -> Settled:
    """Sort the variables of `form` by what `choices` say; `ranges` bounds the usual decision variables.

    Raises InvalidInput naming every variable that is unknown to the law or has to be given.
    """
    known = {*form.variables, *COST}
    found = [
        Violation(f"law_variables.{name}", "given", f"one of {', '.join(form.variables)} (the law's variables)")
        for name in choices
        if name not in known
    ]
    values: dict[str, tuple[float, ...]] = {n: c.values for n, c in choices.items() if c.values}
    free: dict[str, tuple[float, float]] = {}
    for name in form.variables:
        choice = choices.get(name)
        if name in values:
            continue
        if name in form.enumerated and (choice or name != "expert_count"):
            found.append(Violation(f"law_variables.{name}", "unset" if choice is None else "a range", _values(name)))
        elif name in form.enumerated:
            values[name] = USUAL_EXPERT_COUNTS
        elif choice is None and name not in FREE:
            found.append(Violation(f"law_variables.{name}", "unset", _values(name) + " or a range"))
        else:
            free[name] = _range(name, choice, ranges)
    require(*found)
    given = {name: options[0] for name, options in values.items() if len(options) == 1}
    several = {name: options for name, options in values.items() if len(options) > 1}
    combinations = itertools.product(*several.values())
    variants = tuple(dict(zip(several, values_of_one, strict=True)) for values_of_one in combinations)
    if len(variants) > MOST_VARIANTS:
        raise InvalidInput(Violation("law_variables", f"{len(variants)} combinations", f"at most {MOST_VARIANTS}"))
    return Settled(given, variants, free, frozenset(n for n, c in choices.items() if not c.values))


def _range(name: str, choice: LawVariable | None, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    limits = allowed(name)
    lower, upper = ranges.get(name, (max(limits.lower, 1e-12), min(limits.upper, 1e40)))
    if choice is None:
        return lower, upper
    return (lower if choice.lower is None else choice.lower), (upper if choice.upper is None else choice.upper)


def _values(name: str) -> str:
    low, high = variable(name).usual
    return f"one or several values (usual: {low:g} to {high:g})"

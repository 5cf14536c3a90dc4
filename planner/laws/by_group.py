"""A form for several groups of runs at once: some coefficients shared by all, the others one per group.

Corpora, recipes or token settings often differ in scale and floor but not in slope. `by_group` makes a form of the same
formula whose coefficients are spelled `E_in_1`, `E_in_2`, … where they differ; it has one more variable, `group`, the
number of the group from 1. It is fitted, stored and evaluated like any other form, and its name says what it is made
of: `chinchilla@3:E,A,B` has floors and scales of their own in three groups.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import make_dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, FormT

GROUP = "group"
SEPARATOR = "@"
MOST_GROUPS = 256


def scales(form: type[Form]) -> frozenset[str]:
    """Names of the coefficients that are positive scales or enter linearly: those that groups usually differ in."""
    return frozenset(c.name for c in form.coefficients if c.logarithmic or c.linear)


def by_group(form: type[Form], own: Collection[str], groups: int) -> type[Form]:
    """The form for `groups` groups, of which each has its `own` coefficients and all share the rest."""
    return _made(form, frozenset(own), groups)


def spelled(form: type[Form], own: Collection[str], groups: int) -> str:
    """The name of the form for groups."""
    return f"{form.form_name}{SEPARATOR}{groups}:{','.join(n for n in form.names() if n in own)}"


def of_group(form: type[FormT], own: Collection[str], values: Any, number: int) -> FormT:
    """The plain form with the coefficients `values` (name -> value) of group `number`, counted from 1."""
    return form(**{name: values[f"{name}_in_{number}" if name in own else name] for name in form.names()})


@cache
def _made(form: type[Form], own: frozenset[str], groups: int) -> type[Form]:
    specs: list[Coefficient] = []
    for c in form.coefficients:
        specs += [replace(c, name=f"{c.name}_in_{g}") for g in range(1, groups + 1)] if c.name in own else [c]

    def loss(self: Any, **variables: Any) -> Any:
        """The loss of each run with the coefficients of its group."""
        *rest, group = self.read(variables)
        members = [np.asarray(group == g, float) for g in range(1, groups + 1)]
        values: dict[str, Any] = {}
        for name in form.names():
            if name in own:
                parts = [getattr(self, f"{name}_in_{g}") * member for g, member in enumerate(members, start=1)]
                values[name] = sum(parts[1:], start=parts[0])
            else:
                values[name] = getattr(self, name)
        return form(**values).loss(**dict(zip(form.variables, rest, strict=True)))

    loss.__doc__ = f"{(form.loss.__doc__ or '').strip().splitlines()[0]} Coefficients of each group its own."

    def compute_optimal_exponents(self: Any) -> Any:
        """Those of the form where all groups share what they depend on, else None."""
        if any(c.name in own and not (c.logarithmic or c.linear) for c in form.coefficients):
            return None
        return of_group(form, own, self.values(), 1).compute_optimal_exponents()

    body = {
        "form_name": spelled(form, own, groups),
        "variables": (*form.variables, GROUP),
        "coefficients": tuple(specs),
        "citation": form.citation,
        "optimisation_class": form.optimisation_class,
        "enumerated": (*form.enumerated, GROUP),
        "observed": form.observed,
        "hyper_parameters": form.hyper_parameters,
        "tuned_form": None
        if form.tuned_form is None
        else _made(form.tuned_form, own & {*form.tuned_form.names()}, groups),
        "loss": loss,
        "compute_optimal_exponents": compute_optimal_exponents,
    }
    made: type[Form] = make_dataclass(
        f"{form.__name__}ByGroup", [(c.name, Coef) for c in specs], bases=(Form,), namespace=body, frozen=True
    )
    return made

"""A form for several groups of runs at once: some coefficients shared by all, the others one per group.

Corpora, recipes or token settings often differ in scale and floor but not in slope. `per_group` makes a form of the
same formula whose coefficients are spelled `E_in_0`, `E_in_1`, … where they differ; it has one more variable, `group`,
the number of the group from 0. It goes through the same fitting as any other form.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import make_dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from planner.laws.form import Coef, Coefficient, Form

GROUP = "group"


def scales(form: type[Form]) -> frozenset[str]:
    """Names of the coefficients that are positive scales or enter linearly: those that groups usually differ in."""
    return frozenset(c.name for c in form.coefficients if c.logarithmic or c.linear)


def per_group(form: type[Form], own: Collection[str], groups: int) -> type[Form]:
    """The form for `groups` groups, of which each has its `own` coefficients and all share the rest."""
    return _made(form, frozenset(own), groups)


@cache
def _made(form: type[Form], own: frozenset[str], groups: int) -> type[Form]:
    specs: list[Coefficient] = []
    for c in form.coefficients:
        specs += [replace(c, name=f"{c.name}_in_{g}") for g in range(groups)] if c.name in own else [c]

    def loss(self: Any, **variables: Any) -> Any:
        """The loss of each run with the coefficients of its group."""
        *rest, group = self.read(variables)
        members = [np.asarray(group == g, float) for g in range(groups)]
        values: dict[str, Any] = {}
        for name in form.names():
            if name in own:
                parts = [getattr(self, f"{name}_in_{g}") * members[g] for g in range(groups)]
                values[name] = sum(parts[1:], start=parts[0])
            else:
                values[name] = getattr(self, name)
        return form(**values).loss(**dict(zip(form.variables, rest, strict=True)))

    body = {
        "form_name": f"{form.form_name} in {groups} groups",
        "variables": (*form.variables, GROUP),
        "coefficients": tuple(specs),
        "citation": form.citation,
        "optimisation_class": form.optimisation_class,
        "observed": form.observed,
        "loss": loss,
    }
    made: type[Form] = make_dataclass(
        f"{form.__name__}InGroups", [(c.name, Coef) for c in specs], bases=(Form,), namespace=body, frozen=True
    )
    return made

"""Which forms a table allows, and the rows that all of them can use.

A form is a candidate if its variables are columns of the table (or follow from them) and vary; forms are compared on
the same rows, since a form that may leave out hard runs would look better than it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, PlanningError, UnknownName, Violation
from planner.fitting.columns import columns_of_variables
from planner.fitting.missing import missing_columns
from planner.fitting.observations import Observations, observe
from planner.fitting.runs import Runs
from planner.fitting.sweeps import Sweep, found_sweep
from planner.laws.form import Form
from planner.laws.forms import FORMS, form_class

Array = NDArray[np.float64]
RUNS_PER_COEFFICIENT = 10  # of a sweep, for a surface over its hyper-parameters


@dataclass(frozen=True, eq=False)
class Rows:
    """Runs ready to be compared on: every variable of any candidate, losses, groups, all (rows,)."""

    variables: Mapping[str, Array]
    losses: Array
    training_flops: Array
    groups: NDArray[np.intp] | None
    rows: NDArray[np.intp]
    signed: bool
    group_names: tuple[str, ...] = ()  # by number

    def take(self, mask: NDArray[Any]) -> Rows:
        """The rows of a mask or of indices."""
        return Rows(
            {k: v[mask] for k, v in self.variables.items()},
            self.losses[mask],
            self.training_flops[mask],
            None if self.groups is None else self.groups[mask],
            self.rows[mask],
            self.signed,
            self.group_names,
        )

    def of(self, names: Iterable[str]) -> dict[str, Array]:
        """The variables of a form."""
        return {name: self.variables[name] for name in names}

    def by_group(self) -> list[Rows]:
        """One part a group; an absent group gives an empty part."""
        assert self.groups is not None
        return [self.take(self.groups == g) for g in range(int(self.groups.max(initial=0)) + 1)]

    def distinct(self, names: Iterable[str]) -> int:
        """Number of distinct points in these variables."""
        return len(np.unique(np.stack([self.variables[name] for name in names], axis=1), axis=0))


def candidates(
    runs: Runs,
    forms: Iterable[str] | None,
    where: str | None,
    mapping: Mapping[str, str] | None,
    group: str | None,
) -> tuple[dict[type[Form], Observations], dict[str, str]]:
    """Forms with what they see of the table, and why others were left out (only of those asked for by name).

    Of a sweep of hyper-parameters all see the best run of each point, unless a form reads them: where none is asked for
    by name it then stands alone, for no other says anything of the runs that are not tuned.

    Raises UnknownName for a form, InvalidInput for an empty list, and what the one form asked for raises.
    """
    kinds = allowed_forms(runs, mapping) if forms is None else [form_class(name) for name in forms]
    if not kinds:
        raise InvalidInput(Violation("forms", "none", "at least one form, or auto"))
    sweep = found_sweep(runs, kinds[0] if len(kinds) == 1 else None, where=where, mapping=mapping, group=group)
    if forms is None:
        kinds = _of_sweeps(kinds, sweep, runs, where, mapping, group)
        sweep = None if all(kind.hyper_parameters for kind in kinds) else sweep
    kept = None if sweep is None else sweep.best
    seen: dict[type[Form], Observations] = {}
    excluded: dict[str, str] = {}
    failures: list[PlanningError] = []
    for kind in kinds:
        try:
            seen[kind] = observe(runs, kind, where=where, mapping=mapping, group=group, kept=kept)
        except UnknownName:
            raise
        except PlanningError as error:
            failures.append(error)
            excluded[kind.form_name] = error.message
    if not seen:
        raise failures[0]
    return seen, excluded


def _of_sweeps(
    kinds: list[type[Form]],
    sweep: Sweep | None,
    runs: Runs,
    where: str | None,
    mapping: Mapping[str, str] | None,
    group: str | None,
) -> list[type[Form]]:
    """Of a sweep the forms that read its hyper-parameters if it can bear them, else the forms that do not."""
    surfaces = [kind for kind in kinds if kind.hyper_parameters]
    if sweep is not None:
        bearable = [k for k in surfaces if sweep.runs >= RUNS_PER_COEFFICIENT * len(k.coefficients)]
        with suppress(PlanningError):
            for kind in bearable:
                observe(runs, kind, where=where, mapping=mapping, group=group)
            if bearable:
                return bearable
    return [kind for kind in kinds if kind not in surfaces]


def allowed_forms(runs: Runs, mapping: Mapping[str, str] | None) -> list[type[Form]]:
    """Every form whose variables the columns give. Raises InvalidInput where that is none."""
    present = columns_of_variables(runs, mapping)
    if "loss" not in present:
        raise InvalidInput(*missing_columns(["loss"], runs))
    shares = sum(name.startswith("domain_share_") for name in present)
    kinds = list(FORMS)
    for stem in ("mixture", "mixture-power"):
        try:
            kinds.append(form_class(f"{stem}-{shares}"))
        except UnknownName:
            continue
    found = []
    for kind in dict.fromkeys(kinds):
        try:
            observe(runs, kind, mapping=mapping)
        except InvalidInput as error:
            if all(v.value == "missing" for v in error.violations):
                continue
        except NotIdentified:
            continue
        found.append(kind)
    numbered = [kind for kind in found if any(name.startswith("domain_share_") for name in kind.variables)]
    found = [kind for kind in found if kind not in numbered or len(kind.variables) >= shares]
    if not found:
        names = ", ".join(runs.names)
        raise InvalidInput(Violation("runs", f"columns {names}", "columns that give the variables of some form"))
    return found


def common_rows(seen: Mapping[type[Form], Observations]) -> Rows:
    """The rows that every candidate can use."""
    shared = None
    for found in seen.values():
        shared = found.rows if shared is None else np.intersect1d(shared, found.rows)
    assert shared is not None
    if not len(shared):
        raise InvalidInput(Violation("runs", "no row that all forms can use", "rows without blanks in their columns"))
    variables: dict[str, Array] = {}
    first = next(iter(seen.values()))
    flops = np.full(len(shared), np.nan)
    for found in seen.values():
        at = np.isin(found.rows, shared)
        variables |= {k: v[at] for k, v in found.variables.items()}
        flops = np.where(np.isfinite(flops), flops, found.training_flops[at])
    at = np.isin(first.rows, shared)
    losses, groups = first.losses[at], None if first.groups is None else first.groups[at]
    return Rows(variables, losses, flops, groups, shared, bool(np.any(losses <= 0)), first.group_names)

"""From a runs table to the arrays a fit needs: the values of each variable, and whether they can be used.

`planner.fitting.columns` says which column is which variable. Where only two of parameters, tokens and compute are
known, the third follows from C = 6 N D, and that is recorded. Every violation is reported with its column, row and
value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, Violation, require
from planner.fitting.columns import columns_of_variables
from planner.fitting.missing import missing_columns
from planner.fitting.rowfilter import as_written, chosen_rows
from planner.fitting.runs import Runs
from planner.fitting.sources import Source, quantities
from planner.laws.compute import SIMPLE
from planner.laws.form import Form
from planner.laws.forms import FORMS
from planner.laws.variables import allowed, is_allowed

Array = NDArray[np.float64]

Rule = tuple[tuple[str, ...], str, Callable[..., Any]]  # columns it starts from, in words, as a function
DERIVED: Mapping[str, tuple[Rule, ...]] = {
    "token_count": (
        (("character_count",), "character_count, in place of tokens", lambda characters: characters),
        (
            ("training_flops", "parameter_count"),
            "training_flops / (6 × parameter_count)",
            lambda flops, parameters: flops / SIMPLE.training_flops(parameters, 1.0),
        ),
        (
            ("first_token_count", "second_token_count"),
            "first_token_count + second_token_count",
            lambda first, second: first + second,
        ),
    ),
    "first_modality_share": (
        (
            ("first_token_count", "second_token_count"),
            "first_token_count / (first_token_count + second_token_count)",
            lambda first, second: first / (first + second),
        ),
    ),
    "parameter_count": (
        (
            ("training_flops", "token_count"),
            "training_flops / (6 × token_count)",
            lambda flops, tokens: flops / SIMPLE.training_flops(tokens, 1.0),
        ),
    ),
    "density": (
        (("sparsity",), "1 - sparsity", lambda sparsity: 1.0 - sparsity),
        (("expansion",), "1 / expansion", lambda expansion: 1.0 / expansion),
    ),
    "active_expert_share": ((("expansion",), "1 / expansion", lambda expansion: 1.0 / expansion),),
    "epoch_count": (
        (
            ("token_count", "unique_token_count"),
            "token_count / unique_token_count, at least 1",
            lambda tokens, unique: np.maximum(tokens / unique, 1.0),
        ),
    ),
    "unique_token_count": (
        (
            ("token_count", "epoch_count"),
            "token_count / epoch_count",
            lambda tokens, epochs: tokens / np.maximum(epochs, 1.0),
        ),
    ),
}
RUN_COLUMNS = frozenset({"run_id", "run", "run_name", "runid", "hyper_id", "wandb_id", "experiment_id", "trial_id"})


@dataclass(frozen=True, eq=False)
class Observations:
    """Arrays (rows,) ready to be fitted, and how they were obtained."""

    variables: Mapping[str, Array]
    losses: Array
    training_flops: Array
    columns: Mapping[str, str]  # variable -> column, with the factor if any, or the rule it was derived by
    counting: str
    rows: NDArray[np.intp]  # index of each row in the table
    rows_dropped: int  # rows with blank cells in a needed column
    rows_excluded: int  # rows the filter left out
    groups: NDArray[np.intp] | None = None  # (rows,) numbers from 0 in order of appearance, where a column names groups
    group_names: tuple[str, ...] = ()  # by number
    run_labels: NDArray[np.intp] | None = None  # likewise of the run a row belongs to, where `run_column` names it
    run_column: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict)  # of the variables that columns hold, of any form

    @property
    def group_count(self) -> int | None:
        """How many groups the runs form, where that is known."""
        return None if self.groups is None else int(self.groups.max()) + 1

    def take(self, chosen: NDArray[np.bool_]) -> Observations:
        """The chosen rows."""
        members = None if self.groups is None else self.groups[chosen]
        return replace(
            self,
            variables={k: v[chosen] for k, v in self.variables.items()},
            losses=self.losses[chosen],
            training_flops=self.training_flops[chosen],
            rows=self.rows[chosen],
            groups=None if members is None else numbered(members),
            group_names=() if members is None else tuple(self.group_names[g] for g in dict.fromkeys(members.tolist())),
            run_labels=None if self.run_labels is None else numbered(self.run_labels[chosen]),
        )


def observe(
    runs: Runs,
    form: type[Form],
    *,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    free_coefficients: int | None = None,
    group: str | None = None,
    kept: NDArray[np.bool_] | None = None,
) -> Observations:
    """The rows of `runs` that a fit of `form` can use; `group` is the column that names the group of a run.

    `kept` (rows,) marks rows that count beside `where`: None for all.

    Raises InvalidInput for text, NaN, infinite or non-positive values, too few rows; NotIdentified where rows do not
    differ enough for the form's coefficients; UnknownName for columns and variables.
    """
    mask = np.ones(runs.row_count, dtype=bool) if where is None else chosen_rows(runs, where)
    if not mask.any():
        raise InvalidInput(Violation("where", str(where), "a condition that holds for at least one row"))
    mask = mask if kept is None else mask & kept
    columns = columns_of_variables(runs, mapping)
    table = _Table(runs, columns, np.flatnonzero(mask))
    values = {name: table.values(name) for name in (*form.variables, "loss")}
    missing = [name for name, v in values.items() if v is None]
    require(*missing_columns(missing, runs))
    present = {k: v for k, v in values.items() if v is not None}
    members = None if group is None else table.groups(group)
    usable = ~np.any([*(table.blank[k] for k in present)] + ([] if members is None else [members == ""]), axis=0)
    if not usable.any():
        raise InvalidInput(Violation("runs", "no row without blank cells", f"values for {', '.join(present)}"))
    table.check(present, usable, form.observed)
    _check_enough(form, present, usable, free_coefficients or len(form.coefficients))
    arrays = {k: v[usable] for k, v in present.items()}
    losses = arrays.pop("loss")
    return Observations(
        arrays,
        losses,
        _flops(table, arrays, usable),
        table.how,
        (columns["parameter_count"].counting if "parameter_count" in columns else None) or "total",
        table.rows[usable],
        int((~usable).sum()),
        int((~mask).sum()),
        None if members is None else numbered(members[usable]),
        () if members is None else tuple(dict.fromkeys(members[usable].tolist())),
        *_runs_named(table, usable),
        {k: columns[k] for k in table.how if k in columns},
    )


def numbered(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Numbers from 0 for equal labels, in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse.reshape(-1)], dtype=np.intp)


class _Table:
    """The chosen rows, with the third of (N, D, C) derived from the other two."""

    def __init__(self, runs: Runs, columns: Mapping[str, Source], rows: NDArray[np.intp]) -> None:
        self.runs, self.columns, self.rows = runs, columns, rows
        self.how: dict[str, str] = {}
        self.blank: dict[str, NDArray[np.bool_]] = {}

    def values(self, variable: str) -> Array | None:
        if variable in self.columns:
            source = self.columns[variable]
            column = self.runs.columns[source.column].take(self.rows)
            self.how[variable], self.blank[variable] = str(source), column.blank
            numbers = column.numbers if column.text is None else self._said(source.column, column.text)
            return source.of(numbers)
        return self._derived(variable)

    def _derived(self, variable: str) -> Array | None:
        for sources, text, rule in DERIVED.get(variable, ()):
            if all(s in self.columns for s in sources):
                values = [np.asarray(self.values(s)) for s in sources]
                self.how[variable] = text
                self.blank[variable] = np.any([self.blank[s] for s in sources], axis=0)
                with np.errstate(all="ignore"):
                    return np.asarray(rule(*values))
        return None

    def groups(self, name: str) -> NDArray[np.str_]:
        """The group of each row as text, "" where the cell is blank. Raises UnknownName, InvalidInput for NaN."""
        column = self.runs.column(name).take(self.rows)
        failed = np.isnan(column.numbers) & ~column.blank & (not column.is_text)
        if failed.any():
            where = f"nan (row {self.rows[int(np.argmax(failed))] + 1})"
            raise InvalidInput(Violation(name, where, "a number or text that names the group of the run"))
        return np.where(column.blank, "", column.cells.astype(str))

    def _said(self, name: str, text: NDArray[np.str_]) -> Array:
        """Numbers of a column of text, if every chosen cell that is not blank says one (`70M`)."""
        numbers = quantities(text)
        silent = np.isnan(numbers) & (text != "") & (np.char.lower(text) != "nan")
        if silent.any():
            k = int(np.argmax(silent))
            where = f"{str(text[k])!r} (row {self.rows[k] + 1})"
            raise InvalidInput(Violation(name, where, "a number in every chosen row"))
        return numbers

    def check(self, values: Mapping[str, Array], usable: NDArray[np.bool_], observed: str) -> None:
        """Every usable value must be a number in the variable's physical range; `observed` names that of the loss."""
        violations = []
        for variable, x in values.items():
            limited_as = observed if variable == "loss" else variable
            wrong = usable & ~is_allowed(limited_as, x)
            if wrong.any():
                k = int(np.flatnonzero(wrong)[0])
                name = str(self.columns.get(variable, variable))
                more = f", and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
                limits = allowed(limited_as).check(name, float(x[k]))[0].allowed
                if not wrong[usable].all():
                    limits += self._way_out(variable, wrong, allowed(limited_as).upper)
                elif variable == "loss" and x[k] < 0:
                    limits += self._other_forms()
                violations.append(Violation(name, f"{x[k]:g} (row {self.rows[k] + 1}{more})", limits))
        require(*violations)

    def _way_out(self, variable: str, wrong: NDArray[np.bool_], most: float) -> str:
        """A condition that leaves the wrong rows out, in words; blank where none is as short."""
        source = self.columns.get(variable)
        if source is None or str(source) != source.column or self.runs.columns[source.column].is_text:
            return ""
        name = as_written(source.column)
        for condition in (f"{name} > 0", f"{name} < {most:g}"):
            if not chosen_rows(self.runs, condition)[self.rows][wrong].any():
                return f"; where {condition!r} leaves such rows out"
        return ""

    def _other_forms(self) -> str:
        """Forms of values that may be negative, whose variables the table has, in words."""
        able = [form.form_name for form in FORMS if form.signed() and set(form.variables) <= self.columns.keys()]
        return f"; forms whose values may be negative: {', '.join(able)}" if able else ""


def _flops(table: _Table, arrays: Mapping[str, Array], usable: NDArray[np.bool_]) -> Array:
    """Compute per row: the column if it is complete, else 6 N D, else NaN."""
    if "training_flops" in table.columns:
        source = table.columns["training_flops"]
        flops = source.numbers(table.runs)[table.rows][usable]
        if bool(np.all(np.isfinite(flops) & (flops > 0))):
            table.how["training_flops"] = str(source)
            return np.asarray(flops)
    if {"parameter_count", "token_count"} <= arrays.keys():
        table.how["training_flops"] = "6 × parameter_count × token_count"
        return np.asarray(SIMPLE.training_flops(arrays["parameter_count"], arrays["token_count"]))
    return np.full(int(usable.sum()), np.nan)


def _runs_named(table: _Table, usable: NDArray[np.bool_]) -> tuple[NDArray[np.intp] | None, str]:
    """Numbers of the runs that rows belong to and the column that names them; a blank cell is a run of its own."""
    taken = {source.column for source in table.columns.values()}
    column = next((n for n in table.runs.names if n.lower() in RUN_COLUMNS and n not in taken), None)
    if column is None:
        return None, ""
    cells = table.runs.columns[column].take(table.rows[usable])
    known = np.where(cells.blank, "", cells.cells.astype(str))
    alone = np.char.add("row ", np.arange(len(known)).astype(str))
    return numbered(np.where(known == "", alone, known)), column


def _check_enough(form: type[Form], values: Mapping[str, Array], usable: NDArray[np.bool_], free: int) -> None:
    count, needed = int(usable.sum()), free + 1
    if count < needed:
        found = f"{count} usable row" + ("s" if count != 1 else "")
        allowed = f"at least {needed} rows for {free} coefficients of {form.form_name}"
        raise InvalidInput(Violation("runs", found, allowed))
    matrix = np.stack([values[v][usable] for v in form.variables], axis=1)
    constant = [v for k, v in enumerate(form.variables) if np.ptp(matrix[:, k]) == 0]
    if constant:
        raise NotIdentified(f"{', '.join(constant)} has one value in all rows: its effect cannot be told from the rest")
    distinct = len(np.unique(matrix, axis=0))
    if distinct < needed:
        raise NotIdentified(
            f"{distinct} distinct rows cannot determine the {free} coefficients of {form.form_name}: {needed} needed"
        )

"""From a runs table to the arrays a fit needs: which column is which variable, and whether the values can be used.

Columns are found by the names people give them (N, D, params, tokens, …), overridden by an explicit mapping. Where
only two of parameters, tokens and compute are known, the third follows from C = 6 N D, and that is recorded. Every
violation is reported with its column, row and value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, UnknownName, Violation, require
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.laws.compute import SIMPLE
from planner.laws.form import Form
from planner.laws.variables import allowed, canonical, is_allowed, variables

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
COUNTING_OF_COLUMN: Mapping[str, str] = {
    "N_active": "active",
    "active_parameter_count": "active",
    "N_nonemb": "non_embedding",
    "N_nonvocab": "non_embedding",
    "non_vocab_parameters": "non_embedding",
    "non_embedding_param_size": "non_embedding",
    "dense_parameter_count": "active",
    "N_total": "total",
    "total_parameter_count": "total",
    "N_nonzero": "nonzero",
    "nonzero_parameter_count": "nonzero",
}

LOSS_WORD = re.compile(r"(?<![a-z])(loss|nll)(?![a-z])", re.IGNORECASE)
RUN_COLUMNS = frozenset({"run_id", "run", "run_name", "runid", "hyper_id", "wandb_id", "experiment_id", "trial_id"})


def counting_of(column: str, mapping: Mapping[str, str] | None = None) -> str | None:
    """How the parameters of a column are counted, by the name it is mapped to or its own; None where neither says."""
    mapped = (mapping or {}).get(column, "")
    return COUNTING_OF_COLUMN.get(mapped) or COUNTING_OF_COLUMN.get(column)


@dataclass(frozen=True, eq=False)
class Observations:
    """Arrays (rows,) ready to be fitted, and how they were obtained."""

    variables: Mapping[str, Array]
    losses: Array
    training_flops: Array
    columns: Mapping[str, str]  # variable -> column, or the rule it was derived by
    counting: str
    rows: NDArray[np.intp]  # index of each row in the table
    rows_dropped: int  # rows with blank cells in a needed column
    rows_excluded: int  # rows the filter left out
    groups: NDArray[np.intp] | None = None  # (rows,) numbers from 0 in order of appearance, where a column names groups
    group_names: tuple[str, ...] = ()  # by number
    run_labels: NDArray[np.intp] | None = None  # likewise of the run a row belongs to, where `run_column` names it
    run_column: str = ""

    @property
    def group_count(self) -> int | None:
        """How many groups the runs form, where that is known."""
        return None if self.groups is None else int(self.groups.max()) + 1

    def take(self, chosen: NDArray[np.bool_]) -> Observations:
        """The chosen rows."""
        members = None if self.groups is None else self.groups[chosen]
        return Observations(
            {k: v[chosen] for k, v in self.variables.items()},
            self.losses[chosen],
            self.training_flops[chosen],
            self.columns,
            self.counting,
            self.rows[chosen],
            self.rows_dropped,
            self.rows_excluded,
            None if members is None else numbered(members),
            () if members is None else tuple(self.group_names[g] for g in dict.fromkeys(members.tolist())),
            None if self.run_labels is None else numbered(self.run_labels[chosen]),
            self.run_column,
        )


def columns_of_variables(runs: Runs, mapping: Mapping[str, str] | None = None) -> dict[str, str]:
    """variable -> column, by `mapping` (column -> variable) first, then by the usual names.

    The one column of numbers that is named like a loss is the loss where none has its usual name.

    Raises UnknownName for a mapped column the table does not have.
    """
    found: dict[str, str] = {}
    for column, variable in (mapping or {}).items():
        runs.column(column)
        found[canonical(variable)] = column
    taken = set(found.values())
    folded = {name.lower(): name for name in reversed(runs.names)}
    for variable, entry in variables().items():
        for alias in entry.aliases:
            column = alias if alias in runs.columns else folded.get(alias.lower(), "") if len(alias) > 1 else ""
            if variable not in found and column and column not in taken:
                found[variable] = column
    for column in runs.names:
        numbered_name = re.fullmatch(r"(.+)_(\d+)", column)
        if numbered_name and column not in taken and canonical(numbered_name[1]) in variables():
            found.setdefault(f"{canonical(numbered_name[1])}_{numbered_name[2]}", column)
    if "loss" not in found:
        losses = [c for c in runs.names if LOSS_WORD.search(c) and c not in taken and not runs.columns[c].is_text]
        if len(losses) == 1:
            found["loss"] = losses[0]
    return found


def missing_column(variable: str, runs: Runs) -> Violation:
    """What is said of a variable that no column holds: the columns there are, and how to name one of them."""
    names = runs.names
    candidates = [c for c in names if LOSS_WORD.search(c)] if variable == "loss" else []
    example = candidates[0] if candidates else "COLUMN"
    allowed = f"a column for it, or a mapping such as {example}={variable}, among: {', '.join(names)}"
    return Violation(variable, "missing", allowed)


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
    differ enough for the form's coefficients; UnknownName for columns.
    """
    known_variables = {*form.variables, *variables()}
    for variable in (mapping or {}).values():
        if canonical(variable) not in known_variables:
            raise UnknownName("variable", variable, known_variables)
    mask = np.ones(runs.row_count, dtype=bool) if where is None else chosen_rows(runs, where)
    if not mask.any():
        raise InvalidInput(Violation("where", str(where), "a condition that holds for at least one row"))
    mask = mask if kept is None else mask & kept
    columns = columns_of_variables(runs, mapping)
    table = _Table(runs, columns, np.flatnonzero(mask))
    values = {name: table.values(name) for name in (*form.variables, "loss")}
    missing = [name for name, v in values.items() if v is None]
    require(*(missing_column(name, runs) for name in missing))
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
        counting_of(columns.get("parameter_count", ""), mapping) or "total",
        table.rows[usable],
        int((~usable).sum()),
        int((~mask).sum()),
        None if members is None else numbered(members[usable]),
        () if members is None else tuple(dict.fromkeys(members[usable].tolist())),
        *_runs_named(table, usable),
    )


def numbered(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Numbers from 0 for equal labels, in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    return np.asarray(order[inverse.reshape(-1)], dtype=np.intp)


class _Table:
    """The chosen rows, with the third of (N, D, C) derived from the other two."""

    def __init__(self, runs: Runs, columns: Mapping[str, str], rows: NDArray[np.intp]) -> None:
        self.runs, self.columns, self.rows = runs, columns, rows
        self.how: dict[str, str] = {}
        self.blank: dict[str, NDArray[np.bool_]] = {}

    def values(self, variable: str) -> Array | None:
        if variable in self.columns:
            name = self.columns[variable]
            column = self.runs.columns[name].take(self.rows)
            self.how[variable], self.blank[variable] = name, column.blank
            return column.numbers if column.text is None else self._parsed(name, column.text)
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

    def _parsed(self, name: str, text: NDArray[np.str_]) -> Array:
        """Numbers of a column that holds text in some row, if not in the chosen ones."""
        numbers = np.full(len(text), np.nan)
        for k, cell in enumerate(text.tolist()):
            try:
                numbers[k] = float(cell) if cell else np.nan
            except ValueError as error:
                where = f"{cell!r} (row {self.rows[k] + 1})"
                raise InvalidInput(Violation(name, where, "a number in every chosen row")) from error
        return numbers

    def check(self, values: Mapping[str, Array], usable: NDArray[np.bool_], observed: str) -> None:
        """Every usable value must be a number in the variable's physical range; `observed` names that of the loss."""
        violations = []
        for variable, x in values.items():
            limited_as = observed if variable == "loss" else variable
            wrong = usable & ~is_allowed(limited_as, x)
            if wrong.any():
                k = int(np.flatnonzero(wrong)[0])
                field = self.columns.get(variable, variable)
                more = f", and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
                limits = allowed(limited_as).check(field, float(x[k]))[0].allowed
                violations.append(Violation(field, f"{x[k]:g} (row {self.rows[k] + 1}{more})", limits))
        require(*violations)


def _flops(table: _Table, arrays: Mapping[str, Array], usable: NDArray[np.bool_]) -> Array:
    """Compute per row: the column if it is complete, else 6 N D, else NaN."""
    if "training_flops" in table.columns:
        column = table.runs.columns[table.columns["training_flops"]]
        flops = column.numbers[table.rows][usable]
        if not column.is_text and bool(np.all(np.isfinite(flops) & (flops > 0))):
            table.how["training_flops"] = table.columns["training_flops"]
            return np.asarray(flops)
    if {"parameter_count", "token_count"} <= arrays.keys():
        table.how["training_flops"] = "6 × parameter_count × token_count"
        return np.asarray(SIMPLE.training_flops(arrays["parameter_count"], arrays["token_count"]))
    return np.full(int(usable.sum()), np.nan)


def _runs_named(table: _Table, usable: NDArray[np.bool_]) -> tuple[NDArray[np.intp] | None, str]:
    """Numbers of the runs that rows belong to and the column that names them; a blank cell is a run of its own."""
    column = next((n for n in table.runs.names if n.lower() in RUN_COLUMNS and n not in table.columns.values()), None)
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

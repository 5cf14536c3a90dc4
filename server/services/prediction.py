"""Predictions over a table of points: in pieces, so that many points times many draws fit in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apportion.v1 import table_pb2
from planner.errors import InvalidInput, Violation, require
from planner.fitting import Runs, Source, columns_of_variables, counted_as
from planner.fitting.observations import DERIVED
from planner.fitting.sources import has_source
from planner.laws import Law, Prediction
from planner.laws.by_group import GROUP
from server.convert import tables
from server.convert.problems import named_after
from server.convert.runs import to_runs

_VALUES_AT_ONCE = 4_000_000


def predict(
    law: Law, points: table_pb2.Table, mapping: Mapping[str, str], level: float, *, terms: bool = False
) -> table_pb2.Table:
    """The points with their predicted loss, its interval, the extrapolation ratio; with `terms`, where it comes from.

    Parameters in a column that says how it counts them (`N_nonemb`, `N_total`, …) are converted to how the law counts.
    Raises InvalidInput for variables that are missing, text or not positive, and for counts that cannot be converted;
    UnknownName for mapped columns. Where the points name no hyper-parameter of the law, these are at their best, and
    the answer says which that is.
    """
    runs = to_runs(points)
    columns = _sources(law, runs, mapping)
    form, untuned = law.form, not set(law.form.hyper_parameters) & columns.keys()
    law = law.tuned() if untuned else law
    values = _values(law, runs, columns)
    pieces: list[Prediction] = []
    step = max(1, _VALUES_AT_ONCE // (1 if law.draws is None else len(law.draws)))
    for start in range(0, runs.row_count, step):
        pieces.append(_predict(law, {v: x[start : start + step] for v, x in values.items()}, level, columns))
    answer = table_pb2.Table()
    answer.CopyFrom(points)
    for name, part in (
        ("predicted_loss", [p.loss for p in pieces]),
        ("predicted_loss_lower", [p.lower for p in pieces]),
        ("predicted_loss_upper", [p.upper for p in pieces]),
        ("extrapolation_ratio", [p.extrapolation_ratio for p in pieces]),
    ):
        tables.add_column(answer, name, np.concatenate([np.atleast_1d(x) for x in part]))
    for name, best in (form.best(**values) if untuned else {}).items():
        tables.add_column(answer, name, np.broadcast_to(best, (runs.row_count,)))
    if terms:
        _add_terms(answer, law, runs, values, columns)
    return answer


def _add_terms(
    answer: table_pb2.Table, law: Law, runs: Runs, values: Mapping[str, NDArray[Any]], columns: Mapping[str, Source]
) -> None:
    """Model, data and floor of every loss; where a loss was measured, what it has above the law.

    The law of the best runs of their points is Rosenfeld's envelope (2108.07686): what a run has above it, the
    optimiser did not find (or chance took).
    """
    found = law.form.loss_terms(**values)
    if found is None:
        allowed = f"unset: the form {law.form.form_name} has no model term and data term"
        raise InvalidInput(Violation("include_terms", "true", allowed))
    for name, term in (("model_term", found.model), ("data_term", found.data), ("floor_term", found.floor)):
        tables.add_column(answer, name, np.broadcast_to(np.asarray(term, float), (runs.row_count,)))
    if "loss" in columns and not runs.column(columns["loss"].column).is_text:
        measured = columns["loss"].numbers(runs)
        tables.add_column(answer, "learning_deficiency", measured - np.asarray(law.loss(**values), float))


def _sources(law: Law, runs: Runs, mapping: Mapping[str, str]) -> dict[str, Source]:
    """Where the variables come from: as `mapping` says, else as in the fit if its columns are there, else by name.

    Raises UnknownName for columns and variables, InvalidInput for factors that are no numbers.
    """
    with named_after({"mapping": "column_variables"}):
        return columns_of_variables(runs, _as_fitted(law, runs) | dict(mapping))


def _as_fitted(law: Law, runs: Runs) -> dict[str, str]:
    """Column, with its factor -> variable of the fit, for the columns that the points have too."""
    fitted = ((law.provenance.options.get(f"column of {v}", ""), v) for v in law.form.variables)
    return {text: v for text, v in fitted if has_source(text, runs)}


def _values(law: Law, runs: Runs, columns: Mapping[str, Source]) -> dict[str, NDArray[Any]]:
    """The values of the law's variables, as far as the columns give them or others that they follow from."""
    read = [v for v in (*law.form.variables, "training_flops") if v in columns]
    rules = {
        v: next((rule for rule in DERIVED.get(v, ()) if all(s in columns for s in rule[0])), None)
        for v in law.form.variables
        if v not in columns
    }
    sources = {s for rule in rules.values() if rule is not None for s in rule[0]}
    used = dict.fromkeys(columns[v].column for v in (*read, *sources))
    texts = [name for name in used if runs.column(name).is_text and np.isnan(Source(name).numbers(runs)).any()]
    require(*(Violation(f"points.columns[{name}]", "text", "a column of numbers") for name in texts))
    values: dict[str, NDArray[Any]] = {v: columns[v].numbers(runs) for v in law.form.variables if v in columns}
    for variable, rule in rules.items():
        if rule is not None:
            with np.errstate(all="ignore"):  # what is no number is refused by the law
                values[variable] = np.asarray(rule[2](*(columns[s].numbers(runs) for s in rule[0])))
    if "parameter_count" in values and "parameter_count" in columns:
        known = {v: source.numbers(runs) for v, source in columns.items() if not runs.column(source.column).is_text}
        values["parameter_count"] = counted_as(
            law.counting, columns["parameter_count"], values["parameter_count"], known
        )
    if law.groups:
        values[GROUP] = runs.column(law.group_column).cells.astype(str)
    return values


def _predict(law: Law, values: Mapping[str, NDArray[Any]], level: float, columns: Mapping[str, Source]) -> Prediction:
    try:
        return law.predict(values, level)
    except InvalidInput as error:
        named = {v: f"points.columns[{columns[v].column if v in columns else v}]" for v in law.form.variables}
        violations = (Violation(named.get(v.field, v.field), v.value, v.allowed) for v in error.violations)
        raise InvalidInput(*violations) from error

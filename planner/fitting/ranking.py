"""From the errors of forms to a ranking with intervals, beside baselines, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.fitting.baselines import BASELINES
from planner.fitting.candidates import Rows
from planner.fitting.judgement import (
    ErrorEstimate,
    FormScore,
    absolute_errors,
    estimated,
    r_squared,
    spread,
    statement,
)
from planner.fitting.merit import best_ways
from planner.fitting.trial import Trial, predicted_by
from planner.fitting.way import Way
from planner.laws.form import Form

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SplitSummary:
    """A split and how many runs it fits and predicts."""

    name: str
    fitted_rows: int
    held_rows: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Forms by extrapolation error, the best first, baselines among them.

    `chosen` is the best form by the fitted runs alone, whatever the held-out runs say: by the rules of
    `planner.fitting.merit`, which may pass over the lowest error. `holdout_predictions` are its
    predictions (rows,) of the runs `holdout_rows` (indices in the table). `excluded` says why a form was left out.
    `signed`: errors are differences, else absolute log ratios.
    """

    ranking: tuple[FormScore, ...]
    chosen: FormScore
    trustworthy: bool
    statement: str
    splits: tuple[SplitSummary, ...]
    excluded: Mapping[str, str]
    signed: bool
    rows_used: int
    holdout_rows: NDArray[np.intp]
    holdout_predictions: Array


def ranked(trial: Trial, bootstrap: int, seed: int, favourite: type[Form] | None = None) -> Comparison:
    train, test, whole = trial.train, trial.test, trial.whole
    best_way = best_ways(trial.mean_errors())
    predictions: dict[str, Array] = {}
    errors: dict[str, list[Array]] = {}
    labels: dict[str, Way | None] = {}
    for form, way in best_way.items():
        errors[form.form_name], labels[form.form_name] = trial.judged[way], way
        if len(test.rows):
            predictions[form.form_name] = predicted_by(way, whole, test)
    for name in BASELINES:
        errors[name], labels[name] = baseline_errors(name, trial), None
        if len(test.rows):
            predictions[name] = _guess(name, whole, test)
    members = None if train.groups is None else [train.groups[s.held] for s in trial.splits]
    groups = {} if members is None else {n: _by_group(e, members, train.group_names) for n, e in errors.items()}
    scores = _scores(errors, labels, predictions, trial, bootstrap, seed)
    scores = [replace(s, group_errors=groups.get(s.form, {})) for s in scores]
    favourite = next(iter(best_way)) if favourite is None else favourite
    chosen = next(s for s in scores if s.form == favourite.form_name)
    held_spread = float(np.mean([spread(train.losses[s.held], train.signed) for s in trial.splits]))
    plain = [s for s in scores if s.baseline]
    trustworthy, sentence = statement(chosen, plain, held_spread, len(trial.splits))
    return Comparison(
        tuple(sorted(scores, key=lambda s: (s.holdout_error or s.extrapolation_error).value)),
        chosen,
        trustworthy,
        sentence,
        tuple(SplitSummary(s.name, int(s.fitted.sum()), int(s.held.sum())) for s in trial.splits),
        dict(trial.excluded),
        train.signed,
        len(whole.rows),
        test.rows,
        predictions.get(chosen.form, np.empty(0)),
    )


def _by_group(errors: Sequence[Array], members: Sequence[NDArray[np.intp]], names: Sequence[str]) -> dict[str, float]:
    """Mean error of the held-out runs of each group, over all splits."""
    error, member = np.concatenate(errors), np.concatenate(members)
    return {names[g]: float(error[member == g].mean()) for g in np.unique(member)}


def _scores(
    errors: Mapping[str, list[Array]],
    labels: Mapping[str, Way | None],
    predictions: Mapping[str, Array],
    trial: Trial,
    bootstrap: int,
    seed: int,
) -> list[FormScore]:
    test, whole = trial.test, np.ones(1)
    estimates = {name: estimated(each, trial.weights, bootstrap, seed) for name, each in errors.items()}
    best = min((n for n in errors if labels[n] is not None), key=lambda n: estimates[n][0].value)
    scores = []
    for name, way in labels.items():
        estimate, sample = estimates[name]
        difference = float(np.quantile(sample - estimates[best][1], 0.1))
        checked: ErrorEstimate | None = None
        r2: float | None = None
        if name in predictions:
            missed = absolute_errors(predictions[name], test.losses, test.signed)
            checked, _ = estimated([missed], whole, bootstrap, seed)
            r2 = r_squared(predictions[name], test.losses)
        scores.append(
            FormScore(
                name,
                way.sharing if way else "pooled",
                way.delta if way else 0.0,
                len(way.form.coefficients) if way else 0,
                estimate,
                tuple(float(each.mean()) for each in errors[name]),
                checked,
                r2,
                difference <= 0.0,
                way is None,
            )
        )
    return scores


def baseline_errors(name: str, trial: Trial) -> list[Array]:
    train, found = trial.train, []
    for split in trial.splits:
        fitted, held = train.take(split.fitted), train.take(split.held)
        found.append(absolute_errors(_guess(name, fitted, held), held.losses, train.signed))
    return found


def _guess(name: str, fitted: Rows, wanted: Rows) -> Array:
    """A baseline's predictions, group by group where there are groups."""
    if fitted.groups is None or wanted.groups is None:
        return BASELINES[name](fitted.variables, fitted.losses, wanted.variables, fitted.signed)
    found = np.full(len(wanted.rows), np.nan)
    for g in np.unique(fitted.groups):
        a, mine = fitted.take(fitted.groups == g), wanted.groups == g
        found[mine] = BASELINES[name](a.variables, a.losses, wanted.take(mine).variables, fitted.signed)
    return found

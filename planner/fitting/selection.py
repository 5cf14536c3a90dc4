"""Choosing a form by how it extrapolates.

    compare_forms(Runs.read("runs.csv"), holdout="C > 1e21").ranking[0].form

Every form that the columns allow is fitted to the lower part of the runs and predicts the rest, over several splits
(see `planner.fitting.splits`), next to baselines that take no theory. The choice never sees the losses of runs the
caller holds out, only where they lie: those judge it. With groups, each form is tried with coefficients shared by all,
with scales and floors of their own, and with nothing shared. Alabdulmohsin et al. 2022 (2209.06640) judge forms so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, PlanningError, Range, Violation, require
from planner.fitting.baselines import BASELINES, NAIVE
from planner.fitting.candidates import Rows, candidates, common_rows
from planner.fitting.judgement import (
    ErrorEstimate,
    FormScore,
    absolute_errors,
    estimated,
    r_squared,
    spread,
    statement,
)
from planner.fitting.objective import DELTA
from planner.fitting.refit import SQUARES, refit
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.fitting.splits import Split, splits
from planner.laws.form import Form

Array = NDArray[np.float64]
DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**63 - 1, "")
RACE_FACTOR = 3.0
FINALISTS = 3  # forms for which every way of fitting is tried
OnStage = Callable[[str], None]


@dataclass(frozen=True)
class SplitSummary:
    """A split and how many runs it fits and predicts."""

    name: str
    fitted_rows: int
    held_rows: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Forms by extrapolation error, the best first, baselines among them.

    `chosen` is the best form by the fitted runs alone, whatever the held-out runs say; `holdout_predictions` are its
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


@dataclass(frozen=True)
class Way:
    """A form and how it is fitted."""

    form: type[Form]
    sharing: str = "pooled"
    delta: float = DELTA


@dataclass(frozen=True, eq=False)
class _Trial:
    """What the choice rests on: errors per way and split, on runs that were not held out by the caller."""

    train: Rows
    test: Rows
    splits: tuple[Split, ...]
    judged: dict[Way, list[Array]]
    excluded: dict[str, str]


def compare_forms(
    runs: Runs,
    forms: Iterable[str] | None = None,
    *,
    holdout: str | None = None,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    on_stage: OnStage | None = None,
) -> Comparison:
    """Rank `forms` (None: all that the columns allow) by the error of predicting runs they were not fitted to.

    `holdout` is a condition on rows that no fit and no choice sees; with it, forms are ranked by their error there.
    `where`, `mapping` and `group` are those of `fit_law`. `bootstrap` draws (0: none) give the intervals.
    Raises InvalidInput, UnknownName, and NotIdentified where no form can be fitted or nothing can be held out.
    """
    require(*DRAWS.check("bootstrap", bootstrap), *SEEDS.check("seed", seed))
    trial = _trial(runs, forms, holdout, where, mapping, group, on_stage or _silent)
    return _ranked(trial, bootstrap, seed)


def check(
    runs: Runs,
    forms: Iterable[str] | None,
    *,
    holdout: str | None,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
) -> None:
    """Raise what `compare_forms` would raise of bad input, without the work."""
    _divided(runs, forms, holdout, where, mapping, group)


def compare_targets(
    runs: Runs,
    targets: Iterable[str],
    forms: Iterable[str] | None = None,
    *,
    holdout: str | None = None,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """One comparison per column in `targets`, all with the same form, fitted the same way.

    Losses on several domains of the same runs follow the same law with other coefficients, so the choice is made on all
    of them: by the mean error in units of that of repeating the nearest run. Raises as `compare_forms` does.
    """
    require(*DRAWS.check("bootstrap", bootstrap), *SEEDS.check("seed", seed))
    trials = {
        target: _trial(runs, forms, holdout, where, {**(mapping or {}), target: "loss"}, group, _silent)
        for target in targets
    }
    if not trials:
        raise InvalidInput(Violation("targets", "none", "at least one column that holds losses"))
    naive = {target: _mean(_baseline_errors(NAIVE, trial)) or 1.0 for target, trial in trials.items()}
    shared = [way for way in next(iter(trials.values())).judged if all(way in t.judged for t in trials.values())]
    if not shared:
        raise NotIdentified("no form could be judged on every target")

    def error(way: Way) -> float:
        return float(np.mean([_mean(trial.judged[way]) / naive[target] for target, trial in trials.items()]))

    best: dict[type[Form], Way] = {}
    for way in sorted(shared, key=error):
        best.setdefault(way.form, way)
    chosen = next(iter(best))
    return {
        target: _ranked(replace(trial, judged={w: trial.judged[w] for w in best.values()}), bootstrap, seed, chosen)
        for target, trial in trials.items()
    }


def _silent(stage: str) -> None:
    """Progress that nobody listens to."""


def _trial(
    runs: Runs,
    forms: Iterable[str] | None,
    holdout: str | None,
    where: str | None,
    mapping: Mapping[str, str] | None,
    group: str | None,
    tell: OnStage,
) -> _Trial:
    """All candidates judged on the runs that are not held out."""
    names = None if forms is None else list(forms)
    seen, excluded, train, test, train_splits = _divided(runs, names, holdout, where, mapping, group)
    trial = _Trial(train, test, train_splits, {}, excluded)
    firsts = [Way(kind, sharing) for kind in seen for sharing in _sharings(train)]
    if names is None:
        firsts = _raced(firsts, trial, tell)
    for way in firsts:
        tell(f"judging {way.form.form_name}")
        _judge(way, trial)
    for way in _variants(trial):
        tell(f"refining {way.form.form_name}")
        _judge(way, trial)
    if not trial.judged:
        raise NotIdentified("no form could be judged: " + "; ".join(f"{k}: {v}" for k, v in excluded.items()))
    tell("ranking")
    return trial


def _divided(
    runs: Runs,
    forms: Iterable[str] | None,
    holdout: str | None,
    where: str | None,
    mapping: Mapping[str, str] | None,
    group: str | None,
) -> tuple[list[type[Form]], dict[str, str], Rows, Rows, tuple[Split, ...]]:
    """Candidates, why others are none, the runs to choose on and those held out, and the splits of the former."""
    seen, excluded = candidates(runs, forms, where, mapping, group)
    table = common_rows(seen)
    held = _held(runs, holdout, table)
    train, test = table.take(~held), table.take(held)
    wanted = {**test.variables, "training_flops": test.training_flops}
    found = splits(train.variables, train.training_flops, train.groups, wanted)
    if not found:
        raise NotIdentified("all runs to be fitted are alike: nothing can be held out to judge a form by")
    return list(seen), excluded, train, test, found


def _held(runs: Runs, holdout: str | None, table: Rows) -> NDArray[np.bool_]:
    if holdout is None:
        return np.zeros(len(table.rows), dtype=bool)
    held = np.asarray(chosen_rows(runs, holdout)[table.rows])
    if not held.any() or held.all():
        found = "no usable row" if not held.any() else "every usable row"
        raise InvalidInput(Violation("holdout", f"{holdout} ({found})", "a condition that holds for some of the rows"))
    return held


def _sharings(train: Rows) -> tuple[str, ...]:
    return ("pooled",) if train.groups is None else ("pooled", "own")


def _raced(ways: list[Way], trial: _Trial, tell: OnStage) -> list[Way]:
    """The ways worth judging on every split: those that are not far behind after two of them."""
    tell("screening forms")
    scores: dict[Way, float] = {}
    for way in ways:
        try:
            scores[way] = _mean(
                [_errors(way, trial.train, split) for split in trial.splits[:: max(1, len(trial.splits) // 2)]]
            )
        except (PlanningError, np.linalg.LinAlgError) as error:
            trial.excluded[way.form.form_name] = f"{way.sharing}: {error}"
    limit = RACE_FACTOR * min(scores.values(), default=0.0)
    kept = [way for way, score in scores.items() if score <= limit]
    for form in {way.form for way in scores} - {way.form for way in kept}:
        trial.excluded[form.form_name] = f"more than {RACE_FACTOR:g} times the error of the best on two splits"
    return kept


def _judge(way: Way, trial: _Trial) -> None:
    """Note the errors of `way` on every split, or why it has none."""
    try:
        found = [_errors(way, trial.train, split) for split in trial.splits]
    except (PlanningError, np.linalg.LinAlgError) as error:
        if all(other.form is not way.form for other in trial.judged):
            trial.excluded[way.form.form_name] = f"{way.sharing}: {error}"
        return
    trial.excluded.pop(way.form.form_name, None)
    trial.judged[way] = found


def _errors(way: Way, train: Rows, split: Split) -> Array:
    fitted, held = train.take(split.fitted), train.take(split.held)
    return absolute_errors(_predicted(way, fitted, held), held.losses, train.signed)


def _predicted(way: Way, fitted: Rows, wanted: Rows) -> Array:
    """Predictions of `wanted` by a fit to `fitted`. Raises NotIdentified where there are too few runs for the form."""
    needed = len(way.form.coefficients) + 1
    parts = [fitted] if way.sharing == "pooled" or fitted.groups is None else fitted.by_group()
    smallest = min(part.distinct(way.form.variables) for part in parts)
    if smallest < needed:
        raise NotIdentified(f"a split leaves {smallest} distinct runs for {needed - 1} coefficients")
    names = way.form.variables
    found = refit(way.form, fitted.of(names), fitted.losses, fitted.groups, way.sharing, way.delta)
    return found.predict(wanted.of(names), wanted.groups)


def _variants(trial: _Trial) -> list[Way]:
    """Other ways of fitting the forms that do best: groups sharing slopes only; near to least squares."""
    best: dict[type[Form], Way] = {}
    for way in sorted(trial.judged, key=lambda way: _mean(trial.judged[way])):
        best.setdefault(way.form, way)
    finalists = list(best.values())[:FINALISTS]
    grouped = [replace(way, sharing="scales") for way in finalists] if trial.train.groups is not None else []
    return [*grouped, *(replace(way, delta=SQUARES) for way in [*finalists, *grouped])]


def _mean(errors: Sequence[Array]) -> float:
    return float(np.mean([each.mean() for each in errors]))


def _baseline_errors(name: str, trial: _Trial) -> list[Array]:
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


def _ranked(trial: _Trial, bootstrap: int, seed: int, favourite: type[Form] | None = None) -> Comparison:
    train, test = trial.train, trial.test
    best_way: dict[type[Form], Way] = {}
    for way in sorted(trial.judged, key=lambda way: _mean(trial.judged[way])):
        best_way.setdefault(way.form, way)
    predictions: dict[str, Array] = {}
    errors: dict[str, list[Array]] = {}
    labels: dict[str, Way | None] = {}
    for form, way in best_way.items():
        errors[form.form_name], labels[form.form_name] = trial.judged[way], way
        if len(test.rows):
            predictions[form.form_name] = _predicted(way, train, test)
    for name in BASELINES:
        errors[name], labels[name] = _baseline_errors(name, trial), None
        if len(test.rows):
            predictions[name] = _guess(name, train, test)
    scores = _scores(errors, labels, predictions, test, bootstrap, seed)
    forms = [s for s in scores if not s.baseline]
    chosen = min(forms, key=lambda s: s.extrapolation_error.value)
    if favourite is not None:
        chosen = next(s for s in forms if s.form == favourite.form_name)
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
        len(train.rows),
        test.rows,
        predictions.get(chosen.form, np.empty(0)),
    )


def _scores(
    errors: Mapping[str, list[Array]],
    labels: Mapping[str, Way | None],
    predictions: Mapping[str, Array],
    test: Rows,
    bootstrap: int,
    seed: int,
) -> list[FormScore]:
    estimates = {name: estimated(each, bootstrap, seed) for name, each in errors.items()}
    best = min((n for n in errors if labels[n] is not None), key=lambda n: estimates[n][0].value)
    scores = []
    for name, way in labels.items():
        estimate, sample = estimates[name]
        difference = float(np.quantile(sample - estimates[best][1], 0.1))
        checked: ErrorEstimate | None = None
        r2: float | None = None
        if name in predictions:
            checked, _ = estimated([absolute_errors(predictions[name], test.losses, test.signed)], bootstrap, seed)
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

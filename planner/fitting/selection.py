"""Choosing a form by how it extrapolates.

    compare_forms(Runs.read("runs.csv"), holdout="C > 1e21").ranking[0].form

Every form that the columns allow is fitted to the lower part of the runs and predicts the rest, over several splits
(see `planner.fitting.splits`), next to baselines that take no theory. The choice never sees the losses of runs the
caller holds out, only where they lie: those judge it. With groups, each form is tried with coefficients shared by all,
with scales and floors of their own, and with nothing shared. Alabdulmohsin et al. 2022 (2209.06640) judge forms so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, NotIdentified, Range, Violation, require
from planner.fitting.baselines import NAIVE
from planner.fitting.candidates import Rows, candidates, common_rows
from planner.fitting.judgement import mean_error
from planner.fitting.merit import best_ways
from planner.fitting.ranking import Comparison, baseline_errors, ranked
from planner.fitting.rowfilter import chosen_rows
from planner.fitting.runs import Runs
from planner.fitting.splits import Split, splits
from planner.fitting.trial import OnStage, Trial, judge, raced, sharings, variants
from planner.fitting.way import Way
from planner.laws.form import Form

DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**63 - 1, "")
MOST_ROWS = 600


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
    return ranked(trial, bootstrap, seed)


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
    _, _, whole, test = _divided(runs, forms, holdout, where, mapping, group)
    _splits(_thinned(whole), test)


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
    naive = {t: mean_error(baseline_errors(NAIVE, trial), trial.weights) or 1.0 for t, trial in trials.items()}
    errors = {target: trial.mean_errors() for target, trial in trials.items()}
    shared = [way for way in next(iter(trials.values())).judged if all(way in t.judged for t in trials.values())]
    if not shared:
        raise NotIdentified("no form could be judged on every target")

    best = best_ways({way: float(np.mean([errors[t][way] / naive[t] for t in trials])) for way in shared})
    chosen = next(iter(best))
    return {
        target: ranked(replace(trial, judged={w: trial.judged[w] for w in best.values()}), bootstrap, seed, chosen)
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
) -> Trial:
    """All candidates judged on the runs that are not held out."""
    names = None if forms is None else list(forms)
    seen, excluded, whole, test = _divided(runs, names, holdout, where, mapping, group)
    train = _thinned(whole)
    trial = Trial(whole, train, test, _splits(train, test), {}, excluded)
    kinds = seen if names is not None else raced(seen, trial, tell)
    for way in (Way(kind, sharing) for kind in kinds for sharing in sharings(train)):
        tell(f"judging {way.form.form_name}")
        judge(way, trial)
    for way in variants(trial):
        tell(f"refining {way.form.form_name}")
        judge(way, trial)
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
) -> tuple[list[type[Form]], dict[str, str], Rows, Rows]:
    """Candidates, why others are none, the runs to choose on and those held out."""
    seen, excluded = candidates(runs, forms, where, mapping, group)
    table = common_rows(seen)
    held = _held(runs, holdout, table)
    return list(seen), excluded, table.take(~held), table.take(held)


def _splits(train: Rows, test: Rows) -> tuple[Split, ...]:
    wanted = {**test.variables, "training_flops": test.training_flops}
    found = splits(train.variables, train.training_flops, train.groups, wanted)
    if not found:
        raise NotIdentified("all runs to be fitted are alike: nothing can be held out to judge a form by")
    return found


def _thinned(train: Rows) -> Rows:
    """At most MOST_ROWS of the runs, drawn blindly: enough to choose by, and little enough to take seconds."""
    if len(train.rows) <= MOST_ROWS:
        return train
    return train.take(np.sort(np.random.default_rng(0).choice(len(train.rows), MOST_ROWS, replace=False)))


def _held(runs: Runs, holdout: str | None, table: Rows) -> NDArray[np.bool_]:
    if holdout is None:
        return np.zeros(len(table.rows), dtype=bool)
    held = np.asarray(chosen_rows(runs, holdout)[table.rows])
    if not held.any() or held.all():
        found = "no usable row" if not held.any() else "every usable row"
        raise InvalidInput(Violation("holdout", f"{holdout} ({found})", "a condition that holds for some of the rows"))
    return held

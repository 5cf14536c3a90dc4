"""Judging ways of fitting: the errors of a form, fitted in some way, on every split.

All forms race over two splits first where they were not asked for by name; every way of fitting is tried for the few
that do best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified, PlanningError
from planner.fitting.candidates import Rows
from planner.fitting.judgement import absolute_errors, mean_error
from planner.fitting.merit import best_ways, handicaps
from planner.fitting.refit import OWN, POOLED, SCALES, SQUARES, Notes, refit
from planner.fitting.splits import Split
from planner.fitting.way import Way
from planner.laws.form import Form

Array = NDArray[np.float64]
RACE_FACTOR = 3.0
MANY_ROWS = 200  # of which one split tells forms apart
MOST_OWN_GROUPS = 16
JUDGED = 8  # forms that are judged on every split
WORK = 100  # fits of forms judged group by group: a few seconds
FINALISTS = 3  # forms for which every way of fitting is tried
OnStage = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trial:
    """What the choice rests on: errors per way and split, on runs that were not held out by the caller.

    `whole` are all of these, `train` those of them that are judged on.
    """

    whole: Rows
    train: Rows
    test: Rows
    splits: tuple[Split, ...]
    judged: dict[Way, list[Array]]
    excluded: dict[str, str]
    notes: dict[str, Notes] = field(default_factory=dict)  # minima by split

    @property
    def weights(self) -> Array:
        """Of the splits, (splits,)."""
        return np.array([split.weight for split in self.splits])

    def mean_errors(self) -> dict[Way, float]:
        """The mean error of every way over the splits."""
        return {way: mean_error(errors, self.weights) for way, errors in self.judged.items()}


def sharings(train: Rows) -> tuple[str, ...]:
    """What groups may share; of one group or many no coefficients of their own are tried."""
    return (POOLED,) if not _few_groups(train) else (POOLED, OWN)


def _few_groups(train: Rows) -> bool:
    return train.groups is not None and 1 <= int(train.groups.max()) < MOST_OWN_GROUPS


def raced(kinds: Iterable[type[Form]], trial: Trial, tell: OnStage) -> list[type[Form]]:
    """The forms worth judging on every split: a few, none far behind after two of them.

    Where groups add work or many runs say enough, one split is all they race on.

    Groups race with coefficients of their own, or what tells them apart would hide what tells forms apart.
    """
    tell("screening forms")
    sharing = sharings(trial.train)[-1]
    brief = sharing != POOLED or len(trial.train.rows) > MANY_ROWS
    few = trial.splits[:1] if brief else trial.splits[:: max(1, len(trial.splits) // 2)]
    scores: dict[type[Form], float] = {}
    for kind in kinds:
        for way in dict.fromkeys((Way(kind, sharing), Way(kind))):
            try:
                errors = [_errors(way, trial, split) for split in few]
                scores[kind] = mean_error(errors, np.array([split.weight for split in few]))
                break
            except (PlanningError, np.linalg.LinAlgError) as error:
                trial.excluded[kind.form_name] = f"{way.sharing}: {error}"
    factors = handicaps(scores)
    scores = {kind: factors[kind] * score for kind, score in scores.items()}
    limit = RACE_FACTOR * min(scores.values(), default=0.0)
    most = JUDGED if sharing == POOLED else _fewer(trial)
    kept: list[type[Form]] = []
    for kind in sorted(scores, key=lambda kind: scores[kind]):
        trial.excluded.pop(kind.form_name, None)
        if scores[kind] > limit:
            trial.excluded[kind.form_name] = f"more than {RACE_FACTOR:g} times the error of the best on a first look"
        elif len(kept) == most:
            trial.excluded[kind.form_name] = f"{most} other forms did better on a first look"
        else:
            kept.append(kind)
    return kept


def _fewer(trial: Trial) -> int:
    """As many forms as the work allows where every group is fitted for itself."""
    assert trial.train.groups is not None
    fits = len(trial.splits) * (2 + int(trial.train.groups.max()))
    return int(np.clip(WORK // fits, FINALISTS, JUDGED))


def judge(way: Way, trial: Trial) -> None:
    """Note the errors of `way` on every split, or why it has none."""
    try:
        found = [_errors(way, trial, split) for split in trial.splits]
    except (PlanningError, np.linalg.LinAlgError) as error:
        if all(other.form is not way.form for other in trial.judged):
            trial.excluded[way.form.form_name] = f"{way.sharing}: {error}"
        return
    trial.excluded.pop(way.form.form_name, None)
    trial.judged[way] = found


def _errors(way: Way, trial: Trial, split: Split) -> Array:
    fitted, held = trial.train.take(split.fitted), trial.train.take(split.held)
    notes = trial.notes.setdefault(split.name, {})
    return absolute_errors(predicted_by(way, fitted, held, notes), held.losses, trial.train.signed)


def predicted_by(way: Way, fitted: Rows, wanted: Rows, notes: Notes | None = None) -> Array:
    """Predictions of `wanted` by a fit to `fitted`. Raises NotIdentified where there are too few runs for the form."""
    needed = len(way.form.coefficients) + 1
    parts = [fitted] if way.sharing == POOLED or fitted.groups is None else fitted.by_group()
    smallest = min(part.distinct(way.form.variables) for part in parts)
    if smallest < needed:
        raise NotIdentified(f"a split leaves {smallest} distinct runs for {needed - 1} coefficients")
    names = way.form.variables
    with np.errstate(all="ignore"):  # a hopeless form may overflow on its way; its errors say so
        found = refit(way.form, fitted.of(names), fitted.losses, fitted.groups, way.sharing, way.delta, notes)
    return found.predict(wanted.of(names), wanted.groups)


def variants(trial: Trial) -> list[Way]:
    """Other ways of fitting the forms that do best: groups sharing slopes only; near to least squares."""
    finalists = list(best_ways(trial.mean_errors()).values())[:FINALISTS]
    grouped = [replace(way, sharing=SCALES) for way in finalists] if _few_groups(trial.train) else []
    return [*grouped, *(replace(way, delta=SQUARES) for way in [*finalists, *grouped])]

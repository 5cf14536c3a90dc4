"""One quick fit among many: the minimum of a problem without draws, diagnostics or evidence.

Comparing forms takes hundreds of fits of the kind that `planner.fitting.fit` makes one of; these use fewer starts.
Huber's δ is 1e-3 as in published fits, close to least absolute deviations, or 0.1, close to least squares: the first
resists outliers, the second says more where runs are few and clean. Which extrapolates better is for the data to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation
from planner.fitting.newton import minimise, schedule
from planner.fitting.objective import DELTA, Huber
from planner.fitting.observations import Observations
from planner.fitting.problem import Problem
from planner.fitting.projection import Screening, screen
from planner.laws.by_group import GROUP, MOST_GROUPS, by_group, scales
from planner.laws.form import Form

Array = NDArray[np.float64]
Notes = dict[tuple[type[Form], int], dict[float, Array]]  # minima by form, part of the runs and δ
POOLED, SCALES, OWN = "pooled", "scales", "own"  # what groups share: all, all but scales and floors, nothing
STARTS = 10
ITERATIONS = 40
ROUGH_ITERATIONS = 12
SCREENED_ROWS, SCREENED_POINTS = 128, 1024
FINISHED = 6  # descents that are followed to the end
WHOLE = -1  # the part of the runs that is all of them; groups are numbered from 0
SQUARES = 0.1  # Huber's δ above which nearly all residuals of laws lie in its parabola


@dataclass(frozen=True, eq=False)
class Refit:
    """A fitted form, or one a group (`own`), ready to predict."""

    forms: tuple[Form, ...]
    grouped: bool

    def predict(self, variables: Mapping[str, Array], groups: NDArray[np.intp] | None) -> Array:
        """Predicted losses (rows,)."""
        rows = len(next(iter(variables.values())))
        with np.errstate(all="ignore"):
            if len(self.forms) == 1:
                more = {} if groups is None or not self.grouped else {GROUP: groups + 1}
                return np.broadcast_to(np.asarray(self.forms[0].loss(**variables, **more), float), (rows,))
            found = np.full(rows, np.nan)
            for g, form in enumerate(self.forms):
                mine = groups == g
                found[mine] = form.loss(**{k: v[mine] for k, v in variables.items()})
            return found


def refit(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    groups: NDArray[np.intp] | None = None,
    sharing: str = POOLED,
    delta: float = DELTA,
    notes: Notes | None = None,
) -> Refit:
    """Fit `form`; `sharing` says what groups share: all ("pooled"), all but scales and floors ("scales"), or nothing.

    `delta` is Huber's δ. Groups are numbered from 0. `notes` keep the minima of these very runs between calls: other
    ways of fitting them start there. Without notes every descent is a thorough one.
    """
    thorough = notes is None
    notes = {} if notes is None else notes
    if sharing == POOLED or groups is None:
        problem = Problem(form, variables, losses)
        return Refit((_form(problem, _solved(problem, delta, notes, WHOLE, thorough=thorough)),), False)
    if sharing == OWN:
        return Refit(
            tuple(_form(*alone) for alone in _alone(form, variables, losses, groups, delta, notes, thorough)), False
        )
    joint, starts = _joint(form, variables, losses, groups, scales(form), delta, notes, thorough)
    return Refit((_form(joint, _solved(joint, delta, notes, WHOLE, starts, thorough=thorough)),), True)


def grouped(form: type[Form], seen: Observations, sharing: str, delta: float) -> tuple[Problem, Screening]:
    """The problem of a form by group, and where to start. Raises InvalidInput without groups or with too many."""
    if sharing not in (SCALES, OWN):
        raise InvalidInput(Violation("sharing", sharing, f"{POOLED}, {SCALES} or {OWN}"))
    if seen.groups is None:
        raise InvalidInput(Violation("group", "none", f"a column that names groups, for sharing {sharing}"))
    if len(seen.group_names) > MOST_GROUPS:
        raise InvalidInput(Violation("group", f"{len(seen.group_names)} groups", f"at most {MOST_GROUPS}"))
    own = scales(form) if sharing == SCALES else frozenset(form.names())
    problem, starts = _joint(form, seen.variables, seen.losses, seen.groups, own, delta, {}, thorough=True)
    return problem, Screening(starts, problem.objective(starts, Huber(delta)), None)


def _alone(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    groups: NDArray[np.intp],
    delta: float,
    notes: Notes,
    thorough: bool,
) -> list[tuple[Problem, Array]]:
    """Problem and θ of each group for itself."""
    found = []
    for g in range(int(groups.max()) + 1):
        mine = groups == g
        problem = Problem(form, {k: v[mine] for k, v in variables.items()}, losses[mine])
        found.append((problem, _solved(problem, delta, notes, g, thorough=thorough)))
    return found


def _joint(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    groups: NDArray[np.intp],
    own: frozenset[str],
    delta: float,
    notes: Notes,
    thorough: bool,
) -> tuple[Problem, Array]:
    """The problem in which groups share all but their `own` coefficients, and starts (starts, free) for it."""
    alone = _alone(form, variables, losses, groups, delta, notes, thorough)
    joint = Problem(by_group(form, own, len(alone)), {**variables, GROUP: np.asarray(groups + 1, float)}, losses)
    whole = Problem(form, variables, losses)
    pooled = _solved(whole, delta, notes, WHOLE, thorough=thorough)
    return joint, _starts(form, own, np.stack([theta for _, theta in alone]), pooled)


def _starts(form: type[Form], own: frozenset[str], alone: Array, pooled: Array) -> Array:
    """Starts of a joint fit: what is shared from each group alone, from their mean and from the pooled fit."""
    shared = np.concatenate([alone, alone.mean(axis=0)[None], pooled[None]])
    columns = []
    for k, c in enumerate(form.coefficients):
        if c.name in own:
            rows = [*np.tile(alone[:, k], (len(shared) - 1, 1)), np.full(len(alone), pooled[k])]
            columns += list(np.stack(rows).T)
        else:
            columns.append(shared[:, k])
    return np.stack(columns, axis=1)


def _solved(
    problem: Problem, delta: float, notes: Notes, part: int, starts: Array | None = None, *, thorough: bool = False
) -> Array:
    """θ (free,) of the lowest minimum for this part of the runs, from the notes where another δ led there before."""
    known = notes.setdefault((problem.form, part), {})
    if delta not in known:
        if known:
            starts = np.stack(list(known.values()))
        known[delta] = _lowest(problem, _screened(problem) if starts is None else starts, delta, thorough)
    return known[delta]


def _screened(problem: Problem) -> Array:
    """Starting points (starts, free)."""
    return screen(problem, STARTS, rows=SCREENED_ROWS, points=SCREENED_POINTS).theta


def _lowest(problem: Problem, starts: Array, delta: float, thorough: bool = False) -> Array:
    """θ (free,) of the lowest minimum; descents that are behind on the way down are not finished, unless `thorough`."""
    unit = max(float(np.std(problem.losses)), 1.0) if problem.signed else 1.0
    steep = SQUARES * unit
    if thorough:
        found = minimise(problem, starts, schedule(steep, delta), iterations=2 * ITERATIONS)
        return np.asarray(found.theta[int(np.argmin(found.objective))])
    deltas: tuple[float, ...] = (delta,)
    if steep > 3.0 * delta:
        deltas = (steep, float(np.sqrt(steep * delta)), delta)
    if len(starts) > FINISHED and len(deltas) > 1:
        rough = minimise(problem, starts, deltas[:2], iterations=ROUGH_ITERATIONS, tolerance=1e-6)
        starts, deltas = rough.theta[np.argsort(rough.objective, kind="stable")[:FINISHED]], deltas[1:]
    found = minimise(problem, starts, deltas, iterations=ITERATIONS, tolerance=1e-9)
    return np.asarray(found.theta[int(np.argmin(found.objective))])


def _form(problem: Problem, theta: Array) -> Form:
    return problem.form.from_vector(problem.vectors(theta[None])[0])

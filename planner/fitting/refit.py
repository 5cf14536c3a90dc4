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

from planner.fitting.newton import minimise, schedule
from planner.fitting.objective import DELTA
from planner.fitting.problem import Problem
from planner.fitting.projection import screen
from planner.laws.by_group import GROUP, by_group, scales
from planner.laws.form import Form

Array = NDArray[np.float64]
STARTS = 10
ITERATIONS = 60
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
    sharing: str = "pooled",
    delta: float = DELTA,
) -> Refit:
    """Fit `form`; `sharing` says what groups share: all ("pooled"), all but scales and floors ("scales"), or nothing.

    `delta` is Huber's δ. Groups are numbered from 0.
    """
    if sharing == "pooled" or groups is None:
        problem = Problem(form, variables, losses)
        theta = _lowest(problem, screen(problem, STARTS).theta, delta)
        return Refit((_form(problem, theta),), False)
    alone = []
    for g in range(int(groups.max()) + 1):
        mine = groups == g
        problem = Problem(form, {k: v[mine] for k, v in variables.items()}, losses[mine])
        alone.append((problem, _lowest(problem, screen(problem, STARTS).theta, delta)))
    if sharing == "own":
        return Refit(tuple(_form(problem, theta) for problem, theta in alone), False)
    own = scales(form)
    joint = Problem(by_group(form, own, len(alone)), {**variables, GROUP: groups + 1.0}, losses)
    pooled = _lowest(whole := Problem(form, variables, losses), screen(whole, STARTS).theta, delta)
    starts = _starts(form, own, np.stack([theta for _, theta in alone]), pooled)
    return Refit((_form(joint, _lowest(joint, starts, delta)),), True)


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


def _lowest(problem: Problem, starts: Array, delta: float) -> Array:
    unit = max(float(np.std(problem.losses)), 1.0) if problem.signed else 1.0
    found = minimise(problem, starts, schedule(0.1 * unit, delta), iterations=ITERATIONS)
    return np.asarray(found.theta[int(np.argmin(found.objective))])


def _form(problem: Problem, theta: Array) -> Form:
    return problem.form.from_vector(problem.vectors(theta[None])[0])

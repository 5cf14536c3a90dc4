"""Whole runs from a convex design: greedy purchases, rounding, and exchanges until none helps.

Buying by gain per cost alone fills the budget with small runs, by gain alone with one dear one: several powers of the
cost are tried, and the rounded optimum of the relaxation beside them, and the best set is improved by exchanges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.design.criterion import Criterion

Array = NDArray[np.float64]
COST_POWERS = (0.0, 0.35, 0.7, 1.0)
SLACK = 1.0 + 1e-9
EXCHANGES = 12


def whole_runs(
    criterion: Criterion, costs: Array, budget: float, relaxed: Array | None = None, most_runs: int = 400
) -> NDArray[np.bool_]:
    """Which candidates to buy (candidates,), each once, for at most `budget`; `relaxed` is a fractional design."""
    designs = [_filled(criterion, costs, budget, np.zeros(len(costs), bool), p, most_runs) for p in COST_POWERS]
    if relaxed is not None:
        designs += [
            _filled(criterion, costs, budget, _rounded(relaxed, costs, budget), p, most_runs) for p in (0.35, 0.7)
        ]
    regrets = [criterion.regret(d.astype(float)) for d in designs]
    best = designs[int(np.argmin(regrets))]
    return _exchanged(criterion, costs, budget, best, most_runs)


def _rounded(relaxed: Array, costs: Array, budget: float) -> NDArray[np.bool_]:
    """The largest weights first, as long as they are half a run and can be paid."""
    chosen, spent = np.zeros(len(costs), bool), 0.0
    for k in np.argsort(-relaxed, kind="stable"):
        if relaxed[k] < 0.5:
            break
        if spent + costs[k] <= budget * SLACK:
            chosen[k], spent = True, spent + costs[k]
    return chosen


def _filled(
    criterion: Criterion, costs: Array, budget: float, start: NDArray[np.bool_], power: float, most_runs: int
) -> NDArray[np.bool_]:
    chosen = start.copy()
    standing = criterion.standing(chosen.astype(float))
    spent, priced = float(costs[chosen].sum()), (costs / costs.max()) ** power
    while chosen.sum() < most_runs:
        usable = ~chosen & (spent + costs <= budget * SLACK)
        if not usable.any():
            break
        score = np.where(usable, standing.gains() / priced, -np.inf)
        k = int(np.argmax(score))
        if not score[k] > 0.0:
            break
        chosen[k], spent = True, spent + costs[k]
        standing.add(k)
    return chosen


def _exchanged(
    criterion: Criterion, costs: Array, budget: float, chosen: NDArray[np.bool_], most_runs: int
) -> NDArray[np.bool_]:
    """Give the least useful run back and buy better ones for its money, as long as that helps."""
    best, value = chosen, criterion.regret(chosen.astype(float))
    for _ in range(EXCHANGES):
        held = np.flatnonzero(best)
        if len(held) < 2:
            return best
        rise = criterion.losses(criterion.covariance(best.astype(float)), held)
        improved = False
        for k in held[np.argsort(rise / costs[held], kind="stable")[:3]]:
            trial = best.copy()
            trial[k] = False
            trial = _filled(criterion, costs, budget, trial, 0.5, most_runs)
            reached = criterion.regret(trial.astype(float))
            if reached < value * (1.0 - 1e-4):
                best, value, improved = trial, reached, True
                break
        if not improved:
            break
    return best

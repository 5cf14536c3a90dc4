"""Which pilot runs to buy: beliefs, then the convex design, then whole runs; again when results are in.

    plan = next_runs(runs_so_far, candidates, budget, form="chinchilla", decision=ComputeOptimal(1e24))

The design minimises the expected regret of the decision over draws of the law: prior draws before any run is seen (from
the form's usual ranges, or about a published law), draws of the refitted law after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.design.beliefs import DRAWS, Beliefs, believe
from planner.design.candidates import Candidates
from planner.design.criterion import joined
from planner.design.decision import ComputeOptimal, Decision
from planner.design.prior import law_prior
from planner.design.relaxation import relax
from planner.design.stakes import stakes
from planner.design.whole_runs import whole_runs
from planner.errors import InvalidInput, Range, Violation, require
from planner.laws.form import Form
from planner.laws.law import Law

Array = NDArray[np.float64]
BUDGETS = Range(1e-300, 1e300, "in the unit of the costs")


@dataclass(frozen=True, eq=False)
class Design:
    """Runs worth buying.

    `chosen` are indices of the candidates, the most useful for their price first. Regrets are expected ones, of the
    linearised decision: before, and after these runs; `lower_bound` is what no design within the budget can be below
    (NaN where the relaxation was not solved), `relaxed_weights` the fractional runs of the relaxation.
    """

    chosen: NDArray[np.intp]
    cost: float
    regret_before: float
    regret_after: float
    lower_bound: float
    relaxed_weights: Array | None
    beliefs: tuple[Beliefs, ...]


def design(
    beliefs: Beliefs | Sequence[Beliefs],
    candidates: Candidates,
    budget: float,
    decision: Decision,
    certify: bool = True,
) -> Design:
    """The runs among `candidates` that leave the least expected regret of `decision`, for at most `budget`.

    Several beliefs (one per metric of the same runs, or rival forms) are served equally. Raises InvalidInput if the
    budget buys none of them.
    """
    require(*BUDGETS.check("budget", budget))
    several = (beliefs,) if isinstance(beliefs, Beliefs) else tuple(beliefs)
    if isinstance(decision, ComputeOptimal):
        for one in several:
            decision.check(one.form)
    if budget < candidates.costs.min():
        least = f"at least {candidates.costs.min():g}, the cheapest candidate"
        raise InvalidInput(Violation("budget", f"{budget:g}", least))
    criterion = joined([stakes(one, candidates, decision) for one in several])
    relaxed = relax(criterion, candidates.costs, budget) if certify else None
    bought = whole_runs(criterion, candidates.costs, budget, None if relaxed is None else relaxed.weights)
    weights = bought.astype(float)
    held = np.flatnonzero(bought)
    rises = criterion.losses(criterion.covariance(weights), held)
    return Design(
        held[np.argsort(-rises / candidates.costs[held], kind="stable")],
        float(candidates.costs[bought].sum()),
        criterion.regret(np.zeros(len(candidates))),
        criterion.regret(weights),
        float("nan") if relaxed is None else relaxed.lower_bound,
        None if relaxed is None else relaxed.weights,
        several,
    )


def beliefs_after(
    form: type[Form],
    variables: Mapping[str, Array],
    losses: Array,
    candidates: Candidates,
    decision: Decision,
    *,
    law: Law | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Beliefs, ...]:
    """What is believed of the coefficients after these runs (none: empty arrays), about `law` if one is given.

    One belief a metric: `losses` is (rows,) or (rows, metrics).
    """
    prior = None if law is None else law_prior(law.form, law.draws)
    far = decision.anchors()
    anchors = {k: np.concatenate([candidates.variables[k], far[k]]) for k in form.variables}
    missed = decision.missed(form.variables, candidates.variables)
    table = np.asarray(losses, float)
    table = table[:, None] if table.ndim == 1 else table
    return believe(form, variables, table, anchors, missed, prior=prior, draws=draws, seed=seed)


def next_runs(
    variables: Mapping[str, Array],
    losses: Array,
    candidates: Candidates,
    budget: float,
    *,
    form: type[Form],
    decision: Decision,
    law: Law | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    certify: bool = True,
) -> Design:
    """Refit what is known and plan the remaining `budget`: to be called again whenever results are in."""
    if isinstance(decision, ComputeOptimal):
        decision.check(form)
    beliefs = beliefs_after(form, variables, losses, candidates, decision, law=law, draws=draws, seed=seed)
    return design(beliefs, candidates, budget, decision, certify)

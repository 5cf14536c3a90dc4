"""When nothing is feasible: which limits cannot hold together, and how little each would have to give.

Phase one's multipliers say which limits share the least violation. For each of these, the smallest value that the
limited metric can take under all other limits is itself a planning problem, solved by the same search.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planner.allocation.decide import Refused
from planner.allocation.plan import Conflict, Relaxation
from planner.allocation.search import search

SHARE = 1e-4


def explain_refusal(
    refused: Refused, limits: Mapping[str, float]
) -> tuple[tuple[Conflict, ...], tuple[Relaxation, ...], int]:
    """Conflicting limits, the smallest relaxation of each alone, and the solves it took."""
    shares = refused.obstacle.shares if refused.obstacle else {}
    named = [name for name in limits if shares.get(name, 0.0) > SHARE] or list(limits)
    relaxations, solves = [], 0
    for name in named:
        others = {n: v for n, v in limits.items() if n != name}
        result = search(refused.model.program(name, others))
        solves += result.solve_count
        if result.best:
            least = refused.model.value(name, float(np.exp(result.best[0].value)))
            relaxations.append(Relaxation(name, limits[name], least))
    reachable = {r.metric: r for r in relaxations}
    conflicts = tuple(Conflict(n, limits[n], _sentence(n, limits[n], reachable.get(n))) for n in named)
    return conflicts, tuple(sorted(relaxations, key=lambda r: abs(r.factor - 1.0))), solves


def _sentence(name: str, limit: float, relaxation: Relaxation | None) -> str:
    if relaxation is None:
        return f"{name} <= {limit:.6g} cannot hold with the other limits, and relaxing it alone does not help"
    return (
        f"{name} <= {limit:.6g} cannot hold with the other limits: "
        f"the least it can be is {relaxation.smallest_feasible_limit:.6g} ({relaxation.factor:.4g} times the limit)"
    )

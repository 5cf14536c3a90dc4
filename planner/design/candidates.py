"""The runs that could be bought: their variables and what each costs, the user's own or a generated grid.

Costs are FLOPs unless the caller counts in something else (money, accelerator-hours): only ratios to the budget matter.
A grid is laid over compute and tokens per parameter, because that is how pilot runs are spent, and not over N and D.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Range, Violation, require
from planner.laws.compute import SIMPLE, ComputeModel
from planner.laws.variables import allowed, is_allowed

Array = NDArray[np.float64]
MOST = 20_000
FLOPS = Range(1.0, 1e40, "FLOP")
GRID_DECADES = 4.0  # cheapest run of a generated grid, in decades below the dearest
DEAREST_SHARE = 0.5  # of the budget: a design of one run tells nothing of its scatter
TOKENS_PER_PARAMETER = (2.0, 200.0)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Variables (name -> (candidates,)) and costs (candidates,)."""

    variables: Mapping[str, Array]
    costs: Array

    def __len__(self) -> int:
        return len(self.costs)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Candidates:
        """The candidates at these rows (indices or a mask)."""
        return Candidates({k: v[rows] for k, v in self.variables.items()}, self.costs[rows])

    @classmethod
    def of(cls, variables: Mapping[str, Array], costs: Array | None = None) -> Candidates:
        """Checked candidates; costs are 6 N D where none are given.

        Raises InvalidInput naming every variable or cost that is not a number in its range.
        """
        arrays = {k: np.atleast_1d(np.asarray(v, float)) for k, v in variables.items()}
        if not arrays or not max(len(v) for v in arrays.values()):
            raise InvalidInput(Violation("candidates", "none", "at least one run"))
        count = max(len(v) for v in arrays.values())
        problems = [Violation(k, f"{len(v)} rows", f"{count} rows") for k, v in arrays.items() if len(v) != count]
        if count > MOST:
            problems.append(Violation("candidates", str(count), f"at most {MOST} runs"))
        for k, v in arrays.items():
            wrong = ~is_allowed(k, v)
            if wrong.any():
                problems += allowed(k).check(k, float(v[wrong][0]))
        require(*problems)
        if costs is None:
            needed = ("parameter_count", "token_count")
            missing = [Violation(k, "missing", "a column for it, or one for the cost of each run") for k in needed]
            require(*(m for m in missing if m.field not in arrays))
            costs = SIMPLE.training_flops(*(arrays[k] for k in needed))
        prices = np.asarray(costs, float)
        if prices.shape != (count,) or not np.all(np.isfinite(prices) & (prices > 0)):
            raise InvalidInput(Violation("costs", "a cost that is not positive", f"{count} positive numbers"))
        return cls(MappingProxyType(arrays), prices)


def grid(budget_flops: float, compute_model: ComputeModel = SIMPLE, per_decade: int = 2, ratios: int = 7) -> Candidates:
    """Runs at several compute levels below the budget, each at several tokens per parameter. Raises InvalidInput."""
    require(*FLOPS.check("budget_flops", budget_flops))
    top = DEAREST_SHARE * budget_flops
    levels = np.geomspace(top * 10.0**-GRID_DECADES, top, int(GRID_DECADES * per_decade) + 1)
    flops, ratio = (x.reshape(-1) for x in np.meshgrid(levels, np.geomspace(*TOKENS_PER_PARAMETER, ratios)))
    low, high = np.zeros_like(flops), np.full_like(flops, 40.0)
    for _ in range(70):  # N with training_flops(N, ratio × N) = flops, by bisection of log N
        middle = 0.5 * (low + high)
        over = compute_model.training_flops(np.exp(middle), ratio * np.exp(middle)) > flops
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    n = np.exp(0.5 * (low + high))
    usable = (n >= 1e5) & (n * ratio >= 1e6)
    if not usable.any():
        raise InvalidInput(Violation("budget_flops", f"{budget_flops:g}", "enough for a run of 1e5 parameters"))
    n, d = n[usable], (n * ratio)[usable]
    return Candidates({"parameter_count": n, "token_count": d}, np.asarray(compute_model.training_flops(n, d)))

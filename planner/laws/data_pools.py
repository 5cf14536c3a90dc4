"""Several pools of data, each with a utility that repetition wears out: which pools are worth keeping.

Goyal et al. 2024 (2404.07177): of p pools in equal shares, pass k + 1 has the utility b = mean_i b_i 2^{-k/(p τ_i)},
since each pool lasts p times as long, and the curve goes on where the last pass ended: y = a n_1^{b_1} Π_j
(n_j/n_{j-1})^{b_j} + d. Shares r_i that differ weigh the mean, and 1/p becomes r_i. Which pools to keep is enumerated,
by their shares; the finding is that strict filtering pays at low compute and hurts at high compute. Utilities of single
pools are fitted alone (`data-utility`), then tell the mixtures.
"""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np

from planner.laws.data_utility import MOST_PASSES, UNIT
from planner.laws.form import Coefficient, Form, OptimisationClass, exponent, scale

FEWEST_POOLS, MOST_POOLS = 2, 16


@dataclass(frozen=True)
class DataPools(Form):
    """a n^b + d with b from the pools in use; subclasses by `data_pools` have one b and one tau per pool."""

    citation: ClassVar[str] = "Goyal et al. 2024, Scaling Laws for Data Filtering, arXiv 2404.07177"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH

    def utility(self, passes_before: float, shares: tuple[Any, ...]) -> Any:
        """b of the pass after so many over pools of these shares (they add up to one)."""
        _, _, *rest = self.values().values()
        utilities, lives = rest[: len(shares)], rest[len(shares) :]
        worn = (
            share * b * 2.0 ** (-passes_before * share / life)
            for share, b, life in zip(shares, utilities, lives, strict=True)
        )
        return sum(worn, start=0.0)

    def loss(self, **variables: Any) -> Any:
        """a n^b + d, b = sum_i r_i b_i 2^(-k r_i/tau_i) in pass k + 1; n = token_count, r_i = pool_share_i."""
        a, d, *_ = self.values().values()
        seen, unique, *shares = (np.asarray(v, float) for v in self.read(variables))
        pool = np.minimum(unique, seen)
        passes = int(min(np.ceil(np.max(seen / pool, initial=1.0)), MOST_PASSES))
        log_gain = self.utility(0.0, tuple(shares)) * np.log(pool / UNIT)
        for k in range(1, passes):
            grown = np.clip(seen / pool, k, k + 1) / k
            log_gain = log_gain + self.utility(float(k), tuple(shares)) * np.log(grown)
        return a * np.exp(log_gain) + d


@cache
def data_pools(pool_count: int) -> type[DataPools]:
    """The form called `data-pools-<pool_count>`."""
    pools = range(1, pool_count + 1)
    made = make_dataclass(
        f"DataPools{pool_count}",
        [(name, "Coef") for name in ("a", "d", *(f"b{k}" for k in pools), *(f"tau{k}" for k in pools))],
        bases=(DataPools,),
        frozen=True,
        namespace={
            "__doc__": f"Error in samples seen of {pool_count} pools in given shares; the pool size is that of all.",
            "__module__": __name__,
            "form_name": f"data-pools-{pool_count}",
            "variables": ("token_count", "unique_token_count", *(f"pool_share_{k}" for k in pools)),
            "coefficients": (
                scale("a", "of the error", (0.1, 10.0)),
                scale("d", "of the error", (0.01, 1.0)),
                *(exponent(f"b{k}", (-0.8, -0.02)) for k in pools),
                *(Coefficient(f"tau{k}", 0.05, 100.0, (0.5, 20.0), "passes", logarithmic=True) for k in pools),
            ),
        },
    )
    return cast(type[DataPools], made)

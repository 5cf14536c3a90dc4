"""y = a n^b + d with a utility b that repetition wears out: quality against quantity of data.

Goyal et al. 2024 (2404.07177): in pass k over a pool the utility is b 2^{-(k-1)/τ}, and the curve goes on from where
the last pass ended, y = a n_1^{b_1} Π_j (n_j/n_{j-1})^{b_j} + d. b < 0; the more negative, the better the data. Which
pools to keep is enumerated; the finding is that strict filtering pays at low compute and hurts at high compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale

UNIT = 1e5  # the authors' unit of samples
MOST_PASSES = 64  # later passes are worth nothing


@dataclass(frozen=True)
class DataUtility(Form):
    """Error in samples seen and samples in the pool (`token_count`, `unique_token_count`)."""

    a: Coef
    d: Coef
    b: Coef
    tau: Coef

    form_name: ClassVar[str] = "data-utility"
    variables: ClassVar[tuple[str, ...]] = ("token_count", "unique_token_count")
    citation: ClassVar[str] = "Goyal et al. 2024, Scaling Laws for Data Filtering, arXiv 2404.07177"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("a", "of the error", (0.1, 10.0)),
        scale("d", "of the error", (0.01, 1.0)),
        exponent("b", (-0.8, -0.02)),
        Coefficient("tau", 0.05, 100.0, (0.5, 20.0), "passes", logarithmic=True),
    )

    def loss(self, **variables: Any) -> Any:
        """a n^b + d, b halved every tau passes over the pool; n = token_count, pool = unique_token_count."""
        seen, unique = (np.asarray(v, float) for v in self.read(variables))
        pool = np.minimum(unique, seen)
        passes = int(min(np.ceil(np.max(seen / pool, initial=1.0)), MOST_PASSES))
        log_gain: Any = self.b * np.log(pool / UNIT)
        for k in range(1, passes):
            grown = np.clip(seen / pool, k, k + 1) / k
            log_gain = log_gain + self.b * 2.0 ** (-k / self.tau) * np.log(grown)
        return self.a * np.exp(log_gain) + self.d

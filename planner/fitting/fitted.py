"""What a fit gives back: a law with the record of how it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import scipy

from planner.fitting.diagnostics import Diagnostics
from planner.fitting.estimates import ApproachExponents, ComputeOptimalExponent, Estimate
from planner.fitting.minimum import SearchEvidence
from planner.fitting.observations import Observations
from planner.laws.caution import Caution
from planner.laws.law import Law, Span, frozen_spans


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLaw(Law):
    """A law with the record of its fit; `approaches` where the runs lie on isoFLOP profiles.

    `excluded_forms` says of a form that was chosen which others were left out of the choice, and why.
    """

    intervals: Mapping[str, Estimate]
    objective_value: float
    objective: str
    compute_optimal_exponent: ComputeOptimalExponent | None
    search: SearchEvidence
    diagnostics: Diagnostics
    warnings: tuple[Caution, ...]
    approaches: ApproachExponents | None = None
    excluded_forms: Mapping[str, str] = field(default_factory=dict)


def data_ranges(seen: Observations) -> Mapping[str, Span]:
    """Lowest and highest value of every variable and of the training compute, where all are known."""
    arrays = {**seen.variables, "training_flops": seen.training_flops}
    return frozen_spans({k: (float(v.min()), float(v.max())) for k, v in arrays.items() if np.all(np.isfinite(v))})


def package_versions() -> Mapping[str, str]:
    """Versions that the numbers of a fit depend on."""
    try:
        own = version("apportion-server")
    except PackageNotFoundError:  # run from a checkout
        own = "unpackaged"
    return {"apportion": own, "numpy": np.__version__, "scipy": scipy.__version__}

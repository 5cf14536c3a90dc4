"""What comes back: frozen dataclasses of plain floats, texts, mappings and tuples, one for each message.

Their fields are those of the contract, under the same names (`apportion.reading` fills them, and a test keeps
the two equal), so `plan.metrics["loss"].value` and `plan.decision.parameter_count` are plain floats and what
does not apply is None. `to_dict()` gives the same as JSON-ready mappings, `to_frame()` as pandas.
"""

from __future__ import annotations

from apportion.answers.answer import Answer, Estimate, PlanWarning, ValueRange
from apportion.answers.comparisons import (
    Approach,
    ApproachComparison,
    ComparisonSplit,
    FormComparison,
    FormScore,
    TargetComparison,
)
from apportion.answers.experiments import ExperimentDesign
from apportion.answers.fronts import Front
from apportion.answers.hardware import (
    Accelerator,
    Calibration,
    MeasuredGroup,
    ModelShape,
    PriceBook,
    PriceOffer,
    RefusedMeasurement,
)
from apportion.answers.laws import ComputeOptimalExponent, Law, LawDraws, RunSet
from apportion.answers.networks import Cluster, Interconnect
from apportion.answers.plans import (
    Alternative,
    BindingLimit,
    Certificate,
    Conflict,
    Decision,
    Plan,
    Relaxation,
    SearchEffort,
)

__all__ = [
    "Accelerator",
    "Alternative",
    "Approach",
    "ApproachComparison",
    "Answer",
    "BindingLimit",
    "Calibration",
    "Certificate",
    "Cluster",
    "ComparisonSplit",
    "ComputeOptimalExponent",
    "Conflict",
    "Decision",
    "Estimate",
    "ExperimentDesign",
    "FormComparison",
    "FormScore",
    "Front",
    "Interconnect",
    "Law",
    "LawDraws",
    "MeasuredGroup",
    "ModelShape",
    "Plan",
    "PlanWarning",
    "PriceBook",
    "PriceOffer",
    "RefusedMeasurement",
    "Relaxation",
    "RunSet",
    "SearchEffort",
    "TargetComparison",
    "ValueRange",
]

"""P parallel streams act like N (k ln P + 1) parameters: L = E + (A / (N (k ln P + 1)))^α.

Chen et al. 2025 (2505.10475, ParScale): inputs are transformed P ways, run through the same weights, and combined.
For each P a monomial in N above a floor: streams are enumerated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.compute import ComputeModel
from planner.laws.form import Coef, Coefficient, Form, OptimisationClass, exponent, scale


@dataclass(frozen=True)
class ParallelStreams(Form):
    """Loss of N parameters applied in P streams that are then combined."""

    E: Coef
    A: Coef
    alpha: Coef
    k: Coef

    form_name: ClassVar[str] = "parallel-streams"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "stream_count")
    enumerated: ClassVar[tuple[str, ...]] = ("stream_count",)
    citation: ClassVar[str] = "Chen et al. 2025, Parallel Scaling Law for Language Models, arXiv 2505.10475"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.ENUMERATED
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "nats/token", (0.1, 10.0)),
        scale("A", "parameters", (1e5, 1e12), linear=False),
        exponent("alpha", (0.05, 0.9)),
        Coefficient("k", 1e-6, 100.0, (0.05, 2.0), "per nat of streams", logarithmic=True),
    )

    def equivalent_parameters(self, parameter_count: Any, stream_count: Any) -> Any:
        """Parameters of the single-stream model that does as well."""
        return parameter_count * (self.k * np.log(stream_count) + 1.0)

    def training_flops(self, compute_model: ComputeModel, **variables: Any) -> Any:
        """Every stream passes through the whole model."""
        once = super().training_flops(compute_model, **variables)
        return None if once is None else once * variables["stream_count"]

    def inference_flops_per_token(self, compute_model: ComputeModel, **variables: Any) -> Any:
        once = super().inference_flops_per_token(compute_model, **variables)
        return None if once is None else once * variables["stream_count"]

    def loss(self, **variables: Any) -> Any:
        """E + (A / (N (k ln P + 1)))^alpha; N = parameter_count, P = stream_count."""
        return self.E + (self.A / self.equivalent_parameters(*self.read(variables))) ** self.alpha

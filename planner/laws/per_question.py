"""Compute spent per question: parallel streams, repeated samples, coverage and votes.

Chen et al. 2025 (2505.10475, ParScale): P streams act like N (k ln P + 1) parameters. Roberts et al. 2026
(2604.01411, T²): samples as a third resource, a posynomial in N, D and k. Brown et al. 2024 (2407.21787): coverage by
k samples, which needs a verifier. Chen et al. 2024 (2403.02419): majority votes over easy and hard questions, not
monotone in their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from planner.laws.compute import ComputeModel
from planner.laws.form import Coef, Coefficient, Form, LossTerms, OptimisationClass, exponent, scale


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


@dataclass(frozen=True)
class RepeatedSampling(Form):
    """Chinchilla with a third term in samples per question."""

    E: Coef
    A: Coef
    B: Coef
    G: Coef
    alpha: Coef
    beta: Coef
    gamma: Coef

    form_name: ClassVar[str] = "repeated-sampling"
    variables: ClassVar[tuple[str, ...]] = ("parameter_count", "token_count", "sample_count")
    citation: ClassVar[str] = "Roberts et al. 2026, arXiv 2604.01411"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.POSYNOMIAL
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        scale("E", "of the metric", (0.01, 10.0)),
        scale("A", "of the metric × parameters^alpha"),
        scale("B", "of the metric × tokens^beta", (1.0, 1e8)),
        scale("G", "of the metric", (0.01, 10.0)),
        exponent("alpha", (0.05, 0.9)),
        exponent("beta", (0.05, 0.9)),
        exponent("gamma", (0.05, 1.5)),
    )

    def inference_flops_per_token(self, compute_model: ComputeModel, **variables: Any) -> Any:
        """Each question is answered `sample_count` times."""
        once = super().inference_flops_per_token(compute_model, **variables)
        return None if once is None else once * variables["sample_count"]

    def loss(self, **variables: Any) -> Any:
        """E + A N^-alpha + B D^-beta + G k^-gamma; k = sample_count."""
        terms = self.loss_terms(**variables)
        return terms.floor + terms.model + terms.data

    def loss_terms(self, **variables: Any) -> LossTerms:
        n, d, k = self.read(variables)
        return LossTerms(self.A * n**-self.alpha, self.B * d**-self.beta, self.E + self.G * k**-self.gamma)


@dataclass(frozen=True)
class Coverage(Form):
    """Share of questions that at least one of k samples solves."""

    a: Coef
    b: Coef

    form_name: ClassVar[str] = "coverage"
    variables: ClassVar[tuple[str, ...]] = ("sample_count",)
    citation: ClassVar[str] = "Brown et al. 2024, Large Language Monkeys, arXiv 2407.21787"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.INVERTED
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("a", -50.0, -1e-6, (-5.0, -0.2)),
        Coefficient("b", -5.0, -1e-4, (-1.0, -0.05)),
    )

    def loss(self, **variables: Any) -> Any:
        """exp(a k^b); k = sample_count. Coverage, which rises."""
        (k,) = self.read(variables)
        return np.exp(self.a * k**self.b)


@dataclass(frozen=True)
class Votes(Form):
    """Accuracy of a majority of K votes: a share s of easy questions (p1 > 1/2), the others hard (p2 < 1/2)."""

    s: Coef
    p1: Coef
    p2: Coef

    form_name: ClassVar[str] = "votes"
    variables: ClassVar[tuple[str, ...]] = ("vote_count",)
    citation: ClassVar[str] = "Chen et al. 2024, Are More LLM Calls All You Need?, arXiv 2403.02419"
    optimisation_class: ClassVar[OptimisationClass] = OptimisationClass.SEARCH
    observed: ClassVar[str] = "metric"
    larger_is_better: ClassVar[bool] = True
    coefficients: ClassVar[tuple[Coefficient, ...]] = (
        Coefficient("s", 0.0, 1.0, (0.2, 0.9), "share"),
        Coefficient("p1", 0.5, 1.0 - 1e-9, (0.52, 0.95), "probability"),
        Coefficient("p2", 1e-9, 0.5, (0.05, 0.48), "probability"),
    )

    def best_vote_count(self) -> Coef:
        """K of highest accuracy (not rounded); below one where the first vote is the best."""
        odds = self.s / (1.0 - self.s) * (2.0 * self.p1 - 1.0) / (1.0 - 2.0 * self.p2)
        return 2.0 * np.log(odds) / np.log(self.p2 * (1.0 - self.p2) / (self.p1 * (1.0 - self.p1)))

    def loss(self, **variables: Any) -> Any:
        """s I(p1) + (1 - s) I(p2), I(p) = regularised incomplete beta at ((K+1)/2, (K+1)/2); K = vote_count."""
        (votes,) = self.read(variables)
        return self.s * _majority(self.p1, votes) + (1.0 - self.s) * _majority(self.p2, votes)


def _majority(p: Any, votes: Any) -> Any:
    """Probability that most of `votes` are right, with its derivatives where p carries some."""
    from scipy.special import betainc, betaln  # late: no other law needs it

    half = 0.5 * (np.asarray(votes, float) + 1.0)
    at = np.asarray(getattr(p, "value", p), float)
    value = betainc(half, half, at)
    if not hasattr(p, "mapped"):
        return value
    first = np.exp((half - 1.0) * (np.log(at) + np.log1p(-at)) - betaln(half, half))
    return p.mapped(value, first, first * (half - 1.0) * (1.0 / at - 1.0 / (1.0 - at)))
